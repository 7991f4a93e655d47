"""Ablation of the rendered training images: models trained without one ingredient, compared with one with all.

All models have the same architecture, recipe and seed, and are trained on the same scenes except for the omitted
ingredient (data/synthpose/ingredients.py says which scenes are otherwise identical). All are scored on the same
people: rendered people of val, which have every ingredient, and people in photos. Third-party models, which were
not trained on rendered people, are scored for comparison. The worth of an ingredient is the paired difference, in
percentage points, between the model without it and the model with all: negative if omitting it hurts.
"""

import math
import multiprocessing
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

import polars as pl
import torch
from rich.box import SIMPLE_HEAD
from rich.table import Table as RichTable

from robustpose import attacks
from robustpose.analysis.csv_files import csv_bytes
from robustpose.data import open_dataset
from robustpose.data.rendered import RenderedPeople
from robustpose.data.synthpose.cache import end_with_parent
from robustpose.data.synthpose.ingredients import INGREDIENTS
from robustpose.defences import open_defended
from robustpose.errors import RobustPoseError
from robustpose.folders import write_atomically
from robustpose.jobs.workbench import as_table
from robustpose.metrics import ALL, Table, difference, join, main_metric, score
from robustpose.models import OpenedModel, open_model
from robustpose.models.weights import facts_path, load_facts
from robustpose.report import terminal
from robustpose.report.terminal.progress import interval, show_table, stdout
from robustpose.studies.grid import listed
from robustpose.studies.spec import StudySpec
from robustpose.study.options import PeopleOptions
from robustpose.train import Recipe, train
from robustpose.types import PoseDataset

EVERYTHING = "everything"

VARIANTS = (EVERYTHING, *(f"without-{name}" for name in INGREDIENTS))

_AT_ONCE = 50


@dataclass(frozen=True)
class Realism:
    """The study: models to train, people to score them on, and third-party models to compare with.

    photos         a data set of people in photos, 'coco:PATH'; empty for none
    others         third-party models, 'tflite:PATH'
    min_keypoints  minimum number of labelled, non-face keypoints per person in photos
    min_box        minimum longer side of a person's box, in photo pixels
    processes      number of trainings run in parallel, with one thread each
    """

    name: str = "realism"
    title: str = "Ablation of the rendered training images"
    recipe: Recipe = field(default_factory=lambda: Recipe(architecture="shg2", people=3_000, samples=24_000))
    n: int = 1000
    photos: str = ""
    others: tuple[str, ...] = ()
    min_keypoints: int = 0
    min_box: float = 0
    processes: int = os.cpu_count() or 1


@dataclass(frozen=True)
class Worth:
    """One line of realism.csv: a model's score on a data set, and its difference from the model with everything.

    Percent and percentage points, with 95% intervals over n people; the difference is NaN for other models.
    """

    model: str
    data: str
    metric: str
    value: float
    low: float
    high: float
    n: int
    difference: float
    difference_low: float
    difference_high: float


def _asked(options: PeopleOptions) -> Realism:
    """Return the study with the options applied."""
    named = Realism()
    return replace(
        named,
        recipe=replace(named.recipe, seed=options.seed),
        n=named.n if options.n is None else options.n,
        photos=options.data,
        others=listed(options.models),
        min_keypoints=options.min_keypoints,
        min_box=options.min_box,
    )


def compute_realism(
    study: Realism, folder: Path, *, on_progress: Callable[[int, int, str], None] = lambda done, total, name: None
) -> list[Worth]:
    """Train the missing models, score all models, write realism.csv and return its lines.

    on_progress is called with (trainings done, trainings in total, name of the last). A killed study resumes.
    """
    if study.n < 1:
        raise RobustPoseError(f"--n must be at least 1, got {study.n}")
    datasets = _datasets(study)
    others = [open_defended(spec) for spec in study.others]
    names = [*VARIANTS, *(model.name for model in others)]
    if len(set(names)) < len(names):
        raise RobustPoseError(f"model names must be unique in the results, got {', '.join(names)}")
    _train_all(study, folder, on_progress)
    models = [
        (name, open_model(f"{study.recipe.architecture}:{_weights(study, folder, name)}")) for name in VARIANTS
    ]
    models += [(model.name, model) for model in others]
    lines = [line for dataset in datasets for line in _score_all(models, dataset, study.n)]
    frame = pl.DataFrame([asdict(line) for line in lines]).with_columns(
        pl.col("value", "low", "high", "difference", "difference_low", "difference_high").fill_nan(None).round(3)
    )
    write_atomically(folder / "realism.csv", csv_bytes(frame))
    return lines


def _datasets(study: Realism) -> list[PoseDataset]:
    rendered = open_dataset("synthpose:val")
    if not study.photos:
        return [rendered]
    if study.photos.startswith("synthpose"):
        raise RobustPoseError(
            "the realism study compares rendered people with photos, so --data must be photos; "
            f"got --data {study.photos}"
        )
    photos = open_dataset(study.photos, min_keypoints=study.min_keypoints, min_box=study.min_box)
    return [rendered, photos]


def _weights(study: Realism, folder: Path, variant: str) -> Path:
    return folder / "nets" / variant / f"{study.recipe.architecture}.safetensors"


def _train_all(study: Realism, folder: Path, on_progress: Callable[[int, int, str], None]) -> None:
    """Train the variants without weights, several in parallel, each in a process with one thread."""
    missing = [name for name in VARIANTS if not _is_trained(_weights(study, folder, name), study.recipe, name)]
    done = len(VARIANTS) - len(missing)
    on_progress(done, len(VARIANTS), "")
    if not missing:
        return
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(
        max(1, min(study.processes, len(missing))), spawn, initializer=end_with_parent
    ) as pool:
        tasks = {pool.submit(_train_one, study.recipe, name, folder / "nets" / name): name for name in missing}
        try:
            for task in as_completed(tasks):
                task.result()
                done += 1
                on_progress(done, len(VARIANTS), tasks[task])
        finally:
            pool.shutdown(cancel_futures=True)


def _is_trained(weights: Path, recipe: Recipe, variant: str) -> bool:
    """Return whether weights exist with their facts; RobustPoseError if they come from another training run."""
    if not facts_path(weights).exists():  # the facts are written last
        return False
    facts = load_facts(weights)
    if facts.recipe != asdict(recipe):
        raise RobustPoseError(f"{weights} was trained with another recipe; choose another --out")
    if facts.data_fingerprint != open_dataset(_people_of(variant)).fingerprint:
        raise RobustPoseError(
            f"{weights} was trained on people from another version of the renderer; choose another --out"
        )
    return True


def _people_of(variant: str) -> str:
    return "synthpose:train" if variant == EVERYTHING else f"synthpose:train,{variant}"


def _train_one(recipe: Recipe, variant: str, out: Path) -> None:
    torch.set_num_threads(1)
    train(recipe, training=open_dataset(_people_of(variant)), validation=open_dataset("synthpose:val"), out=out)


def _score_all(models: Sequence[tuple[str, OpenedModel]], dataset: PoseDataset, n: int) -> Iterator[Worth]:
    """Score models on the first n people: PCK@0.1 over the shared keypoints, and PCKh if it is defined."""
    tables = {name: _predictions(model, dataset, min(n, len(dataset))) for name, model in models}
    shared = frozenset(dataset.skeleton.keypoints).intersection(
        *(table.skeleton.keypoints for table in tables.values())
    )
    for metric in ("pck", "pckh") if dataset.has_head_sizes else ("pck",):
        for name, _ in models:
            table = tables[name].over(shared)
            found = score(table, main_metric(metric))[ALL]
            alike = name in VARIANTS and name != EVERYTHING
            change = (
                difference(tables[EVERYTHING].over(shared), table, main_metric(metric))[ALL] if alike else None
            )
            nan = float("nan")
            yield Worth(
                model=name,
                data=dataset.name,
                metric=main_metric(metric).name,
                value=found.value,
                low=found.low,
                high=found.high,
                n=found.n,
                difference=change.value if change else nan,
                difference_low=change.low if change else nan,
                difference_high=change.high if change else nan,
            )


def _predictions(model: OpenedModel, dataset: PoseDataset, n: int) -> Table:
    """Return a model's predictions for the first n people, in its own skeleton."""
    input_size = (int(model.module.input_size[0]), int(model.module.input_size[1]))
    if isinstance(dataset, RenderedPeople):
        dataset.prepare(n, input_size=input_size)
    tables = []
    for start in range(0, n, _AT_ONCE):
        loaded = dataset.load(range(start, min(start + _AT_ONCE, n)), input_size=input_size)
        batch = loaded.in_skeleton(model.module.skeleton)
        predicted = attacks.predict(model.module, batch.images, ids=batch.ids).keypoints
        tables.append(as_table(batch, predicted))
    return join(tables)


def run_realism(study: Realism, folder: Path, options: PeopleOptions) -> None:
    """Train the models, and print the table of scores."""
    with terminal.steps_bar("train", total=1) as show:
        lines = compute_realism(
            study,
            folder,
            on_progress=lambda done, total, name: show(done, name and f"{name} is done", total=total),
        )
    print_worth(lines, title=study.title)
    print(f"results: {folder / 'realism.csv'}")


def print_worth(lines: Sequence[Worth], *, title: str) -> None:
    """Print the realism study: a table for each data set and score, a line for each model, with its difference."""
    stdout.print(f"{title}, 95% intervals over n people", markup=False, highlight=False)
    for data, metric in dict.fromkeys((line.data, line.metric) for line in lines):
        table = RichTable(title=f"{data}, {metric}", title_justify="left", box=SIMPLE_HEAD, pad_edge=False)
        for column in ("model", "%", "points", "n"):
            table.add_column(column, no_wrap=True)
        for line in lines:
            if (line.data, line.metric) == (data, metric):
                found = interval(line.value, line.low, line.high)
                change = interval(line.difference, line.difference_low, line.difference_high)
                known = not math.isnan(line.difference)
                table.add_row(line.model, found, change if known else "", str(line.n))
        show_table(table)


REALISM_SPEC = StudySpec(options=PeopleOptions, make=_asked, run=run_realism)
