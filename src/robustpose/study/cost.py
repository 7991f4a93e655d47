"""The cost of an attack before it starts: gradients per person, and an upper limit of the time on this machine."""

import time
from dataclasses import dataclass

import torch
from torch import nn

from robustpose.attacks.acceleration import FusedModel
from robustpose.attacks.contract import untouched
from robustpose.jobs.setting import Setting
from robustpose.jobs.store import Store
from robustpose.jobs.workbench import input_size_of
from robustpose.models import OpenedModel
from robustpose.study.plan import Plan

_WARM = 2
"""Passes before the timed one: the first is the model's own, the second builds the fused copy."""
_TOGETHER = 4
"""People of a timed pass on a processor, where larger batches are hardly faster."""


@dataclass(frozen=True)
class Cost:
    """An upper limit of what an attack on one model takes.

    people     people whose results are not stored yet
    gradients  per person; queries for attacks without gradients
    seconds    of all of them on this machine, as measured with a few passes
    """

    people: int
    gradients: int
    seconds: float


def cost_of(plan: Plan, store: Store, model: OpenedModel, setting: Setting, *, device: str = "cpu") -> Cost:
    """Time a few passes of a model and multiply; a person whose keypoints are all lost early costs less."""
    missing = [cell for cell in plan.cells(model, setting) if cell not in store]
    people = sum(cell.stop - cell.start for cell in missing)
    at_once = max((cell.stop - cell.start for cell in missing), default=0)
    each = seconds_per_gradient(model, people=at_once, gradient=setting.spec.needs == "gradients", device=device)
    return Cost(people, setting.gradients, people * setting.gradients * each)


def seconds_per_gradient(model: OpenedModel, *, people: int, gradient: bool = True, device: str = "cpu") -> float:
    """Return the seconds of one gradient of one person in a batch of `people`; of one forward pass without."""
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
