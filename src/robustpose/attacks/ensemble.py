"""Ensembles: several attacks and objectives in turn; the result is each person's worst image."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Protocol, runtime_checkable

import torch
from torch import Tensor

from robustpose.attack_types import Attack
from robustpose.attacks.contract import Attacked, Target, predict
from robustpose.objectives import HasRadius, Objective, correct_radius
from robustpose.threats import norm_of
from robustpose.types import Batch, Head, PoseModel


@dataclass(frozen=True)
class Move:
    """One attack of an ensemble.

    attack     makes the attack for a number of gradients
    share      of the ensemble's gradients
    elsewhere  targets the nearest other keypoint of the same person instead of moving away from the truth
    unbeaten   attacks only keypoints that no earlier move has beaten, for people who have such keypoints
    norms      p of the Lp balls that it supports; empty means every threat to pixel values. Under other threats
               the move is skipped
    """

    name: str
    attack: Callable[[int], Attack]
    objective: Objective
    share: float
    elsewhere: bool = False
    unbeaten: bool = False
    norms: tuple[float, ...] = ()

    def made(self, gradients: int) -> Attack:
        """Make the attack with its share of the ensemble's gradients."""
        return self.attack(max(1, int(gradients * self.share)))


@runtime_checkable
class Ensemble(Protocol):
    """A frozen dataclass of hyper-parameters that lists the attacks to run."""

    @property
    def gradients(self) -> int:
        """The number of gradients per person, over all moves."""
        ...

    def moves(self, head: Head, /) -> tuple[Move, ...]:
        """Return the moves against models with such a head, in the order in which they run."""
        ...


def run_moves(
    attack: Ensemble,
    model: PoseModel,
    batch: Batch,
    run: Callable[..., Attacked],
    *,
    threat: str,
    target: Target | None,
    metric: HasRadius | None,
) -> Attacked:
    """Run the moves of an ensemble with `run` (attacks.run), each on the people who still have a correct keypoint.

    The attacker wins a keypoint when it is predicted beyond the metric's radius of the truth or, in a targeted
    attack, within the radius of the target. Each person's worst image is the one with most keypoints won; ties go
    to the earliest. The runner calls this.
    """
    asked = batch.visible if target is None else target.visible
    radius = correct_radius(batch, metric)
    counted = asked & torch.tensor(model.skeleton.counted, device=asked.device) & torch.isfinite(radius)
    nothing = torch.zeros_like(batch.visible)
    state = _State(batch.images, has=nothing, beaten=nothing)
    for move in attack.moves(model.head):
        if move.norms and norm_of(threat) not in move.norms:
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
            move.made(attack.gradients),
            model,
            replace(people, visible=wanted) if target is None else people,
            objective=move.objective,
            target=_target(move, people, target, rows=rows, wanted=wanted, radius=radius[rows]),
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
    """The worst image of each person so far, the keypoints won in it, and those won in any image."""

    images: Tensor
    has: Tensor
    beaten: Tensor
    forwards: int = 0
    backwards: int = 0

    def after(self, found: Attacked, rows: Tensor, won: Tensor) -> "_State":
        """Return the state after a move that won keypoints (M, K) of the people `rows` (M,)."""
        better = won.sum(dim=1) > self.has[rows].sum(dim=1)
        if not self.forwards:
            better = torch.ones_like(better)  # take the first move's image even where it won nothing
        images, has, beaten = self.images.clone(), self.has.clone(), self.beaten.clone()
        images[rows[better]], has[rows[better]] = found.images[better], won[better]
        beaten[rows] |= won
        return _State(images, has, beaten, self.forwards + found.forwards, self.backwards + found.backwards)

    def worst(self, batch: Batch, model: PoseModel) -> Attacked:
        """Return each person's worst image and the model's output for it."""
        output = predict(model, self.images, ids=batch.ids)
        return Attacked(self.images, output, self.forwards, self.backwards, beaten=self.beaten)


def elsewhere(keypoints: Tensor, asked: Tensor, radius: Tensor) -> Tensor:
    """Return a wrong place (N, K, 2) for each keypoint: the nearest other keypoint of the same person.

    In input pixels, at least 1.5 radii (N, K) away, so that a prediction there is wrong. Where a person has no
    such keypoint, the place is two radii to the right. A model already responds near keypoints, so they are easy
    targets.
    """
    n, k = asked.shape
    apart = torch.cdist(keypoints, keypoints)  # (N, K, K)
    fits = asked[:, None, :] & (apart > 1.5 * radius[:, :, None])
    nearest = torch.where(fits, apart, torch.inf).argmin(dim=2)
    chosen = keypoints.gather(1, nearest[..., None].expand(n, k, 2))
    right = torch.stack([2 * radius, torch.zeros_like(radius)], dim=-1)
    return torch.where(fits.any(dim=2)[..., None], chosen, keypoints + right)
