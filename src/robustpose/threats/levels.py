"""What the threats share: room in [0, 1], and rounding to the 8 bits of a picture inside a ball."""

import torch
from torch import Tensor

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
