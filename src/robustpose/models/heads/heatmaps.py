"""Heatmaps: one map per keypoint with a Gaussian at its position. Tompson et al. 2014 (arXiv 1406.2984)."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal, get_args

import torch
from torch import Tensor

from robustpose import geometry
from robustpose.models.heads.margins import decided, highest
from robustpose.models.heads.tensors import HeadFormat, OutputSpec, count_maps, map_of
from robustpose.models.keys import POSITIVE, SIZE, one_of
from robustpose.types import Margins

_SMALLEST = 1e-12
"""Lower bound of a cell's share of its map in logarithms."""


@dataclass(frozen=True)
class HeatmapHead:
    """One map (h, w) per keypoint with a Gaussian at its position.

    input_size, heatmap_size  (H, W) and (h, w)
    sigma                     of the Gaussian, in cells
    peak                      height of the Gaussian in the training targets
    foreground                extra weight in the loss of an error at the Gaussian's peak; 0 is the plain mean
                              squared error, for which an empty map has a low loss, so that small models train
                              slowly
    decoding                  'argmax': the centre of the highest cell, as in the paper;
                              'quarter': moved a quarter cell towards the higher neighbour (Newell et al. 2016)
    lattice                   positions of the cells in the image: geometry.Lattice
    """

    kind: ClassVar[str] = "heatmaps"
    loss_name: ClassVar[str] = "the mean squared error of its heatmaps"
    decodes_scores: ClassVar[bool] = True
    places_compete: ClassVar[bool] = True

    input_size: tuple[int, int]
    heatmap_size: tuple[int, int]
    sigma: float = 1.0
    peak: float = 1.0
    foreground: float = 0.0
    decoding: Literal["argmax", "quarter"] = "argmax"
    lattice: geometry.Lattice = "centres"

    def encode(self, keypoints: Tensor, /) -> Tensor:
        """Return heatmaps (N, K, h, w) of keypoints (N, K, 2) in input pixels."""
        h, w = self.heatmap_size
        cells = geometry.pixels_to_cells(
            keypoints, heatmap_size=self.heatmap_size, input_size=self.input_size, lattice=self.lattice
        )
        x = torch.arange(w, device=cells.device, dtype=cells.dtype)
        y = torch.arange(h, device=cells.device, dtype=cells.dtype)
        bump_x = torch.exp(-((x - cells[..., 0:1]) ** 2) / (2 * self.sigma**2))  # (N, K, w)
        bump_y = torch.exp(-((y - cells[..., 1:2]) ** 2) / (2 * self.sigma**2))  # (N, K, h)
        return self.peak * bump_y[..., :, None] * bump_x[..., None, :]

    def decode(self, raw: Tensor, /) -> tuple[Tensor, Tensor]:
        """Return the position (N, K, 2) of each map's highest cell in input pixels, and its height (N, K)."""
        n, k, h, w = raw.shape
        scores, best = raw.reshape(n, k, h * w).max(dim=-1)
        column, row = best % w, torch.div(best, w, rounding_mode="floor")
        cells = torch.stack([column, row], dim=-1).to(raw.dtype)
        if self.decoding == "quarter":
            cells = cells + 0.25 * _rise(raw, column, row)
        return self.place(cells), scores

    def place(self, cells: Tensor) -> Tensor:
        """Map cell coordinates (..., 2) to input pixels."""
        return geometry.cells_to_pixels(
            cells, heatmap_size=self.heatmap_size, input_size=self.input_size, lattice=self.lattice
        )

    def loss(self, raw: Tensor, target: Tensor, visible: Tensor, /) -> Tensor:
        """Return the mean squared error (N,) over cells, summed over visible keypoints and divided by K.

        A cell weighs 1 + foreground x target / peak.
        """
        counted = visible[..., None, None]
        error = torch.where(counted, raw - target, 0.0).square()
        if self.foreground:
            error = error * (1 + self.foreground / self.peak * torch.where(counted, target, 0.0))
        return error.mean(dim=(2, 3)).mean(dim=1)

    def mirrored(self, raw: Tensor, order: Sequence[int], /) -> Tensor:
        """Mirror maps; see types.MirroringHead.

        The lattice 'corners' is not symmetric. As in HRNet's code, mirrored maps are shifted by a cell, and an
        offset of one pixel remains.
        """
        mirrored = raw[:, list(order)].flip(-1)
        if self.lattice == "corners":
            mirrored = torch.cat([mirrored[..., :1], mirrored[..., :-1]], dim=-1)
        return mirrored

    def margins(self, keypoints: Tensor, radius: Tensor, /, *, softness: float = 0.0) -> Margins:
        """Return the highest cell outside the radius minus the highest inside, in peaks; see types.MarginHead."""
        h, w = self.heatmap_size
        row, column = torch.meshgrid(torch.arange(h), torch.arange(w), indexing="ij")
        cells = torch.stack([column, row], dim=-1).to(keypoints)
        distance = torch.linalg.vector_norm(
            self.place(cells) - keypoints[:, :, None, None], dim=-1
        )  # (N, K, h, w)
        inside = (distance <= radius[:, :, None, None]).flatten(2)
        step = float(torch.linalg.vector_norm(self.place(torch.ones(2)) - self.place(torch.zeros(2))))
        far = distance.flatten(2).amin(dim=2) > radius + step
        open_ = inside.any(dim=2) & ~inside.all(dim=2)
        given = decided(inside.any(dim=2), far)

        def margins(raw: Tensor, rows: Tensor) -> Tensor:
            heights = raw.flatten(2)
            within = highest(heights, ~inside[rows], softness=0.0)
            beyond = highest(heights, inside[rows], softness=softness * self.peak)
            return torch.where(open_[rows], (beyond - within) / self.peak, given[rows])

        return margins

    def signals(self, raw: Tensor, keypoints: Tensor, /) -> dict[str, Tensor]:
        """Return the divergence KL(map || Gaussian at its keypoint) in nats (N, K); see types.SignallingHead.

        Maps are clipped at 0 and normalised to sum 1; NaN for a map without positive cells.
        """
        raw, keypoints = raw.cpu(), keypoints.cpu()  # mps has no float64
        positive = raw.clamp_min(0).flatten(2).double()
        ours = positive / positive.sum(dim=2, keepdim=True)
        ideal = self.encode(keypoints.double()).flatten(2)
        ideal = (ideal / ideal.sum(dim=2, keepdim=True)).clamp_min(_SMALLEST)
        terms = torch.where(ours > 0, ours * (ours.clamp_min(_SMALLEST).log() - ideal.log()), 0.0)
        return {"divergence": torch.where(positive.sum(dim=2) > 0, terms.sum(dim=2), float("nan"))}


def _rise(raw: Tensor, column: Tensor, row: Tensor) -> Tensor:
    """Return the sign (N, K, 2) of the difference between the neighbours along x and y; 0 at the map's border."""
    n, k, h, w = raw.shape
    flat = raw.reshape(n, k, h * w)

    def at(x: Tensor, y: Tensor) -> Tensor:
        index = y.clamp(0, h - 1) * w + x.clamp(0, w - 1)
        return flat.gather(2, index[..., None])[..., 0]

    along_x = torch.sign(at(column + 1, row) - at(column - 1, row)) * ((column > 0) & (column < w - 1))
    along_y = torch.sign(at(column, row + 1) - at(column, row - 1)) * ((row > 0) & (row < h - 1))
    return torch.stack([along_x, along_y], dim=-1)


def _head(spec: OutputSpec) -> HeatmapHead:
    return HeatmapHead(input_size=spec.input_size, **spec.keys)


def _check(spec: OutputSpec, place: int, shape: tuple[int, ...]) -> None:
    spec.check_rows(place, count_maps(spec, place, shape), "heatmaps")


HEATMAP = HeadFormat(
    keys={
        "heatmap_size": SIZE,
        "sigma": ("a number of cells > 0", POSITIVE[1]),
        "peak": POSITIVE,
        "decoding": one_of("argmax", "quarter"),
        "lattice": one_of(*get_args(geometry.Lattice)),
    },
    required=("heatmap_size", "sigma"),
    make=_head,
    stages=lambda spec, outputs: tuple(map_of(spec, output) for output in outputs),
    check=_check,
)
"""The keys have the meaning of HeatmapHead's fields."""
