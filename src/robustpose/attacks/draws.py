"""Random numbers of each person's own: who else is in the batch, and in which place, does not matter."""

import torch
from torch import Generator, Tensor

from robustpose.threats.levels import LEVELS


def each_persons(images: Tensor, generator: Generator) -> list[Generator]:
    """Make a generator for every picture (N, 3, H, W): of the seed and of the picture, not of its place."""
    base = int(torch.randint(2**31, (1,), generator=generator))
    levels = (images.detach() * LEVELS).round().to(torch.int64).flatten(1)
    places = torch.arange(levels.shape[1], device=levels.device) % 8191 + 1
    return [torch.Generator().manual_seed(base + int(mark)) for mark in (levels * places).sum(dim=1)]
