"""Changes that nobody sees, drawn anew for each copy of an image: how much do the predictions jitter?"""

from dataclasses import replace

import numpy as np
from numpy.random import Generator

from robustpose.faults.cutting import Cutting
from robustpose.faults.spec import FaultSpec, Level, OnCrop, OnCut, as_number
from robustpose.geometry import Pixels


def _noisy(crop: Pixels, level: Level, rng: Generator) -> Pixels:
    """Add -level, 0 or +level to every channel, with equal chances, within 0 to 255."""
    steps = rng.integers(-1, 2, crop.shape, dtype=np.int16) * np.int16(as_number(level, "noise"))
    return np.clip(crop.astype(np.int16) + steps, 0, 255).astype(np.uint8)


def _nudged(cutting: Cutting, level: Level, rng: Generator) -> Cutting:
    """Shift the crop by less than `level` input pixels each way."""
    reach = as_number(level, "sub-pixel") / cutting.crop[0, 0]  # photo pixels
    dx, dy = rng.uniform(-reach, reach, 2)
    x, y, w, h = cutting.box
    return replace(cutting, box=(x + dx, y + dy, w, h))


NOISE = FaultSpec(
    OnCrop(_noisy),
    summary="Noise of one level of 255: every channel of every pixel one up, one down or as it is",
    phrase="noise of {level}/255",
    levels=(1.0,),
    unit="1/255",
)
SUB_PIXEL = FaultSpec(
    OnCut(_nudged),
    summary="A crop shifted by less than half an input pixel each way",
    phrase="a shift of less than {level} input pixels",
    levels=(0.5,),
    unit="input pixels",
)
