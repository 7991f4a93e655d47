"""The model's crops as a differentiable function of the photo's pixels, for attacks on a photo.

The crop's pixels are weighted sums of the photo's pixels (geometry.crop_sources), the same sums that `crop_image`
rounds to 8 bits. Only the window of the photo that contains these pixels is attacked, so a large photo costs no
more than a small one. When a large photo is reduced to a small crop, the crop does not read every pixel of the
window. Pixels that it does not read cannot affect the model and are left unchanged.
"""

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from robustpose.attack_types import Loss
from robustpose.errors import RobustPoseError
from robustpose.geometry import Floats, Pixels, crop_sources
from robustpose.objectives import MeanMargin


@dataclass(frozen=True, eq=False)
class PhotoSurface:
    """The window of a photo that one or several crops are cut from.

    crop        (2, 3), or (C, 2, 3) of several crops: the affine map from photo pixels to input pixels
    photo_size  (H, W) of the photo; input_size (H, W) of each crop
    RobustPoseError if no crop overlaps the photo.
    """

    crop: Floats
    photo_size: tuple[int, int]
    input_size: tuple[int, int]

    def __post_init__(self) -> None:
        if not (self._sources[1] > 0).any():
            raise RobustPoseError("the crop contains no pixel of the photo")

    @cached_property
    def _sources(self) -> tuple[NDArray[np.int64], Floats]:
        found = [
            crop_sources(crop, photo_size=self.photo_size, input_size=self.input_size)
            for crop in self.crop.reshape(-1, 2, 3)
        ]
        places, weights = zip(*found, strict=True)
        return np.concatenate(places, axis=1), np.concatenate(weights, axis=1)  # crops below each other

    @cached_property
    def window(self) -> tuple[slice, slice]:
        """The smallest ranges of rows and columns of the photo with every pixel that a crop reads."""
        places, weights = self._sources
        read = places[weights > 0]
        (top, left), (bottom, right) = read.min(axis=0), read.max(axis=0)
        return slice(int(top), int(bottom) + 1), slice(int(left), int(right) + 1)

    @cached_property
    def reached(self) -> NDArray[np.bool_]:
        """A mask (h, w) of the window's pixels that the crop reads."""
        places, weights = self._sources
        rows, columns = self.window
        reached = np.zeros((rows.stop - rows.start, columns.stop - columns.start), dtype=np.bool_)
        row, column = (places[weights > 0] - (rows.start, columns.start)).T
        reached[row, column] = True
        return reached

    def cut(self, photo: Pixels) -> Tensor:
        """Return a photo's window (1, 3, h, w) in [0, 1]."""
        there = np.ascontiguousarray(photo[self.window].transpose(2, 0, 1))
        return torch.from_numpy(there).to(torch.float32)[None] / 255

    def paste(self, window: Tensor, photo: Pixels) -> Pixels:
        """Return a copy of the photo in which the pixels that the crop reads come from the window (1, 3, h, w)."""
        levels = (window[0].permute(1, 2, 0) * 255).round().to(torch.uint8).cpu().numpy()
        pasted = photo.copy()
        pasted[self.window] = np.where(self.reached[..., None], levels, photo[self.window])
        return pasted

    def see(self, windows: Tensor) -> Tensor:
        """Cut crops (M C, 3, H, W) from windows (M, 3, h, w), those of a window in turn; differentiable."""
        places, weights = self._flat
        sources = windows.flatten(2).index_select(2, places.to(windows.device))
        weighed = sources.reshape(*windows.shape[:2], *weights.shape) * weights.to(windows)
        cut = weighed.sum(dim=2).reshape(*windows.shape[:2], -1, *self.input_size)  # (M, 3, C, H, W)
        return cut.transpose(1, 2).flatten(0, 1)

    def through(self, loss: Loss) -> Loss:
        """Turn a loss on crops into a loss on the windows that they are cut from; a MeanMargin stays one."""

        def cut_first(of_crops: Loss) -> Loss:
            return lambda adv, rows: of_crops(self.see(adv), rows)

        return replace(loss, of=cut_first(loss.of)) if isinstance(loss, MeanMargin) else cut_first(loss)

    @cached_property
    def _flat(self) -> tuple[Tensor, Tensor]:
        """The index of each source pixel in the flattened window (4 H W,), and its weight (4, H W)."""
        places, weights = self._sources
        rows, columns = self.window
        width, height = columns.stop - columns.start, rows.stop - rows.start
        row = np.clip(places[..., 0] - rows.start, 0, height - 1)  # sources outside have weight 0
        column = np.clip(places[..., 1] - columns.start, 0, width - 1)
        return torch.from_numpy((row * width + column).ravel()), torch.from_numpy(weights.reshape(4, -1)).float()
