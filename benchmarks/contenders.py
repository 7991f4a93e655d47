"""Adapters that let other attack libraries maximise a keypoint objective.

Every contender runs IGSM: from the clean image, with the same step size and number of gradients. The libraries do
not support keypoints, so each gets a model whose output is the per-person objective, and its own classification
loss is replaced.
"""

import sys
import types
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from robustpose import attacks
from robustpose.attack_types import Attack
from robustpose.attacks import APGD, IGSM
from robustpose.objectives import Aim, Objective, correct_radius
from robustpose.threats import Linf
from robustpose.types import Batch, PoseModel


@dataclass(frozen=True)
class Job:
    """One attack on a batch, untargeted.

    eps        in [0, 1] units
    step_size  as a fraction of eps
    """

    model: PoseModel
    batch: Batch
    objective: Objective
    eps: float
    steps: int
    step_size: float

    @property
    def step(self) -> float:
        """The step size in [0, 1] units."""
        return self.step_size * self.eps


Craft = Callable[[Job], Tensor]
"""Returns adversarial images, not yet rounded."""


class PerPerson(nn.Module):
    """A model whose output for images (N, 3, H, W) is the objective of each person (N,)."""

    def __init__(self, job: Job) -> None:
        super().__init__()
        assert isinstance(job.model, nn.Module)
        self.model = job.model
        aim = Aim(job.batch.keypoints, job.batch.visible, correct_radius(job.batch))
        self.objective = job.objective.bind(job.model, aim, targeted=False)

    def forward(self, images: Tensor) -> Tensor:
        """Return the objective (N,) of the batch's people, in its order."""
        return self.objective(images, torch.arange(len(images)))


class TwoClasses(PerPerson):
    """The objective as logits (N, 2) for the label 0, whose cross-entropy rises with the objective.

    ahead  offset of the label's logit. Margins lie well within -4 and 4, so the image is always classified
           correctly with 4, and never with -4
    """

    def __init__(self, job: Job, *, ahead: float) -> None:
        super().__init__(job)
        self.ahead = ahead

    def forward(self, images: Tensor) -> Tensor:
        """Return logits (N, 2)."""
        losses = super().forward(images)
        return torch.stack([self.ahead - losses, torch.zeros_like(losses)], dim=1)


def bare(job: Job) -> Tensor:
    """An efficient loop by hand: frozen weights, no library."""
    loss, clean = PerPerson(job).requires_grad_(False), job.batch.images
    adv = clean
    for _ in range(job.steps):
        adv = adv.detach().requires_grad_(True)
        (gradient,) = torch.autograd.grad(loss(adv).sum(), adv)
        adv = (clean + (adv + job.step * gradient.sign() - clean).clamp(-job.eps, job.eps)).clamp(0, 1)
    return adv.detach()


def tutorial(job: Job) -> Tensor:
    """A loop as in tutorials: `backward` through a model with trainable weights."""
    loss, clean = PerPerson(job), job.batch.images
    adv = clean.clone()
    for _ in range(job.steps):
        adv.requires_grad_(True)
        loss(adv).sum().backward()
        assert adv.grad is not None
        adv = adv.detach() + job.step * adv.grad.sign()
        adv = (clean + (adv - clean).clamp(-job.eps, job.eps)).clamp(0, 1)
    return adv.detach()


def ours(attack: Callable[[Job], Attack], *, search: str = "fp32") -> Craft:
    """Use robustpose's runner; the time includes checks, rounding and the final score."""

    def craft(job: Job) -> Tensor:
        return attacks.run(
            attack(job), job.model, job.batch, threat=Linf(job.eps), objective=job.objective, search=search
        ).images

    return craft


@contextmanager
def no_cross_entropy() -> Iterator[None]:
    """Replace torch's cross-entropy by a sum, for libraries that construct it themselves."""
    kept = torch.nn.CrossEntropyLoss
    torch.nn.CrossEntropyLoss = lambda *_, **__: lambda losses, labels: losses.sum()  # type: ignore
    try:
        yield
    finally:
        torch.nn.CrossEntropyLoss = kept  # type: ignore[misc]


def with_torchattacks(job: Job) -> Tensor:
    """torchattacks.PGD constructs its own cross-entropy."""
    import torchattacks

    attack = torchattacks.PGD(PerPerson(job), eps=job.eps, alpha=job.step, steps=job.steps, random_start=False)
    with no_cross_entropy():
        found: Tensor = attack(job.batch.images, torch.zeros(len(job.batch), dtype=torch.long))
    return found


def with_foolbox(job: Job) -> Tensor:
    """foolbox.LinfPGD takes another loss from a subclass; the labels of the criterion are dummies."""
    import foolbox

    class Ascent(foolbox.attacks.LinfProjectedGradientDescentAttack):  # type: ignore
        def get_loss_fn(self, model, labels):  # type: ignore
            return lambda inputs: model(inputs).sum()

    model = foolbox.PyTorchModel(PerPerson(job).eval(), bounds=(0, 1), device="cpu")
    attack = Ascent(abs_stepsize=job.step, steps=job.steps, random_start=False)
    labels = foolbox.criteria.Misclassification(torch.zeros(len(job.batch), dtype=torch.long))
    found: Tensor = attack.run(model, job.batch.images, labels, epsilon=job.eps)
    return found


def with_art(job: Job) -> Tensor:
    """ART's PyTorchRegressor flattens outputs, so it only supports one number per person."""
    from art.attacks.evasion import ProjectedGradientDescent
    from art.estimators.regression.pytorch import PyTorchRegressor

    class Sum(nn.Module):
        def forward(self, losses: Tensor, _: Tensor) -> Tensor:
            return losses.sum()

    shape = tuple(job.batch.images.shape[1:])
    estimator = PyTorchRegressor(
        PerPerson(job), loss=Sum(), input_shape=shape, clip_values=(0.0, 1.0), device_type="cpu"
    )
    attack = ProjectedGradientDescent(
        estimator,
        eps=job.eps,
        eps_step=job.step,
        max_iter=job.steps,
        batch_size=len(job.batch),
        verbose=False,
    )
    found = attack.generate(job.batch.images.numpy(), y=np.zeros((len(job.batch), 1), np.float32))
    return torch.from_numpy(found)


def with_cleverhans(job: Job) -> Tensor:
    """cleverhans constructs its own cross-entropy."""
    from cleverhans.torch.attacks.projected_gradient_descent import projected_gradient_descent

    labels = torch.zeros(len(job.batch), dtype=torch.long)
    with no_cross_entropy():
        found: Tensor = projected_gradient_descent(
            PerPerson(job),
            job.batch.images,
            job.eps,
            job.step,
            job.steps,
            np.inf,
            clip_min=0.0,
            clip_max=1.0,
            y=labels,
            rand_init=False,
            sanity_checks=False,  # they compare a tensor on CUDA with NumPy's
        )
    return found.detach()


def _adv_lib() -> types.ModuleType:
    """Import adv-lib without its plotting and perceptual-distance packages, which its attacks do not need."""
    for name in ("torchvision", "torchvision.models", "visdom"):
        sys.modules.setdefault(name, types.ModuleType(name))
    sys.modules["torchvision"].models = sys.modules["torchvision.models"]  # type: ignore[attr-defined]
    import adv_lib.attacks

    return adv_lib.attacks  # type: ignore[no-any-return]


def with_adv_lib(job: Job) -> Tensor:
    """adv-lib's pgd_linf needs logits and returns only misclassified images, so all images appear misclassified.

    It does not evaluate its last iterate, so it returns the one before.
    """
    found: Tensor = _adv_lib().pgd_linf(
        TwoClasses(job, ahead=-4.0),
        job.batch.images,
        torch.zeros(len(job.batch), dtype=torch.long),
        job.eps,
        steps=job.steps,
        random_init=False,
        absolute_step_size=job.step,
    )
    return found


def with_adv_lib_apgd(job: Job) -> Tensor:
    """adv-lib's apgd returns the highest loss only with best_loss, which in 0.2.8 always takes 100 steps.

    It stops at misclassified images, so no image appears misclassified.
    """
    if job.steps != 100:
        raise ValueError("adv-lib's APGD supports 100 gradients only")
    found: Tensor = _adv_lib().apgd(
        TwoClasses(job, ahead=4.0),
        job.batch.images,
        torch.zeros(len(job.batch), dtype=torch.long),
        job.eps,
        norm=float("inf"),
        n_iter=100,
        loss_function="ce",
        best_loss=True,
    )
    return found


def igsm(job: Job) -> Attack:
    """Return the attack that all contenders run."""
    return IGSM(steps=job.steps, step_size=job.step_size)


def apgd(job: Job) -> Attack:
    """Return robustpose's APGD."""
    return APGD(steps=job.steps)


ZOO = ("deeppose", "shg2", "shg8", "chained", "attention_hg", "dlcm", "resreg", "resdec", "resdec_pre")
"""The pose models of the package."""

CONTENDERS: dict[str, Craft] = {
    "loop by hand, frozen": bare,
    "loop of tutorials": tutorial,
    "torchattacks": with_torchattacks,
    "foolbox": with_foolbox,
    "ART": with_art,
    "cleverhans": with_cleverhans,
    "adv-lib": with_adv_lib,
    "robustpose": ours(igsm),
    "robustpose, bf16": ours(igsm, search="bf16"),
}
"""Implementations of the same attack, by name; times are relative to the first."""
