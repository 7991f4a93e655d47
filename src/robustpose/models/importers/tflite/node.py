"""An operator of a .tflite file, whose options are flatbuffer tables."""

from dataclasses import dataclass
from typing import Any

import tflite
import torch
from torch.nn import functional

from robustpose.models.importers.node import Node, Run, clip_one


@dataclass(frozen=True)
class TfliteNode(Node):
    """One operator of the file.

    fields  the operator's options as a flatbuffer table; None without options
    """

    fields: Any

    def options(self, kind: type[Any]) -> Any:
        """Return the operator's options as a table of tflite's `kind`."""
        if self.fields is None:
            raise self.refuse(f"has no {kind.__name__}")
        table = kind()
        table.Init(self.fields.Bytes, self.fields.Pos)
        return table

    def activation(self, code: int) -> Run | None:
        """Return the activation fused into the operator; None where there is none."""
        if code not in ACTIVATIONS:
            raise self.refuse(f"has an unknown fused activation ({code})")
        return ACTIVATIONS[code]


ACTIVATIONS: dict[int, Run | None] = {
    tflite.ActivationFunctionType.NONE: None,
    tflite.ActivationFunctionType.RELU: functional.relu,
    tflite.ActivationFunctionType.RELU_N1_TO_1: clip_one,
    tflite.ActivationFunctionType.RELU6: functional.relu6,
    tflite.ActivationFunctionType.TANH: torch.tanh,
}
