"""Resize and Upsample of ONNX graphs, in all variants that exporters write.

Each cell of the result maps to a position in the original, axis by axis; nearest takes the cell there, linear
interpolates between two cells. Variants that torch's interpolate supports use it.
"""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional

from robustpose.models.importers.onnx.node import Node, Run, whole

_WAYS = ("half_pixel", "pytorch_half_pixel", "align_corners", "asymmetric")
_ROUNDINGS = ("round_prefer_floor", "round_prefer_ceil", "floor", "ceil")


def plan_resize(node: Node) -> Run:
    """Resize (from opset 10), by scales or sizes."""
    mode = node.get("mode", "nearest")
    way = node.get("coordinate_transformation_mode", "half_pixel" if node.opset >= 11 else "asymmetric")
    rounding = node.get("nearest_mode", "round_prefer_floor" if node.opset >= 11 else "floor")
    if mode not in ("nearest", "linear") and not (mode == "cubic" and way in _WAYS[:3]):
        raise node.refuse(f"has mode = {mode!r} with {way!r}")
    if way not in _WAYS:
        raise node.refuse(f"has coordinate_transformation_mode = {way!r}, expected one of {', '.join(_WAYS)}")
    if rounding not in _ROUNDINGS:
        raise node.refuse(f"has nearest_mode = {rounding!r}, expected one of {', '.join(_ROUNDINGS)}")
    for name, value in (("antialias", 0), ("keep_aspect_ratio_policy", "stretch"), ("exclude_outside", 0)):
        node.only(name, value)
    if mode == "cubic":
        node.only("cubic_coeff_a", -0.75)
    axes = node.numbers("axes")

    def run(
        x: Tensor, region: Tensor | None = None, scales: Tensor | None = None, sizes: Tensor | None = None
    ) -> Tensor:
        if node.opset < 11:
            scales = region
        chosen = [axis % x.ndim for axis in axes] if axes is not None else list(range(x.ndim))
        if sizes is not None and sizes.numel():
            asked = dict(zip(chosen, whole(sizes), strict=True))
            factors = {axis: size / x.shape[axis] for axis, size in asked.items()}
        else:
            assert scales is not None
            factors = dict(zip(chosen, map(float, scales.flatten().tolist()), strict=True))
            asked = {axis: int(x.shape[axis] * factor) for axis, factor in factors.items()}
        spatial = range(2, x.ndim)
        return _resized(
            x,
            [asked.get(axis, x.shape[axis]) for axis in spatial],
            [factors.get(axis, 1.0) for axis in spatial],
            mode=mode,
            way=way,
            rounding=rounding,
        )

    return run


def plan_upsample(node: Node) -> Run:
    """Upsample (before opset 10), by scales, asymmetric."""
    mode, written = node.get("mode", "nearest"), node.get("scales")
    if mode not in ("nearest", "linear"):
        raise node.refuse(f"has mode = {mode!r}")

    def run(x: Tensor, scales: Tensor | None = None) -> Tensor:
        factors = [float(f) for f in (written if scales is None else scales.flatten().tolist())][2:]
        sizes = [int(size * factor) for size, factor in zip(x.shape[2:], factors, strict=True)]
        return _resized(x, sizes, factors, mode=mode, way="asymmetric", rounding="floor")

    return run


def _resized(
    x: Tensor, sizes: Sequence[int], factors: Sequence[float], *, mode: str, way: str, rounding: str
) -> Tensor:
    if list(sizes) == list(x.shape[2:]):
        return x
    exact = all(abs(size / old - f) < 1e-6 for size, old, f in zip(sizes, x.shape[2:], factors, strict=True))
    times = all(size % old == 0 for size, old in zip(sizes, x.shape[2:], strict=True))
    if x.ndim == 4 and exact:
        repeats = (way, rounding) in (("half_pixel", "round_prefer_floor"), ("asymmetric", "floor"))
        if mode == "nearest" and times and repeats:
            return functional.interpolate(x, size=list(sizes), mode="nearest")
        if mode != "nearest" and way != "asymmetric" and (way != "pytorch_half_pixel" or min(sizes) > 1):
            kind = "bilinear" if mode == "linear" else "bicubic"
            return functional.interpolate(x, size=list(sizes), mode=kind, align_corners=way == "align_corners")
    for axis, (size, factor) in enumerate(zip(sizes, factors, strict=True), start=2):
        if size != x.shape[axis]:
            x = _along(x, axis, size, factor, mode=mode, way=way, rounding=rounding)
    return x


def _along(x: Tensor, axis: int, size: int, factor: float, *, mode: str, way: str, rounding: str) -> Tensor:
    """Resize one axis, for variants that torch does not support."""
    old = x.shape[axis]
    place = torch.arange(size, dtype=torch.float64)
    if way == "align_corners":
        place = place * (old - 1) / max(size - 1, 1)
    elif way == "asymmetric":
        place = place / factor
    elif way == "pytorch_half_pixel" and size == 1:
        place = place * 0.0
    else:
        place = (place + 0.5) / factor - 0.5
    if mode == "nearest":
        rounded = {
            "round_prefer_floor": (place - 0.5).ceil(),
            "round_prefer_ceil": (place + 0.5).floor(),
            "floor": place.floor(),
            "ceil": place.ceil(),
        }[rounding]
        return x.index_select(axis, rounded.clamp(0, old - 1).long().to(x.device))
    place = place.clamp(0, old - 1)
    low = place.floor()
    shape = [1] * x.ndim
    shape[axis] = size
    share = (place - low).to(x.dtype).reshape(shape).to(x.device)
    first = x.index_select(axis, low.long().to(x.device))
    second = x.index_select(axis, (low + 1).clamp(max=old - 1).long().to(x.device))
    return first + (second - first) * share
