"""Heatmaps with offsets: the highest cell gives the coarse position of a keypoint, its offset the exact one.

OffsetHead  PoseNet: Papandreou et al. 2017 (G-RMI, arXiv 1701.01779) and 2018 (PersonLab, arXiv 1803.08225)
CentreHead  MoveNet: heads of CenterNet, Zhou et al. 2019 (arXiv 1904.07850), with its own decoding

Decoding by argmax has no gradient; the loss is computed from the maps, as in training. All parts of the output are
concatenated into one raw output along the channels. Invisible keypoints do not count and may be NaN.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor

from robustpose import geometry
from robustpose.errors import RobustPoseError
from robustpose.models.heads.margins import highest
from robustpose.models.heads.tensors import HeadFormat, OutputSpec, count_maps, map_of
from robustpose.models.keys import POSITIVE, SIZE
from robustpose.types import Margins

_SURE = 12.0
"""A logit whose sigmoid is practically 1."""


@dataclass(frozen=True)
class OffsetHead:
    """Logits of a disk around each keypoint, and the offset from each cell to the keypoint: PoseNet.

    Raw outputs are (N, 3K, h, w): K maps of logits, K of offsets along y, K along x, in input pixels. The first
    and the last cell are at the first and the last pixel.

    radius  of the disks, in input pixels: PersonLab's 32
    """

    kind: ClassVar[str] = "offsets"
    loss_name: ClassVar[str] = "the logistic loss of its heatmaps with the Huber loss of its offsets"
    decodes_scores: ClassVar[bool] = True
    places_compete: ClassVar[bool] = True

    input_size: tuple[int, int]
    heatmap_size: tuple[int, int]
    radius: float = 32.0

    def encode(self, keypoints: Tensor, /) -> Tensor:
        """Return the raw output of keypoints (N, K, 2) in input pixels; logits peak at the disk's centre."""
        way = keypoints[:, :, None, None] - self._cells(keypoints)  # (N, K, h, w, 2)
        far = torch.linalg.vector_norm(way, dim=-1) / self.radius
        logits = torch.where(far <= 1, _SURE * (1 - far / 4), -_SURE)
        return torch.cat([logits, way[..., 1], way[..., 0]], dim=1)

    def decode(self, raw: Tensor, /) -> tuple[Tensor, Tensor]:
        """Return the likeliest cell plus its offset (N, K, 2) in input pixels, and probabilities (N, K)."""
        return _decided(self.heights(raw), self.places(raw))

    def heights(self, raw: Tensor) -> Tensor:
        """Return the maps (N, K, h, w) in [0, 1] whose highest cell is decoded."""
        return raw[:, : raw.shape[1] // 3].sigmoid()

    def places(self, raw: Tensor) -> Tensor:
        """Return the position that each cell predicts: (N, K, h, w, 2) in input pixels."""
        _, y, x = raw.chunk(3, dim=1)
        return self._cells(raw) + torch.stack([x, y], dim=-1)

    def loss(self, raw: Tensor, target: Tensor, visible: Tensor, /) -> Tensor:
        """Return (N,): 4 x logistic loss over all cells + Huber loss of offsets (in radii) within the disk.

        The weights are those of G-RMI. The loss is averaged over cells, summed over visible keypoints and divided
        by K.
        """
        counted = visible[..., None, None]
        logits, true_logits = raw.chunk(3, dim=1)[0], target.chunk(3, dim=1)[0]
        inside = (true_logits > 0) & counted
        logistic = F.binary_cross_entropy_with_logits(logits, inside.to(raw.dtype), reduction="none")
        error = torch.where(inside[..., None], self.places(raw) - self.places(target), 0.0) / self.radius
        huber = F.huber_loss(error, torch.zeros_like(error), reduction="none").sum(dim=-1)
        each: Tensor = 4 * torch.where(counted, logistic, 0.0) + huber
        return each.mean(dim=(2, 3)).mean(dim=1)

    def mirrored(self, raw: Tensor, order: Sequence[int], /) -> Tensor:
        """Mirror maps and negate offsets along x; see types.MirroringHead."""
        logits, y, x = (part[:, list(order)].flip(-1) for part in raw.chunk(3, dim=1))
        return torch.cat([logits, y, -x], dim=1)

    def margins(self, keypoints: Tensor, radius: Tensor, /, *, softness: float = 0.0) -> Margins:
        """Return the highest cell that predicts outside the radius minus the highest inside: types.MarginHead."""
        return _margins(self, keypoints, radius, softness)

    def _cells(self, like: Tensor) -> Tensor:
        """Return the positions of the cells (h, w, 2) in input pixels."""
        (h, w), (height, width) = self.heatmap_size, self.input_size
        stride = like.new_tensor([(width - 1) / max(w - 1, 1), (height - 1) / max(h - 1, 1)])
        return _grid(self.heatmap_size, like) * stride


@dataclass(frozen=True)
class CentreHead:
    """Heatmaps, offsets, and a coarse pose regressed from the person's centre: MoveNet.

    Raw outputs are (N, 5K + 1, h, w): K maps of logits; 2K of offsets (y, x of the first keypoint, ...) and 2K of
    regression, both in cells from the cell's upper left corner to the keypoint; one of the centre's logits. A
    keypoint is the highest cell of its map after division by the distance to the regressed position.

    sigma   of the training targets, in cells
    slack   number of cells added to these distances
    """

    kind: ClassVar[str] = "offsets"
    loss_name: ClassVar[str] = (
        "the focal loss of its heatmaps with the L1 distance of its offsets and of its rough pose"
    )
    decodes_scores: ClassVar[bool] = True
    places_compete: ClassVar[bool] = True

    input_size: tuple[int, int]
    heatmap_size: tuple[int, int]
    sigma: float = 2.0
    slack: float = 1.8

    def encode(self, keypoints: Tensor, /) -> Tensor:
        """Return the raw output of keypoints (N, K, 2) in input pixels; peaks are in the keypoints' cells."""
        n, (h, w) = len(keypoints), self.heatmap_size
        way = self._in_cells(keypoints)[:, :, None, None] - _grid(self.heatmap_size, keypoints)  # (N, K, h, w, 2)
        field = way.flip(-1).permute(0, 1, 4, 2, 3).flatten(1, 2)  # y before x
        amidst = _grid(self.heatmap_size, keypoints) - keypoints.new_tensor([w // 2, h // 2])
        centre = self._bump(amidst).expand(n, 1, h, w)
        return torch.cat([self._bump(way.floor()), field, field, centre], dim=1)

    def decode(self, raw: Tensor, /) -> tuple[Tensor, Tensor]:
        """Return keypoints (N, K, 2) in input pixels, decoded as in MoveNet's graph, and probabilities (N, K)."""
        heights = self.heights(raw)
        keypoints, _ = _decided(heights, self.places(raw))
        best = heights.flatten(2).argmax(dim=2, keepdim=True)
        return keypoints, self._parts(raw)[0].sigmoid().flatten(2).gather(2, best)[..., 0]

    def heights(self, raw: Tensor) -> Tensor:
        """Return the maps (N, K, h, w) in [0, 1] whose highest cell is decoded."""
        logits, _, _, _ = self._parts(raw)
        far = torch.linalg.vector_norm(
            _grid(self.heatmap_size, raw) - self._expected(raw)[:, :, None, None], dim=-1
        )
        heights: Tensor = logits.sigmoid() * (self.slack / (far + self.slack))
        return heights

    def places(self, raw: Tensor) -> Tensor:
        """Return the position that each cell predicts: (N, K, h, w, 2) in input pixels."""
        return self._in_pixels(_grid(self.heatmap_size, raw) + self._parts(raw)[1])

    def loss(self, raw: Tensor, target: Tensor, visible: Tensor, /) -> Tensor:
        """Return (N,): focal loss of the heatmaps + L1 of offsets + 0.1 x L1 of the regression, over visible / K.

        Weights, alpha 2, beta 4 and offsets within 3 cells are those of TensorFlow's object detection (CenterNet
        with keypoints), on which MoveNet was built. As in decoding, the regression is read at the predicted
        centre, because the truth has no centre; for the same reason the centre's own loss is omitted.
        """
        logits, offsets, _, _ = self._parts(raw)
        true_logits, true_offsets, true_way, _ = self._parts(target)
        counted = visible[..., None, None]
        focal = _focal(logits, torch.where(counted, true_logits, 0.0)).sum(dim=(2, 3))
        near = (torch.linalg.vector_norm(true_way, dim=-1) <= 3.0) & counted
        off = torch.where(near[..., None], offsets - true_offsets, 0.0).abs().sum(dim=(2, 3, 4))
        true_place = true_way[:, :, 0, 0]  # the offset from cell (0, 0) is the position
        rough = torch.where(visible[..., None], self._expected(raw) - true_place, 0.0).abs().sum(dim=2)
        each: Tensor = torch.where(visible, focal, 0.0) + off / near.sum(dim=(2, 3)).clamp(min=1) + 0.1 * rough
        return each.mean(dim=1)

    def mirrored(self, raw: Tensor, order: Sequence[int], /) -> Tensor:
        """Mirror maps and offsets, which are measured from the cell's left edge; see types.MirroringHead."""
        rows = list(order)
        logits, offsets, regression, centre = self._parts(raw.flip(-1))
        ways = []
        for way in (offsets[:, rows], regression[:, rows]):
            turned = torch.stack([way[..., 1], 1 - way[..., 0]], dim=2)  # y before x
            ways.append(turned.flatten(1, 2))
        return torch.cat([logits[:, rows], *ways, centre[:, None]], dim=1)

    def margins(self, keypoints: Tensor, radius: Tensor, /, *, softness: float = 0.0) -> Margins:
        """Return the highest cell that predicts outside the radius minus the highest inside: types.MarginHead."""
        return _margins(self, keypoints, radius, softness)

    def _parts(self, raw: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Split into logits (N, K, h, w), offsets and regression (N, K, h, w, 2) as (x, y), centre (N, h, w)."""
        k = (raw.shape[1] - 1) // 5
        logits, offsets, regression, centre = torch.split(raw, [k, 2 * k, 2 * k, 1], dim=1)
        return logits, _pairs(offsets), _pairs(regression), centre[:, 0]

    def _expected(self, raw: Tensor) -> Tensor:
        """Return the regressed keypoints (N, K, 2) in cells, from the likeliest centre near the map's centre."""
        _, _, regression, centre = self._parts(raw)
        h, w = self.heatmap_size
        grid = _grid(self.heatmap_size, raw)
        far = torch.linalg.vector_norm(grid - grid.new_tensor([w / 2, h / 2]), dim=-1)
        best = (centre.sigmoid() / (far + self.slack)).flatten(1).argmax(dim=1)
        index = best[:, None, None, None].expand(-1, regression.shape[1], 1, 2)
        return grid.flatten(0, 1)[best][:, None] + regression.flatten(2, 3).gather(2, index)[:, :, 0]

    def _bump(self, way: Tensor) -> Tensor:
        """Return logits of a Gaussian of height 1 at an offset (..., 2) in cells."""
        bump = torch.exp(-way.square().sum(dim=-1) / (2 * self.sigma**2))
        return torch.where(bump == 1, _SURE, torch.logit(bump, eps=1e-5).clamp(max=_SURE / 2))

    def _in_cells(self, pixels: Tensor) -> Tensor:
        """Map input pixels to cells measured from the map's outer edge, as in MoveNet."""
        return geometry.pixels_to_cells(pixels, heatmap_size=self.heatmap_size, input_size=self.input_size) + 0.5

    def _in_pixels(self, cells: Tensor) -> Tensor:
        """Map cells measured from the map's outer edge to input pixels."""
        return geometry.cells_to_pixels(cells - 0.5, heatmap_size=self.heatmap_size, input_size=self.input_size)


def _margins(head: OffsetHead | CentreHead, keypoints: Tensor, radius: Tensor, softness: float) -> Margins:
    def margins(raw: Tensor, rows: Tensor) -> Tensor:
        heights = head.heights(raw).flatten(2)
        offset = head.places(raw).detach() - keypoints[rows][:, :, None, None]
        inside = (torch.linalg.vector_norm(offset, dim=-1) <= radius[rows][:, :, None, None]).flatten(2)
        within = highest(heights, ~inside, softness=0.0)
        beyond = highest(heights, inside, softness=softness)
        # Heights are above 0, so 0 means no cell: where none is inside, the keypoint is always wrong.
        return beyond.clamp(min=0) - within.clamp(min=0)

    return margins


def _grid(size: tuple[int, int], like: Tensor) -> Tensor:
    """Return the column and row of each cell of a map: (h, w, 2)."""
    rows, columns = (torch.arange(side, device=like.device, dtype=like.dtype) for side in size)
    return torch.stack(torch.meshgrid(columns, rows, indexing="xy"), dim=-1)


def _pairs(maps: Tensor) -> Tensor:
    """Turn maps (N, 2K, h, w) with alternating y and x into (N, K, h, w, 2) of (x, y)."""
    return torch.unflatten(maps, 1, (-1, 2)).permute(0, 1, 3, 4, 2).flip(-1)


def _decided(heights: Tensor, places: Tensor) -> tuple[Tensor, Tensor]:
    """Return the position (N, K, 2) and the height (N, K) of each map's highest cell."""
    scores, best = heights.flatten(2).max(dim=2)
    return places.flatten(2, 3).gather(2, best[..., None, None].expand(-1, -1, 1, 2))[:, :, 0], scores


def _focal(logits: Tensor, true_logits: Tensor) -> Tensor:
    """Return CenterNet's penalty-reduced focal loss of each cell; the true cell's logit is _SURE."""
    probability = logits.sigmoid()
    right = (1 - probability).square() * F.logsigmoid(logits)
    wrong = (1 - true_logits.sigmoid()).pow(4) * probability.square() * F.logsigmoid(-logits)
    return -torch.where(true_logits >= _SURE, right, wrong)


def _joined(spec: OutputSpec, outputs: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    """Concatenate the maps of all parts into one raw output."""
    return (torch.cat([map_of(spec, output) for output in outputs], dim=1),)


def _check(spec: OutputSpec, place: int, shape: tuple[int, ...], format: HeadFormat) -> None:
    maps, keypoints = count_maps(spec, place, shape), len(spec.skeleton)
    part, of = list(format.parts.items())[place]
    if maps != of(keypoints):
        raise RobustPoseError(
            f"stage {spec.stages[place]!r} has {maps} maps, but the {part} of spec {spec.name!r} are "
            f"{of(keypoints)} for the {keypoints} keypoints of {spec.skeleton.name}"
        )


OFFSETS: HeadFormat = HeadFormat(
    keys={"heatmap_size": SIZE},
    required=("heatmap_size",),
    parts={"heatmaps": lambda k: k, "offsets": lambda k: 2 * k},
    make=lambda spec: OffsetHead(input_size=spec.input_size, **spec.keys),
    stages=_joined,
    check=lambda spec, place, shape: _check(spec, place, shape, OFFSETS),
)
"""PoseNet's."""

CENTRE: HeadFormat = HeadFormat(
    keys={"heatmap_size": SIZE, "sigma": ("a number of cells > 0", POSITIVE[1])},
    required=("heatmap_size", "sigma"),
    parts={
        "heatmaps": lambda k: k,
        "offsets": lambda k: 2 * k,
        "regression": lambda k: 2 * k,
        "centre": lambda k: 1,
    },
    make=lambda spec: CentreHead(input_size=spec.input_size, **spec.keys),
    stages=_joined,
    check=lambda spec, place, shape: _check(spec, place, shape, CENTRE),
)
"""MoveNet's."""
