"""The runner of every attack: it checks input and result, rounds to 8 bits, counts passes and restores the model.

Attacks do not check themselves. The runner checks the range, budget, shape and finiteness of every result, before
and after rounding.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial

import torch
from torch import Tensor

from robustpose.attack_types import (
    Attack,
    CappedLoss,
    Loss,
    LossOfParts,
    MinimumNormAttack,
    StopsAtCap,
    Threat,
    TrajectoryAttack,
)
from robustpose.attacks.acceleration import FusedModel, Unfinished
from robustpose.attacks.contract import Attacked, AttackError, Target, check_input, checked, predict
from robustpose.attacks.ensemble import Ensemble, run_moves
from robustpose.attacks.expectation import expected
from robustpose.attacks.spatial import SpatialAttack, search_motions
from robustpose.errors import RobustPoseError
from robustpose.models.untouched import untouched
from robustpose.objectives import Aim, HasRadius, Objective, correct_radius
from robustpose.threats import Motion
from robustpose.types import Batch, PoseModel

AnyAttack = Attack | Ensemble | SpatialAttack
"""An attack of any kind: it changes pixel values, combines several attacks, or moves the image and its truth."""


@dataclass(frozen=True)
class Crafted:
    """Images that an attack made, and the passes that it used: see Attacked."""

    images: Tensor
    forwards: int
    backwards: int
    minimum_norm: Tensor | None = None


def run(
    attack: AnyAttack,
    model: PoseModel,
    batch: Batch,
    *,
    threat: Threat | Motion,
    objective: Objective | None = None,
    target: Target | None = None,
    metric: HasRadius | None = None,
    seed: int = 0,
    round_to_8bit: bool = True,
    search: str = "fp32",
) -> Attacked:
    """Attack a batch with an attack of any kind: away from its truth, or towards `target`.

    The batch must have the model's skeleton and input size. Objectives that need a radius use the metric's: see
    objectives.correct_radius. Ensembles and spatial attacks have objectives of their own. `search` is the
    precision of the attack's passes ('fp32' or 'bf16'). The model itself scores the result in its own precision.
    RobustPoseError for input that cannot be attacked; AttackError where the result is outside the threat.
    """
    (attacked,) = run_along(
        attack,
        model,
        batch,
        at=None,
        threat=threat,
        objective=objective,
        target=target,
        metric=metric,
        seed=seed,
        round_to_8bit=round_to_8bit,
        search=search,
    ).values()
    return attacked


def run_along(
    attack: AnyAttack,
    model: PoseModel,
    batch: Batch,
    *,
    at: Sequence[int] | None,
    threat: Threat | Motion,
    objective: Objective | None = None,
    target: Target | None = None,
    metric: HasRadius | None = None,
    seed: int = 0,
    round_to_8bit: bool = True,
    search: str = "fp32",
) -> dict[int, Attacked]:
    """Attack a batch once and return the result after each number of steps in `at`; see `run`.

    The k-th iterate of a trajectory (TrajectoryAttack) is what the same attack with k steps returns, so a
    sweep over steps costs as much as its longest attack. With at=None, which any attack allows, only the final
    result is returned, under the key 0.
    """
    check_input(model, batch, target)
    if at is not None:
        _trajectory_of(attack)
    if isinstance(attack, SpatialAttack):
        _check_kind(attack, threat, moves=True)
        assert isinstance(threat, Motion)
        if target is not None:
            raise RobustPoseError(f"{type(attack).__name__} is untargeted: it takes no target")
        return {0: search_motions(attack, model, batch, threat=threat, metric=metric, seed=seed)}
    _check_kind(attack, threat, moves=False)
    assert not isinstance(threat, Motion)
    if isinstance(attack, Ensemble):
        once = partial(run, threat=threat, metric=metric, seed=seed, round_to_8bit=round_to_8bit, search=search)
        return {0: run_moves(attack, model, batch, once, threat=threat.name, target=target, metric=metric)}
    if objective is None:
        raise RobustPoseError(f"{type(attack).__name__} needs an objective to raise, got none")
    pose = batch if target is None else target
    aim = Aim(pose.keypoints, pose.visible, correct_radius(batch, metric))
    with untouched(model):
        torch.manual_seed(seed)  # of a model that draws
        loss = objective.bind(FusedModel(model, search=search), aim, targeted=target is not None)
        crafted = craft(
            attack,
            loss,
            batch.images,
            ids=batch.ids,
            at=at,
            threat=threat,
            seed=seed,
            round_to_8bit=round_to_8bit,
            draws=getattr(model, "draws", 1),
        )
    return {
        steps: Attacked(
            images=made.images,
            output=predict(model, made.images, ids=batch.ids),
            forwards=made.forwards,
            backwards=made.backwards,
            minimum_norm=made.minimum_norm,
        )
        for steps, made in crafted.items()
    }


def _check_kind(attack: AnyAttack, threat: Threat | Motion, *, moves: bool) -> None:
    """Raise RobustPoseError where the attack changes pixel values and the threat bounds motions, or vice versa."""
    if isinstance(threat, Motion) != moves:
        does = "moves the image" if moves else "changes pixel values"
        raise RobustPoseError(f"{type(attack).__name__} {does}; threat {threat.name!r} does not bound that")


def _trajectory_of(attack: AnyAttack) -> TrajectoryAttack:
    if not isinstance(attack, TrajectoryAttack):
        raise AttackError(f"{type(attack).__name__} has no trajectory, so `at` must be None")
    return attack


def craft(
    attack: Attack,
    loss: Loss,
    images: Tensor,
    *,
    ids: tuple[str, ...],
    at: Sequence[int] | None,
    threat: Threat,
    seed: int,
    round_to_8bit: bool,
    draws: int = 1,
) -> dict[int, Crafted]:
    """Attack any per-image loss: `run_along` for models of every task. The caller restores the model afterwards.

    RobustPoseError where the loss or its gradient is NaN or infinite; AttackError as in `run`.
    """
    counter = _Counter(ids)
    generator = torch.Generator().manual_seed(seed)
    counted = expected(counter.counted(loss), draws=draws)
    if draws == 1 and isinstance(attack, StopsAtCap) and attack.stops_at_cap and isinstance(loss, CappedLoss):
        counted = Unfinished(counted, loss.cap)
    made: dict[int, Crafted] = {}

    def keep(steps: int, adv: Tensor, minimum_norm: Tensor | None = None) -> None:
        adv = checked(adv.detach(), images, threat, round_to_8bit=round_to_8bit)
        made[steps] = Crafted(adv, counter.forwards, counter.backwards, minimum_norm)

    if at is None and isinstance(attack, MinimumNormAttack):
        found = attack.search(counted, images, threat, generator)
        keep(0, found.images, found.minimum_norm)
        return made
    if at is None:
        keep(0, attack.perturb(counted, images, threat, generator))
        return made
    wanted = set(at)
    for steps, adv in enumerate(_trajectory_of(attack).iterates(counted, images, threat, generator), start=1):
        if steps in wanted:
            keep(steps, adv)
    if missing := sorted(wanted - set(made)):
        raise AttackError(f"{type(attack).__name__} ended before step {missing[0]}")
    return made


@dataclass
class _Counter:
    """Counts forward and backward passes per image, and refuses NaN and infinity.

    With a NaN gradient an attack would silently take steps of 0; an infinite one becomes NaN when it is scaled.
    """

    ids: tuple[str, ...]
    forwards: int = field(default=0)
    backwards: int = field(default=0)
    passes: int = field(default=0)

    def counted(self, loss: Loss) -> Loss:
        if isinstance(loss, LossOfParts):
            return _CountedParts(loss.counted, partial(self._watch, loss), partial(self._watch, loss.parts))
        return partial(self._watch, loss)

    def _watch(self, loss: Loss, adv: Tensor, rows: Tensor) -> Tensor:
        value = loss(adv, rows)
        self.forwards += len(rows)
        self.passes += 1
        self._refuse(value, rows, "the loss")
        if adv.requires_grad:
            adv.register_hook(lambda grad: self._refuse(grad, rows, "the gradient"))  # type: ignore[no-untyped-call]
        if value.requires_grad:
            value.register_hook(lambda gradient: self._count_backward(len(rows)))  # type: ignore[no-untyped-call]
        return value

    def _refuse(self, values: Tensor, rows: Tensor, what: str) -> None:
        broken = (~torch.isfinite(values)).reshape(len(rows), -1).any(dim=1) if len(rows) else rows
        if broken.any():
            person = int(rows[broken][0])
            is_nan = values.isnan().reshape(len(rows), -1)[rows == person].any()
            raise RobustPoseError(
                f"person {self.ids[person]}: {what} is {'NaN' if is_nan else 'infinite'} in pass {self.passes} of "
                "the attack"
            )

    def _count_backward(self, images: int) -> None:
        self.backwards += images


@dataclass(frozen=True)
class _CountedParts:
    """A LossOfParts whose passes are counted."""

    counted: Tensor
    whole: Loss
    each: Loss

    def __call__(self, adv: Tensor, rows: Tensor, /) -> Tensor:
        return self.whole(adv, rows)

    def parts(self, adv: Tensor, rows: Tensor, /) -> Tensor:
        return self.each(adv, rows)
