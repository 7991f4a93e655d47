"""A model of a whole window of a photo: it cuts several crops and finds keypoints in all of them.

The crops are those of all people to be attacked, and of each person under several boxes. The window is then one
image with C x K keypoints, so that every attack, objective and ensemble runs on it unchanged. A mean over these
keypoints is a mean over people, and an expectation over boxes (Athalye, Engstrom, Ilyas, Kwok 2017, "Synthesizing
Robust Adversarial Examples", arXiv 1707.07397).
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn

from robustpose.ownphoto.surface import PhotoSurface
from robustpose.skeletons import Skeleton
from robustpose.types import Head, MarginHead, Margins, PoseModel, PoseOutput


def _nothing() -> None:
    return None


def _folded(values: Tensor, crops: int) -> Tensor:
    """Turn values (N, C K, ...) into (N C, K, ...)."""
    return values.reshape(len(values) * crops, -1, *values.shape[2:])


def _unfolded(values: Tensor, crops: int) -> Tensor:
    """Turn values (N C, K, ...) into (N, C K, ...)."""
    return values.reshape(-1, crops * values.shape[1], *values.shape[2:])


@dataclass(frozen=True)
class CropsHead:
    """The head of a model, for C crops at once: keypoints (N, C K, 2), outputs (N, C channels, ...)."""

    head: Head
    crops: int

    def encode(self, keypoints: Tensor, /) -> Tensor:
        """Return the raw output of a perfect model."""
        return _unfolded(self.head.encode(_folded(keypoints, self.crops)), self.crops)

    def decode(self, raw: Tensor, /) -> tuple[Tensor, Tensor]:
        """Return keypoints (N, C K, 2) and scores (N, C K)."""
        keypoints, scores = self.head.decode(_folded(raw, self.crops))
        return _unfolded(keypoints, self.crops), _unfolded(scores, self.crops)

    def loss(self, raw: Tensor, target: Tensor, visible: Tensor, /) -> Tensor:
        """Return the mean training loss (N,) over the crops."""
        each = self.head.loss(*(_folded(values, self.crops) for values in (raw, target, visible)))
        return each.reshape(-1, self.crops).mean(dim=1)


@dataclass(frozen=True)
class CropsMarginHead(CropsHead):
    """CropsHead of a head with margins."""

    head: MarginHead

    @property
    def places_compete(self) -> bool:
        """Whether the margins compare places of a map."""
        return self.head.places_compete

    def margins(self, keypoints: Tensor, radius: Tensor, /, *, softness: float = 0.0) -> Margins:
        """Return the function that turns raw outputs into margins (M, C K)."""
        crops = self.crops
        of = self.head.margins(_folded(keypoints, crops), _folded(radius, crops), softness=softness)

        def margins(raw: Tensor, rows: Tensor) -> Tensor:
            each = rows[:, None] * crops + torch.arange(crops, device=rows.device)
            return _unfolded(of(_folded(raw, crops), each.flatten()), crops)

        return margins


class PhotoCrops(nn.Module):
    """A model that finds keypoints in all crops of a window (N, 3, h, w); satisfies PoseModel.

    on_pass  is called at each forward pass, for progress
    """

    def __init__(
        self, model: PoseModel, surface: PhotoSurface, *, crops: int, on_pass: Callable[[], None] = _nothing
    ) -> None:
        super().__init__()
        self.model, self.surface, self.crops, self.on_pass = model, surface, crops, on_pass
        self.differentiable = bool(getattr(model, "differentiable", True))
        head: Any = model.head
        self.head = (CropsMarginHead if isinstance(head, MarginHead) else CropsHead)(head, crops)
        self.skeleton = repeated(model.skeleton, crops)
        rows, columns = surface.window
        self.input_size = (rows.stop - rows.start, columns.stop - columns.start)

    def forward(self, windows: Tensor) -> PoseOutput:
        """Return keypoints (N, C K, 2) in input pixels of each crop, scores, and raw outputs."""
        self.on_pass()
        found = self.model(self.surface.see(windows))
        return PoseOutput(
            _unfolded(found.keypoints, self.crops),
            _unfolded(found.scores, self.crops),
            tuple(_unfolded(stage, self.crops) for stage in found.stages),
        )


def repeated(skeleton: Skeleton, crops: int) -> Skeleton:
    """Return a skeleton with the keypoints and limbs of each crop in turn, named apart.

    >>> from robustpose.skeletons import COCO_17
    >>> repeated(COCO_17, 2).keypoints[16:19]
    ('right_ankle@0', 'nose@1', 'left_eye@1')
    """
    names = [[f"{name}@{crop}" for name in skeleton.keypoints] for crop in range(crops)]
    left_out = [f"{name}@{crop}" for crop in range(crops) for name in skeleton.uncounted]
    return replace(
        skeleton,
        keypoints=tuple(name for each in names for name in each),
        limbs=tuple((f"{a}@{crop}", f"{b}@{crop}") for crop in range(crops) for a, b in skeleton.limbs),
        uncounted=tuple(left_out),
        sigmas=skeleton.sigmas * crops,
    )
