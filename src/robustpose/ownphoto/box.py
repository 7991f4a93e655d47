"""The box of the person in a photo: given by the user, or found with the model itself.

The package has no detector. `find_box` runs the model on the whole photo, puts a box around the predicted
keypoints, and repeats this twice with the new box. This works for photos of one person who fills much of the
photo. For several people, or small ones, the user has to give the box.
"""

import numpy as np
import torch

from robustpose.attacks import predict
from robustpose.errors import RobustPoseError
from robustpose.geometry import Floats, Pixels, box_around, box_crop, crop_image, uncrop_points
from robustpose.given import device_of
from robustpose.types import PoseModel, PoseOutput

Box = tuple[float, float, float, float]

AUTO = "auto"
LOOKS = 3
MARGIN = 0.1
"""Fraction of the keypoints' extent, added because heads and feet reach beyond the keypoints."""


def parse_box(text: str) -> Box | None:
    """Read a box 'x,y,w,h' in photo pixels, between pixel edges; None for 'auto'.

    >>> parse_box("10,20,100,200")
    (10.0, 20.0, 100.0, 200.0)
    """
    if text == AUTO:
        return None
    wrong = RobustPoseError(f"a box must be auto or x,y,w,h in photo pixels with w and h > 0, got {text!r}")
    try:
        numbers = [float(part) for part in text.split(",")]
    except ValueError:
        raise wrong from None
    if len(numbers) != 4 or not np.isfinite(numbers).all() or min(numbers[2:]) <= 0:
        raise wrong
    x, y, w, h = numbers
    return x, y, w, h


def beyond(box: Box, photo_size: tuple[int, int]) -> float:
    """Return the fraction of a box that lies outside a photo (H, W); RobustPoseError if all of it does."""
    x, y, w, h = box
    height, width = photo_size
    seen = max(0.0, min(x + w, width) - max(x, 0.0)) * max(0.0, min(y + h, height) - max(y, 0.0))
    if seen == 0:
        raise RobustPoseError(
            f"the box {x:g},{y:g},{w:g},{h:g} lies outside the photo, which is {width} x {height} pixels"
        )
    return 1 - seen / (w * h)


def find_box(model: PoseModel, photo: Pixels, *, padding: float, looks: int = LOOKS) -> Box:
    """Find a person's box with the model, as described in the module; the whole photo if it finds nobody."""
    height, width = photo.shape[:2]
    whole = box = (0.0, 0.0, float(width), float(height))
    for number in range(looks):
        # The whole photo is used without the padding of a person's box.
        points, _ = look(
            model, photo, box_crop(box, input_size=model.input_size, padding=padding if number else 1)
        )
        x, y, w, h = box_around(points, margin=MARGIN)
        left, top = max(x, 0.0), max(y, 0.0)
        right, bottom = min(x + w, float(width)), min(y + h, float(height))
        if right - left < 1 or bottom - top < 1:
            return whole
        box = (left, top, right - left, bottom - top)
    return box


def jittered(box: Box, jitter: float, *, number: int, seed: int) -> list[Box]:
    """Return the box, then random boxes like it, `number` in all: what another detector might find.

    jitter  largest change of the centre and of each side, as a fraction of that side; uniform
    RobustPoseError unless it is in [0, 0.5].
    """
    if not 0 <= jitter <= 0.5:
        raise RobustPoseError(f"the jitter of a box must be in [0, 0.5], a fraction of its sides, got {jitter:g}")
    x, y, w, h = box
    drawn = [box]
    for dx, dy, dw, dh in np.random.default_rng(seed).uniform(-jitter, jitter, size=(number - 1, 4)).tolist():
        width, height = w * (1 + dw), h * (1 + dh)
        drawn.append((x + dx * w + (w - width) / 2, y + dy * h + (h - height) / 2, width, height))
    return drawn


def look(model: PoseModel, photo: Pixels, crop: Floats) -> tuple[Floats, PoseOutput]:
    """Run the model on a crop, cut as usual; return keypoints (K, 2) in photo pixels, and the model's output."""
    cut = crop_image(photo, crop, input_size=model.input_size)
    images = torch.from_numpy(np.ascontiguousarray(cut.transpose(2, 0, 1))).to(torch.float32)[None] / 255
    output = predict(model, images.to(device_of(model)), ids=("photo",))
    return uncrop_points(output.keypoints[0].cpu().double().numpy(), crop), output
