"""Faults of pixels: a camera's pipeline with JPEG, few colours, the range of video."""

import cv2
import numpy as np
from numpy.random import Generator

from robustpose.errors import RobustPoseError, unknown_name
from robustpose.faults.spec import FaultSpec, Level, OnCrop, OnPhoto, as_number
from robustpose.geometry import Pixels

_SHARPENED_BY, _SHARPENED_OVER = 0.5, 1.0
"""The unsharp mask of a camera: how much of the difference from a Gaussian of how many pixels is added."""

_BLACK, _SPAN = 16, 219
"""Video's levels of black, and from black to white (ITU-R BT.601)."""


def _camera(photo: Pixels, level: Level, rng: Generator) -> Pixels:
    """Sample one colour a pixel in a Bayer pattern, interpolate the others, sharpen, and compress."""
    quality = round(as_number(level, "camera-jpeg"))
    if not 1 <= quality <= 100:
        raise RobustPoseError(f"fault camera-jpeg: a JPEG quality is 1 to 100, got {level}")
    height, width = photo.shape[:2]
    even = cv2.copyMakeBorder(photo, 2, 2 + height % 2, 2, 2 + width % 2, cv2.BORDER_REFLECT_101)
    mosaic = np.ascontiguousarray(even[..., 1])
    mosaic[0::2, 0::2] = even[0::2, 0::2, 0]
    mosaic[1::2, 1::2] = even[1::2, 1::2, 2]
    colours = np.asarray(cv2.cvtColor(mosaic, cv2.COLOR_BayerRGGB2RGB))[2 : 2 + height, 2 : 2 + width]
    soft = cv2.GaussianBlur(colours, (0, 0), _SHARPENED_OVER)
    sharp = cv2.addWeighted(colours, 1 + _SHARPENED_BY, soft, -_SHARPENED_BY, 0)
    how = [
        cv2.IMWRITE_JPEG_QUALITY,
        quality,
        cv2.IMWRITE_JPEG_SAMPLING_FACTOR,
        cv2.IMWRITE_JPEG_SAMPLING_FACTOR_420,
    ]
    _, packed = cv2.imencode(".jpg", cv2.cvtColor(sharp, cv2.COLOR_RGB2BGR), how)
    unpacked = cv2.imdecode(packed, cv2.IMREAD_COLOR)
    return np.asarray(cv2.cvtColor(np.asarray(unpacked), cv2.COLOR_BGR2RGB), dtype=np.uint8)


def _few_colours(crop: Pixels, level: Level, rng: Generator) -> Pixels:
    """Cut off the lowest bits, and spread what is left over the whole range again."""
    bits = round(as_number(level, "colour-bits"))
    if not 1 <= bits <= 8:
        raise RobustPoseError(f"fault colour-bits: a colour has 1 to 8 bits, got {level}")
    kept = (crop >> (8 - bits)).astype(np.float64)
    return np.asarray(np.round(kept * 255 / (2**bits - 1)), dtype=np.uint8)


def _video_range(crop: Pixels, level: Level, rng: Generator) -> Pixels:
    """Take levels 16 to 235 for 0 to 255, or 0 to 255 for 16 to 235."""
    values = crop.astype(np.float64)
    if level == "washed out":
        changed = _BLACK + values * _SPAN / 255
    elif level == "crushed":
        changed = (values - _BLACK) * 255 / _SPAN
    else:
        raise unknown_name("level of fault video-range", str(level), ("washed out", "crushed"))
    return np.asarray(np.round(np.clip(changed, 0, 255)), dtype=np.uint8)


CAMERA_JPEG = FaultSpec(
    OnPhoto(_camera),
    summary="A camera's pipeline: Bayer mosaic, demosaicing, sharpening and JPEG with halved colour resolution",
    phrase="photos through a camera's pipeline with JPEG of quality {level}",
    levels=(95.0, 75.0, 50.0, 30.0, 15.0),
    unit="JPEG quality",
    typical=50.0,
)
COLOUR_BITS = FaultSpec(
    OnCrop(_few_colours),
    summary="Colours of fewer than 8 bits a channel",
    phrase="colours of {level} bits a channel",
    levels=(7.0, 6.0, 5.0, 4.0),
    unit="bits a channel",
    right=8.0,
    typical=5.0,
)
VIDEO_RANGE = FaultSpec(
    OnCrop(_video_range),
    summary="Video's levels 16 to 235 taken for 0 to 255 (washed out), or the reverse (crushed)",
    phrase="video levels {level}",
    levels=("washed out", "crushed"),
)
