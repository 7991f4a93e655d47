"""The only door to every attack: checks what goes in and what comes out, rounds, counts, leaves no trace.

Attacks never verify themselves and callers never trust them: range, budget, shape and finiteness of what each
returns are checked here, after rounding to the 8 bits that a picture has.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial

import torch
from torch import Tensor

from robustpose.attacks.acceleration import FusedModel, Unfinished
from robustpose.attacks.gradient import check_gradient
from robustpose.attacks.untouched import untouched
from robustpose.errors import RobustPoseError
from robustpose.metrics import Pck
from robustpose.objectives import Aim, Objective, correct_radius
from robustpose.threats.levels import LEVELS
from robustpose.types import (
    Attack,
    Batch,
    CappedLoss,
    Loss,
    LossOfParts,
    PoseModel,
    PoseOutput,
    SearchingAttack,
    Threat,
    WalkingAttack,
)

TOLERANCE = 1e-5
"""Of a budget, and in [0, 1] units at least: what float32 arithmetic may add; 0.003 of an 8-bit level."""


class AttackError(RuntimeError):
    """An attack broke its contract: what it returned is not an adversarial example."""


@dataclass(frozen=True)
class Target:
    """The pose that a targeted attack wants the net to see.

    keypoints  (N, K, 2) input pixels
    visible    (N, K) bool: the joints that the attack asks for
    """

    keypoints: Tensor
    visible: Tensor


@dataclass(frozen=True)
class Attacked:
    """What an attack did.

    images     (N, 3, H, W) adversarial, inside the threat and [0, 1]
    output     what the model says of them
    forwards   passes of one image through the model, the final scoring pass left out
    backwards  passes of one image's gradient
    smallest   of an attack of least size, (N, K): see types.Searched; its sizes are those before rounding
    """

    images: Tensor
    output: PoseOutput
    forwards: int
    backwards: int
    smallest: Tensor | None = None


@dataclass(frozen=True)
class Crafted:
    """Pictures that an attack made, and what it asked for: see Attacked."""

    images: Tensor
    forwards: int
    backwards: int
    smallest: Tensor | None = None


def predict(model: PoseModel, images: Tensor, *, ids: tuple[str, ...]) -> PoseOutput:
    """Run a model on images (N, 3, H, W) in [0, 1] and leave no trace on it.

    RobustPoseError where the images are of another size or range, or where the model answers with NaN, infinity,
    or the wrong shape.
    """
    _check_images(model, images)
    with untouched(model), torch.no_grad():
        output = model(images)
    expected = (len(images), len(model.skeleton), 2)
    if tuple(output.keypoints.shape) != expected:
        raise RobustPoseError(
            f"the model's keypoints must have shape {expected} (people, keypoints, xy), "
            f"got {tuple(output.keypoints.shape)}"
        )
    values = torch.cat([part.flatten(1) for part in (output.keypoints, *output.stages)], dim=1)
    broken = (~torch.isfinite(values).all(dim=1)).nonzero().flatten().tolist()
    if broken:
        raise RobustPoseError(f"person {ids[broken[0]]}: the model returned NaN or infinity")
    return output


def run(
    attack: Attack,
    model: PoseModel,
    batch: Batch,
    *,
    threat: Threat,
    objective: Objective,
    target: Target | None = None,
    metric: Pck | None = None,
    seed: int = 0,
    round_to_8bit: bool = True,
    search: str = "fp32",
) -> Attacked:
    """Attack a batch: away from its truth, or towards `target`.

    An objective that asks for a radius takes the metric's: see objectives.correct_radius. The batch must be in the
    model's skeleton and input size. `search` is the precision of the attack's passes ('fp32' or 'bf16'); what it
    found is always scored by the model itself, as it came. RobustPoseError for input that cannot be attacked;
    AttackError where the attack returned something outside the threat.
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
    attack: Attack,
    model: PoseModel,
    batch: Batch,
    *,
    at: Sequence[int] | None,
    threat: Threat,
    objective: Objective,
    target: Target | None = None,
    metric: Pck | None = None,
    seed: int = 0,
    round_to_8bit: bool = True,
    search: str = "fp32",
) -> dict[int, Attacked]:
    """Attack a batch once and say what the attack had done after each number of steps of `at`; see `run`.

    Of an attack that walks (types.WalkingAttack) the k-th iterate is what the same attack of k steps returns: a
    whole sweep over steps costs its longest walk. at=None is the end alone, under the key 0, for any attack.
    """
    _check_input(model, batch, target)
    check_gradient(attack, model)
    pose = batch if target is None else target
    aim = Aim(pose.keypoints, pose.visible, correct_radius(batch, metric))
    with untouched(model):
        loss = objective.bind(FusedModel(model, search=search), aim, targeted=target is not None)
        crafted = craft(
            attack, loss, batch.images, ids=batch.ids, at=at, threat=threat, seed=seed, round_to_8bit=round_to_8bit
        )
    return {
        steps: Attacked(
            images=made.images,
            output=predict(model, made.images, ids=batch.ids),
            forwards=made.forwards,
            backwards=made.backwards,
            smallest=made.smallest,
        )
        for steps, made in crafted.items()
    }


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
) -> dict[int, Crafted]:
    """Raise any per-image loss: `run_along` for nets of every task. The caller keeps the net untouched.

    RobustPoseError where the loss or its gradient is NaN; AttackError as `run`.
    """
    counter = _Counter(ids)
    generator = torch.Generator().manual_seed(seed)
    counted = counter.counted(loss)
    if getattr(attack, "stops_at_cap", False) and isinstance(loss, CappedLoss):
        counted = Unfinished(counted, loss.cap)
    made: dict[int, Crafted] = {}

    def keep(steps: int, adv: Tensor, smallest: Tensor | None = None) -> None:
        checked = _checked(adv.detach(), images, threat, round_to_8bit=round_to_8bit)
        made[steps] = Crafted(checked, counter.forwards, counter.backwards, smallest)

    if at is None and isinstance(attack, SearchingAttack):
        searched = attack.search(counted, images, threat, generator)
        keep(0, searched.images, searched.smallest)
        return made
    if at is None:
        keep(0, attack.perturb(counted, images, threat, generator))
        return made
    if not isinstance(attack, WalkingAttack):
        raise AttackError(f"{type(attack).__name__} does not walk: it cannot be looked at on its way")
    wanted = set(at)
    for steps, adv in enumerate(attack.iterates(counted, images, threat, generator), start=1):
        if steps in wanted:
            keep(steps, adv)
    if missing := sorted(wanted - set(made)):
        raise AttackError(f"{type(attack).__name__} ended before step {missing[0]}")
    return made


def _checked(adv: Tensor, images: Tensor, threat: Threat, *, round_to_8bit: bool) -> Tensor:
    if round_to_8bit:
        _check(adv, images, threat)
        levels = images * LEVELS
        if ((levels - levels.round()).abs() > LEVELS * TOLERANCE).any():  # then no level may lie within eps
            raise RobustPoseError("rounding to 8 bits needs 8-bit images, got values between the levels k/255")
        adv = threat.round_to_8bit(images, adv)
    _check(adv, images, threat)
    return adv


def _check_input(model: PoseModel, batch: Batch, target: Target | None) -> None:
    if batch.skeleton.keypoints != model.skeleton.keypoints:
        raise RobustPoseError(
            f"the batch is in skeleton {batch.skeleton.name}, the model in {model.skeleton.name}: "
            "convert it with batch.in_skeleton(model.skeleton)"
        )
    _check_images(model, batch.images)
    if target is None:
        return
    for name in ("keypoints", "visible"):
        given, expected = tuple(getattr(target, name).shape), tuple(getattr(batch, name).shape)
        if given != expected:
            raise RobustPoseError(f"target {name} must have shape {expected}, got {given}")


def _check_images(model: PoseModel, images: Tensor) -> None:
    size = tuple(model.input_size)
    if images.ndim != 4 or images.shape[1] != 3:
        raise RobustPoseError(f"images must have shape (N, 3, {size[0]}, {size[1]}), got {tuple(images.shape)}")
    if tuple(images.shape[2:]) != size:
        raise RobustPoseError(f"the model takes crops of {size}, got {tuple(images.shape[2:])}")
    if len(images) and not (images.min() >= 0 and images.max() <= 1):
        levels = images.min() >= 0 and images.max() > 1
        hint = "divide levels of 0 to 255 by 255" if levels else "normalisation belongs inside the model"
        raise RobustPoseError(f"images must lie in [0, 1], got [{images.min():g}, {images.max():g}]; {hint}")


def _check(adv: Tensor, images: Tensor, threat: Threat) -> None:
    if adv.shape != images.shape:
        raise AttackError(f"the attack returned shape {tuple(adv.shape)}, expected {tuple(images.shape)}")
    if not torch.isfinite(adv).all():
        raise AttackError("the attack returned NaN or infinity")
    if len(adv) == 0:
        return
    if adv.min() < 0 or adv.max() > 1:
        raise AttackError(f"the attack left [0, 1]: values in [{adv.min():g}, {adv.max():g}]")
    largest = float(threat.size(images, adv).max())
    if largest > threat.eps + TOLERANCE * max(threat.eps, 1.0):
        raise AttackError(f"the attack left its budget: {threat.name} size {largest:g} > eps {threat.eps:g}")


@dataclass
class _Counter:
    """Counts what the attack asks of the model, image by image.

    NaN and infinity are errors: an attack steps 0 on the one, and the other is NaN where it is scaled.
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
    """A loss of parts, counted (types.LossOfParts)."""

    counted: Tensor
    whole: Loss
    each: Loss

    def __call__(self, adv: Tensor, rows: Tensor, /) -> Tensor:
        return self.whole(adv, rows)

    def parts(self, adv: Tensor, rows: Tensor, /) -> Tensor:
        return self.each(adv, rows)
