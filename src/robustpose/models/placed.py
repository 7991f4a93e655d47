"""Where a model computes: moved to another device for a while, and back."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn

from robustpose.given import device_of, known_device


@contextmanager
def placed(model: object, device: str | None) -> Iterator[torch.device]:
    """Move a module to a device inside the block, and yield that device; None leaves it where it is.

    RobustPoseError for a device that cannot be used here.
    """
    home = device_of(model)
    where = home if device is None else torch.device(known_device(device))
    if where.type == home.type and ":" not in str(device):
        where = home
    if where == home:
        yield where
        return
    if not isinstance(model, nn.Module):  # a function; images reach it on the CPU
        yield home
        return
    try:
        model.to(where)
        yield where
    finally:
        model.to(home)
