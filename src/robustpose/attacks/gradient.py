"""Functions that attacks share: input gradients, random numbers per person, and restarts in one batch."""

import torch
from torch import Generator, Tensor

from robustpose.attack_types import Loss, Threat
from robustpose.errors import RobustPoseError
from robustpose.threats.levels import LEVELS
from robustpose.types import PoseModel


def input_gradient(loss: Loss, adv: Tensor) -> Tensor:
    """Return the gradient of each person's loss with respect to that person's image (N, 3, H, W).

    The losses are summed, so a person's gradient does not depend on who else is in the batch.
    """
    return loss_and_gradient(loss, adv, torch.arange(len(adv), device=adv.device))[1]


def loss_and_gradient(loss: Loss, adv: Tensor, rows: Tensor) -> tuple[Tensor, Tensor]:
    """Return the losses (M,) of images (M, 3, H, W) of the people `rows` (M,), and their gradients."""
    adv = adv.detach().requires_grad_(True)
    with torch.enable_grad():
        losses = loss(adv, rows)
        total = losses.sum()
    if not total.requires_grad:
        raise no_gradient()
    (gradient,) = torch.autograd.grad(total, adv)
    return losses.detach(), gradient


def no_gradient() -> RobustPoseError:
    """Return the error for a model or an objective that cuts the gradient."""
    return RobustPoseError(
        "no gradient reaches the images: the model or the objective cuts it (detach, argmax); attack the output "
        "before the cut, or use an attack that needs no gradient (square)"
    )


def check_differentiable(model: PoseModel) -> None:
    """Raise RobustPoseError for a model whose `differentiable` is False."""
    if not getattr(model, "differentiable", True):
        raise RobustPoseError(
            f"{getattr(model, 'name', 'the model')} has no gradient, which this attack needs; "
            "use one that needs none (square; `robustpose list attacks --json` says what each needs), or attack "
            "another model and transfer the images"
        )


def each_persons(images: Tensor, generator: Generator) -> list[Generator]:
    """Make a generator for each image (N, 3, H, W) from the seed and the image, not from its row."""
    base = int(torch.randint(2**31, (1,), generator=generator))
    levels = (images.detach() * LEVELS).round().to(torch.int64).flatten(1)
    places = torch.arange(levels.shape[1], device=levels.device) % 8191 + 1
    return [torch.Generator().manual_seed(base + int(mark)) for mark in (levels * places).sum(dim=1)]


def stacked(
    images: Tensor, threat: Threat, generator: Generator, *, restarts: int
) -> tuple[Tensor, Tensor, Tensor]:
    """Return the starts of R restarts (R N, 3, H, W), their clean images (R N, 3, H, W) and people's rows (R N,).

    The first restart starts at the clean image. The others start at random within the threat, drawn from the seed
    and the image, so they do not depend on the rest of the batch.
    """
    starts = [images]
    if restarts > 1 and len(images):
        own = each_persons(images, generator)
        starts += [
            torch.cat([threat.sample(image[None], each) for image, each in zip(images, own, strict=True)])
            for _ in range(restarts - 1)
        ]
    else:
        starts += [images] * (restarts - 1)
    rows = torch.arange(len(images), device=images.device).repeat(restarts)
    return torch.cat(starts), images.repeat(restarts, 1, 1, 1), rows


def best_try(adv: Tensor, losses: Tensor, *, restarts: int) -> Tensor:
    """Return each person's restart with the highest loss (N, 3, H, W), from the order of `stacked`."""
    n = len(adv) // restarts
    best = losses.reshape(restarts, n).argmax(dim=0)
    return adv.reshape(restarts, n, *adv.shape[1:])[best, torch.arange(n, device=adv.device)]
