"""What happens to an image after the camera: contrast, elastic deformation, pixelation, JPEG, few colours."""

import io

import numpy as np
from numpy.random import Generator
from PIL import Image

from robustpose.corruptions import filters
from robustpose.corruptions.filters import UNIT, cut
from robustpose.corruptions.spec import HENDRYCKS, POSEBENCH, CorruptionSpec
from robustpose.geometry import Pixels


def contrast(image: Pixels, factor: float, generator: Generator) -> Pixels:
    """Multiply each channel's distance from its mean."""
    out = np.empty_like(image)
    pixels = image.shape[0] * image.shape[1]
    for channel in range(3):
        mean = int(image[..., channel].sum(dtype=np.int64)) / (255 * pixels)
        out[..., channel] = cut(np.clip((UNIT - mean) * factor + mean, 0, 1) * 255)[image[..., channel]]
    return out


def elastic_transform(image: Pixels, strength: float, generator: Generator) -> Pixels:
    """Move pixels by smooth random shifts of the strength, in pixels before smoothing per 1/200 of the height."""
    height, width = image.shape[:2]
    sigmas, most = (height * 0.01, width * 0.01), height * 0.005
    right, down = (
        (
            filters.gaussian(generator.uniform(-most, most, (height, width)), sigmas, truncate=3, reflect=True)
            * strength
        ).astype(np.float32)
        for _ in range(2)
    )
    warped = filters.warp(UNIT.astype(np.float32)[image], down, right)
    return cut(np.clip(warped, 0, 1) * 255)


def pixelate(image: Pixels, factor: float, generator: Generator) -> Pixels:
    """Shrink by a factor, by averaging, and enlarge again without smoothing."""
    height, width = image.shape[:2]
    small = Image.fromarray(image).resize(
        (max(1, int(width * factor)), max(1, int(height * factor))), Image.Resampling.BOX
    )
    return np.array(small.resize((width, height), Image.Resampling.NEAREST))


def jpeg_compression(image: Pixels, quality: int, generator: Generator) -> Pixels:
    """Write as a JPEG of a quality and read again."""
    with io.BytesIO() as file:
        Image.fromarray(image).save(file, "JPEG", quality=int(quality))
        return np.array(Image.open(file))


def colour_quantisation(image: Pixels, bits: int, generator: Generator) -> Pixels:
    """Leave the highest bits of each value, and set the others to 0."""
    return image & np.uint8(256 - (1 << (8 - bits)))


CONTRAST = CorruptionSpec(
    family="digital",
    summary="Little contrast",
    source=HENDRYCKS,
    levels=(0.4, 0.3, 0.2, 0.1, 0.05),
    unit="factor of the distance from the mean",
    change=contrast,
)

ELASTIC_TRANSFORM = CorruptionSpec(
    family="digital",
    summary="Small waves",
    source=HENDRYCKS,
    levels=(250 * 0.05, 250 * 0.065, 250 * 0.085, 250 * 0.1, 250 * 0.12),
    unit="strength",
    change=elastic_transform,
)

PIXELATE = CorruptionSpec(
    family="digital",
    summary="Large pixels",
    source=HENDRYCKS,
    levels=(0.6, 0.5, 0.4, 0.3, 0.25),
    unit="factor of the size",
    change=pixelate,
)

JPEG_COMPRESSION = CorruptionSpec(
    family="digital",
    summary="Strong JPEG compression",
    source=HENDRYCKS,
    levels=(25, 18, 15, 10, 7),
    unit="quality",
    change=jpeg_compression,
)

COLOUR_QUANTISATION = CorruptionSpec(
    family="digital",
    summary="Few colours",
    source=POSEBENCH,
    levels=(5, 4, 3, 2, 1),
    unit="bits of each channel",
    change=colour_quantisation,
)
