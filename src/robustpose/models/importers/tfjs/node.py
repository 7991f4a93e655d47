"""An operator of a TF.js graph model, whose options are the attributes of a TensorFlow NodeDef as JSON."""

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch

from robustpose.models.importers.node import Node

_DTYPES: dict[str | int, torch.dtype] = {
    "DT_FLOAT": torch.float32,
    "DT_HALF": torch.float32,
    "DT_INT32": torch.int32,
    "DT_INT64": torch.int64,
    "DT_BOOL": torch.bool,
    1: torch.float32,  # some files have their numbers
    3: torch.int32,
    9: torch.int64,
    10: torch.bool,
}


@dataclass(frozen=True)
class TfjsNode(Node):
    """One operator of the file.

    attributes  {"strides": {"list": {"i": [...]}}, "padding": {"s": base64}, ...}; defaults are omitted
    """

    attributes: Mapping[str, Any]

    def number(self, name: str, default: int) -> int:
        """Return an integer; in JSON, 64-bit ones may be text."""
        return int(self.attributes.get(name, {}).get("i", default) or 0)

    def real(self, name: str, default: float) -> float:
        """Return a floating point number."""
        return float(self.attributes.get(name, {}).get("f", default))

    def flag(self, name: str) -> bool:
        """Return a boolean."""
        return bool(self.attributes.get(name, {}).get("b", False))

    def text(self, name: str, default: str) -> str:
        """Return a word."""
        given = self.attributes.get(name, {}).get("s")
        return default if given is None else self._decoded(given)

    def integers(self, name: str, default: tuple[int, ...]) -> tuple[int, ...]:
        """Return a list of integers."""
        given = (self.attributes.get(name, {}).get("list") or {}).get("i")
        return tuple(int(number) for number in given) if given else default

    def words(self, name: str) -> tuple[str, ...]:
        """Return a list of words."""
        given = (self.attributes.get(name, {}).get("list") or {}).get("s")
        return tuple(self._decoded(word) for word in given or ())

    def kind(self, name: str) -> torch.dtype:
        """Return a type."""
        given = self.attributes.get(name, {}).get("type", "nothing")
        if given not in _DTYPES:
            raise self.refuse(f"has {name} {given}, which is not supported")
        return _DTYPES[given]

    def window(self, name: str) -> tuple[int, int]:
        """Return rows and columns of a list for (N, H, W, C): strides, dilations, pool sizes."""
        if self.text("data_format", "NHWC") != "NHWC":
            raise self.refuse("has its channels first; convert the model to NHWC")
        listed = self.integers(name, (1, 1, 1, 1))
        if len(listed) != 4 or (listed[0], listed[3]) != (1, 1):
            raise self.refuse(f"has {name} {list(listed)}, expected [1, rows, columns, 1]")
        return listed[1], listed[2]

    def _decoded(self, given: Any) -> str:
        """Decode bytes, which are base64 or a list of codes in JSON."""
        try:
            raw = bytes(given) if isinstance(given, list) else base64.b64decode(given, validate=True)
            return raw.decode()
        except (binascii.Error, ValueError, TypeError):
            raise self.refuse(f"has an attribute that cannot be read: {given!r}") from None
