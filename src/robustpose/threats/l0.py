"""L0: at most eps pixels may change, in all channels and by any amount.

Counted in pixels, not in values: Croce, Hein, "Sparse and Imperceivable Adversarial Attacks", ICCV 2019, arXiv
1909.05040.
"""

from dataclasses import dataclass

import numpy as np
from torch import Tensor

from robustpose.threats.levels import Replacing, per_image
from robustpose.threats.spec import Floats, ThreatSpec


@dataclass(frozen=True)
class L0(Replacing):
    """At most eps pixels change; RobustPoseError unless eps is an integer >= 0."""

    @property
    def name(self) -> str:
        """The name in results."""
        return "l0"

    def chosen(self, worth: Tensor, eps: float | Tensor, /) -> Tensor:
        """Mark the eps pixels (N, 1, H, W) with the highest worth (N, H, W)."""
        flat = worth.flatten(1)
        place = flat.argsort(dim=1, descending=True, stable=True).argsort(dim=1)
        return (place < per_image(flat, eps)).reshape(worth.shape)[:, None]

    def size(self, images: Tensor, adv: Tensor, /) -> Tensor:
        """Return the number of changed pixels of each image (N,)."""
        return (adv != images).any(dim=1).flatten(1).sum(dim=1).to(images.dtype)


def _best_move(eps: float, room: Floats, slope: Floats) -> Floats:
    """Move the pixels with the largest gain to the end of their room."""
    move = np.zeros_like(room)
    worth = (slope * room).sum(axis=0)
    for place in np.argsort(-worth, axis=None)[: int(eps)]:
        row, column = np.unravel_index(place, worth.shape)
        move[:, row, column] = room[:, row, column]
    return move


L0_SPEC = ThreatSpec(
    make=L0,
    rule="may change at most eps pixels",
    example="100 (pixels)",
    unit="pixels",
    norm=0.0,
    best_move=_best_move,
    budgets=(2, 3, 20),
)
