"""The one way attacks take gradients: to the images alone, never to the weights."""

import torch
from torch import Tensor

from robustpose.errors import RobustPoseError
from robustpose.types import Loss, PoseModel


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
    """Say that a model or an objective cuts the gradient."""
    return RobustPoseError(
        "no gradient reaches the images: the model or the objective cuts it (detach, argmax); attack what lies "
        "before the cut, or use an attack that needs no gradient (square)"
    )


def check_gradient(attack: object, model: PoseModel) -> None:
    """Refuse an attack that needs gradients on a model that has none: whose `differentiable` is False."""
    if getattr(model, "differentiable", True) or getattr(attack, "needs", "gradients") != "gradients":
        return
    from robustpose.attacks import without_gradient  # the registry imports this file

    names = ", ".join(without_gradient())
    raise RobustPoseError(
        f"{getattr(model, 'name', 'the model')} gives answers and no gradient, which {type(attack).__name__} "
        "needs; "
        f"attacks that need none: {names or 'none is here yet'}; or attack a net of your own and show it those "
        "pictures"
    )
