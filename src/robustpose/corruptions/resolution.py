"""Resolution: a person who is few pixels large in the photo."""

import cv2
import numpy as np
from numpy.random import Generator

from robustpose.corruptions.spec import OURS, CorruptionSpec, Truth
from robustpose.geometry import Pixels


def low_resolution(image: Pixels, pixels: float, generator: Generator, truth: Truth) -> Pixels:
    """Shrink until the longer side of the person's box has so many pixels, and enlarge again.

    By averaging and by linear interpolation, as a camera far away and a crop do. A person who is no larger is
    left alone.
    """
    factor = pixels / truth.box_side if truth.box_side > 0 else 1.0
    if factor >= 1:
        return image.copy()
    height, width = image.shape[:2]
    small = cv2.resize(
        image, (max(1, round(width * factor)), max(1, round(height * factor))), interpolation=cv2.INTER_AREA
    )
    return np.asarray(cv2.resize(small, (width, height), interpolation=cv2.INTER_LINEAR), np.uint8)


LOW_RESOLUTION = CorruptionSpec(
    family="resolution",
    summary="A person of few pixels",
    source=OURS,
    levels=(96, 64, 48, 32, 24),
    unit="longer side of the person's box, pixels",
    change_person=low_resolution,
)
