"""Corruptions: what weather, light, cameras and files do to an image, at severities 1 to 5.

Each is a function (image uint8 (H, W, 3), level, generator) -> uint8, and some are told of the person in the
image. A new corruption is one file and one line of CORRUPTIONS.
"""

from typing import Any, Literal

import numpy as np
from numpy.random import Generator

from robustpose.corruptions.blur import DEFOCUS_BLUR, GLASS_BLUR, LIMB_BLUR, MOTION_BLUR, ZOOM_BLUR
from robustpose.corruptions.digital import (
    COLOUR_QUANTISATION,
    CONTRAST,
    ELASTIC_TRANSFORM,
    JPEG_COMPRESSION,
    PIXELATE,
)
from robustpose.corruptions.keyed import generator_for
from robustpose.corruptions.light import BRIGHTNESS, DARKNESS, LENS_FLARE, LOW_LIGHT, SHADOW
from robustpose.corruptions.noise import GAUSSIAN_NOISE, IMPULSE_NOISE, SHOT_NOISE
from robustpose.corruptions.occlusion import MASK, OCCLUDER, TRUNCATION
from robustpose.corruptions.resolution import LOW_RESOLUTION
from robustpose.corruptions.spec import SEVERITIES, CorruptionSpec, Truth, known_severity
from robustpose.corruptions.weather import FOG, FROST, RAIN, SNOW
from robustpose.errors import RobustPoseError, unknown_name
from robustpose.geometry import Pixels

CORRUPTIONS: dict[str, CorruptionSpec[Any]] = {
    "gaussian_noise": GAUSSIAN_NOISE,
    "shot_noise": SHOT_NOISE,
    "impulse_noise": IMPULSE_NOISE,
    "defocus_blur": DEFOCUS_BLUR,
    "glass_blur": GLASS_BLUR,
    "motion_blur": MOTION_BLUR,
    "zoom_blur": ZOOM_BLUR,
    "snow": SNOW,
    "frost": FROST,
    "fog": FOG,
    "brightness": BRIGHTNESS,
    "contrast": CONTRAST,
    "elastic_transform": ELASTIC_TRANSFORM,
    "pixelate": PIXELATE,
    "jpeg_compression": JPEG_COMPRESSION,
    "colour_quantisation": COLOUR_QUANTISATION,
    "darkness": DARKNESS,
    "mask": MASK,
    "low_light": LOW_LIGHT,
    "shadow": SHADOW,
    "lens_flare": LENS_FLARE,
    "rain": RAIN,
    "limb_blur": LIMB_BLUR,
    "occluder": OCCLUDER,
    "truncation": TRUNCATION,
    "low_resolution": LOW_RESOLUTION,
}

HENDRYCKS_15 = tuple(CORRUPTIONS)[:15]
"""The corruptions of Hendrycks and Dietterich, over which mPC is defined."""

SETS: dict[str, tuple[str, ...]] = {"15": HENDRYCKS_15, "all": tuple(CORRUPTIONS)}
"""Names of several corruptions."""

SMALLEST = 32
"""Pixels of a side, as the published implementation demands."""

Surface = Literal["crop", "photo"]

__all__ = [
    "CORRUPTIONS",
    "HENDRYCKS_15",
    "SETS",
    "SEVERITIES",
    "CorruptionSpec",
    "Surface",
    "Truth",
    "apply_level",
    "chosen_corruptions",
    "corrupt_image",
    "corruption_named",
    "generator_for",
    "known_severity",
]


def corruption_named(name: str) -> CorruptionSpec[Any]:
    """Return a corruption by name; RobustPoseError for an unknown one."""
    if name not in CORRUPTIONS:
        raise unknown_name("corruption", name, CORRUPTIONS)
    return CORRUPTIONS[name]


def chosen_corruptions(text: str) -> tuple[str, ...]:
    """Read names of corruptions or of SETS, separated by commas; RobustPoseError for an unknown one.

    >>> chosen_corruptions("fog,darkness")
    ('fog', 'darkness')
    """
    names: list[str] = []
    for name in (part.strip() for part in text.split(",") if part.strip()):
        if name not in SETS:
            corruption_named(name)
        names += SETS.get(name, (name,))
    return tuple(dict.fromkeys(names))


def corrupt_image(
    image: Pixels, name: str, *, severity: int, generator: Generator, truth: Truth | None = None
) -> Pixels:
    """Return a corrupted copy of an image (H, W, 3); an image without pixels is returned as it is.

    RobustPoseError for an unknown name, a severity outside 1 to 5, an image of another type or smaller than 32 x
    32 pixels, and for a corruption that needs the truth of a person where none is given.
    """
    spec = corruption_named(name)
    return apply_level(image, name, spec.level(severity), generator=generator, truth=truth)


def apply_level(
    image: Pixels, name: str, level: Any, *, generator: Generator, truth: Truth | None = None
) -> Pixels:
    """Return a corrupted copy of an image at any level of a corruption: see `corrupt_image` and `levels`."""
    spec = corruption_named(name)
    _check(image)
    if image.size == 0:
        return image
    if spec.change is not None:
        return spec.change(image, level, generator)
    if truth is None:
        raise RobustPoseError(f"{name} needs the keypoints of the person in the image, and none are known")
    assert spec.change_person is not None
    return spec.change_person(image, level, generator, truth)


def _check(image: object) -> None:
    """Raise RobustPoseError unless an image is uint8 (H, W, 3), without pixels or large enough."""
    if not isinstance(image, np.ndarray):
        raise RobustPoseError(f"an image to corrupt must be an array of uint8, got {type(image).__name__}")
    if image.dtype != np.uint8:
        raise RobustPoseError(f"an image to corrupt must be of 8 bits, uint8, got {image.dtype}")
    if image.ndim != 3 or image.shape[2] != 3:
        raise RobustPoseError(f"an image to corrupt must be (H, W, 3), got {image.shape}")
    if image.size and min(image.shape[:2]) < SMALLEST:
        height, width = image.shape[:2]
        raise RobustPoseError(f"an image to corrupt must be at least 32 x 32 pixels, got {height} x {width}")
