"""Several tries of one attack, stacked in the batch: R tries of N people are R x N images in every pass."""

import torch
from torch import Generator, Tensor

from robustpose.attacks.draws import each_persons
from robustpose.types import Threat


def stacked(
    images: Tensor, threat: Threat, generator: Generator, *, restarts: int
) -> tuple[Tensor, Tensor, Tensor]:
    """Return where each try starts (R N, 3, H, W), its origin of the same shape, and whose it is (R N,).

    The first try starts at the picture itself, so an attack of one try draws nothing; the others start at random
    within the threat, where the person's picture and the seed say, whoever else is in the batch.
    """
    starts = [images]
    if restarts > 1 and len(images):
        own = each_persons(images, generator)
        starts += [
            torch.cat([threat.sample(picture[None], each) for picture, each in zip(images, own, strict=True)])
            for _ in range(restarts - 1)
        ]
    else:
        starts += [images] * (restarts - 1)
    rows = torch.arange(len(images), device=images.device).repeat(restarts)
    return torch.cat(starts), images.repeat(restarts, 1, 1, 1), rows


def best_try(adv: Tensor, losses: Tensor, *, restarts: int) -> Tensor:
    """Return each person's try of the highest loss (N, 3, H, W), of tries that lie as `stacked` lays them."""
    n = len(adv) // restarts
    best = losses.reshape(restarts, n).argmax(dim=0)
    return adv.reshape(restarts, n, *adv.shape[1:])[best, torch.arange(n, device=adv.device)]
