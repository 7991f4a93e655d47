"""How nets write keypoints: heatmaps, coordinates or classes, behind one interface (types.Head).

HeatmapHead    one Gaussian map a keypoint: Tompson et al. 2014 (arXiv 1406.2984), as in Stacked Hourglass
CoordinateHead two numbers a keypoint: DeepPose, Toshev and Szegedy 2014 (arXiv 1312.4659)
SimCCHead      a class for x and a class for y a keypoint: Li et al. 2022 (arXiv 2107.03332)

What is not visible counts for nothing, whatever stands in its place, NaN included.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from robustpose import geometry
from robustpose.models.margins import decided, distances, highest
from robustpose.types import Margins

_SMALLEST = 1e-12
"""Share of a map: below it a logarithm is cut off."""


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
    lattice                   where the cells lie in the picture: geometry.Lattice
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
        """Draw keypoints (N, K, 2) in input pixels as heatmaps (N, K, h, w)."""
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
        """Find the highest cell of each map: keypoints (N, K, 2) in input pixels, its height (N, K)."""
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
        """Mean squared error (N,) over the cells of the visible keypoints' maps, divided by all K.

        A cell weighs 1 + foreground x target / peak.
        """
        counted = visible[..., None, None]
        error = torch.where(counted, raw - target, 0.0).square()
        if self.foreground:
            error = error * (1 + self.foreground / self.peak * torch.where(counted, target, 0.0))
        return error.mean(dim=(2, 3)).mean(dim=1)

    def mirrored(self, raw: Tensor, order: Sequence[int], /) -> Tensor:
        """Mirror maps; see types.MirroringHead.

        Cells that lie at corners do not lie alike from the other side: maps are moved by a cell, as HRNet's code
        does, which leaves one pixel.
        """
        mirrored = raw[:, list(order)].flip(-1)
        if self.lattice == "corners":
            mirrored = torch.cat([mirrored[..., :1], mirrored[..., :-1]], dim=-1)
        return mirrored

    def margins(self, keypoints: Tensor, radius: Tensor, /, *, softness: float = 0.0) -> Margins:
        """Compare the highest cell outside the radius with the highest inside, in peaks; see types.MarginHead."""
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
        """Return the divergence: KL(map || Gaussian of its keypoint), in nats (N, K); see types.SignallingHead.

        Of a map its negative cells are 0 and its sum is 1; NaN where it has no positive cell.
        """
        positive = raw.clamp_min(0).flatten(2).double()
        ours = positive / positive.sum(dim=2, keepdim=True)
        ideal = self.encode(keypoints.double()).flatten(2)
        ideal = (ideal / ideal.sum(dim=2, keepdim=True)).clamp_min(_SMALLEST)
        terms = torch.where(ours > 0, ours * (ours.clamp_min(_SMALLEST).log() - ideal.log()), 0.0)
        return {"divergence": torch.where(positive.sum(dim=2) > 0, terms.sum(dim=2), float("nan"))}


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
    """Two numbers for each keypoint, the picture's edges being -0.5 and 0.5.

    error  what the loss averages: 'squared' as in DeepPose, or 'absolute' as in integral regression (L1)
    kind   'coordinates', or 'integral' where they are the mean place of a map
    """

    decodes_scores: ClassVar[bool] = False
    places_compete: ClassVar[bool] = False

    input_size: tuple[int, int]
    error: Literal["squared", "absolute"] = "squared"
    kind: Literal["coordinates", "integral"] = "coordinates"

    @property
    def loss_name(self) -> str:
        """For people."""
        return f"the {self.error} distance of its coordinates"

    def encode(self, keypoints: Tensor, /) -> Tensor:
        """Scale keypoints (N, K, 2) in input pixels to [-0.5, 0.5]."""
        return geometry.pixels_to_unit(keypoints, input_size=self.input_size)

    def decode(self, raw: Tensor, /) -> tuple[Tensor, Tensor]:
        """Scale raw coordinates (N, K, 2) to input pixels; scores are 1, for a coordinate net has none."""
        return geometry.unit_to_pixels(raw, input_size=self.input_size), raw.new_ones(raw.shape[:2])

    def loss(self, raw: Tensor, target: Tensor, visible: Tensor, /) -> Tensor:
        """Mean error (N,) over the visible keypoints' coordinates, divided by all K."""
        difference = torch.where(visible[..., None], raw - target, 0.0)
        error = difference.square() if self.error == "squared" else difference.abs()
        return error.mean(dim=2).mean(dim=1)

    def mirrored(self, raw: Tensor, order: Sequence[int], /) -> Tensor:
        """Mirror coordinates; see types.MirroringHead."""
        return raw[:, list(order)] * raw.new_tensor([-1.0, 1.0])

    def margins(self, keypoints: Tensor, radius: Tensor, /, *, softness: float = 0.0) -> Margins:
        """Return the distance in radii, less 1; see types.MarginHead."""
        return lambda raw, rows: distances(self.decode(raw)[0], keypoints[rows], radius[rows])


@dataclass(frozen=True)
class SimCCHead:
    """Logits of a class for x and a class for y for each keypoint: raw (N, K, Lx + Ly), those of x first.

    split  bins a pixel
    sigma  of the Gaussian that the target distribution is, in bins
    """

    kind: ClassVar[str] = "classes"
    loss_name: ClassVar[str] = "the Kullback-Leibler divergence of its classes"
    decodes_scores: ClassVar[bool] = True
    places_compete: ClassVar[bool] = True

    input_size: tuple[int, int]
    split: float = 2.0
    sigma: float = 6.0

    @property
    def bins(self) -> tuple[int, int]:
        """(Ly, Lx)."""
        return round(self.input_size[0] * self.split), round(self.input_size[1] * self.split)

    def encode(self, keypoints: Tensor, /) -> Tensor:
        """Write keypoints (N, K, 2) in input pixels as logits (N, K, Lx + Ly) whose softmax is the target.

        The distributions sum to 1, so a keypoint beyond the picture has its mass at the edge.
        """
        ly, lx = self.bins
        at = geometry.pixels_to_cells(keypoints, heatmap_size=self.bins, input_size=self.input_size)
        x = torch.arange(lx, device=at.device, dtype=at.dtype) - at[..., 0:1]
        y = torch.arange(ly, device=at.device, dtype=at.dtype) - at[..., 1:2]
        return -torch.cat([x, y], dim=-1).square() / (2 * self.sigma**2)

    def decode(self, raw: Tensor, /) -> tuple[Tensor, Tensor]:
        """Find the likeliest bins: their centres (N, K, 2) in input pixels, the smaller probability (N, K)."""
        found = [axis.softmax(dim=-1).max(dim=-1) for axis in self._axes(raw)]
        cells = torch.stack([axis.indices for axis in found], dim=-1).to(raw.dtype)
        pixels = geometry.cells_to_pixels(cells, heatmap_size=self.bins, input_size=self.input_size)
        return pixels, torch.minimum(found[0].values, found[1].values)

    def loss(self, raw: Tensor, target: Tensor, visible: Tensor, /) -> Tensor:
        """Kullback-Leibler divergence (N,) of x and y together, over the visible keypoints, divided by all K."""
        target = torch.where(visible[..., None], target, 0.0)
        divergence = sum(
            F.kl_div(F.log_softmax(ours, -1), F.log_softmax(true, -1), reduction="none", log_target=True).sum(-1)
            for ours, true in zip(self._axes(raw), self._axes(target), strict=True)
        )
        return torch.where(visible, divergence, 0.0).mean(dim=1)

    def mirrored(self, raw: Tensor, order: Sequence[int], /) -> Tensor:
        """Mirror the logits of x; see types.MirroringHead."""
        x, y = self._axes(raw[:, list(order)])
        return torch.cat([x.flip(-1), y], dim=-1)

    def margins(self, keypoints: Tensor, radius: Tensor, /, *, softness: float = 0.0) -> Margins:
        """Compare as HeatmapHead does, a cell being a pair of bins, as high as both logits; see types.MarginHead.

        The unit is the margin that the training target has.
        """
        ly, lx = self.bins
        cells = torch.arange(max(lx, ly)).to(keypoints)
        centres = geometry.cells_to_pixels(
            torch.stack([cells, cells], dim=-1), heatmap_size=self.bins, input_size=self.input_size
        )
        across = (centres[:lx, 0] - keypoints[..., 0:1]).abs()  # (N, K, Lx)
        along, order = (centres[:ly, 1] - keypoints[..., 1:2]).abs().sort(dim=-1)  # (N, K, Ly), nearest first
        reach = (radius[:, :, None].square() - across.square()).clamp(min=0).sqrt()
        # How many rows of each column lie within the radius: the first so many of the sorted.
        rows_in = torch.where(across <= radius[:, :, None], torch.searchsorted(along, reach, right=True), 0)
        inside, beyond = rows_in > 0, rows_in < ly  # (N, K, Lx)
        step = float(torch.linalg.vector_norm(centres[1] - centres[0]))
        far = torch.hypot(across.amin(dim=-1), along[..., 0]) > radius + step
        open_ = inside.any(dim=-1) & beyond.any(dim=-1)
        given = decided(inside.any(dim=-1), far)
        # A perfect model's logits fall by this much from the keypoint to the edge of the radius.
        unit = (radius * self.split).square() / (2 * self.sigma**2)

        def margins(raw: Tensor, rows: Tensor) -> Tensor:
            x, y = raw[..., :lx], raw[..., lx : lx + ly].gather(-1, order[rows])
            nearest = y.cummax(dim=-1).values  # of the first so many rows
            furthest = y.flip(-1).cummax(dim=-1).values.flip(-1)  # of the others
            within = x + nearest.gather(-1, (rows_in[rows] - 1).clamp(min=0))
            without = x + furthest.gather(-1, rows_in[rows].clamp(max=ly - 1))
            best_in = highest(within, ~inside[rows], softness=0.0)
            best_out = highest(without, ~beyond[rows], softness=softness * unit[rows] if softness else 0.0)
            return torch.where(open_[rows], (best_out - best_in) / unit[rows], given[rows])

        return margins

    def _axes(self, raw: Tensor) -> tuple[Tensor, Tensor]:
        """Cut (N, K, Lx + Ly) into x and y."""
        ly, lx = self.bins
        return raw[..., :lx], raw[..., lx : lx + ly]
