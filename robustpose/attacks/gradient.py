"""The one way attacks take gradients: to the images alone, never to the weights."""

import torch
from torch import Tensor

from robustpose.errors import RobustPoseError
from robustpose.types import Loss


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
        raise RobustPoseError(
            "no gradient reaches the images: the model or the objective cuts it (detach, argmax); attack what "
            "lies before the cut, or use an attack that needs no gradient (square)"
        )
    (gradient,) = torch.autograd.grad(total, adv)
    return losses.detach(), gradient
