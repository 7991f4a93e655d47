"""A patch that works at any place and scale: expectation over transformation.

Athalye, Engstrom, Ilyas, Kwok, "Synthesizing Robust Adversarial Examples", ICML 2018, arXiv 1707.07397, raise the
mean loss over random transformations. Brown, Mane, Roy, Abadi, Gilmer, "Adversarial Patch", 2017, arXiv
1712.09665, do so for the place and scale of a patch, so that it can be printed. Here patches are axis-aligned
squares, and sign steps of falling size replace their optimisers.

The patch is scored at one random place and scale, drawn after it was made. The draws of a person depend on the
seed and the image, not on the rest of the batch.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import torch
from torch import Generator, Tensor

from robustpose import geometry
from robustpose.attack_types import Loss, Threat
from robustpose.attacks.acceleration import FusedModel
from robustpose.attacks.gradient import each_persons
from robustpose.attacks.spec import AttackSpec
from robustpose.errors import RobustPoseError
from robustpose.models.untouched import untouched
from robustpose.objectives import Aim, Objective, correct_radius
from robustpose.threats.levels import LEVELS
from robustpose.types import Batch, PoseModel


@dataclass(frozen=True)
class EotPatch:
    """Optimise a patch for each person over random places and scales, then paste it at a new one.

    steps      updates; with 0 the patch is its initial noise, which measures the effect of occlusion alone
    draws      random places and scales per update, one gradient each
    step_size  of the first update, in [0, 1] units; it falls linearly to 0
    smallest   smallest side of a pasted patch, as a share of the largest, which is eps
    """

    steps: int = 50
    draws: int = 4
    step_size: float = 0.1
    smallest: float = 0.5

    def __post_init__(self) -> None:
        if self.steps < 0:
            raise RobustPoseError(f"eot_patch: steps must be at least 0, got {self.steps}")
        if self.draws < 1:
            raise RobustPoseError(f"eot_patch: draws must be at least 1, got {self.draws}")
        if not 0 < self.step_size <= 1:
            raise RobustPoseError(f"eot_patch: step_size must lie in (0, 1], got {self.step_size:g}")
        if not 0 < self.smallest <= 1:
            raise RobustPoseError(f"eot_patch: smallest must lie in (0, 1], got {self.smallest:g}")

    def perturb(self, loss: Loss, images: Tensor, threat: Threat, generator: Generator, /) -> Tensor:
        """Return the images, each with its patch at a new place; RobustPoseError for threats other than patch."""
        if threat.name != "patch":
            raise RobustPoseError(f"eot_patch supports patch, got {threat.name}")
        side = min(int(threat.eps), *images.shape[2:])
        if side == 0 or len(images) == 0:
            return images.clone()
        generators = each_persons(images, generator)
        patch = torch.cat([_noise(side, each) for each in generators]).to(images)
        rows = torch.arange(len(images), device=images.device)
        for step in range(self.steps):
            drawn = [self.draw(images, side, generators) for _ in range(self.draws)]
            gradient = mean_gradient(loss, images, patch, rows, drawn)
            patch = self.updated(patch, gradient, step)
        return self.draw(images, side, generators).lay(images, patch)

    def draw(self, images: Tensor, side: int, generators: Sequence[Generator]) -> "Squares":
        """Draw a square in every image, with a uniform side from `smallest` x `side` to `side` pixels."""
        height, width = images.shape[2:]
        low = max(math.ceil(self.smallest * side), 1)
        chosen = []
        for each in generators:
            length = int(torch.randint(low, side + 1, (1,), generator=each))
            top = int(torch.randint(height - length + 1, (1,), generator=each))
            left = int(torch.randint(width - length + 1, (1,), generator=each))
            chosen.append((top, left, length))
        return Squares(*torch.tensor(chosen, device=images.device).reshape(-1, 3).unbind(dim=1))

    def updated(self, patch: Tensor, gradient: Tensor, step: int) -> Tensor:
        """Return a patch after a sign step."""
        pace = self.step_size * (1 - step / max(self.steps, 1))
        return (patch + pace * gradient.sign()).clamp(0.0, 1.0)


@dataclass(frozen=True)
class Squares:
    """Places of patches: first row, first column and side, (N,) whole pixels each."""

    top: Tensor
    left: Tensor
    side: Tensor

    def lay(self, images: Tensor, patch: Tensor) -> Tensor:
        """Paste patches (N, 3, S, S), or one for all (1, 3, S, S), into images (N, 3, H, W)."""
        patch = patch.expand(len(images), -1, -1, -1)
        return geometry.lay_squares(images, patch, top=self.top, left=self.left, side=self.side)


@dataclass(frozen=True)
class LearnedPatch:
    """A universal patch: one patch for all images.

    patch   (3, S, S) in [0, 1], on levels k/255
    losses  mean loss of each mini-batch before its update
    """

    patch: Tensor
    losses: tuple[float, ...]


def learn_patch(
    how: EotPatch, model: PoseModel, batches: Iterable[Batch], *, side: int, objective: Objective, seed: int = 0
) -> LearnedPatch:
    """Learn one patch of side x side pixels for all images and places; the model's state is restored.

    `batches` are how.steps mini-batches of people in the model's skeleton and input size, one update each. Paste
    it into other images with `show_patch`. RobustPoseError for a side larger than the image, or a NaN gradient.
    """
    if not 1 <= side <= min(int(length) for length in model.input_size):
        raise RobustPoseError(f"a patch's side must be 1 to {min(model.input_size)} pixels, got {side}")
    generator = torch.Generator().manual_seed(seed)
    patch, losses = _noise(side, generator), list[float]()
    fused = FusedModel(model)
    with untouched(model):
        for step, batch in enumerate(batches):
            if len(batch) == 0:
                continue
            aim = Aim(batch.keypoints, batch.visible, correct_radius(batch))
            loss = objective.bind(fused, aim, targeted=False)
            rows = torch.arange(len(batch), device=batch.images.device)
            drawn = [how.draw(batch.images, side, [generator] * len(batch)) for _ in range(how.draws)]
            with torch.no_grad():
                losses.append(float(loss(drawn[0].lay(batch.images, patch.to(batch.images)), rows).mean()))
            gradient = mean_gradient(loss, batch.images, patch.to(batch.images), rows, drawn).cpu()
            if not torch.isfinite(gradient).all():
                raise RobustPoseError(f"the gradient of a batch is NaN; its first person is {batch.ids[0]}")
            patch = how.updated(patch, gradient, min(step, how.steps))
    return LearnedPatch(patch=(patch[0] * LEVELS).round() / LEVELS, losses=tuple(losses))


def show_patch(how: EotPatch, images: Tensor, patch: Tensor, *, seed: int = 0) -> Tensor:
    """Paste a patch (3, S, S) into images (N, 3, H, W) at random places and scales, rounded to 8 bits."""
    generators = each_persons(images, torch.Generator().manual_seed(seed))
    squares = how.draw(images, min(int(patch.shape[-1]), *images.shape[2:]), generators)
    laid = squares.lay(images, patch.to(images)[None])
    return torch.where(laid == images, images, (laid * LEVELS).round() / LEVELS)


def mean_gradient(loss: Loss, images: Tensor, patch: Tensor, rows: Tensor, drawn: Sequence[Squares]) -> Tensor:
    """Return the gradient of the loss, meaned over draws and summed over people, in the patch's shape."""
    gradient = torch.zeros_like(patch)
    for squares in drawn:
        at = patch.detach().requires_grad_(True)
        with torch.enable_grad():
            total = loss(squares.lay(images, at), rows).sum()
        if not total.requires_grad:
            raise RobustPoseError("no gradient reaches the patch: the model or the objective cuts it (detach)")
        gradient += torch.autograd.grad(total, at)[0] / len(drawn)
    return gradient


def _noise(side: int, generator: Generator) -> Tensor:
    return torch.rand(1, 3, side, side, generator=generator)


def eot_patch(*, targeted: bool, steps: int | None = None) -> EotPatch:
    """Make the patch attack: by default 50 updates with 4 draws each."""
    if steps is not None and steps < 1:
        raise RobustPoseError(f"eot_patch: steps must be at least 1, got {steps}")
    return EotPatch() if steps is None else EotPatch(steps=steps)


EOT_PATCH_SPEC = AttackSpec(
    make=eot_patch,
    cost="200 gradients",
    summary="A patch that works at any place and scale",
    threats=("patch",),
    objective="margin",
)
