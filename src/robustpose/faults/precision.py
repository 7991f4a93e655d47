"""Faults of precision: weights of 16 or 8 bits, and weights and activations of 8 bits.

A model is run while every convolution and matrix product with weights is intercepted: its weights, and for
'int8' what goes into it, are rounded by torch's own quantisers (observers of torch.ao.quantization choose scales
and zero points, torch.fake_quantize_* rounds). Nothing of the model is written to. Weights are quantised per
output channel, symmetrically; that is the same with batch normalisation folded in or beside them. Activations are
quantised per tensor, over the range that a histogram observer chooses on calibration images. Sums stay in 32 bits,
as on integer hardware.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.ao.quantization import HistogramObserver, PerChannelMinMaxObserver
from torch.nn import functional
from torch.overrides import TorchFunctionMode

from robustpose.defences.defended import Defended
from robustpose.errors import RobustPoseError, unknown_name
from robustpose.faults.spec import FaultSpec, Level, OnModel
from robustpose.types import PoseModel, PoseOutput

_OUT_CHANNELS: dict[Callable[..., Any], int] = {
    torch.conv1d: 0,
    torch.conv2d: 0,
    torch.conv3d: 0,
    functional.linear: 0,
    torch.conv_transpose1d: 1,
    torch.conv_transpose2d: 1,
    torch.conv_transpose3d: 1,
}
"""Operators with weights as their second argument, and the axis of the output channels."""

_BITS = 8
_LOW, _HIGH = -(2 ** (_BITS - 1)), 2 ** (_BITS - 1) - 1


class _Rounding(TorchFunctionMode):
    """Rounds the weights, and perhaps the inputs, of operators; they are numbered in the order in which they run.

    weights  (weights, axis of the output channels) -> weights
    inputs   (input, operator's number) -> input
    """

    def __init__(self, weights: Callable[[Tensor, int], Tensor], inputs: Callable[[Tensor, int], Tensor]) -> None:
        super().__init__()
        self.weights, self.inputs = weights, inputs
        self.rounded: dict[int, Tensor] = {}
        self.count = 0

    def __torch_function__(
        self, func: Any, types: Iterable[type], args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        given = dict(kwargs or {})
        if func not in _OUT_CHANNELS:
            return func(*args, **given)
        x, weight, rest = args[0], args[1] if len(args) > 1 else given.pop("weight"), args[2:]
        number, self.count = self.count, self.count + 1
        if number not in self.rounded:
            self.rounded[number] = self.weights(weight.detach(), _OUT_CHANNELS[func])
        return func(self.inputs(x, number), self.rounded[number], *rest, **given)

    def run(self, model: PoseModel, images: Tensor) -> PoseOutput:
        """Run a model under the mode."""
        self.count = 0
        with self:
            return model(images)


def _as(dtype: torch.dtype) -> Callable[[Tensor, int], Tensor]:
    return lambda weight, axis: weight.to(dtype).to(weight.dtype)


def _int8(weight: Tensor, axis: int) -> Tensor:
    """Round weights to 8 bits, symmetric about 0, with a scale for each output channel."""
    observer = PerChannelMinMaxObserver(ch_axis=axis, dtype=torch.qint8, qscheme=torch.per_channel_symmetric)
    observer(weight.float().contiguous())
    scale, zero = observer.calculate_qparams()
    rounded = torch.fake_quantize_per_channel_affine(
        weight.float().contiguous(), scale.to(weight.device), zero.int().to(weight.device), axis, _LOW, _HIGH
    )
    # The model's memory format decides which kernel runs, and with it the last bit.
    return torch.empty_like(weight).copy_(rounded)


def _unchanged(x: Tensor, number: int) -> Tensor:
    return x


_WEIGHTS = {"fp16": _as(torch.float16), "bf16": _as(torch.bfloat16), "int8 weights": _int8, "int8": _int8}


def _rounded(model: PoseModel, level: Level, calibration: Tensor) -> PoseModel:
    if level not in _WEIGHTS:
        raise unknown_name("level of fault precision", str(level), _WEIGHTS)
    weights = _WEIGHTS[str(level)]
    if level == "int8":
        inputs = _activations(model, weights, calibration)
    else:
        _probe(model, _Rounding(weights, _unchanged), calibration[:1])
        inputs = _unchanged
    rounding = _Rounding(weights, inputs)
    return Defended(model, lambda model, images: rounding.run(model, images))


def _probe(model: PoseModel, rounding: _Rounding, images: Tensor) -> None:
    """Run the model once; RobustPoseError where no operator with weights is seen."""
    with torch.no_grad():
        rounding.run(model, images)
    if rounding.count == 0:
        how = "" if isinstance(model, nn.Module) else ": it is no torch module"
        raise RobustPoseError(f"no convolution or linear layer that could be quantised runs in torch{how}")


def _activations(
    model: PoseModel, weights: Callable[[Tensor, int], Tensor], calibration: Tensor
) -> Callable[[Tensor, int], Tensor]:
    """Choose scale and zero point of each operator's input on calibration images; return what rounds inputs."""
    observers: dict[int, HistogramObserver] = {}

    def observe(x: Tensor, number: int) -> Tensor:
        observers.setdefault(number, HistogramObserver(dtype=torch.quint8))(x.detach().float().cpu())
        return x

    _probe(model, _Rounding(weights, observe), calibration)
    chosen = {number: observer.calculate_qparams() for number, observer in observers.items()}

    def quantise(x: Tensor, number: int) -> Tensor:
        if number not in chosen:
            raise RobustPoseError("it runs other layers on some images than on others, so none can be calibrated")
        scale, zero = chosen[number]
        rounded: Tensor = torch.fake_quantize_per_tensor_affine(x, float(scale), int(zero), 0, 2**_BITS - 1)
        return rounded

    return quantise


PRECISION = FaultSpec(
    OnModel(_rounded),
    summary="Weights rounded to fp16, bf16 or int8; 'int8' also rounds what goes into each layer",
    phrase="a model in {level}",
    levels=("fp16", "bf16", "int8 weights", "int8"),
)
