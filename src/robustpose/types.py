"""The values that flow from room to room, and the protocols that let anyone take part without inheriting.

One coordinate convention for the whole project: points are (x, y) in pixels and (0, 0) is the CENTRE of the
top-left pixel; sizes are (H, W); images are NCHW, RGB, float in [0, 1]; eps is in the same [0, 1] units.
Shape alphabet: N people, K keypoints, HxW input, hxw heatmap, S stages.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Protocol, runtime_checkable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from robustpose.skeletons import Skeleton


@dataclass(frozen=True)
class Batch:
    """N person crops and their truth.

    images      (N, 3, H, W) float in [0, 1], RGB, multiples of 1/255
    keypoints   (N, K, 2) input pixels
    visible     (N, K) bool: labelled, so it counts
    head_size   (N,) PCKh's unit, input pixels; NaN where the data set gives none
    box_side    (N,) the longer side of the person's box, input pixels
    crops       (N, 2, 3) float64, the affine map from photo pixels to input pixels
    ids         stable across runs; joins every table
    unreadable  one line for each person whose photo could not be read; they are not among the N
    area        (N,) float64, the person's area in photo pixels squared, NaN where unknown; None: the data has none
    photos      the photo each person is in, stable as ids are; empty where a person is an image of their own
    """

    images: Tensor
    keypoints: Tensor
    visible: Tensor
    head_size: Tensor
    box_side: Tensor
    crops: Tensor
    ids: tuple[str, ...]
    skeleton: Skeleton
    unreadable: tuple[str, ...] = ()
    area: Tensor | None = None
    photos: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        n, k = len(self.ids), len(self.skeleton)
        expected = {
            "keypoints": (n, k, 2),
            "visible": (n, k),
            "head_size": (n,),
            "box_side": (n,),
            "crops": (n, 2, 3),
        }
        for name, shape in expected.items():
            given = tuple(getattr(self, name).shape)
            if given != shape:
                raise ValueError(f"batch: {name} must have shape {shape}, got {given}")
        if self.area is not None and tuple(self.area.shape) != (n,):
            raise ValueError(f"batch: area must have shape ({n},), got {tuple(self.area.shape)}")
        if self.photos and len(self.photos) != n:
            raise ValueError(f"batch: photos must be {n} names or none, got {len(self.photos)}")
        if self.images.ndim != 4 or tuple(self.images.shape[:2]) != (n, 3):
            raise ValueError(f"batch: images must have shape ({n}, 3, H, W), got {tuple(self.images.shape)}")

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def input_size(self) -> tuple[int, int]:
        """(H, W) of the crops."""
        return (int(self.images.shape[2]), int(self.images.shape[3]))

    def in_skeleton(self, skeleton: Skeleton) -> "Batch":
        """Return the same people in another keypoint order; keypoints the data lacks are not visible."""
        if skeleton == self.skeleton:
            return self
        keypoints = self.keypoints.new_zeros((len(self), len(skeleton), 2))
        visible = self.visible.new_zeros((len(self), len(skeleton)))
        for to, source in enumerate(skeleton.rows_in(self.skeleton)):
            if source is not None:
                keypoints[:, to] = self.keypoints[:, source]
                visible[:, to] = self.visible[:, source]
        return replace(self, keypoints=keypoints, visible=visible, skeleton=skeleton)

    def take(self, rows: Sequence[int]) -> "Batch":
        """Return the people of `rows`, in that order."""
        chosen = list(rows)
        names = ("images", "keypoints", "visible", "head_size", "box_side", "crops")
        return replace(
            self,
            **{name: getattr(self, name)[chosen] for name in names},
            ids=tuple(self.ids[row] for row in chosen),
            area=None if self.area is None else self.area[chosen],
            photos=tuple(self.photos[row] for row in chosen) if self.photos else (),
        )

    def to(self, device: torch.device | str) -> "Batch":
        """Return the batch with images and truth on another device; crops and areas stay where they are."""
        moved = {
            name: getattr(self, name).to(device)
            for name in ("images", "keypoints", "visible", "head_size", "box_side")
        }
        return replace(self, **moved)


@dataclass(frozen=True)
class PoseOutput:
    """What a model says of N crops.

    keypoints  (N, K, 2) decoded, input pixels
    scores     (N, K) the model's own confidence; 1 where it has none
    stages     raw supervised outputs, first to last, as its head encodes: heatmaps (N, K, h, w), coordinates
               (N, K, 2), classes (N, K, bins)
    """

    keypoints: Tensor
    scores: Tensor
    stages: tuple[Tensor, ...]


class Head(Protocol):
    """How a model writes keypoints: one interface for heatmaps and coordinates."""

    def encode(self, keypoints: Tensor, /) -> Tensor:
        """Turn keypoints (N, K, 2) in input pixels into the raw output a perfect model would give."""
        ...

    def decode(self, raw: Tensor, /) -> tuple[Tensor, Tensor]:
        """Turn raw outputs into keypoints (N, K, 2) in input pixels and scores (N, K)."""
        ...

    def loss(self, raw: Tensor, target: Tensor, visible: Tensor, /) -> Tensor:
        """Return the training loss of each person (N,), over visible keypoints only."""
        ...


@runtime_checkable
class MirroringHead(Head, Protocol):
    """A head that knows how its raw output looks of the mirrored image: what a flip test needs."""

    def mirrored(self, raw: Tensor, order: Sequence[int], /) -> Tensor:
        """Mirror a raw output from left to right; keypoint k is then read from row order[k]."""
        ...


Margins = Callable[[Tensor, Tensor], Tensor]
"""(raw output of M people, their rows of the batch) -> margins (M, K), above 0 where the keypoint is wrong."""


@runtime_checkable
class MarginHead(Head, Protocol):
    """A head that says of its raw output how near each keypoint is to being wrong."""

    @property
    def places_compete(self) -> bool:
        """Whether a margin compares places of a map, so that a softness changes its gradient."""
        ...

    def margins(self, keypoints: Tensor, radius: Tensor, /, *, softness: float = 0.0) -> Margins:
        """Return what turns raw outputs into margins; a keypoint is right within radius (N, K) of its (N, K, 2).

        softness  in peaks of the training bump: how far below the highest place outside the radius another one may
                  lie and still get a share of the gradient; 0 gives all to the highest. The margins are the same.
        """
        ...


@runtime_checkable
class DescribedHead(Head, Protocol):
    """A head that says what it is."""

    @property
    def kind(self) -> str:
        """What it writes: 'heatmaps', 'offsets' (heatmaps with offsets), 'coordinates', 'integral', 'classes'."""
        ...

    @property
    def loss_name(self) -> str:
        """Its training loss for people: 'the mean squared error of its heatmaps'."""
        ...

    @property
    def decodes_scores(self) -> bool:
        """Whether its raw output holds the scores; if not, a flip test averages those that the model gives."""
        ...


@runtime_checkable
class SignallingHead(Head, Protocol):
    """A head whose raw output says more of each keypoint than its place and score."""

    def signals(self, raw: Tensor, keypoints: Tensor, /) -> dict[str, Tensor]:
        """Return signals (N, K) by name, of raw outputs and the keypoints (N, K, 2) read from them."""
        ...


@runtime_checkable
class PoseModel(Protocol):
    """Anything that finds keypoints in crops; an nn.Module with these three attributes is one.

    One that takes other crops than box x 1.25 says so as `padding`. A model that answers without a gradient says
    `differentiable = False`: attacks that need one then refuse it.
    """

    @property
    def skeleton(self) -> Skeleton: ...
    @property
    def input_size(self) -> tuple[int, int]: ...
    @property
    def head(self) -> Head: ...

    def __call__(self, images: Tensor, /) -> PoseOutput:
        """Find keypoints in images (N, 3, H, W) in [0, 1]; normalisation happens inside."""
        ...


class PoseDataset(Protocol):
    """People with truth, by row."""

    @property
    def name(self) -> str: ...
    @property
    def skeleton(self) -> Skeleton: ...
    @property
    def fingerprint(self) -> str:
        """A hash of what defines the people and their truth; part of every result's key."""
        ...

    @property
    def has_head_sizes(self) -> bool:
        """Whether every person has a head size, so that PCKh is defined."""
        ...

    def content(self, rows: Sequence[int]) -> str:
        """Return a hash of the images of `rows`; empty where the fingerprint says it all."""
        ...

    @property
    def left_out(self) -> tuple[str, ...]:
        """One line for each reason people of the file do not take part, with their number."""
        ...

    def __len__(self) -> int: ...

    def load(self, rows: Sequence[int], *, input_size: tuple[int, int], padding: float = 1.25) -> Batch:
        """Crop the people of `rows`, box x `padding`; unreadable photos are left out and named."""
        ...


@runtime_checkable
class HasFactors(Protocol):
    """A data set that knows how its images came about, so that scores can be read by factor.

    It can show everyone: nobody of it is ever unreadable.
    """

    def factors(self, rows: Sequence[int], /, *, input_size: tuple[int, int]) -> dict[str, list[float | str]]:
        """Return what is known of each person of `rows`, by name: numbers or words."""
        ...


@dataclass(frozen=True)
class TaskLabels:
    """Truth of other tasks for N people: what they do, and which part of the body each pixel shows.

    actions          (N,) int64
    parts            (N, H, W) uint8; 0 is the background
    part_flip_order  the class that each part becomes in a mirrored image
    """

    actions: NDArray[np.int64]
    parts: NDArray[np.uint8]
    part_flip_order: tuple[int, ...]


@runtime_checkable
class HasTaskLabels(Protocol):
    """A data set that knows the truth of other tasks; nobody of it is ever unreadable."""

    def task_labels(self, rows: Sequence[int], /, *, input_size: tuple[int, int], padding: float) -> TaskLabels:
        """Return the labels of the people of `rows`, cropped as `load` crops them."""
        ...


def versioned(fingerprint: str, version: int) -> str:
    """Name a version beside a fingerprint; the first adds nothing, for results are older than versions.

    >>> versioned("4d02", 1), versioned("4d02", 2)
    ('4d02', '4d02.2')
    """
    return fingerprint if version == 1 else f"{fingerprint}.{version}"
