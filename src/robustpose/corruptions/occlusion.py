"""Occlusion: what hides a person or a part of one: gray squares, objects over chosen joints, the image's edge."""

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.random import Generator

from robustpose.corruptions.filters import gaussian
from robustpose.corruptions.spec import OURS, POSEBENCH, CorruptionSpec, Truth
from robustpose.errors import unknown_name
from robustpose.geometry import Floats, Pixels

MASK_GREY = 127


def mask(image: Pixels, share: float, generator: Generator) -> Pixels:
    """Hide a share of the image under grey squares, of a sixteenth of the longer side, on a random lattice."""
    height, width = image.shape[:2]
    side = max(2, max(height, width) // 16)
    rows, columns = -(-height // side), -(-width // side)
    hidden = np.zeros(rows * columns, bool)
    hidden[generator.permutation(rows * columns)[: round(share * rows * columns)]] = True
    large = np.repeat(np.repeat(hidden.reshape(rows, columns), side, 0), side, 1)[:height, :width]
    out = image.copy()
    out[large] = MASK_GREY
    return out


def occluder(image: Pixels, level: tuple[float, float], generator: Generator, truth: Truth) -> Pixels:
    """Paste objects over random joints: (share of the labelled joints, diameter in sides of the person's box)."""
    share, diameter = level
    return occluded(
        image, truth, joints=hidden_joints(truth, share, generator), diameter=diameter, generator=generator
    )


def hidden_joints(truth: Truth, share: float, generator: Generator) -> tuple[str, ...]:
    """Draw a share of the labelled joints, at least one if there is one: the first draw of `occluder`."""
    labelled = np.flatnonzero(truth.visible)
    count = max(min(1, len(labelled)), round(share * len(labelled)))
    return tuple(truth.skeleton.keypoints[row] for row in generator.permutation(labelled)[:count])


def occluded(
    image: Pixels, truth: Truth, *, joints: Sequence[str], diameter: float, generator: Generator
) -> Pixels:
    """Paste an object over each of the named joints; its diameter is in sides of the person's box.

    The objects are ellipses with a smooth random texture of one colour. RobustPoseError for an unknown joint; a
    joint that is not labelled hides nothing.
    """
    out = image.copy()
    for joint in joints:
        if joint not in truth.skeleton.keypoints:
            raise unknown_name("joint", joint, truth.skeleton.keypoints)
        row = truth.skeleton.index(joint)
        if truth.visible[row]:
            _paste(out, truth.keypoints[row], 0.5 * diameter * truth.box_side, generator)
    return out


def _paste(out: Pixels, centre: Floats, radius: float, generator: Generator) -> None:
    """Draw one object with its centre near a point, into `out`."""
    colour = generator.integers(20, 236, 3).astype(np.float64)
    stretch, degrees = generator.uniform(0.8, 1.25), float(generator.uniform(0, 180))
    grain = gaussian(generator.uniform(-1, 1, (32, 32)), (1.5, 1.5))
    height, width = out.shape[:2]
    shape = np.zeros((height, width), np.uint8)
    axes = max(1, round(radius * stretch)), max(1, round(radius / stretch))
    cv2.ellipse(shape, (round(centre[0]), round(centre[1])), axes, degrees, 0, 360, 255, -1)
    rows, columns = np.nonzero(shape)
    if not len(rows):
        return
    texture = grain[
        (rows - rows.min()) * 31 // max(1, int(np.ptp(rows))),
        (columns - columns.min()) * 31 // max(1, int(np.ptp(columns))),
    ]
    out[rows, columns] = np.clip(colour + 160 * texture[:, None] + 0.5, 0, 255).astype(np.uint8)


def truncation(image: Pixels, share: float, generator: Generator, truth: Truth) -> Pixels:
    """Blacken the image beyond a line through the person, as if the photo ended there.

    The line cuts a share of the height or width of the labelled joints' rectangle off, at a side drawn at random.
    Joints that it cuts off still count.
    """
    if not truth.visible.any():
        return image.copy()
    points = truth.keypoints[truth.visible]
    (left, top), (right, bottom) = points.min(axis=0), points.max(axis=0)
    out = image.copy()
    side = int(generator.integers(4))
    if side == 0:
        out[: _line(top + share * (bottom - top))] = 0
    elif side == 1:
        out[_line(bottom - share * (bottom - top)) :] = 0
    elif side == 2:
        out[:, : _line(left + share * (right - left))] = 0
    else:
        out[:, _line(right - share * (right - left)) :] = 0
    return out


def _line(place: float) -> int:
    return max(0, round(float(place)))


MASK = CorruptionSpec(
    family="occlusion",
    summary="Grey squares",
    source=POSEBENCH,
    levels=(0.1, 0.2, 0.3, 0.4, 0.5),
    unit="share of the image",
    change=mask,
)

OCCLUDER = CorruptionSpec(
    family="occlusion",
    summary="Objects in front of random joints",
    source=OURS,
    levels=((0.1, 0.12), (0.2, 0.15), (0.3, 0.18), (0.5, 0.2), (0.7, 0.25)),
    unit="share of the labelled joints, diameter in sides of the person's box",
    change_person=occluder,
)

TRUNCATION = CorruptionSpec(
    family="occlusion",
    summary="The image ends within the person",
    source=OURS,
    levels=(0.1, 0.2, 0.3, 0.4, 0.5),
    unit="share of the person's height or width",
    change_person=truncation,
)
