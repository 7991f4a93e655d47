"""The random numbers of a corruption: a function of the image, the corruption, the severity and the seed.

No other image, no process and no order of work changes them. The published implementations draw from numpy's
global state, so that their results depend on what was computed before, and two of them ignore its seed.
"""

import hashlib

import numpy as np
from numpy.random import PCG64, Generator

from robustpose.geometry import Pixels


def generator_for(image: str | Pixels, corruption: str, *, severity: int, seed: int = 0) -> Generator:
    """Return the generator of one corrupted image. The image is given by its id, or by its pixels.

    >>> generator_for("000123", "fog", severity=2).integers(1000)
    np.int64(782)
    """
    return Generator(PCG64(int.from_bytes(_digest(_identity(image), corruption, severity, seed)[:16], "big")))


def _identity(image: str | Pixels) -> str:
    if isinstance(image, str):
        return image
    held = np.ascontiguousarray(image)
    return hashlib.sha256(repr(held.shape).encode() + held.tobytes()).hexdigest()


def _digest(*parts: object) -> bytes:
    return hashlib.sha256("\n".join(map(str, parts)).encode()).digest()
