"""Universal perturbations: one perturbation for all images, learned as in the paper.

After Metzen, Kumar, Brox, Fischer, "Universal Adversarial Perturbations Against Semantic Image Segmentation",
ICCV 2017, arXiv 1704.05712. The perturbation u starts at 0. Each mini-batch of training people moves it by eps /
200 along the sign of the batch's gradient and clips it to the eps ball. At the end it is scaled so that its
largest value is eps. Here the perturbed image is also clipped to [0, 1] before the model sees it.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import Tensor

from robustpose.attacks.acceleration import FusedModel
from robustpose.attacks.contract import AttackError
from robustpose.errors import RobustPoseError
from robustpose.models.untouched import untouched
from robustpose.objectives import Aim, Objective, correct_radius
from robustpose.types import Batch, PoseModel


@dataclass(frozen=True)
class Universal:
    """Settings for learning a universal perturbation.

    eps        in [0, 1] units
    samples    number of training people, repeats included
    batch      people per step
    step_size  as a share of eps
    """

    eps: float
    samples: int
    batch: int = 16
    step_size: float = 1 / 200

    def __post_init__(self) -> None:
        if not 0 < self.eps <= 1:
            raise RobustPoseError(f"universal: eps must be in (0, 1], got {self.eps:g}")
        if not 0 < self.step_size <= 1:
            raise RobustPoseError(
                f"universal: step_size must be in (0, 1], a share of eps, got {self.step_size:g}"
            )
        if not 1 <= self.batch <= self.samples:
            raise RobustPoseError(
                f"universal: samples must be at least a batch of {self.batch}, got {self.samples}"
            )

    @property
    def steps(self) -> int:
        """Number of updates."""
        return self.samples // self.batch


@dataclass(frozen=True)
class Learned:
    """A universal perturbation.

    perturbation  (3, H, W), scaled so that its largest absolute value is eps, then rounded to levels k/255 inside
                  the budget; not rounded where eps < 1/255
    losses        mean loss of each mini-batch before its update
    """

    perturbation: Tensor
    losses: tuple[float, ...]


def learn_universal(
    how: Universal, model: PoseModel, batches: Iterable[Batch], *, objective: Objective
) -> Learned:
    """Learn one untargeted perturbation for all images; the model's state is restored.

    `batches` are how.steps mini-batches of people in the model's skeleton and input size. RobustPoseError where
    there is no gradient or it is NaN; AttackError where the perturbation stays 0.
    """
    height, width = model.input_size
    perturbation = torch.zeros(3, int(height), int(width))
    losses: list[float] = []
    fused = FusedModel(model)
    with untouched(model):
        for batch in batches:
            if len(batch) == 0:
                continue
            gradient, loss = _gradient(perturbation.to(batch.images), fused, batch, objective)
            perturbation = perturbation + how.step_size * how.eps * gradient.sign().cpu()
            perturbation = perturbation.clamp(-how.eps, how.eps)
            losses.append(loss)
    largest = float(perturbation.abs().max())
    if largest == 0:
        raise AttackError("the universal perturbation is still 0: its gradient was 0")
    return Learned(perturbation=to_levels(perturbation * (how.eps / largest), eps=how.eps), losses=tuple(losses))


def apply_universal(images: Tensor, perturbation: Tensor) -> Tensor:
    """Add a perturbation (3, H, W) to images (N, 3, H, W), clipped to [0, 1]."""
    return (images + perturbation).clamp(0.0, 1.0)


def to_levels(perturbation: Tensor, *, eps: float) -> Tensor:
    """Round to 8-bit levels inside the budget; not where eps < 1/255."""
    reach = int(eps * 255 + 1e-4)
    if reach < 1:
        return perturbation
    return (perturbation * 255).round().clamp(-reach, reach) / 255


def _gradient(perturbation: Tensor, model: PoseModel, batch: Batch, objective: Objective) -> tuple[Tensor, float]:
    """Return the gradient (3, H, W) of a batch's mean loss with respect to the perturbation, and the loss."""
    shared = perturbation.detach().requires_grad_(True)
    rows = torch.arange(len(batch), device=shared.device)
    aim = Aim(batch.keypoints, batch.visible, correct_radius(batch))
    loss = objective.bind(model, aim, targeted=False)
    with torch.enable_grad():
        mean = loss(apply_universal(batch.images, shared), rows).mean()
    if not mean.requires_grad:
        raise RobustPoseError(
            "no gradient reaches the images: the model or the objective cuts it (detach, argmax)"
        )
    (gradient,) = torch.autograd.grad(mean, shared)
    if not (torch.isfinite(gradient).all() and torch.isfinite(mean)):
        raise RobustPoseError(
            f"the loss of a batch or its gradient is NaN or infinite; its first person is {batch.ids[0]}"
        )
    return gradient, float(mean.detach())
