"""How a crop is cut out of a photo: the box, the padding, the shape, the filter, what lies beyond the photo."""

from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np

from robustpose.geometry import Floats, Pixels, box_crop, crop_image

Box = tuple[float, float, float, float]
"""(x, y, w, h) in photo pixels, between pixel edges."""

Filter = Literal["bilinear", "nearest", "area", "cubic", "lanczos"]
Border = Literal["black", "grey", "edge", "white"]

_FLAGS = {
    "bilinear": cv2.INTER_LINEAR,
    "nearest": cv2.INTER_NEAREST,
    "area": cv2.INTER_LINEAR,
    "cubic": cv2.INTER_CUBIC,
    "lanczos": cv2.INTER_LANCZOS4,
}
_GREY = (114, 114, 114)
"""The fill of YOLO's letterbox."""


@dataclass(frozen=True)
class Cutting:
    """How one person's crop is cut; as it stands, the way that `load` of every data set cuts.

    box       the person's
    padding   the crop's side in sides of the box
    shape     'extended': the box is extended to the crop's aspect; 'stretched': it is stretched to it;
              'bars': as extended, but black beside the padded box instead of what the photo shows there
    filter    between pixels; 'area' averages the photo pixels under each crop pixel
    border    what lies beyond the photo
    quarters  quarter turns of the photo, clockwise
    """

    box: Box
    input_size: tuple[int, int]
    padding: float = 1.25
    shape: Literal["extended", "stretched", "bars"] = "extended"
    filter: Filter = "bilinear"
    border: Border = "black"
    quarters: int = 0

    @property
    def crop(self) -> Floats:
        """The affine map (2, 3), photo pixels to input pixels."""
        x, y, w, h = self.box
        centre = np.array([x + w / 2 - 0.5, y + h / 2 - 0.5])
        if self.shape == "stretched":
            height, width = self.input_size
            zoom = np.array([width / w, height / h]) / self.padding
            middle = np.array([(width - 1) / 2, (height - 1) / 2])
            return np.column_stack([np.diag(zoom), middle - zoom * centre])
        if not self.quarters % 4:
            return box_crop(self.box, input_size=self.input_size, padding=self.padding)
        # The photo is turned about the box's centre: the centre stays, width and height change places.
        tall = self.quarters % 2
        size = (h, w) if tall else (w, h)
        turned: Box = (centre[0] + 0.5 - size[0] / 2, centre[1] + 0.5 - size[1] / 2, *size)
        upright = box_crop(turned, input_size=self.input_size, padding=self.padding)
        angle = np.deg2rad(90 * self.quarters)
        turn = np.round([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        return np.column_stack([upright[:, :2] @ turn, upright[:, :2] @ (centre - turn @ centre) + upright[:, 2]])

    def cut(self, photo: Pixels) -> Pixels:
        """Cut the crop (H, W, 3) out of a photo."""
        if (self.filter, self.border, self.shape) == ("bilinear", "black", "extended"):
            return crop_image(photo, self.crop, input_size=self.input_size)
        cut = self._averaged(photo) if self.filter == "area" else self._warped(photo, self.crop, self.input_size)
        return self._barred(cut) if self.shape == "bars" else cut

    def _averaged(self, photo: Pixels) -> Pixels:
        """Cut at as many times the size as photo pixels fall into a crop pixel, and average."""
        crop, (height, width) = self.crop, self.input_size
        zoom = float(np.sqrt(abs(np.linalg.det(crop[:, :2]))))
        times = max(1, int(np.ceil(1 / zoom - 1e-9)))
        finer = crop * times
        finer[:, 2] += (times - 1) / 2  # pixel 0's centre, in finer pixels
        large = self._warped(photo, finer, (height * times, width * times))
        return np.asarray(cv2.resize(large, (width, height), interpolation=cv2.INTER_AREA), dtype=np.uint8)

    def _warped(self, photo: Pixels, crop: Floats, size: tuple[int, int]) -> Pixels:
        fill = {"grey": _GREY, "white": (255, 255, 255)}.get(self.border, (0, 0, 0))
        mode = cv2.BORDER_REPLICATE if self.border == "edge" else cv2.BORDER_CONSTANT
        cut = cv2.warpAffine(
            photo, crop, (size[1], size[0]), flags=_FLAGS[self.filter], borderMode=mode, borderValue=fill
        )
        return np.asarray(cut, dtype=np.uint8)

    def _barred(self, cut: Pixels) -> Pixels:
        """Blacken what lies beside the padded box."""
        crop, (_, _, w, h) = self.crop, self.box
        height, width = self.input_size
        half = np.array([w, h]) * self.padding * np.diag(crop[:, :2]) / 2
        x, y = np.arange(width) - (width - 1) / 2, np.arange(height) - (height - 1) / 2
        inside = (np.abs(y) <= half[1])[:, None] & (np.abs(x) <= half[0])[None]
        return np.where(inside[..., None], cut, 0).astype(np.uint8)


def overlap(first: Box, second: Box) -> float:
    """Return the intersection over union of two boxes, in [0, 1].

    >>> overlap((0, 0, 2, 1), (1, 0, 2, 1))
    0.3333333333333333
    """
    sides = [
        min(first[at] + first[at + 2], second[at] + second[at + 2]) - max(first[at], second[at]) for at in (0, 1)
    ]
    shared = max(sides[0], 0.0) * max(sides[1], 0.0)
    return shared / (first[2] * first[3] + second[2] * second[3] - shared)
