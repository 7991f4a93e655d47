"""How nets write keypoints: Gaussian heatmaps or coordinates, behind one interface (types.Head).

HeatmapHead    one Gaussian map a keypoint: Tompson et al. 2014 (arXiv 1406.2984), as in Stacked Hourglass
CoordinateHead two numbers a keypoint: DeepPose, Toshev and Szegedy 2014 (arXiv 1312.4659)
"""

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from robustpose import geometry


@dataclass(frozen=True)
class HeatmapHead:
    """One map (h, w) for each keypoint, a Gaussian bump at its place.

    input_size, heatmap_size  (H, W) and (h, w)
    sigma                     of the bump, in cells
    peak                      the bump's height in this net's training targets
    foreground                how much more an error at the bump's top weighs in the loss than one on the empty
                              map; 0 is the plain mean squared error, under which a map that stays empty is nearly
                              right and small nets learn slowly
    decoding                  'argmax': the centre of the highest cell, as in the paper studied;
                              'quarter': moved a quarter cell towards the higher neighbour (Newell et al. 2016)
    """

    input_size: tuple[int, int]
    heatmap_size: tuple[int, int]
    sigma: float = 1.0
    peak: float = 1.0
    foreground: float = 0.0
    decoding: Literal["argmax", "quarter"] = "argmax"

    def encode(self, keypoints: Tensor, /) -> Tensor:
        """Draw keypoints (N, K, 2) in input pixels as heatmaps (N, K, h, w)."""
        h, w = self.heatmap_size
        cells = geometry.pixels_to_cells(keypoints, heatmap_size=self.heatmap_size, input_size=self.input_size)
        x = torch.arange(w, device=cells.device, dtype=cells.dtype)
        y = torch.arange(h, device=cells.device, dtype=cells.dtype)
        bump_x = torch.exp(-((x - cells[..., 0:1]) ** 2) / (2 * self.sigma**2))  # (N, K, w)
        bump_y = torch.exp(-((y - cells[..., 1:2]) ** 2) / (2 * self.sigma**2))  # (N, K, h)
        return self.peak * bump_y[..., :, None] * bump_x[..., None, :]

    def decode(self, raw: Tensor, /) -> tuple[Tensor, Tensor]:
        """Find the highest cell of each map: keypoints (N, K, 2) in input pixels, its height (N, K)."""
        n, k, h, w = raw.shape
        scores, best = raw.reshape(n, k, h * w).max(dim=-1)
        column, row = best % w, torch.div(best, w, rounding_mode="floor")
        cells = torch.stack([column, row], dim=-1).to(raw.dtype)
        if self.decoding == "quarter":
            cells = cells + 0.25 * _rise(raw, column, row)
        pixels = geometry.cells_to_pixels(cells, heatmap_size=self.heatmap_size, input_size=self.input_size)
        return pixels, scores

    def loss(self, raw: Tensor, target: Tensor, visible: Tensor, /) -> Tensor:
        """Mean squared error (N,) over the cells of the visible keypoints' maps, divided by all K.

        A cell weighs 1 + foreground x target / peak.
        """
        error = (raw - target).square()
        if self.foreground:
            error = error * (1 + self.foreground / self.peak * target)
        return torch.where(visible[..., None, None], error, 0.0).mean(dim=(2, 3)).mean(dim=1)


def _rise(raw: Tensor, column: Tensor, row: Tensor) -> Tensor:
    """Return the sign (N, K, 2) of the difference of the two neighbours; 0 at the map's border."""
    n, k, h, w = raw.shape
    flat = raw.reshape(n, k, h * w)

    def at(x: Tensor, y: Tensor) -> Tensor:
        index = y.clamp(0, h - 1) * w + x.clamp(0, w - 1)
        return flat.gather(2, index[..., None])[..., 0]

    along_x = torch.sign(at(column + 1, row) - at(column - 1, row)) * ((column > 0) & (column < w - 1))
    along_y = torch.sign(at(column, row + 1) - at(column, row - 1)) * ((row > 0) & (row < h - 1))
    return torch.stack([along_x, along_y], dim=-1)


@dataclass(frozen=True)
class CoordinateHead:
    """Two numbers for each keypoint, the picture's edges being -0.5 and 0.5."""

    input_size: tuple[int, int]

    def encode(self, keypoints: Tensor, /) -> Tensor:
        """Scale keypoints (N, K, 2) in input pixels to [-0.5, 0.5]."""
        return geometry.pixels_to_unit(keypoints, input_size=self.input_size)

    def decode(self, raw: Tensor, /) -> tuple[Tensor, Tensor]:
        """Scale raw coordinates (N, K, 2) to input pixels; scores are 1, for a coordinate net has none."""
        return geometry.unit_to_pixels(raw, input_size=self.input_size), raw.new_ones(raw.shape[:2])

    def loss(self, raw: Tensor, target: Tensor, visible: Tensor, /) -> Tensor:
        """Mean squared error (N,) over the visible keypoints' coordinates, divided by all K."""
        return torch.where(visible[..., None], raw - target, 0.0).square().mean(dim=2).mean(dim=1)
