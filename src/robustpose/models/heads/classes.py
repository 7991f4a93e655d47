"""Classification of x and y for each keypoint: SimCC, Li et al. 2022 (arXiv 2107.03332)."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor

from robustpose import geometry
from robustpose.errors import RobustPoseError
from robustpose.models.heads.margins import decided, highest
from robustpose.models.heads.tensors import HeadFormat, OutputSpec
from robustpose.models.keys import POSITIVE, one_of
from robustpose.types import Margins


@dataclass(frozen=True)
class SimCCHead:
    """Logits over the bins of x and of y for each keypoint: raw (N, K, Lx + Ly), x first.

    split    bins per pixel
    sigma    of the Gaussian target distribution, in bins; of x and of y where they differ
    lattice  positions of the bins in the image: geometry.Lattice
    peak     0: the target distribution is a Gaussian. Otherwise it is the softmax of Gaussians of this height, 10
             in RTMPose (Jiang et al. 2023, arXiv 2303.07399)
    """

    kind: ClassVar[str] = "classes"
    loss_name: ClassVar[str] = "the Kullback-Leibler divergence of its classes"
    decodes_scores: ClassVar[bool] = True
    places_compete: ClassVar[bool] = True

    input_size: tuple[int, int]
    split: float = 2.0
    sigma: float | tuple[float, float] = 6.0
    lattice: geometry.Lattice = "centres"
    peak: float = 0.0

    @property
    def bins(self) -> tuple[int, int]:
        """(Ly, Lx)."""
        return round(self.input_size[0] * self.split), round(self.input_size[1] * self.split)

    def encode(self, keypoints: Tensor, /) -> Tensor:
        """Return logits (N, K, Lx + Ly), whose softmax is the target, of keypoints (N, K, 2) in input pixels.

        The distributions sum to 1, so the mass of a keypoint outside the image is at the edge.
        """
        ly, lx = self.bins
        at = geometry.pixels_to_cells(
            keypoints, heatmap_size=self.bins, input_size=self.input_size, lattice=self.lattice
        )
        x = torch.arange(lx, device=at.device, dtype=at.dtype) - at[..., 0:1]
        y = torch.arange(ly, device=at.device, dtype=at.dtype) - at[..., 1:2]
        wide, high = self._sigmas
        logits = torch.cat([-x.square() / (2 * wide**2), -y.square() / (2 * high**2)], dim=-1)
        return self.peak * logits.exp() if self.peak else logits

    def decode(self, raw: Tensor, /) -> tuple[Tensor, Tensor]:
        """Return the centres (N, K, 2) of the likeliest bins in input pixels; the smaller probability (N, K)."""
        found = [axis.softmax(dim=-1).max(dim=-1) for axis in self._axes(raw)]
        cells = torch.stack([axis.indices for axis in found], dim=-1).to(raw.dtype)
        return self.place(cells), torch.minimum(found[0].values, found[1].values)

    def place(self, cells: Tensor) -> Tensor:
        """Map bins (..., 2) of x and y to input pixels."""
        return geometry.cells_to_pixels(
            cells, heatmap_size=self.bins, input_size=self.input_size, lattice=self.lattice
        )

    def loss(self, raw: Tensor, target: Tensor, visible: Tensor, /) -> Tensor:
        """Return the KL divergence (N,) of x plus y, summed over visible keypoints and divided by K."""
        target = torch.where(visible[..., None], target, 0.0)
        divergence = sum(
            F.kl_div(F.log_softmax(ours, -1), F.log_softmax(true, -1), reduction="none", log_target=True).sum(-1)
            for ours, true in zip(self._axes(raw), self._axes(target), strict=True)
        )
        return torch.where(visible, divergence, 0.0).mean(dim=1)

    def mirrored(self, raw: Tensor, order: Sequence[int], /) -> Tensor:
        """Mirror the logits of x; see types.MirroringHead."""
        x, y = self._axes(raw[:, list(order)])
        x = x.flip(-1)
        if self.lattice == "corners":  # bin b lies at b / split, whose mirror image is split - 1 bins before
            bins = torch.arange(x.shape[-1], device=x.device) + round(self.split - 1)
            x = x[..., bins.clamp(0, x.shape[-1] - 1)]
        return torch.cat([x, y], dim=-1)

    def margins(self, keypoints: Tensor, radius: Tensor, /, *, softness: float = 0.0) -> Margins:
        """Return margins as in HeatmapHead; a cell is a pair of bins, its height the sum of both logits.

        The unit is the margin of the training target. See types.MarginHead.
        """
        ly, lx = self.bins
        cells = torch.arange(max(lx, ly)).to(keypoints)
        centres = self.place(torch.stack([cells, cells], dim=-1))
        across = (centres[:lx, 0] - keypoints[..., 0:1]).abs()  # (N, K, Lx)
        along, order = (centres[:ly, 1] - keypoints[..., 1:2]).abs().sort(dim=-1)  # (N, K, Ly), nearest first
        reach = (radius[:, :, None].square() - across.square()).clamp(min=0).sqrt()
        # Number of rows of each column within the radius: the first ones of the sorted rows.
        rows_in = torch.where(across <= radius[:, :, None], torch.searchsorted(along, reach, right=True), 0)
        inside, beyond = rows_in > 0, rows_in < ly  # (N, K, Lx)
        step = float(torch.linalg.vector_norm(centres[1] - centres[0]))
        far = torch.hypot(across.amin(dim=-1), along[..., 0]) > radius + step
        open_ = inside.any(dim=-1) & beyond.any(dim=-1)
        given = decided(inside.any(dim=-1), far)
        # The target's logits fall by this much from the keypoint to the radius.
        wide, high = self._sigmas
        unit = (radius * self.split).square() / (2 * wide * high)
        unit = self.peak * (1 - torch.exp(-unit)) if self.peak else unit

        def margins(raw: Tensor, rows: Tensor) -> Tensor:
            x, y = raw[..., :lx], raw[..., lx : lx + ly].gather(-1, order[rows])
            nearest = y.cummax(dim=-1).values  # maximum of the rows within
            furthest = y.flip(-1).cummax(dim=-1).values.flip(-1)  # maximum of the other rows
            within = x + nearest.gather(-1, (rows_in[rows] - 1).clamp(min=0))
            without = x + furthest.gather(-1, rows_in[rows].clamp(max=ly - 1))
            best_in = highest(within, ~inside[rows], softness=0.0)
            best_out = highest(without, ~beyond[rows], softness=softness * unit[rows] if softness else 0.0)
            return torch.where(open_[rows], (best_out - best_in) / unit[rows], given[rows])

        return margins

    @property
    def _sigmas(self) -> tuple[float, float]:
        """Of x and of y."""
        return self.sigma if isinstance(self.sigma, tuple) else (self.sigma, self.sigma)

    def _axes(self, raw: Tensor) -> tuple[Tensor, Tensor]:
        """Split (N, K, Lx + Ly) into x and y."""
        ly, lx = self.bins
        return raw[..., :lx], raw[..., lx : lx + ly]


def _joined(spec: OutputSpec, outputs: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    """Return the logits of x and of y as one raw output."""
    return (torch.cat([each[:, list(spec.select)] if spec.select else each for each in outputs], dim=-1),)


def _check(spec: OutputSpec, place: int, shape: tuple[int, ...]) -> None:
    axis, side = ("x", spec.input_size[1]) if place == 0 else ("y", spec.input_size[0])
    bins = round(side * spec.keys["split"])
    if len(shape) != 3 or shape[2] != bins:
        raise RobustPoseError(
            f"stage {spec.stages[place]!r} has shape {list(shape)}, but spec {spec.name!r} says {bins} bins of "
            f"{axis}: {side} pixels x split = {spec.keys['split']:g}"
        )
    spec.check_rows(place, shape[1], "rows")


SIMCC = HeadFormat(
    keys={
        "split": ("a number of bins per pixel > 0", POSITIVE[1]),
        "sigma": ("a number of cells > 0", POSITIVE[1]),
        "lattice": one_of("centres", "corners"),
    },
    required=("split", "sigma"),
    parts={"x": lambda k: k, "y": lambda k: k},
    selects=True,
    make=lambda spec: SimCCHead(input_size=spec.input_size, **spec.keys),
    stages=_joined,
    check=_check,
)
"""A spec file names two tensors (N, K, bins), the logits of x and those of y."""
