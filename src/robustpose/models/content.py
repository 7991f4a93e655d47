"""What decides a model's answers, beside its code: its tensors and plain attributes.

A model may be trained on after it was opened. Its weights are read again at each call, because torch's version
counters miss changes through `.data` and through shared arrays.
"""

import hashlib
import zlib
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

_TORCHS = frozenset(vars(nn.Module()))
"""Attributes that every module has, such as its mode and hooks."""


def content_of(model: object) -> str:
    """Return a checksum of a module's tensors and plain attributes; empty for anything else.

    Of each tensor the CRC-32 of its bytes, which sees any change of up to 32 consecutive bits. Devices and modes
    do not count.
    """
    if not isinstance(model, nn.Module):
        return ""
    digest = hashlib.sha256()
    for name, tensor in (*model.named_parameters(), *model.named_buffers()):
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)} {zlib.crc32(as_bytes(tensor))}\n".encode())
    for line in plain_attributes(model):
        digest.update(line.encode())
    return digest.hexdigest()


def as_bytes(tensor: Tensor) -> memoryview:
    """Return the bytes of a tensor of any type and device, in the order of its elements."""
    return tensor.detach().cpu().contiguous().flatten().view(torch.uint8).numpy().data


def plain_attributes(model: nn.Module) -> Iterator[str]:
    """Yield a line for each attribute of a module or its parts that is plain: numbers, text, arrays and lists."""
    for place, module in model.named_modules():
        for name, value in sorted(vars(module).items()):
            if name not in _TORCHS and (told := _told(value)):
                yield f"{place}.{name} = {told}\n"


def _told(value: Any) -> str:
    """Write a plain value; empty for what is none."""
    if value is None or isinstance(value, bool | int | float | str | torch.dtype):
        return repr(value)
    if isinstance(value, Tensor):
        return f"{value.dtype} {tuple(value.shape)} {zlib.crc32(as_bytes(value))}"
    if isinstance(value, np.ndarray) and value.dtype != object:
        return f"{value.dtype} {value.shape} {zlib.crc32(np.ascontiguousarray(value).tobytes())}"
    if isinstance(value, list | tuple | dict):
        parts = value.items() if isinstance(value, dict) else value
        told = [_told(part) for part in parts]
        return f"{type(value).__name__}({', '.join(told)})" if told and all(told) else ""
    return ""
