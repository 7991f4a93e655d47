"""The door for an ensemble: its moves go through `run` one by one, and the worst case of each person is kept."""

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from robustpose.attacks.autopose import Autopose, Move, elsewhere
from robustpose.attacks.run import Attacked, Target, predict, run
from robustpose.metrics import Pck
from robustpose.objectives import correct_radius
from robustpose.types import Batch, PoseModel, PoseOutput, Threat


@dataclass(frozen=True)
class Worst:
    """What an ensemble did.

    attacked  each person's worst picture: where the attacker has most keypoints, the earliest of equals
    beaten    (N, K) bool: keypoints that the attacker has in any picture of that person, this one or another
    """

    attacked: Attacked
    beaten: Tensor


def run_ensemble(
    attack: Autopose,
    model: PoseModel,
    batch: Batch,
    *,
    threat: Threat,
    target: Target | None = None,
    metric: Pck | None = None,
    seed: int = 0,
    round_to_8bit: bool = True,
    search: str = "fp32",
) -> Worst:
    """Attack a batch with all moves of an ensemble, each on the people whom no picture has lost altogether.

    Untargeted, the attacker has a keypoint when it lies beyond the metric's radius of the truth; targeted, when
    it lies within the radius of the target. Errors as `run`.
    """
    asked = batch.visible if target is None else target.visible
    radius = correct_radius(batch, metric)
    counted = asked & torch.tensor(model.skeleton.counted, device=asked.device) & torch.isfinite(radius)
    nothing = torch.zeros_like(batch.visible)
    state = _State(batch.images, has=nothing, beaten=nothing)
    for move in attack.moves(model.head):
        made = attack.made(move)
        if threat.name not in getattr(made, "threats", (threat.name,)):
            continue
        rows = (counted & ~state.has).any(dim=1) if state.forwards else torch.ones_like(counted[:, 0])
        rows = rows.nonzero().flatten()
        if len(rows) == 0:
            break
        people = batch.take(rows.tolist())
        wanted = asked[rows]
        if move.unbeaten:
            open_ = (counted & ~state.beaten)[rows]
            wanted = torch.where(open_.any(dim=1, keepdim=True), open_, wanted)
        found = run(
            made,
            model,
            replace(people, visible=wanted) if target is None else people,
            threat=threat,
            objective=move.objective,
            target=_target(move, people, target, rows=rows, wanted=wanted, radius=radius[rows]),
            metric=metric,
            seed=seed,
            round_to_8bit=round_to_8bit,
            search=search,
        )
        aim = people.keypoints if target is None else target.keypoints[rows]
        within = torch.linalg.vector_norm(found.output.keypoints - aim, dim=-1) <= radius[rows]
        state = state.after(found, rows, counted[rows] & (within if target is not None else ~within))
    return state.worst(batch, model)


def _target(
    move: Move, people: Batch, target: Target | None, *, rows: Tensor, wanted: Tensor, radius: Tensor
) -> Target | None:
    if target is not None:
        return Target(target.keypoints[rows], wanted)
    if not move.elsewhere:
        return None
    return Target(elsewhere(people.keypoints, people.visible, radius), wanted)


@dataclass(frozen=True)
class _State:
    """The worst picture of each person so far, the keypoints that it has won, and those that any has."""

    images: Tensor
    has: Tensor
    beaten: Tensor
    forwards: int = 0
    backwards: int = 0

    def after(self, found: Attacked, rows: Tensor, won: Tensor) -> "_State":
        """Return the state after a move that won keypoints (M, K) of the people `rows` (M,)."""
        better = won.sum(dim=1) > self.has[rows].sum(dim=1)
        if not self.forwards:
            better = torch.ones_like(better)  # the first move's picture, even where it won nothing
        images, has, beaten = self.images.clone(), self.has.clone(), self.beaten.clone()
        images[rows[better]], has[rows[better]] = found.images[better], won[better]
        beaten[rows] |= won
        return _State(images, has, beaten, self.forwards + found.forwards, self.backwards + found.backwards)

    def worst(self, batch: Batch, model: PoseModel) -> Worst:
        output: PoseOutput = predict(model, self.images, ids=batch.ids)
        return Worst(Attacked(self.images, output, self.forwards, self.backwards), self.beaten)
