"""Patch: everything inside one square may change, wherever the square is.

As Brown, Mane, Roy, Abadi, Gilmer, "Adversarial Patch", 2017, arXiv 1712.09665, but digital and made for one
picture: the attack also chooses where the square lies, and nothing asks it to hold elsewhere.
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from robustpose.threats.levels import Replacing, per_picture
from robustpose.threats.spec import Floats, ThreatSpec


@dataclass(frozen=True)
class Patch(Replacing):
    """A square of side eps may change, in all channels and by any amount.

    eps is a whole number of pixels; RobustPoseError otherwise. A square that is larger than the picture covers it.
    """

    @property
    def name(self) -> str:
        """As it stands in results."""
        return "patch"

    def chosen(self, worth: Tensor, eps: float | Tensor, /) -> Tensor:
        """Mark the square (N, 1, H, W) of side eps that holds the most worth (N, H, W)."""
        return _best_squares(worth, per_picture(worth, eps))

    def size(self, images: Tensor, adv: Tensor, /) -> Tensor:
        """Return the side of the smallest square that holds every change (N,)."""
        differs = (adv != images).any(dim=1)
        return torch.maximum(_extent(differs.any(dim=2)), _extent(differs.any(dim=1))).to(images.dtype)


def _best_squares(worth: Tensor, side: Tensor) -> Tensor:
    """Mark of each picture the square of its side (N, 1) that holds the most worth (N, H, W), as (N, 1, H, W)."""
    marks = torch.zeros_like(worth, dtype=torch.bool)
    height, width = worth.shape[1:]
    for row, length in enumerate(side.flatten().tolist()):
        tall, wide = min(int(length), height), min(int(length), width)
        if tall == 0:
            continue
        sums = worth[row].double().cumsum(dim=0).cumsum(dim=1)
        corner = functional.pad(sums, (1, 0, 1, 0))
        held = corner[tall:, wide:] - corner[:-tall, wide:] - corner[tall:, :-wide] + corner[:-tall, :-wide]
        top, left = divmod(int(held.argmax()), held.shape[1])
        marks[row, top : top + tall, left : left + wide] = True
    return marks[:, None]


def _extent(lines: Tensor) -> Tensor:
    """Return from the first to the last marked line (N, L) how many there are (N,); 0 where none is marked."""
    place = torch.arange(lines.shape[1], device=lines.device)
    first = torch.where(lines, place, lines.shape[1]).amin(dim=1)
    last = torch.where(lines, place, -1).amax(dim=1)
    return (last - first + 1).clamp(min=0)


def _best_move(eps: float, room: Floats, slope: Floats) -> Floats:
    """Move the square that gains most as far as it can go."""
    move = np.zeros_like(room)
    worth = (slope * room).sum(axis=0)
    tall, wide = (min(int(eps), side) for side in worth.shape)
    corners = [(y, x) for y in range(worth.shape[0] - tall + 1) for x in range(worth.shape[1] - wide + 1)]
    y, x = max(corners, key=lambda at: float(worth[at[0] : at[0] + tall, at[1] : at[1] + wide].sum()))
    move[:, y : y + tall, x : x + wide] = room[:, y : y + tall, x : x + wide]
    return move


PATCH_SPEC = ThreatSpec(
    make=Patch,
    rule="may change a square of eps by eps pixels, wherever it lies",
    example="32 (side in pixels)",
    unit="pixels of its side",
    format=lambda eps: f"{eps:g} x {eps:g} pixels",
    best_move=_best_move,
    budgets=(2, 3, 5),
)
