"""The input and the result of every attack, and the checks of both."""

from dataclasses import dataclass

import torch
from torch import Tensor

from robustpose.attack_types import Threat
from robustpose.errors import RobustPoseError
from robustpose.models.untouched import untouched
from robustpose.threats.levels import LEVELS
from robustpose.types import Batch, PoseModel, PoseOutput

TOLERANCE = 1e-5
"""By how much float32 rounding may exceed a budget: relative above 1, absolute below; 0.003 of an 8-bit level."""


_SCORED = 7_919
"""Seed of the draws of a model that draws, when it is scored: not those of an attack."""


class AttackError(RuntimeError):
    """An attack broke its contract: its result is no valid adversarial example."""


@dataclass(frozen=True)
class Target:
    """The pose that a targeted attack makes the model predict.

    keypoints  (N, K, 2) input pixels
    visible    (N, K) bool: the keypoints that the target sets
    """

    keypoints: Tensor
    visible: Tensor


@dataclass(frozen=True)
class Moved:
    """The result of a spatial attack.

    batch    the people after their worst motion, with images, truth, sizes and crops moved
    motions  (N, 4) that motion: see threats.motion.PARTS
    """

    batch: Batch
    motions: Tensor


@dataclass(frozen=True)
class Attacked:
    """The result of an attack of any kind.

    images        (N, 3, H, W) adversarial, inside the threat and [0, 1]
    output        the model's output for them
    forwards      number of forward passes of single images, without the final scoring pass
    backwards     number of backward passes of single images
    minimum_norm  (N, K), from minimum-norm attacks: sizes before rounding, see MinimumNorms
    beaten        (N, K) bool, from ensembles: keypoints that the attacker wins in any image of that person
    moved         from spatial attacks: the moved people and their truth
    """

    images: Tensor
    output: PoseOutput
    forwards: int
    backwards: int
    minimum_norm: Tensor | None = None
    beaten: Tensor | None = None
    moved: Moved | None = None


def predict(model: PoseModel, images: Tensor, *, ids: tuple[str, ...]) -> PoseOutput:
    """Run a model on images (N, 3, H, W) in [0, 1] and restore its state.

    RobustPoseError for images of another size or range, and where the output has NaN, infinity or a wrong shape.
    """
    _check_images(model, images)
    with untouched(model), torch.no_grad():
        torch.manual_seed(_SCORED)
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


def checked(adv: Tensor, images: Tensor, threat: Threat, *, round_to_8bit: bool) -> Tensor:
    """Return an attack's images (N, 3, H, W), rounded to 8 bits if asked; AttackError where they are invalid."""
    if round_to_8bit:
        _check(adv, images, threat)
        levels = images * LEVELS
        if ((levels - levels.round()).abs() > LEVELS * TOLERANCE).any():  # then there may be no level within eps
            raise RobustPoseError("rounding to 8 bits needs 8-bit images, got values between the levels k/255")
        adv = threat.round_to_8bit(images, adv)
    _check(adv, images, threat)
    return adv


def check_input(model: PoseModel, batch: Batch, target: Target | None) -> None:
    """Raise RobustPoseError for people or targets that do not fit the model."""
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
        raise AttackError(f"the attack exceeded its budget: {threat.name} size {largest:g} > eps {threat.eps:g}")
