"""Faults of what the model is given: colour order, normalisation, range of values, a mirrored image."""

from collections.abc import Callable
from dataclasses import replace

import torch
from torch import Tensor, nn

from robustpose import geometry
from robustpose.defences.defended import Answer, Defended
from robustpose.errors import RobustPoseError, unknown_name
from robustpose.faults.spec import FaultSpec, Level, OnModel
from robustpose.models.architectures.layers import IMAGENET_MEAN, IMAGENET_STD, Standardise
from robustpose.models.importers.imported import ImportedPose
from robustpose.types import PoseModel, PoseOutput

_GREATEST = 255.0


def given(change: Callable[[Tensor], Tensor]) -> Answer:
    """Make the answer of a model that is given changed images."""
    return lambda model, images: model(change(images))


def _reversed(model: PoseModel, level: Level, calibration: Tensor) -> PoseModel:
    if level != "BGR":
        raise unknown_name("level of fault colour-order", str(level), ("BGR",))
    return Defended(model, given(lambda images: images.flip(1)))


def normalisation_of(model: PoseModel) -> tuple[Tensor, Tensor] | None:
    """Return the mean and deviation (3, 1, 1) that a model subtracts and divides by; None where it has none.

    Found where the package's own layer or a model spec does it; a model that normalises in other code has none.
    """
    found: list[ImportedPose | Standardise] = []
    if isinstance(model, nn.Module):
        found = [each for each in model.modules() if isinstance(each, ImportedPose | Standardise)]
    if not found:
        return None
    mean, std = found[0].mean, found[0].std
    return None if bool((mean == 0).all()) and bool((std == 1).all()) else (mean, std)


def _normalised(model: PoseModel, level: Level, calibration: Tensor) -> PoseModel:
    """Change images so that the model's own normalisation makes of them what the mistake gives it."""
    known = ("forgotten", "applied twice", "applied though unneeded")
    if level not in known:
        raise unknown_name("level of fault mean-std", str(level), known)
    own = normalisation_of(model)
    if level == "applied though unneeded":
        if own is not None:
            raise RobustPoseError("it needs a mean and a standard deviation")
        mean, std = (torch.tensor(each)[:, None, None] for each in (IMAGENET_MEAN, IMAGENET_STD))
        return Defended(model, given(lambda images: (images - mean.to(images)) / std.to(images)))
    if own is None:
        raise RobustPoseError("it takes images in [0, 1], without a mean and a standard deviation")
    mean, std = own
    if level == "forgotten":
        return Defended(model, given(lambda images: images * std.to(images) + mean.to(images)))
    return Defended(model, given(lambda images: (images - mean.to(images)) / std.to(images)))


def _ranged(model: PoseModel, level: Level, calibration: Tensor) -> PoseModel:
    factors = {"[0, 255]": _GREATEST, "[0, 1/255]": 1 / _GREATEST}
    if level not in factors:
        raise unknown_name("level of fault value-range", str(level), factors)
    factor = factors[str(level)]
    return Defended(model, given(lambda images: images * factor))


def _mirrored(model: PoseModel, level: Level, calibration: Tensor) -> PoseModel:
    """Answer the mirrored image, with keypoints mirrored back in place but still named as in the mirror."""
    if level != "sides not swapped":
        raise unknown_name("level of fault mirrored", str(level), ("sides not swapped",))

    def answer(model: PoseModel, images: Tensor) -> PoseOutput:
        seen = model(geometry.flip_images(images))
        x, y = seen.keypoints.unbind(dim=-1)
        return replace(seen, keypoints=torch.stack([images.shape[-1] - 1 - x, y], dim=-1))

    return Defended(model, answer)


COLOUR_ORDER = FaultSpec(
    OnModel(_reversed),
    summary="Colour channels in reversed order, as OpenCV reads them",
    phrase="colour channels in the order {level}",
    levels=("BGR",),
)
MEAN_STD = FaultSpec(
    OnModel(_normalised),
    summary="Mean and standard deviation forgotten, applied twice, or ImageNet's before a model that has none",
    phrase="mean and standard deviation {level}",
    levels=("forgotten", "applied twice", "applied though unneeded"),
)
VALUE_RANGE = FaultSpec(
    OnModel(_ranged),
    summary="Pixel values of the wrong range: [0, 255] or [0, 1/255] where the model takes [0, 1]",
    phrase="pixel values in {level} instead of [0, 1]",
    levels=("[0, 255]", "[0, 1/255]"),
)
MIRRORED = FaultSpec(
    OnModel(_mirrored),
    summary="The image mirrored, as a front camera shows it, and left and right not swapped back",
    phrase="the image mirrored with its {level}",
    levels=("sides not swapped",),
)
