"""ImportedPose: a net that others trained, with what its card says of it, as a PoseModel.

The picture's scaling and the reading of the outputs are part of the module, so the gradient reaches [0, 1] RGB.
"""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from robustpose.errors import RobustPoseError
from robustpose.models.cards import PARTS_OF_HEAD, Card
from robustpose.models.heads import CoordinateHead, HeatmapHead
from robustpose.models.offset_heads import CentreHead, OffsetHead
from robustpose.types import PoseOutput


class ImportedPose(nn.Module):
    """A graph of another library under a card; satisfies PoseModel.

    graph        takes the scaled picture in the card's layout, returns the card's stages
    fingerprint  a hash of the net's file and of what the card says; part of every result's key
    """

    mean: Tensor
    std: Tensor

    def __init__(self, graph: Callable[[Tensor], tuple[Tensor, ...]], card: Card, *, fingerprint: str) -> None:
        super().__init__()
        self.graph, self.card, self.fingerprint = graph, card, fingerprint
        self.name, self.skeleton, self.input_size = card.name, card.skeleton, card.input_size
        self.padding = card.padding
        self.head = head_of(card)
        self.register_buffer("mean", torch.tensor(card.mean)[:, None, None], persistent=False)
        self.register_buffer("std", torch.tensor(card.std)[:, None, None], persistent=False)

    def forward(self, images: Tensor) -> PoseOutput:
        """Find keypoints in images (N, 3, H, W) in [0, 1]; RobustPoseError where they have another size."""
        if tuple(images.shape[1:]) != (3, *self.input_size):
            raise RobustPoseError(
                f"{self.name}: images must have shape (N, 3, {self.input_size[0]}, {self.input_size[1]}), "
                f"got {tuple(images.shape)}"
            )
        outputs = self.graph(self.prepare(images))
        stages = self._stages(outputs)
        keypoints, scores = self.head.decode(stages[-1])
        if "score" in self.card.columns:
            scores = self._column("score", outputs[-1])
        elif "logit" in self.card.columns:
            scores = self._column("logit", outputs[-1]).sigmoid()
        return PoseOutput(keypoints=keypoints, scores=scores, stages=stages)

    def prepare(self, images: Tensor) -> Tensor:
        """Turn images (N, 3, H, W) in [0, 1] into what the graph takes."""
        scaled = (images - self.mean) / self.std * self.card.scale
        if self.card.channels == "BGR":
            scaled = scaled.flip(1)
        return scaled.permute(0, 2, 3, 1).contiguous() if self.card.layout == "NHWC" else scaled

    def _stages(self, outputs: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        """Return the graph's outputs as the head takes them."""
        if isinstance(self.head, CoordinateHead):
            return tuple(self._coordinates(output) for output in outputs)
        maps = tuple(self._heatmaps(output) for output in outputs)
        return maps if isinstance(self.head, HeatmapHead) else (torch.cat(maps, dim=1),)

    def _column(self, name: str, output: Tensor) -> Tensor:
        return self._rows(output)[..., self.card.columns.index(name)]

    def _heatmaps(self, output: Tensor) -> Tensor:
        """Return a stage as (N, K, h, w)."""
        maps = output.permute(0, 3, 1, 2) if self.card.layout == "NHWC" else output
        if self.card.select:
            maps = maps[:, list(self.card.select)]
        return maps.contiguous()

    def _rows(self, output: Tensor) -> Tensor:
        """Return a stage as (N, K, columns)."""
        rows = output.reshape(len(output), -1, len(self.card.columns))
        return rows[:, list(self.card.select)] if self.card.select else rows

    def _coordinates(self, output: Tensor) -> Tensor:
        """Return a stage as coordinates (N, K, 2), the picture's edges being -0.5 and 0.5."""
        rows = self._rows(output)
        points = torch.stack([rows[..., self.card.columns.index(name)] for name in ("x", "y")], dim=-1)
        if self.card.unit == "pixels":
            height, width = self.input_size
            points = points / points.new_tensor([width, height])
        return points if self.card.unit == "-0.5..0.5" else points - 0.5


def head_of(card: Card) -> HeatmapHead | CoordinateHead | OffsetHead | CentreHead:
    """Return how the net of a card writes keypoints."""
    if card.heatmap_size is None:
        return CoordinateHead(input_size=card.input_size)
    if card.head == "offsets":
        return OffsetHead(input_size=card.input_size, heatmap_size=card.heatmap_size)
    if card.head == "centre":
        return CentreHead(input_size=card.input_size, heatmap_size=card.heatmap_size, sigma=card.sigma)
    return HeatmapHead(
        input_size=card.input_size,
        heatmap_size=card.heatmap_size,
        sigma=card.sigma,
        peak=card.peak,
        decoding=card.decoding,
        lattice=card.lattice,
    )


def check_stages(card: Card, shapes: tuple[tuple[int, ...], ...], *, file: str) -> None:
    """Check a card against the shapes (N, ...) of the net's stages; RobustPoseError where they differ."""
    keypoints = len(card.skeleton)
    parts = PARTS_OF_HEAD.get(card.head, ("heatmaps",) * len(shapes))
    for name, shape, part in zip(card.stages, shapes, parts, strict=True):
        if card.heatmap_size is not None:
            channels_last = card.layout == "NHWC"
            maps = shape[3:] if channels_last else shape[1:2]
            size = shape[1:3] if channels_last else shape[2:]
            if len(shape) != 4 or tuple(size) != card.heatmap_size:
                raise RobustPoseError(
                    f"{file}: stage {name!r} has shape {list(shape)}, but card {card.name!r} says {card.layout} "
                    f"heatmaps of {card.heatmap_size[0]} x {card.heatmap_size[1]}"
                )
            rows, what = maps[0], part
            if card.head in PARTS_OF_HEAD:
                _check_part(card, name, part, rows, file=file)
                continue
        else:
            numbers = torch.Size(shape[1:]).numel()
            if numbers % len(card.columns):
                raise RobustPoseError(
                    f"{file}: stage {name!r} holds {numbers} numbers, which are no rows of "
                    f"{len(card.columns)} columns ({', '.join(card.columns)}) as card {card.name!r} says"
                )
            rows, what = numbers // len(card.columns), "rows"
        if card.select and max(card.select) >= rows:
            raise RobustPoseError(
                f"{file}: stage {name!r} has {rows} {what}, but select of card {card.name!r} names "
                f"number {max(card.select)}"
            )
        if not card.select and rows != keypoints:
            raise RobustPoseError(
                f"{file}: stage {name!r} has {rows} {what} for the {keypoints} keypoints of {card.skeleton.name}; "
                f"say in card {card.name!r} which of them are keypoints with `select`"
            )


def _check_part(card: Card, name: str, part: str, maps: int, *, file: str) -> None:
    """Check the number of maps of one part of a head that reads several."""
    keypoints = len(card.skeleton)
    expected = {"heatmaps": keypoints, "centre": 1}.get(part, 2 * keypoints)
    if maps != expected:
        raise RobustPoseError(
            f"{file}: stage {name!r} has {maps} maps, but the {part} of card {card.name!r} are {expected} for the "
            f"{keypoints} keypoints of {card.skeleton.name}"
        )
