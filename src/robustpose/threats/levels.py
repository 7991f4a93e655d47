"""What threats to pixel values share: room in [0, 1], rounding to 8 bits inside a ball, and replaced pixels."""

from abc import ABC, abstractmethod
from dataclasses import dataclass

import torch
from torch import Generator, Tensor

from robustpose.threats.spec import check_budget

LEVELS = 255
_SLACK = 1e-5
"""Of a level: what float32 makes of k/255."""


def room_towards(at: Tensor, direction: Tensor) -> Tensor:
    """Return how far each value of pictures in [0, 1] can move in a direction (its sign), of the same shape."""
    return torch.where(direction > 0, 1 - at, at).clamp(min=0.0)


def per_picture(images: Tensor, eps: float | Tensor) -> Tensor:
    """Return budgets as (N, 1): one for all pictures, or one each (N,)."""
    if isinstance(eps, Tensor):
        return eps.to(images).reshape(len(images), 1)
    return images.new_full((len(images), 1), eps)


def round_in_ball(images: Tensor, adv: Tensor, *, eps: float, power: int) -> Tensor:
    """Round pictures to levels k/255 such that the sum of |change|^power stays within eps^power; images on levels.

    Rounding every value to the nearest level may leave the ball, and of a small budget spread over many values it
    leaves nothing. So every change is first cut to whole levels; then the largest remainders are rounded up: from
    one half as far as the budget goes, below as long as the change stays no larger than it was.
    """
    origin = (images.double() * LEVELS).round().flatten(1)
    change = adv.double().flatten(1) * LEVELS - origin
    whole = (change.abs() + _SLACK).floor()
    rest = (change.abs() - whole).clamp(min=0.0)
    spent = whole.pow(power).sum(dim=1, keepdim=True)
    budget = (eps * LEVELS) ** power * (1 + 1e-9)
    size = change.abs().pow(power).sum(dim=1, keepdim=True)
    rest, order = rest.sort(dim=1, descending=True)
    price = ((whole + 1).pow(power) - whole.pow(power)).gather(1, order)
    after = spent + price.cumsum(dim=1)
    up = (after <= budget) & ((rest >= 0.5) | (after <= size)) & (rest > _SLACK)
    levels = whole + torch.zeros_like(whole).scatter(1, order, up.double())
    rounded = (origin + change.sign() * levels).clamp(0, LEVELS) / LEVELS
    return rounded.to(images.dtype).reshape(images.shape)


@dataclass(frozen=True)
class Replacing(ABC):
    """Chosen pixels, of L0 or a patch, may become anything in all channels; all others stay as they were.

    RobustPoseError unless eps is a whole number from 0.
    """

    eps: float

    def __post_init__(self) -> None:
        check_budget(self.eps, self.name, whole=True)

    @property
    @abstractmethod
    def name(self) -> str:
        """As it stands in results."""

    @abstractmethod
    def chosen(self, worth: Tensor, eps: float | Tensor, /) -> Tensor:
        """Mark the pixels (N, 1, H, W) that may change, of the highest worth (N, H, W) together."""

    @property
    def holds_8bit(self) -> bool:
        """Whether a pixel may change."""
        return self.eps >= 1

    def project(self, images: Tensor, adv: Tensor, /, *, eps: Tensor | None = None) -> Tensor:
        """Keep the pixels that changed most, clipped to [0, 1]; the others are as they were."""
        inside = adv.clamp(0.0, 1.0)
        saved = ((adv - images).square() - (adv - inside).square()).sum(dim=1)
        return torch.where(self.chosen(saved, self.eps if eps is None else eps), inside, images)

    def step(self, grad: Tensor, images: Tensor, /) -> Tensor:
        """Return the pixels that gain most, each to the end of [0, 1]: eps times it is that move."""
        move = grad.sign() * room_towards(images, grad)
        return torch.where(self.chosen((grad * move).sum(dim=1), self.eps), move / max(self.eps, 1.0), 0.0)

    def sample(self, images: Tensor, /, generator: Generator | None = None) -> Tensor:
        """Draw which pixels change, and uniform values for them."""
        values = torch.rand(images.shape, generator=generator, dtype=images.dtype).to(images.device)
        worth = torch.rand(images[:, 0].shape, generator=generator, dtype=images.dtype).to(images.device)
        return torch.where(self.chosen(worth, self.eps), values, images)

    def round_to_8bit(self, images: Tensor, adv: Tensor, /) -> Tensor:
        """Round every value that changed to its nearest level k/255; what did not change stays, bit for bit."""
        return torch.where(adv == images, images, (adv * LEVELS).round().clamp(0, LEVELS) / LEVELS)
