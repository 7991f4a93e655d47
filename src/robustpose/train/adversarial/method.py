"""How a training batch is attacked.

pgd      Madry et al. 2018 (arXiv 1706.06083): a few projected gradient steps from a random start.
fgsm_rs  Wong, Rice and Kolter 2020 (arXiv 2001.03994): one step of 1.25 eps from a random start.
free     Shafahi et al. 2019 (arXiv 1904.12843): each batch is used several times; one backward pass updates the
         weights and the perturbation.
trades   after Zhang et al. 2019 (arXiv 1901.08573): the model learns from clean images, and its prediction must
         not change inside the ball. Their divergence compares class probabilities. A pose model has none, so we
         use its training loss against its own clean prediction.

The attack sees the model in eval mode and raises the loss that the model is trained on. The threat is linf.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Generator, Tensor

from robustpose.attacks.gradient import loss_and_gradient
from robustpose.threats import Linf

_LARGEST_STEP = 1.25
"""As a share of eps; the step of fgsm_rs."""


@dataclass(frozen=True)
class AdversarialTraining:
    """How each training batch is attacked.

    steps        gradient steps from a random start
    step_size    as a share of eps
    consistency  weight of the loss against the model's own clean prediction; 0 trains on attacked images alone
    replays      optimiser steps on each batch; if above 1, they share one perturbation and `steps` is 0
    """

    steps: int = 0
    step_size: float = 1.0
    consistency: float = 0.0
    replays: int = 1

    def attacked(
        self, images: Tensor, loss: Callable[[Tensor], Tensor], *, threat: Linf, generator: Generator
    ) -> Tensor:
        """Return images within the threat that raise `loss`, which maps images (N, 3, H, W) to one number."""
        adv = threat.sample(images, generator)
        rows = torch.arange(len(images), device=images.device)
        for _ in range(self.steps):
            _, gradient = loss_and_gradient(lambda seen, _: loss(seen)[None], adv, rows)
            adv = threat.project(images, adv + self.step_size * threat.eps * threat.step(gradient, images))
        return adv


@dataclass(frozen=True)
class MethodSpec:
    """A method of adversarial training.

    make     makes it from the number after the colon, as in 'pgd:2'
    summary  one line that says what it does
    number   what that number counts; empty if the method takes none
    default  the number where none is given
    """

    make: Callable[[int], AdversarialTraining]
    summary: str
    number: str = ""
    default: int = 1


def pgd(steps: int) -> AdversarialTraining:
    """Take steps of 2.5 eps / steps, as Madry et al. do, and of at most 1.25 eps."""
    return AdversarialTraining(steps=steps, step_size=min(_LARGEST_STEP, 2.5 / steps))


def one_step(_: int) -> AdversarialTraining:
    """Take one step of 1.25 eps."""
    return AdversarialTraining(steps=1, step_size=_LARGEST_STEP)


def free(replays: int) -> AdversarialTraining:
    """Use each batch `replays` times; the perturbation moves by eps each time."""
    return AdversarialTraining(replays=replays)


def trades(steps: int) -> AdversarialTraining:
    """Attack as pgd does; the weight 6 is that of Zhang et al."""
    return AdversarialTraining(steps=steps, step_size=min(_LARGEST_STEP, 2.5 / steps), consistency=6.0)
