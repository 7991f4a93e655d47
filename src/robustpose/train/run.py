"""The state of a training run, and its checkpoint."""

import math
from copy import deepcopy
from dataclasses import MISSING, asdict, fields
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from robustpose.data.augment import TrainingPeople
from robustpose.errors import RobustPoseError
from robustpose.models import build
from robustpose.models.untouched import untouched
from robustpose.models.weights import take_fitting
from robustpose.skeletons import MPII_16, Skeleton
from robustpose.threats import Linf
from robustpose.train.adversarial import AdversarialTraining, method_named
from robustpose.train.processes import join
from robustpose.train.recipe import Drawing, Recipe
from robustpose.train.tasks import TrainingBatch, TrainingTask, training_task_of

_READ_EVERY = 20
"""Steps between two reads of the loss on a GPU; each read waits until the GPU has finished."""


class LossOfBatch(nn.Module):
    """A module that returns the loss of a batch, so that DistributedDataParallel averages the whole gradient."""

    def __init__(self, model: nn.Module, task: TrainingTask) -> None:
        super().__init__()
        self.model = model
        self.task = task

    def forward(self, *batch: Tensor, beside: TrainingBatch = (), weight: float = 0.0) -> Tensor:
        """Return the loss of a batch under the task, and `weight` times that of a batch `beside` it."""
        loss = self.task.loss(self.model, batch)
        return loss + weight * self.task.loss(self.model, beside) if beside else loss


class Run:
    """The state of one training run: model, averaged model, optimiser, step.

    skeleton    skeleton of the training people
    head_sizes  whether the validation people have head sizes, so that PCKh is defined
    """

    def __init__(
        self,
        recipe: Recipe,
        *,
        device: str,
        data_fingerprint: str,
        skeleton: Skeleton = MPII_16,
        head_sizes: bool = True,
    ) -> None:
        torch.manual_seed(recipe.seed)
        self.recipe = recipe
        self.data_fingerprint = data_fingerprint
        self.processes = join(device)
        self.device = self.processes.device
        model = build(recipe.architecture, size=recipe.size, skeleton=skeleton)
        model.to(self.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.model: nn.Module = model
        self.task = training_task_of(recipe.architecture, model, head_sizes=head_sizes)
        self.method = method_named(recipe.adversarial) if recipe.adversarial else AdversarialTraining()
        self.perturbation = torch.zeros(())
        """Of the last batch (N, 3, H, W), where the method uses a batch several times; otherwise 0."""
        self.loss_of_batch = self.processes.share(LossOfBatch(model, self.task))
        self.average = deepcopy(model).requires_grad_(False)
        self.optimiser = torch.optim.AdamW(
            model.parameters(), lr=recipe.lr, weight_decay=recipe.weight_decay, fused=True
        )
        pairs = list(zip(self.average.state_dict().values(), model.state_dict().values(), strict=True))
        self._averaged = (
            [(ours, theirs) for ours, theirs in pairs if ours.is_floating_point()],
            [(ours, theirs) for ours, theirs in pairs if not ours.is_floating_point()],
        )
        """Pairs of tensors of the averaged model and of the model; both are changed in place only."""
        self.step = 0
        self.seconds = 0.0
        self._loss = float("nan")
        self._read_every = 1 if self.device.type == "cpu" else _READ_EVERY

    @property
    def input_size(self) -> tuple[int, int]:
        """(H, W) of the crops that the model takes."""
        height, width = self.model.input_size  # type: ignore[misc]
        return int(height), int(width)

    @property
    def precision(self) -> str:
        """Precision of the forward and backward passes."""
        return "bfloat16" if _has_bfloat16(self.device) else "float32"

    def begin_from(self, weights: Path) -> None:
        """Load every tensor of a weight file that matches by name and shape; RobustPoseError if few do."""
        take_fitting(self.model, weights)
        self.average.load_state_dict(self.model.state_dict())

    def drawing(self, people: TrainingPeople) -> Drawing:
        """Return the remaining batches of these people."""
        mine, replays = self.processes, self.method.replays
        return Drawing(
            self.recipe, self.task, people, first=self.step, index=mine.index, count=mine.count, replays=replays
        )

    def advance(self, batch: TrainingBatch) -> float:
        """Take one step; return its loss, or that of an earlier step if the loss was not read from the device."""
        recipe = self.recipe
        for group in self.optimiser.param_groups:
            group["lr"] = recipe.lr * schedule(self.step, steps=recipe.steps, warmup=recipe.warmup_steps)
        self.model.train()
        images, *truth = (each.to(self.device, non_blocking=True) for each in batch)
        images = images.contiguous(memory_format=torch.channels_last)
        with torch.autocast(self.device.type, dtype=torch.bfloat16, enabled=self.precision == "bfloat16"):
            seen, beside = self._seen(images, truth)
            loss: Tensor = self.loss_of_batch(
                seen, *truth, beside=beside, weight=self.method.consistency if beside else 0.0
            )
        if self.step % self._read_every == 0 or self.step == recipe.steps - 1:
            self._loss = float(loss.detach())
            if not math.isfinite(self._loss):
                raise RobustPoseError(f"the loss is {self._loss} at step {self.step}; lower the learning rate")
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        if seen.grad is not None:
            moved = self.perturbation + recipe.eps * seen.grad.sign()
            self.perturbation = moved.clamp(-recipe.eps, recipe.eps)
        nn.utils.clip_grad_norm_(self.model.parameters(), recipe.clip)
        self.optimiser.step()
        self.step += 1
        self._update_average()
        return self._loss

    def _seen(self, images: Tensor, truth: list[Tensor]) -> tuple[Tensor, TrainingBatch]:
        """Return the images that the model learns from, and a second batch if the method has one."""
        recipe, method = self.recipe, self.method
        generator = torch.Generator().manual_seed(self._seed())
        if recipe.noise:
            noise = torch.randn(images.shape, generator=generator).to(images)
            return images + recipe.noise * noise, ()
        if not recipe.adversarial:
            return images, ()
        if method.replays > 1:
            if self.perturbation.shape != images.shape:
                self.perturbation = torch.zeros_like(images)
            return (images + self.perturbation).clamp(0.0, 1.0).requires_grad_(True), ()
        goal = truth
        with untouched(self.model):
            if method.consistency:
                with torch.no_grad():
                    goal = [self.model(images).keypoints.float(), *truth[1:]]
            adv = method.attacked(
                images,
                lambda tried: self.task.loss(self.model, (tried, *goal)),
                threat=Linf(recipe.eps),
                generator=generator,
            )
        return (images, (adv, *goal)) if method.consistency else (adv, ())

    def _seed(self) -> int:
        """Return a seed that depends on the run's seed, the step and the process."""
        sequence = np.random.SeedSequence([self.recipe.seed, 2, self.step, self.processes.index])
        return int(sequence.generate_state(1, np.uint32)[0])

    @torch.no_grad()
    def _update_average(self) -> None:
        decay = min(self.recipe.ema, (1 + self.step) / (10 + self.step))
        floating, counted = self._averaged
        torch._foreach_lerp_([ours for ours, _ in floating], [theirs for _, theirs in floating], 1 - decay)
        for ours, theirs in counted:
            ours.copy_(theirs)

    def save(self, path: Path) -> None:
        """Write a checkpoint atomically."""
        aside = path.with_suffix(".part")
        torch.save(
            {
                "recipe": asdict(self.recipe),
                "data_fingerprint": self.data_fingerprint,
                "step": self.step,
                "seconds": self.seconds,
                "net": self.model.state_dict(),
                "average": self.average.state_dict(),
                "optimiser": self.optimiser.state_dict(),
                "perturbation": self.perturbation,
            },
            aside,
        )
        aside.replace(path)

    def resume(self, path: Path) -> None:
        """Resume from a checkpoint if there is one; RobustPoseError if its recipe or data set differs."""
        if not path.exists():
            return
        try:
            state: dict[str, Any] = torch.load(path, map_location=self.device, weights_only=True)
        except Exception as error:  # torch.load raises whatever its unpickler trips over
            raise RobustPoseError(f"{path}: not a checkpoint; delete it to start anew") from error
        if not isinstance(state, dict) or not isinstance(state.get("recipe"), dict):
            raise RobustPoseError(f"{path}: not a checkpoint; delete it to start anew")
        if differences := differences_of(state["recipe"], self.recipe):
            raise RobustPoseError(f"{path} is of another recipe: {differences}; choose another --out")
        if state["data_fingerprint"] != self.data_fingerprint:
            raise RobustPoseError(f"{path} is of another data set; choose another --out")
        try:
            self.model.load_state_dict(state["net"])
            self.average.load_state_dict(state["average"])
            self.optimiser.load_state_dict(state["optimiser"])
        except (KeyError, RuntimeError, ValueError) as error:
            raise RobustPoseError(f"{path} does not fit the model as it is now; choose another --out") from error
        self.step, self.seconds = state["step"], state["seconds"]
        self.perturbation = state.get("perturbation", self.perturbation)


def differences_of(held: dict[str, Any], recipe: Recipe) -> str:
    """List the differences to a checkpoint's recipe; fields that an older checkpoint lacks have their default."""
    default = {field.name: field.default for field in fields(Recipe) if field.default is not MISSING}
    there, here = default | held, asdict(recipe)
    return ", ".join(
        f"{name} {there.get(name, 'unknown')!r} there, {here.get(name, 'unknown')!r} here"
        for name in {**here, **there}
        if there.get(name) != here.get(name)
    )


def schedule(step: int, *, steps: int, warmup: int) -> float:
    """Return the learning rate as a fraction of its peak: linear warm-up, then cosine decay to 0."""
    if step < warmup:
        return (step + 1) / warmup
    return 0.5 * (1 + math.cos(math.pi * (step - warmup) / max(1, steps - warmup)))


def _has_bfloat16(device: torch.device) -> bool:
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported())
    return bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())
