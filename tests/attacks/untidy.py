"""Run an attack on a model with much state, and record that state."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Generator, Tensor, nn

from robustpose.attack_types import Attack, Loss, Threat
from robustpose.attacks import ATTACKS, Attacked, make_perturbing, run
from robustpose.objectives import OBJECTIVES
from robustpose.threats import Linf
from robustpose.types import Batch, PoseModel, PoseOutput
from tests.conftest import TinyHeatmaps

EPS = 8 / 255
PERTURBING = [name for name, spec in ATTACKS.items() if spec.kind == "perturbation"]
"""Attacks that raise any per-image loss."""


def attack(
    by: Attack,
    model: PoseModel,
    batch: Batch,
    *,
    objective: str = "training_loss_all",
    round_to_8bit: bool = True,
) -> Attacked:
    raised = OBJECTIVES[objective]
    return run(by, model, batch, threat=Linf(EPS), objective=raised, round_to_8bit=round_to_8bit)


class Untidy(TinyHeatmaps):
    """In train mode with one frozen BatchNorm, dropout, a buffer, mixed requires_grad, gradients left over."""

    def __init__(self) -> None:
        super().__init__(seed=2)
        self.norm, self.frozen, self.dropout = nn.BatchNorm2d(3), nn.BatchNorm2d(3), nn.Dropout(0.5)
        self.calls: Tensor
        self.register_buffer("calls", torch.zeros(1))
        for norm in (self.norm, self.frozen):
            assert norm.running_mean is not None
            norm.running_mean += 0.3
        self.train()
        self.frozen.eval()
        self.first.requires_grad_(False)
        self.stem.weight.grad = torch.full_like(self.stem.weight, 0.25)
        self.seen: list[tuple[bool, bool]] = []

    def forward(self, images: Tensor) -> PoseOutput:
        self.calls += 1
        training = any(module.training for module in self.modules())
        self.seen.append((training, any(parameter.requires_grad for parameter in self.parameters())))
        torch.rand(1)  # a model that draws
        return super().forward(self.dropout(self.frozen(self.norm(images))))


def state(model: nn.Module) -> dict[str, object]:
    """All state that an attack could change, for comparison bit for bit."""
    return {
        "modes": [module.training for module in model.modules()],
        "weights": [p.detach().clone() for p in model.parameters()],
        "trainable": [p.requires_grad for p in model.parameters()],
        "gradients": [None if p.grad is None else p.grad.clone() for p in model.parameters()],
        "buffers": [b.clone() for b in model.buffers()],
        "hooks": [len(m._forward_hooks) + len(m._forward_pre_hooks) for m in model.modules()],
        "random": torch.get_rng_state(),
    }


def assert_same(before: object, after: object) -> None:
    if isinstance(before, dict) and isinstance(after, dict):
        assert before.keys() == after.keys()
        for name in before:
            assert_same(before[name], after[name])
    elif isinstance(before, list) and isinstance(after, list):
        assert len(before) == len(after)
        for one, other in zip(before, after, strict=True):
            assert_same(one, other)
    elif isinstance(before, Tensor) and isinstance(after, Tensor):
        assert torch.equal(before, after)
    else:
        assert before == after


@dataclass(frozen=True)
class Returns:
    """An attack that asks for one gradient and then returns a given result."""

    answer: Callable[[Tensor], Tensor]

    def perturb(self, loss: Loss, images: Tensor, threat: Threat, generator: Generator, /) -> Tensor:
        make_perturbing("fgsm", targeted=False).perturb(loss, images, threat, generator)
        torch.rand(1)
        return self.answer(images)
