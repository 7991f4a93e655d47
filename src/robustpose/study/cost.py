"""Estimates the cost of an attack: gradients per person, and an upper limit of the time on this machine."""

import time
from dataclasses import dataclass

import torch
from torch import nn

from robustpose.attacks.acceleration import FusedModel
from robustpose.jobs.setting import Setting
from robustpose.jobs.store import Store
from robustpose.jobs.workbench import input_size_of
from robustpose.models import OpenedModel
from robustpose.models.untouched import untouched
from robustpose.study.plan import Plan

_WARM = 2
"""Passes before the timed one: the first uses the model itself, the second builds the fused copy."""
_TOGETHER = 4
"""Number of people of a timed pass on a CPU, where larger batches are hardly faster."""


@dataclass(frozen=True)
class Cost:
    """An upper limit of the cost of an attack on one model.

    people     number of people whose results are not stored yet
    gradients  per person; queries for gradient-free attacks
    seconds    total time on this machine, extrapolated from a few passes
    """

    people: int
    gradients: int
    seconds: float


def cost_of(plan: Plan, store: Store, model: OpenedModel, setting: Setting, *, device: str = "cpu") -> Cost:
    """Extrapolate the cost from a few passes; people who lose all keypoints early cost less."""
    missing = [cell for cell in plan.cells(model, setting) if cell not in store]
    people = sum(cell.stop - cell.start for cell in missing)
    at_once = max((cell.stop - cell.start for cell in missing), default=0)
    each = seconds_per_gradient(model, people=at_once, gradient=setting.spec.needs == "gradients", device=device)
    most = setting.cost(len(model.module.skeleton))
    return Cost(people, most, people * most * each)


def seconds_per_gradient(model: OpenedModel, *, people: int, gradient: bool = True, device: str = "cpu") -> float:
    """Return the seconds per person of a gradient, or of a forward pass, in a batch of `people`."""
    if people == 0:
        return 0.0
    people = people if device.startswith("cuda") else min(people, _TOGETHER)
    module = model.module
    if isinstance(module, nn.Module):
        module.to(device)
    height, width = input_size_of(module)
    images = torch.rand((people, 3, height, width), generator=torch.Generator().manual_seed(0)).to(device)
    gradient = gradient and bool(getattr(module, "differentiable", True))
    searched = FusedModel(module)
    with untouched(module), torch.set_grad_enabled(gradient):
        for _ in range(_WARM + 1):
            started = time.perf_counter()
            asked = images.clone().requires_grad_(gradient)
            total = searched(asked).stages[-1].square().sum()
            if total.requires_grad:
                torch.autograd.grad(total, asked)
            if device.startswith("cuda"):
                torch.cuda.synchronize()
    return (time.perf_counter() - started) / people


def duration(seconds: float) -> str:
    """Write seconds as people say them.

    >>> duration(0.2), duration(75.4), duration(3000), duration(9000)
    ('1 s', '75 s', '50 min', '2.5 h')
    """
    if seconds < 90:
        return f"{max(seconds, 1):.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
