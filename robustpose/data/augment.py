"""Training augmentation of person crops: scale, rotation, shift, flip, colour.

The ranges are those of the public code of the paper studied: scale 2 ** (+-0.25), rotation +-30 degrees on 40% of
the samples, flip, each colour channel times 0.6 to 1.0; a shift of a few percent is ours.
"""

from dataclasses import dataclass

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from robustpose.geometry import Floats, Pixels, crop_points, inside
from robustpose.skeletons import Skeleton
from robustpose.types import PoseDataset

PADDING = 1.25
MARGIN = 1.25
"""A training crop is the box x PADDING x MARGIN, so that augmentation has real surroundings to turn in."""


@dataclass(frozen=True)
class TrainingPeople:
    """People with a margin around the crop.

    images     (N, S, S, 3) uint8, S = margin x input size
    keypoints  (N, K, 2) pixels of these images
    visible    (N, K) bool
    unreadable one line for each person whose photo could not be read; they are not among the N
    """

    images: Pixels
    keypoints: Floats
    visible: NDArray[np.bool_]
    skeleton: Skeleton
    margin: float
    unreadable: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.images)


def training_people(
    dataset: PoseDataset, *, rows: range, input_size: tuple[int, int], margin: float = MARGIN
) -> TrainingPeople:
    """Load the people of `rows` with a margin around each crop."""
    size = (round(input_size[0] * margin), round(input_size[1] * margin))
    images, keypoints, visible = [], [], []
    unreadable: list[str] = []
    chunk = 500
    for start in range(rows.start, rows.stop, chunk):
        batch = dataset.load(
            range(start, min(start + chunk, rows.stop)), input_size=size, padding=PADDING * margin
        )
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
    )


def augmented(
    people: TrainingPeople, rows: NDArray[np.int64], *, input_size: tuple[int, int], generator: np.random.Generator
) -> tuple[Tensor, Tensor, Tensor]:
    """Draw one augmented crop for each row: images (N, 3, H, W), keypoints (N, K, 2), visible (N, K).

    Keypoints that leave the crop are no longer visible: a net cannot learn them.
    """
    height, width = input_size
    images = np.empty((len(rows), height, width, 3), np.float32)
    keypoints = np.empty((len(rows), *people.keypoints.shape[1:]))
    visible = np.empty((len(rows), people.keypoints.shape[1]), bool)
    for i, row in enumerate(rows):
        source = people.images[row]
        flip = bool(generator.random() < 0.5)
        crop = _random_crop(generator, source.shape[:2], input_size=input_size, flip=flip)
        colour = generator.uniform(0.6, 1.0, size=3)
        cut = cv2.warpAffine(source, crop, (width, height), flags=cv2.INTER_LINEAR)
        images[i] = cut * (colour / 255.0)
        order = list(people.skeleton.flip_order) if flip else slice(None)
        keypoints[i] = crop_points(people.keypoints[row], crop)[order]
        visible[i] = people.visible[row][order] & inside(keypoints[i], input_size)
    return (
        torch.from_numpy(images).permute(0, 3, 1, 2),
        torch.from_numpy(keypoints).float(),
        torch.from_numpy(visible),
    )


def _random_crop(
    generator: np.random.Generator, source_size: tuple[int, ...], *, input_size: tuple[int, int], flip: bool
) -> Floats:
    """Draw the affine map (2, 3) from the source with its margin to the crop."""
    source = np.array([source_size[1] - 1, source_size[0] - 1]) / 2
    target = np.array([input_size[1] - 1, input_size[0] - 1]) / 2
    scale = 2.0 ** generator.uniform(-0.25, 0.25)
    angle = np.deg2rad(generator.uniform(-30, 30)) if generator.random() < 0.4 else 0.0
    shift = generator.uniform(-0.04, 0.04, size=2) * input_size[1]
    cos, sin = scale * np.cos(angle), scale * np.sin(angle)
    linear = np.array([[cos, -sin], [sin, cos]])
    if flip:
        linear = linear @ np.diag([-1.0, 1.0])
    return np.column_stack([linear, target + shift - linear @ source])
