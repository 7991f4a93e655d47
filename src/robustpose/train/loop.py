"""One training loop for all models: AdamW, cosine schedule, EMA, bfloat16 where the CPU or GPU supports it.

A run is a folder with `checkpoint.pt`, `log.jsonl` and, at the end, the weights and their metadata. Checkpoints
are written atomically, so a killed run loses at most the steps since the last one. The same command resumes an
unfinished run. Every random draw is keyed by (seed, step), so a resumed run sees the same crops as an
uninterrupted one.
"""

import json
import math
import time
from collections.abc import Callable
from copy import deepcopy
from dataclasses import asdict, replace
from pathlib import Path

import torch

from robustpose.data.augment import training_people
from robustpose.errors import RobustPoseError
from robustpose.models import TASKS, build
from robustpose.models.weights import WeightFacts, load_facts, save_weights
from robustpose.train.adversarial import Watch, watched
from robustpose.train.adversarial.watch import WATCHED as ATTACKED
from robustpose.train.recipe import Progress, Recipe
from robustpose.train.run import Run
from robustpose.train.tasks import PoseTask
from robustpose.types import HasTaskLabels, PoseDataset, PoseModel

WATCHED = 200
"""Number of validation people that are scored during training."""

ROUNDING_MAY_COST = 0.2
"""Largest loss of score, in points, for which weights are stored as float16; otherwise they stay float32."""


def train(
    recipe: Recipe,
    *,
    training: PoseDataset,
    validation: PoseDataset,
    out: Path,
    device: str = "cpu",
    workers: int = 0,
    validate_every: int = 1000,
    warm_start: Path | None = None,
    on_checked: Callable[[], None] = lambda: None,
    on_progress: Callable[[Progress], None] = lambda progress: None,
) -> WeightFacts:
    """Train a model, or resume its run in `out`; write the weights there and return their metadata.

    workers is the number of processes that prefetch crops; with 0, this process draws them between steps.
    warm_start is a weight file of another run; its tensors that match by name and shape initialise the model.
    on_checked is called after the checks and before the people are loaded, for instance to render them.
    Under torchrun or accelerate, the processes share each batch; the first one validates and writes.
    RobustPoseError if `out` holds a run of another recipe or data set, or if the data do not fit the recipe.
    """
    if warm_start is not None:
        if not warm_start.is_file():
            raise RobustPoseError(f"no weight file to start from at {warm_start}")
        recipe = replace(recipe, warm_start=load_facts(warm_start).sha256)
    if not (math.isfinite(recipe.lr) and recipe.lr > 0):
        raise RobustPoseError(f"lr must be a number > 0, got {recipe.lr}")
    if recipe.architecture not in TASKS:
        recipe = replace(recipe, skeleton=training.skeleton.name)
    run = Run(
        recipe,
        device=device,
        data_fingerprint=training.fingerprint,
        skeleton=training.skeleton,
        head_sizes=validation.has_head_sizes,
    )
    _check(run, training=training, validation=validation)
    if warm_start is not None:
        run.begin_from(warm_start)
    out.mkdir(parents=True, exist_ok=True)
    run.resume(out / "checkpoint.pt")
    if run.processes.first:
        on_checked()
    run.processes.wait()
    people = training_people(
        training, rows=range(recipe.people), input_size=run.input_size, with_labels=run.task.needs_labels
    )
    if len(people) < recipe.batch:
        raise RobustPoseError(
            f"only {len(people)} of {recipe.people} photos could be read; {people.unreadable[0]}"
        )
    first = min(WATCHED, len(validation))
    metric, score = run.task.metric, float("nan")
    best, warning = _best_so_far(out / "log.jsonl"), ""
    on_gpu = run.device.type == "cuda"
    batches = run.drawing(people).ahead(workers=workers, pinned=on_gpu)
    torch.backends.cudnn.benchmark |= (
        on_gpu  # all steps have the same shapes, so it pays to search for the fastest kernels
    )
    while run.step < recipe.steps:
        started = time.perf_counter()
        loss = run.advance(next(batches))
        run.seconds += time.perf_counter() - started
        done = run.step == recipe.steps
        if run.processes.first and (run.step % validate_every == 0 or done):
            score = run.task.score(run.average, validation, n=first).value
            line = {"step": run.step, "loss": loss, metric: score, "seconds": run.seconds}
            if recipe.adversarial and isinstance(run.task, PoseTask):
                under = _under_attack(run, run.task, validation)
                line |= {"fgsm": under.fgsm, "pgd10": under.pgd}
                warning = under.warning(best) or warning
                best = max(best, under.pgd)
            run.save(out / "checkpoint.pt")
            _log(out / "log.jsonl", line)
        on_progress(
            Progress(step=run.step, steps=recipe.steps, loss=loss, metric=metric, score=score, warning=warning)
        )
    unreadable = f"{len(people.unreadable)} photos could not be read" if people.unreadable else ""
    notes = "; ".join(filter(None, (unreadable, warning)))
    return _finish(run, training=training, validation=validation, out=out, notes=notes)


def input_size_of(architecture: str, *, size: str) -> tuple[int, int]:
    """Return the crop size (H, W) of an architecture."""
    height, width = build(architecture, size=size).input_size  # type: ignore[misc]
    return int(height), int(width)


def _check(run: Run, *, training: PoseDataset, validation: PoseDataset) -> None:
    """Raise RobustPoseError if the recipe does not fit these data."""
    recipe = run.recipe
    if not recipe.batch <= recipe.people <= len(training):
        raise RobustPoseError(
            f"people must be between the batch size ({recipe.batch}) and the {len(training)} of {training.name}, "
            f"got {recipe.people}"
        )
    if recipe.batch % run.processes.count:
        raise RobustPoseError(f"a batch of {recipe.batch} cannot be shared by {run.processes.count} processes")
    if not 0 <= recipe.half_body <= 1:
        raise RobustPoseError(f"half_body must lie in [0, 1], got {recipe.half_body}")
    if recipe.half_body and run.task.needs_labels:
        raise RobustPoseError(
            "half_body applies to pose models only; models of other tasks are trained on whole bodies"
        )
    _check_robust(run)
    if recipe.steps < 1:
        raise RobustPoseError(f"samples must be at least one batch ({recipe.batch}), got {recipe.samples}")
    if recipe.architecture == "resdec_pre" and not recipe.warm_start:
        raise RobustPoseError(
            "resdec_pre is resdec with a pre-trained backbone; name its weights with --warm-start"
        )
    for data in (training, validation):
        if run.task.needs_labels and not isinstance(data, HasTaskLabels):
            raise RobustPoseError(f"{data.name} has no labels of actions and parts; rendered people have")
    if not isinstance(run.model, PoseModel):
        return
    skeleton = run.model.skeleton
    for data in (training, validation):
        if data.skeleton.keypoints != skeleton.keypoints:
            raise RobustPoseError(
                f"{data.name} uses skeleton {data.skeleton.name}, the model uses {skeleton.name}"
            )


def _check_robust(run: Run) -> None:
    """Raise RobustPoseError if the recipe's attack or noise cannot be used."""
    recipe = run.recipe
    if not (math.isfinite(recipe.noise) and recipe.noise >= 0):
        raise RobustPoseError(f"noise must be a standard deviation >= 0, in [0, 1] units, got {recipe.noise}")
    if recipe.adversarial and not 0 < recipe.eps <= 1:
        raise RobustPoseError(f"adversarial training needs an eps in (0, 1], such as 4/255, got {recipe.eps:g}")
    if recipe.eps and not recipe.adversarial:
        raise RobustPoseError("eps is the budget of adversarial training; name a method, such as pgd:2")
    if recipe.adversarial and recipe.noise:
        raise RobustPoseError("a training uses noise or an attack, not both")
    if run.method.consistency and not isinstance(run.model, PoseModel):
        raise RobustPoseError(f"{recipe.adversarial} compares poses; {recipe.architecture} predicts none")
    if run.method.replays > 1 and run.processes.count > 1:
        raise RobustPoseError(f"{recipe.adversarial} stores one perturbation, so it needs a single process")


def _under_attack(run: Run, task: PoseTask, validation: PoseDataset) -> Watch:
    """Score the averaged model under FGSM and PGD on the first people of the validation set."""
    people = validation.load(range(min(ATTACKED, len(validation))), input_size=run.input_size)
    return watched(run.average, people.to(run.device), eps=run.recipe.eps, measure=task.measure)


def _best_so_far(path: Path) -> float:
    """Return the highest score under PGD in a run's log; 0 if there is none."""
    lines = path.read_text().splitlines() if path.exists() else []
    return max((json.loads(line).get("pgd10", 0.0) for line in lines), default=0.0)


def _log(path: Path, line: dict[str, float]) -> None:
    with path.open("a") as file:
        file.write(json.dumps(line) + "\n")


def _finish(run: Run, *, training: PoseDataset, validation: PoseDataset, out: Path, notes: str) -> WeightFacts:
    """Round the averaged weights to float16 if that costs little, and score the result on all validation people.

    The first process does this; the others read the metadata that it wrote.
    """
    path = out / f"{run.recipe.architecture}.safetensors"
    if not run.processes.first:
        run.processes.wait()
        return load_facts(path)
    exact = run.task.score(run.average, validation, n=len(validation))
    rounded = deepcopy(run.average)
    rounded.load_state_dict(
        {k: v.half().float() if v.is_floating_point() else v for k, v in rounded.state_dict().items()}
    )
    clean = run.task.score(rounded, validation, n=len(validation))
    stored, cost = "float16", exact.value - clean.value
    if not cost <= ROUNDING_MAY_COST:
        rounded, clean, stored, cost = run.average, exact, "float32", 0.0
    facts = WeightFacts(
        architecture=run.recipe.architecture,
        size=run.recipe.size,
        sha256="",
        data=training.name,
        data_fingerprint=training.fingerprint,
        recipe=asdict(run.recipe),
        skeleton=run.recipe.skeleton,
        samples=run.recipe.steps * run.recipe.batch,
        seconds=round(run.seconds, 1),
        device=str(run.device),
        metric=run.task.metric,
        score=round(clean.value, 2),
        low=round(clean.low, 2),
        high=round(clean.high, 2),
        n=clean.n,
        precision=run.precision,
        stored=stored,
        rounding_cost=round(cost, 2),
        notes=notes,
        validation=validation.name,
        validation_fingerprint=validation.fingerprint,
    )
    facts = save_weights(rounded, path, facts)
    run.processes.wait()
    return facts
