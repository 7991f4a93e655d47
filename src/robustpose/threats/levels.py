"""Functions that threats to pixel values share: room in [0, 1], 8-bit rounding inside a ball, replaced pixels."""

from abc import ABC, abstractmethod
from dataclasses import dataclass

import torch
from torch import Generator, Tensor

from robustpose.threats.spec import check_budget

LEVELS = 255
_SLACK = 1e-5
"""Rounding error of k/255 in float32, in 8-bit levels."""


def room_towards(at: Tensor, direction: Tensor) -> Tensor:
    """Return how far each value of images in [0, 1] can move in the sign of `direction`; same shape."""
    return torch.where(direction > 0, 1 - at, at).clamp(min=0.0)


def per_image(images: Tensor, eps: float | Tensor) -> Tensor:
    """Return budgets as (N, 1), from one for all images or one per image (N,)."""
    if isinstance(eps, Tensor):
        return eps.to(images).reshape(len(images), 1)
    return images.new_full((len(images), 1), eps)


def round_in_ball(images: Tensor, adv: Tensor, *, eps: float, power: int) -> Tensor:
    """Round `adv` to levels k/255 so that the sum of |change|^power stays within eps^power; `images` are on
    levels.

    Rounding each value to the nearest level may leave the ball, and it removes a small budget that is spread over
    many values. So every change is first truncated to whole levels. Then the largest remainders are rounded up:
    those of at least one half while the budget allows it, smaller ones while the norm does not grow.
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
    """A threat under which chosen pixels may take any value and all others stay unchanged: L0 or a patch.

    RobustPoseError unless eps is an integer >= 0.
    """

    eps: float

    def __post_init__(self) -> None:
        check_budget(self.eps, self.name, whole=True)

    @property
    @abstractmethod
    def name(self) -> str:
        """The name in results."""

    @abstractmethod
    def chosen(self, worth: Tensor, eps: float | Tensor, /) -> Tensor:
        """Mark the pixels (N, 1, H, W) that may change: those with the largest total worth (N, H, W)."""

    @property
    def holds_8bit(self) -> bool:
        """Whether any pixel may change."""
        return self.eps >= 1

    def project(self, images: Tensor, adv: Tensor, /, *, eps: Tensor | None = None) -> Tensor:
        """Keep the pixels that changed most, clipped to [0, 1], and restore the others."""
        inside = adv.clamp(0.0, 1.0)
        saved = ((adv - images).square() - (adv - inside).square()).sum(dim=1)
        return torch.where(self.chosen(saved, self.eps if eps is None else eps), inside, images)

    def step(self, grad: Tensor, images: Tensor, /) -> Tensor:
        """Return 1 / eps of the step that moves the pixels with the largest gain to the end of [0, 1]."""
        move = grad.sign() * room_towards(images, grad)
        return torch.where(self.chosen((grad * move).sum(dim=1), self.eps), move / max(self.eps, 1.0), 0.0)

    def sample(self, images: Tensor, /, generator: Generator | None = None) -> Tensor:
        """Draw the pixels that change, and uniform values for them."""
        values = torch.rand(images.shape, generator=generator, dtype=images.dtype).to(images.device)
        worth = torch.rand(images[:, 0].shape, generator=generator, dtype=images.dtype).to(images.device)
        return torch.where(self.chosen(worth, self.eps), values, images)

    def round_to_8bit(self, images: Tensor, adv: Tensor, /) -> Tensor:
        """Round changed values to the nearest level k/255; unchanged values stay bit-identical."""
        return torch.where(adv == images, images, (adv * LEVELS).round().clamp(0, LEVELS) / LEVELS)
