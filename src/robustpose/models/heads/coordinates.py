"""Coordinate regression: DeepPose, Toshev and Szegedy 2014 (arXiv 1312.4659)."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from torch import Tensor

from robustpose import geometry
from robustpose.errors import RobustPoseError
from robustpose.models.heads.margins import distances
from robustpose.models.heads.tensors import HeadFormat, OutputSpec
from robustpose.models.keys import names, one_of
from robustpose.types import Margins


@dataclass(frozen=True)
class CoordinateHead:
    """Two coordinates per keypoint; the image's edges are at -0.5 and 0.5.

    error  error in the loss: 'squared' as in DeepPose, or 'absolute' (L1) as in integral regression
    kind   'coordinates', or 'integral' if they are the mean of a map
    """

    decodes_scores: ClassVar[bool] = False
    places_compete: ClassVar[bool] = False

    input_size: tuple[int, int]
    error: Literal["squared", "absolute"] = "squared"
    kind: Literal["coordinates", "integral"] = "coordinates"

    @property
    def loss_name(self) -> str:
        """Its training loss in words."""
        return f"the {self.error} distance of its coordinates"

    def encode(self, keypoints: Tensor, /) -> Tensor:
        """Scale keypoints (N, K, 2) in input pixels to [-0.5, 0.5]."""
        return geometry.pixels_to_unit(keypoints, input_size=self.input_size)

    def decode(self, raw: Tensor, /) -> tuple[Tensor, Tensor]:
        """Scale raw coordinates (N, K, 2) to input pixels; scores are 1, because coordinate models have none."""
        return geometry.unit_to_pixels(raw, input_size=self.input_size), raw.new_ones(raw.shape[:2])

    def loss(self, raw: Tensor, target: Tensor, visible: Tensor, /) -> Tensor:
        """Return the mean error (N,) of the coordinates, summed over visible keypoints and divided by K."""
        difference = torch.where(visible[..., None], raw - target, 0.0)
        error = difference.square() if self.error == "squared" else difference.abs()
        return error.mean(dim=2).mean(dim=1)

    def mirrored(self, raw: Tensor, order: Sequence[int], /) -> Tensor:
        """Mirror coordinates; see types.MirroringHead."""
        return raw[:, list(order)] * raw.new_tensor([-1.0, 1.0])

    def margins(self, keypoints: Tensor, radius: Tensor, /, *, softness: float = 0.0) -> Margins:
        """Return the distance in radii, minus 1; see types.MarginHead."""
        return lambda raw, rows: distances(self.decode(raw)[0], keypoints[rows], radius[rows])


def _rows(spec: OutputSpec, output: Tensor) -> Tensor:
    """Return an output as (N, K, columns)."""
    rows = output.reshape(len(output), -1, len(spec.keys["columns"]))
    return rows[:, list(spec.select)] if spec.select else rows


def _column(spec: OutputSpec, name: str, output: Tensor) -> Tensor:
    return _rows(spec, output)[..., spec.keys["columns"].index(name)]


def _stages(spec: OutputSpec, outputs: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    """Return outputs as coordinates (N, K, 2) with the image's edges at -0.5 and 0.5."""
    height, width = spec.input_size
    stages = []
    for output in outputs:
        points = torch.stack([_column(spec, name, output) for name in ("x", "y")], dim=-1)
        if spec.keys["unit"] == "pixels":
            points = points / points.new_tensor([width, height])
        stages.append(points if spec.keys["unit"] == "-0.5..0.5" else points - 0.5)
    return tuple(stages)


def _scores(spec: OutputSpec, outputs: tuple[Tensor, ...]) -> Tensor | None:
    """Return the scores (N, K) from the column "score", or from "logit" by a sigmoid; None without them."""
    if "score" in spec.keys["columns"]:
        return _column(spec, "score", outputs[-1])
    if "logit" in spec.keys["columns"]:
        return _column(spec, "logit", outputs[-1]).sigmoid()
    return None


def _check(spec: OutputSpec, place: int, shape: tuple[int, ...]) -> None:
    numbers, columns = torch.Size(shape[1:]).numel(), spec.keys["columns"]
    if numbers % len(columns):
        raise RobustPoseError(
            f"stage {spec.stages[place]!r} has {numbers} numbers, which is not a multiple of the {len(columns)} "
            f"columns ({', '.join(columns)}) of spec {spec.name!r}"
        )
    spec.check_rows(place, numbers // len(columns), "rows")


def _columns(value: object) -> tuple[str, ...] | None:
    found = names(value)
    return found if found and "x" in found and "y" in found else None


COORDINATES = HeadFormat(
    keys={
        "unit": one_of("pixels", "0..1", "-0.5..0.5"),
        "columns": ("a list of different names with 'x' and 'y' among them", _columns),
    },
    required=("unit", "columns"),
    make=lambda spec: CoordinateHead(input_size=spec.input_size),
    stages=_stages,
    scores=_scores,
    check=_check,
)
"""A spec gives the columns of a row ("x", "y" and optionally "score" or "logit", the score before its sigmoid;
others are ignored) and the unit of x and y, which are measured from the image's outer edges."""
