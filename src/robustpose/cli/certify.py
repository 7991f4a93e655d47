"""`robustpose certify`: scores of a smoothed model that no perturbation of an L2 radius can lower."""

import json
import math
import re
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from robustpose.cli.options import (
    DataOption,
    ImagesOption,
    MetricOption,
    MinBoxOption,
    MinKeypointsOption,
    SeedOption,
    SpecOption,
    completing,
)
from robustpose.errors import RobustPoseError

if TYPE_CHECKING:
    from robustpose.jobs.certificate import SampledCell
    from robustpose.models import OpenedModel
    from robustpose.study.plan import Plan

_SAMPLES_PER_JOB = 25_000
"""Number of noisy copies in one job, the most that an interrupted run loses."""


def certify(
    *,
    model: Annotated[
        str,
        typer.Option(
            help="Models, comma-separated; see `robustpose list models`",
            autocompletion=completing("models", several=True),
        ),
    ],
    data: DataOption = "synthpose",
    sigma: Annotated[float, typer.Option(help="Standard deviation of the noise, in [0, 1] units")] = 0.25,
    n_samples: Annotated[int, typer.Option(help="Noisy copies of each person", min=1)] = 1000,
    alpha: Annotated[float, typer.Option(help="Probability that any of a person's bounds is wrong")] = 0.001,
    radii: Annotated[
        str,
        typer.Option(help="L2 radii in [0, 1] units, comma-separated; default: up to what n-samples can certify"),
    ] = "",
    threat: Annotated[str, typer.Option(help="Only l2 can be certified")] = "l2",
    n: Annotated[
        int | None, typer.Option("--n", help="Number of people, from the start of the data set; default: all")
    ] = None,
    seed: SeedOption = 0,
    images: ImagesOption = "",
    min_keypoints: MinKeypointsOption = 0,
    min_box: MinBoxOption = 0,
    spec: SpecOption = "",
    metric: MetricOption = "",
    device: Annotated[str, typer.Option(help="cpu or cuda")] = "cpu",
    out: Annotated[
        Path | None, typer.Option(help="Folder for the results; default: runs/certify-MODEL-DATA")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print only the result, as JSON")] = False,
) -> None:
    """Certify models by median smoothing: bounds on each keypoint under every L2 perturbation of a radius."""
    from robustpose.analysis.certified import certified_rows, joined, write_certified
    from robustpose.certificates import largest_radius
    from robustpose.certificates.bounds import check_radii
    from robustpose.jobs.store import Store
    from robustpose.jobs.workbench import input_size_of, padding_of
    from robustpose.report import html, terminal
    from robustpose.studies.running import How, compute, render_ahead, report_unreadable, say_where_from
    from robustpose.study.definition import Study
    from robustpose.study.plan import metric_of, open_plan, workbench

    if threat != "l2":
        raise RobustPoseError(f"--threat {threat}: median smoothing certifies l2 only")
    study = Study(
        name="certify",
        title="Certified scores",
        models=tuple(model.split(",")),
        data=data,
        settings=(),
        n=n,
        seed=seed,
        spec=spec,
        images=images,
        min_keypoints=min_keypoints,
        min_box=min_box,
        metric=metric,
    )
    plan = open_plan(study)
    keypoints = max(len(each.module.skeleton) for each in plan.models)
    chosen = _radii(radii, most=largest_radius(n_samples, sigma=sigma, alpha=alpha, bounds=4 * keypoints))
    check_radii(chosen, n=n_samples, sigma=sigma, alpha=alpha, keypoints=keypoints)
    folder = out or Path("runs") / re.sub(r"[^\w.-]+", "-", f"certify-{model}-{data}").lower()
    store = Store(folder)
    cells = {each.name: _cells(plan, each, sigma=sigma, samples=n_samples) for each in plan.models}
    every = [cell for block in cells.values() for cell in block]
    for each in plan.models:
        render_ahead(plan.dataset, plan.n, input_size=input_size_of(each.module), padding=padding_of(each.module))
    how = How(device=device)
    computed = compute(every, workbench(plan).on(device), store, how=how, title="certify")
    say_where_from(folder, store, every, how=how, computed=computed)
    rows = []
    for each in plan.models:
        blocks = [store.read(cell) for cell in cells[each.name]]
        report_unreadable(tuple(line for block in blocks for line in block.unreadable), plan.n)
        rows += certified_rows(
            joined(blocks, input_size=input_size_of(each.module)),
            model=each.name,
            data=plan.dataset.name,
            sigma=sigma,
            alpha=alpha,
            radii=chosen,
            metric=metric_of(plan),
            joints=plan.joints,
        )
    write_certified(rows, folder / "certificates.csv")
    charts = html.write_certified(rows, folder / "figures")
    if as_json:
        print(json.dumps([_plain(asdict(row)) for row in rows]))
        return
    terminal.print_certified(rows)
    print(f"results: {folder / 'certificates.csv'}\nfigures: {', '.join(map(str, charts))}")


def _radii(text: str, *, most: float) -> tuple[float, ...]:
    """Read radii, or choose five up to the largest that can be certified, in multiples of 1/16 if possible."""
    if not text:
        if most <= 0:
            raise RobustPoseError("too few samples to certify any radius; raise --n-samples")
        step = math.floor(most / 4 * 16) / 16 or most / 4
        return tuple(step * each for each in range(5))
    try:
        found = tuple(float(each) for each in text.split(","))
    except ValueError:
        raise RobustPoseError(f"--radii must be numbers such as 0.125,0.25, got {text!r}") from None
    if bad := [each for each in found if not (math.isfinite(each) and each >= 0)]:
        raise RobustPoseError(f"a radius must be a number >= 0, got {bad[0]:g}")
    return tuple(sorted(set(found)))


def _cells(plan: "Plan", model: "OpenedModel", *, sigma: float, samples: int) -> "list[SampledCell]":
    """Return the jobs of one model, in blocks of similar numbers of passes."""
    from robustpose.jobs.certificate import SampledCell
    from robustpose.study.plan import blocks

    per_job = max(1, min(plan.study.per_cell, _SAMPLES_PER_JOB // samples))
    return [
        SampledCell(
            model=model.name,
            model_fingerprint=model.fingerprint,
            data=plan.dataset.name,
            data_fingerprint=plan.dataset.fingerprint,
            start=rows.start,
            stop=rows.stop,
            sigma=sigma,
            samples=samples,
            photos=plan.dataset.content(rows),
            seed=plan.study.seed,
        )
        for rows in blocks(plan.n, per_cell=per_job)
    ]


def _plain(row: dict[str, object]) -> dict[str, object]:
    """Replace NaN by None, because JSON has no NaN."""
    return {name: None if isinstance(each, float) and math.isnan(each) else each for name, each in row.items()}
