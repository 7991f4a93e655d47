"""The values that flow between folders, and the protocols that models and data sets satisfy without inheriting.

One coordinate convention for the whole project: points are (x, y) in pixels and (0, 0) is the CENTRE of the
top-left pixel; sizes are (H, W); images are NCHW, RGB, float in [0, 1]; eps is in the same [0, 1] units.
Shape alphabet: N people, K keypoints, HxW input, hxw heatmap, S stages.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from robustpose.batch import Batch as Batch
from robustpose.skeletons import Skeleton


@dataclass(frozen=True)
class PoseOutput:
    """A model's output for N crops.

    keypoints  (N, K, 2) decoded, input pixels
    scores     (N, K) the model's own confidence; 1 where it has none
    stages     raw supervised outputs, first to last, in the head's format: heatmaps (N, K, h, w), coordinates
               (N, K, 2), classes (N, K, bins)
    """

    keypoints: Tensor
    scores: Tensor
    stages: tuple[Tensor, ...]


class Head(Protocol):
    """Encodes and decodes keypoints: one interface for heatmaps, coordinates and classes."""

    def encode(self, keypoints: Tensor, /) -> Tensor:
        """Return the training target (raw output of a perfect model) of keypoints (N, K, 2) in input pixels."""
        ...

    def decode(self, raw: Tensor, /) -> tuple[Tensor, Tensor]:
        """Return keypoints (N, K, 2) in input pixels and scores (N, K) from raw outputs."""
        ...

    def loss(self, raw: Tensor, target: Tensor, visible: Tensor, /) -> Tensor:
        """Return the training loss of each person (N,), over visible keypoints only."""
        ...


@runtime_checkable
class MirroringHead(Head, Protocol):
    """A head that can mirror its raw output, as a flip test needs."""

    def mirrored(self, raw: Tensor, order: Sequence[int], /) -> Tensor:
        """Mirror a raw output from left to right; keypoint k is then read from row order[k]."""
        ...


Margins = Callable[[Tensor, Tensor], Tensor]
"""(raw output of M people, their rows in the batch) -> margins (M, K), above 0 where the keypoint is wrong."""


@runtime_checkable
class MarginHead(Head, Protocol):
    """A head with margins: from its raw output, how close each keypoint is to being wrong."""

    @property
    def places_compete(self) -> bool:
        """Whether margins compare locations of a map, so that `softness` changes their gradient."""
        ...

    def margins(self, keypoints: Tensor, radius: Tensor, /, *, softness: float = 0.0) -> Margins:
        """Return the function from raw outputs to margins; correct is within radius (N, K) of keypoints (N, K, 2).

        softness  in units of the target's peak: locations outside the radius that are at most about this far below
                  the highest one share its gradient; with 0 the highest gets all. The margins do not change.
        """
        ...


@runtime_checkable
class DescribedHead(Head, Protocol):
    """A head that describes its output."""

    @property
    def kind(self) -> str:
        """Its output: 'heatmaps', 'offsets' (heatmaps with offsets), 'coordinates', 'integral', 'classes'."""
        ...

    @property
    def loss_name(self) -> str:
        """Its training loss in words: 'the mean squared error of its heatmaps'."""
        ...

    @property
    def decodes_scores(self) -> bool:
        """Whether scores are decoded from its raw output; if not, a flip test averages the model's scores."""
        ...


@runtime_checkable
class SignallingHead(Head, Protocol):
    """A head whose raw output has further quantities per keypoint beside position and score."""

    def signals(self, raw: Tensor, keypoints: Tensor, /) -> dict[str, Tensor]:
        """Return named quantities (N, K) of raw outputs and the keypoints (N, K, 2) decoded from them."""
        ...


@runtime_checkable
class PoseModel(Protocol):
    """A top-down pose model: any callable with these three attributes, such as an nn.Module.

    Optional attributes: `padding`, if its crops are not the box x 1.25; `differentiable = False`, if it has no
    gradient, so that attacks that need one refuse it.
    """

    @property
    def skeleton(self) -> Skeleton: ...
    @property
    def input_size(self) -> tuple[int, int]: ...
    @property
    def head(self) -> Head: ...

    def __call__(self, images: Tensor, /) -> PoseOutput:
        """Predict keypoints in images (N, 3, H, W) in [0, 1]; the model normalises them itself."""
        ...


class PoseDataset(Protocol):
    """People with truth, by row."""

    @property
    def name(self) -> str: ...
    @property
    def skeleton(self) -> Skeleton: ...
    @property
    def fingerprint(self) -> str:
        """A hash of the people and their truth; part of the key of every result."""
        ...

    @property
    def has_head_sizes(self) -> bool:
        """Whether every person has a head size, so that PCKh is defined."""
        ...

    def content(self, rows: Sequence[int]) -> str:
        """Return a hash of the images of `rows`; empty where the fingerprint determines them."""
        ...

    @property
    def left_out(self) -> tuple[str, ...]:
        """One line for each reason why people of the file are excluded, with their number."""
        ...

    def __len__(self) -> int: ...

    def load(self, rows: Sequence[int], *, input_size: tuple[int, int], padding: float = 1.25) -> Batch:
        """Crop the people of `rows`, box x `padding`; people in unreadable photos are excluded and listed."""
        ...


@runtime_checkable
class HasFactors(Protocol):
    """A data set that knows factors of its images, such as camera and light; its people are always readable."""

    def factors(self, rows: Sequence[int], /, *, input_size: tuple[int, int]) -> dict[str, list[float | str]]:
        """Return the factors of the people of `rows` by name: numbers or words."""
        ...


@dataclass(frozen=True)
class TaskLabels:
    """Truth of other tasks for N people: actions, and the body part at each pixel.

    actions          (N,) int64
    parts            (N, H, W) uint8; 0 is the background
    part_flip_order  the class that each part becomes in a mirrored image
    """

    actions: NDArray[np.int64]
    parts: NDArray[np.uint8]
    part_flip_order: tuple[int, ...]


@runtime_checkable
class HasTaskLabels(Protocol):
    """A data set with the truth of other tasks; its people are always readable."""

    def task_labels(self, rows: Sequence[int], /, *, input_size: tuple[int, int], padding: float) -> TaskLabels:
        """Return the labels of the people of `rows`, cropped as in `load`."""
        ...


def versioned(fingerprint: str, version: int) -> str:
    """Append a version to a fingerprint; version 1 adds nothing, because results older than versions have none.

    >>> versioned("4d02", 1), versioned("4d02", 2)
    ('4d02', '4d02.2')
    """
    return fingerprint if version == 1 else f"{fingerprint}.{version}"
