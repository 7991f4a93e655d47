"""Patch: everything inside one square may change.

As in Brown, Mane, Roy, Abadi, Gilmer, "Adversarial Patch", 2017, arXiv 1712.09665, but digital and made for one
image: the attack also chooses the place of the square and need not work at any other.
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from robustpose.threats.levels import Replacing, per_image
from robustpose.threats.spec import Floats, ThreatSpec


@dataclass(frozen=True)
class Patch(Replacing):
    """A square of side eps may change, in all channels and by any amount.

    eps is a whole number of pixels; RobustPoseError otherwise. A square larger than the image covers all of it.
    """

    @property
    def name(self) -> str:
        """The name in results."""
        return "patch"

    def chosen(self, worth: Tensor, eps: float | Tensor, /) -> Tensor:
        """Mark the square (N, 1, H, W) of side eps with the largest total worth (N, H, W)."""
        return _best_squares(worth, per_image(worth, eps))

    def size(self, images: Tensor, adv: Tensor, /) -> Tensor:
        """Return the side of the smallest square that contains every change (N,)."""
        differs = (adv != images).any(dim=1)
        return torch.maximum(_extent(differs.any(dim=2)), _extent(differs.any(dim=1))).to(images.dtype)


def _best_squares(worth: Tensor, side: Tensor) -> Tensor:
    """Mark for each image the square of side (N, 1) with the largest total worth (N, H, W), as (N, 1, H, W)."""
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
    """Return the number of lines (N,) from the first to the last marked one (N, L); 0 where none is marked."""
    place = torch.arange(lines.shape[1], device=lines.device)
    first = torch.where(lines, place, lines.shape[1]).amin(dim=1)
    last = torch.where(lines, place, -1).amax(dim=1)
    return (last - first + 1).clamp(min=0)


def _best_move(eps: float, room: Floats, slope: Floats) -> Floats:
    """Move all pixels of the square with the largest gain to the end of their room."""
    move = np.zeros_like(room)
    worth = (slope * room).sum(axis=0)
    tall, wide = (min(int(eps), side) for side in worth.shape)
    corners = [(y, x) for y in range(worth.shape[0] - tall + 1) for x in range(worth.shape[1] - wide + 1)]
    y, x = max(corners, key=lambda at: float(worth[at[0] : at[0] + tall, at[1] : at[1] + wide].sum()))
    move[:, y : y + tall, x : x + wide] = room[:, y : y + tall, x : x + wide]
    return move


PATCH_SPEC = ThreatSpec(
    make=Patch,
    rule="may change one square of eps x eps pixels at any place",
    example="32 (side in pixels)",
    unit="pixels (side)",
    format=lambda eps: f"{eps:g} x {eps:g} pixels",
    best_move=_best_move,
    budgets=(2, 3, 5),
)
