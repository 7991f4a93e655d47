"""Defences that draw: noise averaging, and a random resize and padding.

Every call draws anew from torch's random numbers; a run seeds them, so a result can be repeated. The gradient of
one draw says little of the next, so an attack averages its loss over several (DefenceSpec.draws): expectation over
transformation, Athalye, Engstrom, Ilyas and Kwok 2018 (arXiv 1707.07397).
"""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from robustpose.defences.defended import Defended
from robustpose.errors import RobustPoseError
from robustpose.types import DescribedHead, PoseModel, PoseOutput

_GREY = 0.5


def noise_averaged(*, sigma: float, copies: int) -> Callable[[PoseModel], PoseModel]:
    """Return the defence that averages raw outputs over noisy copies of an image.

    sigma  standard deviation of the Gaussian noise, in [0, 1] units
    """

    def answer(model: PoseModel, images: Tensor) -> PoseOutput:
        repeated = images.repeat(copies, 1, 1, 1)
        found = model(repeated + sigma * _normal(repeated))
        stages = tuple(_mean(stage, copies) for stage in found.stages)
        return _decoded(model, stages, _mean(found.scores, copies))

    return lambda model: Defended(model, answer)


def resized_and_padded(*, smallest: float) -> Callable[[PoseModel], PoseModel]:
    """Return the defence that shrinks each image at random and pads it with grey at random.

    Xie, Wang, Zhang, Ren and Yuille 2018 (arXiv 1711.01991). They enlarge the input; here its size is fixed, so
    the image is shrunk by a factor from `smallest` to 1. Raw outputs are mapped back to the original image.
    RobustPoseError for a head whose output cannot be mapped back.
    """

    def made(model: PoseModel) -> PoseModel:
        kind = model.head.kind if isinstance(model.head, DescribedHead) else "unknown"
        if kind not in ("heatmaps", "coordinates"):
            raise RobustPoseError(
                f"its output ({kind}) cannot be mapped back from a resized image; heatmaps and coordinates can"
            )
        return Defended(model, answer)

    def answer(model: PoseModel, images: Tensor) -> PoseOutput:
        scale = smallest + (1 - smallest) * _uniform(images, 1)
        shift = (1 - scale) * (2 * _uniform(images, 2) - 1)
        found = model(_placed(images, scale, shift))
        stages = tuple(_mapped_back(stage, scale, shift) for stage in found.stages)
        return _decoded(model, stages, found.scores)

    return made


def _placed(images: Tensor, scale: Tensor, shift: Tensor) -> Tensor:
    """Shrink images by scale (N, 1) around their centre, and move them by shift (N, 2) half-widths (x, y)."""
    shrunk = _warped(images - _GREY, 1 / scale, -shift / scale)
    return shrunk + _GREY


def _mapped_back(stage: Tensor, scale: Tensor, shift: Tensor) -> Tensor:
    """Map heatmaps (N, K, h, w), or coordinates (N, K, 2) with edges at -0.5 and 0.5, back to the original."""
    if stage.ndim == 4:
        return _warped(stage, scale, shift)
    return (stage - shift[:, None] / 2) / scale[:, None]


def _warped(values: Tensor, scale: Tensor, shift: Tensor) -> Tensor:
    """Sample values (N, C, h, w) at scale x place + shift, places from -1 to 1; 0 outside."""
    theta = values.new_zeros(len(values), 2, 3)
    theta[:, 0, 0] = theta[:, 1, 1] = scale[:, 0].to(values)
    theta[:, :, 2] = shift.to(values)
    grid = F.affine_grid(theta, list(values.shape), align_corners=False)
    return F.grid_sample(values, grid, align_corners=False)


def _decoded(model: PoseModel, stages: tuple[Tensor, ...], scores: Tensor) -> PoseOutput:
    keypoints, decoded = model.head.decode(stages[-1])
    holds = isinstance(model.head, DescribedHead) and model.head.decodes_scores
    return PoseOutput(keypoints=keypoints, scores=decoded if holds else scores, stages=stages)


def _mean(values: Tensor, copies: int) -> Tensor:
    return values.reshape(copies, -1, *values.shape[1:]).mean(dim=0)


def _normal(like: Tensor) -> Tensor:
    """Draw on the CPU, so that every device sees the same numbers."""
    return torch.randn(like.shape).to(like)


def _uniform(images: Tensor, columns: int) -> Tensor:
    return torch.rand(len(images), columns).to(images)
