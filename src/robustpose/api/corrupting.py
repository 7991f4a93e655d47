"""Corrupts images: bad weather, darkness, blur and more."""

from typing import overload

import numpy as np

from robustpose.corruptions import corrupt_image, generator_for, known_severity
from robustpose.corruptions.people import corrupt_batch
from robustpose.errors import RobustPoseError
from robustpose.geometry import Pixels
from robustpose.given import whole_of
from robustpose.types import Batch


@overload
def corrupt(images: Batch, name: str, *, severity: int = 3, seed: int = 0) -> Batch: ...


@overload
def corrupt(images: Pixels, name: str, *, severity: int = 3, seed: int = 0) -> Pixels: ...


def corrupt(images: Batch | Pixels, name: str, *, severity: int = 3, seed: int = 0) -> Batch | Pixels:
    """Return corrupted copies of a batch's people, or of one image, uint8 (H, W, 3) RGB.

    name      a name in robustpose.corruptions.CORRUPTIONS
    severity  1 to 5
    seed      of the random numbers, which also depend on the person's id, or on the image's pixels

    RobustPoseError for an unknown name, another severity, and an image that cannot be corrupted.
    """
    if isinstance(images, Batch):
        return corrupt_batch(images, name, severity=severity, seed=whole_of(seed, "seed", least=0))
    if not isinstance(images, np.ndarray):
        raise RobustPoseError(f"images to corrupt must be a Batch or an array, got {type(images).__name__}")
    generator = generator_for(
        images, name, severity=known_severity(severity), seed=whole_of(seed, "seed", least=0)
    )
    return corrupt_image(images, name, severity=severity, generator=generator)
