"""One training loop for the whole zoo: AdamW, cosine schedule, EMA, bfloat16 where the CPU or GPU has it.

The loss is the sum over the net's stages of its head's loss. A run is a folder: `checkpoint.pt` (atomic, so a kill
at any moment loses at most the steps since the last one), `log.jsonl`, and at the end the weights and their facts.
The same command continues an unfinished run; every draw is keyed by (seed, step), so a resumed run sees the same
crops as an undisturbed one.
"""

import json
import math
import time
from collections.abc import Callable
from copy import deepcopy
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from robustpose.data.augment import TrainingPeople, augmented, training_people
from robustpose.errors import RobustPoseError
from robustpose.metrics import ALL, METRICS, Estimate, Table, score
from robustpose.models import build
from robustpose.models.weights import WeightFacts, save_weights
from robustpose.types import Batch, PoseDataset, PoseModel


@dataclass(frozen=True)
class Recipe:
    """What is trained, on how many people, for how long.

    people   of the training set
    samples  augmented crops to see, repeats counted
    clip     largest norm of all gradients together
    """

    architecture: str
    size: str = "compact"
    people: int = 10_000
    samples: int = 240_000
    batch: int = 16
    lr: float = 3e-3
    weight_decay: float = 1e-4
    clip: float = 5.0
    warmup_steps: int = 100
    ema: float = 0.999
    seed: int = 0

    @property
    def steps(self) -> int:
        """Number of optimiser steps."""
        return self.samples // self.batch


@dataclass(frozen=True)
class Progress:
    """Where a training stands: what the progress line shows."""

    step: int
    steps: int
    loss: float
    pckh: float


def train(
    recipe: Recipe,
    *,
    training: PoseDataset,
    validation: PoseDataset,
    out: Path,
    device: str = "cpu",
    validate_every: int = 1000,
    on_progress: Callable[[Progress], None] = lambda progress: None,
) -> WeightFacts:
    """Train a net, or continue its unfinished run in `out`; write its weights there and return their facts.

    RobustPoseError where `out` holds the run of another recipe or data set, or the data do not fit the recipe.
    """
    run = _Run(recipe, device=device, data_fingerprint=training.fingerprint)
    _check(run, training=training, validation=validation)
    out.mkdir(parents=True, exist_ok=True)
    run.resume(out / "checkpoint.pt")
    people = training_people(training, rows=range(recipe.people), input_size=run.input_size)
    if len(people) < recipe.batch:
        raise RobustPoseError(
            f"only {len(people)} of {recipe.people} photos could be read; {people.unreadable[0]}"
        )
    watched = validation.load(range(min(200, len(validation))), input_size=run.input_size)
    pckh = float("nan")
    while run.step < recipe.steps:
        started = time.perf_counter()
        loss = run.advance(people)
        run.seconds += time.perf_counter() - started
        done = run.step == recipe.steps
        if run.step % validate_every == 0 or done:
            pckh = evaluate(run.average, watched)[ALL].value
            _log(out / "log.jsonl", {"step": run.step, "loss": loss, "pckh": pckh, "seconds": run.seconds})
            run.save(out / "checkpoint.pt")
        on_progress(Progress(step=run.step, steps=recipe.steps, loss=loss, pckh=pckh))
    notes = f"{len(people.unreadable)} photos could not be read" if people.unreadable else ""
    return _finish(run, training=training, validation=validation, out=out, notes=notes)


def input_size_of(architecture: str, *, size: str) -> tuple[int, int]:
    """Return the crop (H, W) that an architecture takes."""
    net = build(architecture, size=size)
    assert isinstance(net, PoseModel)
    return net.input_size


@torch.no_grad()
def evaluate(net: nn.Module, people: Batch, *, batch: int = 50) -> dict[str, Estimate]:
    """Score a net's PCKh@0.5 on people that are loaded already."""
    assert isinstance(net, PoseModel)
    was_training = net.training
    net.eval()
    device = next(net.parameters()).device
    chunks = [net(images.to(device)).keypoints.cpu() for images in torch.split(people.images, batch)]
    net.train(was_training)
    table = Table(
        ids=people.ids,
        skeleton=people.skeleton,
        predicted=torch.cat(chunks).double().numpy(),
        keypoints=people.keypoints.double().numpy(),
        visible=people.visible.numpy(),
        head_size=people.head_size.double().numpy(),
        box_side=people.box_side.double().numpy(),
    )
    return score(table, METRICS["pckh"])


class _Run:
    """The moving parts of one training: net, its average, optimiser, step."""

    def __init__(self, recipe: Recipe, *, device: str, data_fingerprint: str) -> None:
        torch.manual_seed(recipe.seed)
        self.recipe = recipe
        self.data_fingerprint = data_fingerprint
        self.device = _device(device)
        net = build(recipe.architecture, size=recipe.size).to(self.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.net: nn.Module = net
        self.average = deepcopy(net).requires_grad_(False)
        self.optimiser = torch.optim.AdamW(net.parameters(), lr=recipe.lr, weight_decay=recipe.weight_decay)
        self.step = 0
        self.seconds = 0.0

    @property
    def model(self) -> PoseModel:
        assert isinstance(self.net, PoseModel)
        return self.net

    @property
    def input_size(self) -> tuple[int, int]:
        return self.model.input_size

    def advance(self, people: TrainingPeople) -> float:
        """Take one step; return the loss."""
        recipe = self.recipe
        rows = _rows_of_step(self.step, people=len(people), batch=recipe.batch, seed=recipe.seed)
        generator = np.random.default_rng([recipe.seed, 1, self.step])
        images, keypoints, visible = augmented(people, rows, input_size=self.input_size, generator=generator)
        for group in self.optimiser.param_groups:
            group["lr"] = recipe.lr * _schedule(self.step, steps=recipe.steps, warmup=recipe.warmup_steps)
        self.net.train()
        images = images.to(self.device, memory_format=torch.channels_last)
        with torch.autocast(self.device.type, dtype=torch.bfloat16, enabled=_has_bfloat16(self.device)):
            stages = self.model(images).stages
        loss = self._loss(stages, keypoints.to(self.device), visible.to(self.device))
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(self.net.parameters(), recipe.clip)
        self.optimiser.step()
        self.step += 1
        self._update_average()
        return float(loss.detach())

    def _loss(self, stages: tuple[Tensor, ...], keypoints: Tensor, visible: Tensor) -> Tensor:
        head = self.model.head
        target = head.encode(keypoints)
        return torch.stack([head.loss(raw.float(), target, visible).mean() for raw in stages]).sum()

    @torch.no_grad()
    def _update_average(self) -> None:
        decay = min(self.recipe.ema, (1 + self.step) / (10 + self.step))
        ours, theirs = self.average.state_dict(), self.net.state_dict()
        for name, value in ours.items():
            if value.is_floating_point():
                value.lerp_(theirs[name], 1 - decay)
            else:
                value.copy_(theirs[name])

    def save(self, path: Path) -> None:
        """Write everything that the run needs to go on, in one atomic act."""
        aside = path.with_suffix(".part")
        torch.save(
            {
                "recipe": asdict(self.recipe),
                "data_fingerprint": self.data_fingerprint,
                "step": self.step,
                "seconds": self.seconds,
                "net": self.net.state_dict(),
                "average": self.average.state_dict(),
                "optimiser": self.optimiser.state_dict(),
            },
            aside,
        )
        aside.replace(path)

    def resume(self, path: Path) -> None:
        """Continue from a checkpoint where there is one; RobustPoseError where it is of another recipe."""
        if not path.exists():
            return
        try:
            state: dict[str, Any] = torch.load(path, map_location=self.device, weights_only=True)
        except Exception as error:  # torch.load raises whatever its unpickler trips over
            raise RobustPoseError(f"{path}: not a checkpoint; delete it to start anew") from error
        if state["recipe"] != asdict(self.recipe):
            raise RobustPoseError(f"{path} is of another recipe ({state['recipe']}); choose another --out")
        if state["data_fingerprint"] != self.data_fingerprint:
            raise RobustPoseError(f"{path} is of another data set; choose another --out")
        self.net.load_state_dict(state["net"])
        self.average.load_state_dict(state["average"])
        self.optimiser.load_state_dict(state["optimiser"])
        self.step, self.seconds = state["step"], state["seconds"]


def _check(run: _Run, *, training: PoseDataset, validation: PoseDataset) -> None:
    """RobustPoseError where the recipe cannot be followed with these data."""
    recipe = run.recipe
    if not (math.isfinite(recipe.lr) and recipe.lr > 0):
        raise RobustPoseError(f"lr must be a number > 0, got {recipe.lr}")
    if not recipe.batch <= recipe.people <= len(training):
        raise RobustPoseError(
            f"people must lie between the batch ({recipe.batch}) and what {training.name} has ({len(training)}), "
            f"got {recipe.people}"
        )
    if recipe.steps < 1:
        raise RobustPoseError(f"samples must be at least one batch ({recipe.batch}), got {recipe.samples}")
    for data in (training, validation):
        if data.skeleton.keypoints != run.model.skeleton.keypoints:
            raise RobustPoseError(
                f"{data.name} is in skeleton {data.skeleton.name}, the net in {run.model.skeleton.name}"
            )


def _device(name: str) -> torch.device:
    """Return a device that is there; RobustPoseError where it is not."""
    try:
        device = torch.device(name)
        torch.zeros(1, device=device)
    except (RuntimeError, AssertionError) as error:
        raise RobustPoseError(f"device {name!r} cannot be used here: {str(error).splitlines()[0]}") from None
    return device


def _rows_of_step(step: int, *, people: int, batch: int, seed: int) -> NDArray[np.int64]:
    """Return the people of a step: each epoch is a new permutation of all, cut into batches."""
    per_epoch = people // batch
    epoch, position = divmod(step, per_epoch)
    order = np.random.default_rng([seed, 0, epoch]).permutation(people)
    return order[position * batch : (position + 1) * batch]


def _schedule(step: int, *, steps: int, warmup: int) -> float:
    """Return the share of the peak learning rate: linear warm-up, then a cosine down to 0."""
    if step < warmup:
        return (step + 1) / warmup
    return 0.5 * (1 + math.cos(math.pi * (step - warmup) / max(1, steps - warmup)))


def _has_bfloat16(device: torch.device) -> bool:
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported())
    return bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())


def _log(path: Path, line: dict[str, float]) -> None:
    with path.open("a") as file:
        file.write(json.dumps(line) + "\n")


def _finish(run: _Run, *, training: PoseDataset, validation: PoseDataset, out: Path, notes: str) -> WeightFacts:
    """Round the averaged weights to float16, measure what was written on all of validation, write both."""
    rounded = deepcopy(run.average)
    rounded.load_state_dict(
        {k: v.half().float() if v.is_floating_point() else v for k, v in rounded.state_dict().items()}
    )
    clean = evaluate(rounded, validation.load(range(len(validation)), input_size=run.input_size))[ALL]
    facts = WeightFacts(
        architecture=run.recipe.architecture,
        size=run.recipe.size,
        sha256="",
        data=training.name,
        data_fingerprint=training.fingerprint,
        recipe=asdict(run.recipe),
        samples=run.recipe.steps * run.recipe.batch,
        seconds=round(run.seconds, 1),
        device=str(run.device),
        pckh=round(clean.value, 2),
        pckh_low=round(clean.low, 2),
        pckh_high=round(clean.high, 2),
        pckh_n=clean.n,
        notes=notes,
    )
    return save_weights(rounded, out / f"{run.recipe.architecture}.safetensors", facts)
