"""Training augmentation of person crops: scale, rotation, shift, flip, colour, half bodies.

The ranges are those of the paper's public code: scale 2 ** (+-0.25), rotation +-30 degrees on 40% of the samples,
flip, each colour channel times 0.6 to 1.0. A shift of a few percent is our addition. Half-body crops, off by
default, are as in the training of HRNet (Sun et al. 2019, arXiv 1902.09212): the crop shows the upper or the lower
body of a person with more than half of the keypoints visible.
"""

from dataclasses import dataclass

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from robustpose.data.joined import JoinedPeople
from robustpose.errors import RobustPoseError
from robustpose.geometry import Floats, Pixels, crop_points, inside
from robustpose.skeletons import Skeleton
from robustpose.types import HasTaskLabels, PoseDataset, TaskLabels

PADDING = 1.25
MARGIN = 1.25
"""Training crops are the box x PADDING x MARGIN, so that rotations and shifts show real surroundings."""
_HALF_PADDING = 1.5
_AT_ONCE = 500
_LARGEST_ZOOM = 2.0
"""Half-body crops are as in HRNet, but never enlarge the image by more than this."""


@dataclass(frozen=True)
class TrainingPeople:
    """People with a margin around the crop.

    images     (N, S, S, 3) uint8, S = margin x input size
    keypoints  (N, K, 2) pixels of these images
    visible    (N, K) bool
    unreadable one line for each person whose photo could not be read; they are not among the N
    labels     of other tasks, if requested
    weights    (N,) sampling weight of each person; None: all equal
    """

    images: Pixels
    keypoints: Floats
    visible: NDArray[np.bool_]
    skeleton: Skeleton
    margin: float
    unreadable: tuple[str, ...] = ()
    labels: TaskLabels | None = None
    weights: Floats | None = None

    def __len__(self) -> int:
        return len(self.images)


def training_people(
    dataset: PoseDataset,
    *,
    rows: range,
    input_size: tuple[int, int],
    margin: float = MARGIN,
    with_labels: bool = False,
) -> TrainingPeople:
    """Load the people of `rows` with a margin around each crop; RobustPoseError if labels are missing."""
    size = (round(input_size[0] * margin), round(input_size[1] * margin))
    images, keypoints, visible = [], [], []
    weights: list[Floats] = []
    unreadable: list[str] = []
    labels = None
    if with_labels:
        if not isinstance(dataset, HasTaskLabels):
            raise RobustPoseError(f"{dataset.name} has no action and part labels; rendered people have them")
        labels = dataset.task_labels(rows, input_size=size, padding=PADDING * margin)
    for piece, weight in _pieces(dataset, rows):
        batch = dataset.load(piece, input_size=size, padding=PADDING * margin)
        weights.append(np.full(len(batch), weight))
        images.append((batch.images.permute(0, 2, 3, 1) * 255).round().to(torch.uint8).numpy())
        keypoints.append(batch.keypoints.double().numpy())
        visible.append(batch.visible.numpy())
        unreadable += batch.unreadable
    return TrainingPeople(
        images=np.concatenate(images),
        keypoints=np.concatenate(keypoints),
        visible=np.concatenate(visible),
        skeleton=dataset.skeleton,
        margin=margin,
        unreadable=tuple(unreadable),
        labels=labels,
        weights=np.concatenate(weights) if isinstance(dataset, JoinedPeople) else None,
    )


def _pieces(dataset: PoseDataset, rows: range) -> list[tuple[range, float]]:
    """Split rows into pieces that are loaded at once, each with one weight."""
    weighted = dataset.weighted(rows) if isinstance(dataset, JoinedPeople) else [(rows, 1.0)]
    return [
        (range(start, min(start + _AT_ONCE, of_weight.stop)), weight)
        for of_weight, weight in weighted
        for start in range(of_weight.start, of_weight.stop, _AT_ONCE)
    ]


def augmented(
    people: TrainingPeople,
    rows: NDArray[np.int64],
    *,
    input_size: tuple[int, int],
    generator: np.random.Generator,
    half_body: float = 0.0,
) -> tuple[Tensor, Tensor, Tensor]:
    """Draw one augmented crop for each row: images (N, 3, H, W), keypoints (N, K, 2), visible (N, K).

    Keypoints outside the crop become invisible. half_body is the probability of a half-body crop for people with
    more than half of the keypoints visible.
    """
    height, width = input_size
    images = np.empty((len(rows), height, width, 3), np.float32)
    keypoints = np.empty((len(rows), *people.keypoints.shape[1:]))
    visible = np.empty((len(rows), people.keypoints.shape[1]), bool)
    for i, row in enumerate(rows):
        half = None
        if half_body and generator.random() < half_body:
            half = _draw_half(people.skeleton, people.keypoints[row], people.visible[row], generator=generator)
        view = _draw_view(people, row, input_size=input_size, generator=generator, half=half)
        images[i] = view.image
        order = list(people.skeleton.flip_order) if view.flip else slice(None)
        keypoints[i] = crop_points(people.keypoints[row], view.crop)[order]
        visible[i] = people.visible[row][order] & inside(keypoints[i], input_size)
    return (
        torch.from_numpy(images).permute(0, 3, 1, 2),
        torch.from_numpy(keypoints).float(),
        torch.from_numpy(visible),
    )


def augmented_with_labels(
    people: TrainingPeople, rows: NDArray[np.int64], *, input_size: tuple[int, int], generator: np.random.Generator
) -> tuple[Tensor, Tensor, Tensor]:
    """Draw one augmented crop for each row: images (N, 3, H, W), actions (N,), parts (N, H, W).

    ValueError where the people have no labels.
    """
    labels = people.labels
    if labels is None:
        raise ValueError("these training people have no labels of other tasks")
    height, width = input_size
    images = np.empty((len(rows), height, width, 3), np.float32)
    parts = np.empty((len(rows), height, width), np.int64)
    flipped = np.array(labels.part_flip_order)
    for i, row in enumerate(rows):
        view = _draw_view(people, row, input_size=input_size, generator=generator)
        images[i] = view.image
        cut = cv2.warpAffine(labels.parts[row], view.crop, (width, height), flags=cv2.INTER_NEAREST)
        parts[i] = flipped[cut] if view.flip else cut
    return (
        torch.from_numpy(images).permute(0, 3, 1, 2),
        torch.from_numpy(labels.actions[rows]),
        torch.from_numpy(parts),
    )


@dataclass(frozen=True)
class _View:
    """One augmented crop: the affine map (2, 3) from the source, whether it is mirrored, the image in [0, 1]."""

    crop: Floats
    flip: bool
    image: NDArray[np.float32]


@dataclass(frozen=True)
class _Half:
    """A half body in the source image: centre (x, y) and side of the square around it."""

    centre: Floats
    side: float


def lower_body(skeleton: Skeleton) -> NDArray[np.bool_]:
    """Return a mask (K,) of the keypoints from the pelvis down."""
    parts = {"pelvis", "hip", "knee", "ankle"}
    return np.array([name.rpartition("_")[2] in parts for name in skeleton.keypoints])


def _draw_half(
    skeleton: Skeleton, keypoints: Floats, visible: NDArray[np.bool_], *, generator: np.random.Generator
) -> _Half | None:
    """Draw the upper or the lower body; None where at most half of the keypoints are visible."""
    lower = lower_body(skeleton)
    halves = [visible & lower, visible & ~lower]
    if 2 * visible.sum() <= len(skeleton) or min(half.sum() for half in halves) < 3:
        return None
    chosen = keypoints[halves[int(generator.random() < 0.5)]]
    low, high = chosen.min(axis=0), chosen.max(axis=0)
    return _Half(centre=(low + high) / 2, side=_HALF_PADDING * max(1.0, float((high - low).max())))


def _draw_view(
    people: TrainingPeople,
    row: np.int64,
    *,
    input_size: tuple[int, int],
    generator: np.random.Generator,
    half: _Half | None = None,
) -> _View:
    height, width = input_size
    source = people.images[row]
    flip = bool(generator.random() < 0.5)
    crop = _random_crop(generator, source.shape[:2], input_size=input_size, flip=flip, half=half)
    colour = generator.uniform(0.6, 1.0, size=3)
    cut = cv2.warpAffine(source, crop, (width, height), flags=cv2.INTER_LINEAR)
    return _View(crop, flip, np.asarray(cut * (colour / 255.0), np.float32))


def _random_crop(
    generator: np.random.Generator,
    source_size: tuple[int, ...],
    *,
    input_size: tuple[int, int],
    flip: bool,
    half: _Half | None,
) -> Floats:
    """Draw the affine map (2, 3) from the source with its margin to the crop."""
    source = np.array([source_size[1] - 1, source_size[0] - 1]) / 2
    target = np.array([input_size[1] - 1, input_size[0] - 1]) / 2
    scale = 2.0 ** generator.uniform(-0.25, 0.25)
    if half is not None:
        source = half.centre
        scale *= min(max(input_size[1] / half.side, 1.0), _LARGEST_ZOOM)
    angle = np.deg2rad(generator.uniform(-30, 30)) if generator.random() < 0.4 else 0.0
    shift = generator.uniform(-0.04, 0.04, size=2) * input_size[1]
    cos, sin = scale * np.cos(angle), scale * np.sin(angle)
    linear = np.array([[cos, -sin], [sin, cos]])
    if flip:
        linear = linear @ np.diag([-1.0, 1.0])
    return np.column_stack([linear, target + shift - linear @ source])
