"""Patch: everything inside one square may change, wherever the square is.

As Brown, Mane, Roy, Abadi, Gilmer, "Adversarial Patch", 2017, arXiv 1712.09665, but digital and made for one
picture: the attack also chooses where the square lies, and nothing asks it to hold elsewhere.
"""

from dataclasses import dataclass

import torch
from torch import Generator, Tensor
from torch.nn import functional

from robustpose.threats.budgets import check_eps
from robustpose.threats.l0 import nearest_levels
from robustpose.threats.levels import per_picture, room_towards


@dataclass(frozen=True)
class Patch:
    """A square of side eps may change, in all channels and by any amount.

    eps is a whole number of pixels; RobustPoseError otherwise. A square that is larger than the picture covers it.
    """

    eps: float

    def __post_init__(self) -> None:
        check_eps(self.eps, self.name)

    @property
    def name(self) -> str:
        """As it stands in results."""
        return "patch"

    @property
    def holds_8bit(self) -> bool:
        """Whether a pixel may change."""
        return self.eps >= 1

    def project(self, images: Tensor, adv: Tensor, /, *, eps: Tensor | None = None) -> Tensor:
        """Keep the square that changed most, clipped to [0, 1]; all around it is as it was."""
        inside = adv.clamp(0.0, 1.0)
        saved = ((adv - images).square() - (adv - inside).square()).sum(dim=1)
        return torch.where(
            _best_squares(saved, per_picture(images, self.eps if eps is None else eps)), inside, images
        )

    def step(self, grad: Tensor, images: Tensor, /) -> Tensor:
        """Return the square that gains most, every value to the end of [0, 1]: eps times it is that move."""
        move = grad.sign() * room_towards(images, grad)
        chosen = _best_squares((grad * move).sum(dim=1), per_picture(images, self.eps))
        return torch.where(chosen, move / max(self.eps, 1.0), 0.0)

    def sample(self, images: Tensor, /, generator: Generator | None = None) -> Tensor:
        """Draw where the square lies, and uniform values for it."""
        values = torch.rand(images.shape, generator=generator, dtype=images.dtype).to(images.device)
        worth = torch.rand(images[:, 0].shape, generator=generator, dtype=images.dtype).to(images.device)
        return torch.where(_best_squares(worth, per_picture(images, self.eps)), values, images)

    def size(self, images: Tensor, adv: Tensor, /) -> Tensor:
        """Return the side of the smallest square that holds every change (N,)."""
        differs = (adv != images).any(dim=1)
        return torch.maximum(_extent(differs.any(dim=2)), _extent(differs.any(dim=1))).to(images.dtype)

    def round_to_8bit(self, images: Tensor, adv: Tensor, /) -> Tensor:
        """Round every value to its nearest level; a pixel that did not change stays."""
        return nearest_levels(images, adv)


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
