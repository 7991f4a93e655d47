"""Appearance of universal perturbations, and whether they make a model predict one pose for everybody.

Jain et al. (arXiv 1908.06401) show that perturbations of heatmap models contain limb-like patterns, that predicted
skeletons follow these hallucinated limbs, and that DeepPose's perturbation contains none. They report no numbers.
Measured here: how far predictions of one keypoint spread over people, how many people get the median pose, and how
coarse the perturbation's pattern is.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from robustpose.analysis.evidence import Ask, Evidence, ModelAsk, UniversalAsk
from robustpose.findings.drawing import (
    draw_skeleton,
    enlarged,
    perturbed,
    side_by_side,
    stacked,
    stem_of,
    visible,
)
from robustpose.findings.finding import Finding, Found, Picture, Tabular, Verdict
from robustpose.findings.statistics import Sample, mean, resampled, verdict
from robustpose.findings.sweeps import heatmap_models
from robustpose.metrics import Table, pair
from robustpose.metrics.table import Floats
from robustpose.study.definition import CLEAN, Learn, View
from robustpose.study.plan import Plan

LEARN = Learn(16 / 255)
UNDER = View(universal=LEARN)

NEAR = 0.1
"""Largest distance from the median pose at which a predicted keypoint agrees with it, relative to the crop."""

COARSE = 8
"""Cycles per crop: patterns of lower frequency are at least as wide as a limb."""

_PEOPLE = 6
_TILE = 256


@dataclass(frozen=True)
class Gathering:
    """How similar the poses are that a model predicts for different people.

    spread   mean over keypoints of the standard deviation over people, in % of the crop's side
    agreeing  people with more than half of their keypoints near the median pose, in %
    """

    spread: Sample
    agreeing: Sample


def _asks(plan: Plan) -> list[Ask]:
    if plan.training is None:
        return []
    return [
        ask
        for model in (model.name for model in plan.models)
        for ask in (ModelAsk(model, CLEAN), ModelAsk(model, UNDER), UniversalAsk(model, LEARN))
    ]


def _find(evidence: Evidence) -> Found:
    if evidence.plan.training is None:
        return Found(remarks=("The study has no training set for universal perturbations.",))
    gathered = {model: _before_and_after(evidence, model) for model in evidence.models}
    heatmaps = heatmap_models(evidence.plan)
    remarks = ["Predictions on a perturbation alone are not stored, so they are not shown."]
    if not heatmaps:
        remarks.append("No heatmap model takes part, so the claim is not judged.")
    return Found(
        exhibits=(_table(evidence, gathered), *(_picture(evidence, model) for model in evidence.models)),
        verdicts=(_verdict({model: gathered[model] for model in heatmaps}),) if heatmaps else (),
        remarks=tuple(remarks),
    )


def gathering(table: Table, *, joints: frozenset[str], input_size: tuple[int, int]) -> Gathering:
    """Measure how similar the predicted poses are, over these keypoints."""
    chosen = [i for i, name in enumerate(table.skeleton.keypoints) if name in joints and table.skeleton.counted[i]]
    height, width = input_size
    points = table.predicted[:, chosen] / np.array([width, height], float)
    return Gathering(
        spread=resampled(lambda weights: _spread(points, weights), len(table)),
        agreeing=resampled(lambda weights: _agreeing(points, weights), len(table)),
    )


def coarse_energy(perturbation: NDArray[np.float32]) -> float:
    """Return the share of a perturbation's energy in patterns of at most COARSE cycles per crop, in %."""
    energy = (np.abs(np.fft.fft2(perturbation.astype(np.float64))) ** 2).sum(axis=0)
    coarse, changing = _frequencies(energy.shape)
    return float(100.0 * energy[coarse].sum() / energy[changing].sum())


def coarse_noise(shape: tuple[int, int]) -> float:
    """Return the coarse energy of white noise, in %: its energy is equal at all frequencies."""
    coarse, changing = _frequencies(shape)
    return float(100.0 * coarse.sum() / changing.sum())


def _frequencies(shape: tuple[int, ...]) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Return which frequencies are coarse, and which are above 0 (a uniform tint has frequency 0)."""
    height, width = shape
    down, across = np.fft.fftfreq(height, d=1 / height), np.fft.fftfreq(width, d=1 / width)
    cycles = np.hypot(down[:, None], across[None, :])
    return (cycles > 0) & (cycles <= COARSE), cycles > 0


def _spread(points: Floats, weights: Floats) -> float:
    """Return the spread of points (N, K, 2), each person weights (N,) times; non-finite points are ignored."""
    finite = np.asarray(np.isfinite(points).all(axis=2))
    each = weights[:, None] * finite
    known = np.where(finite[..., None], points, 0.0)
    with np.errstate(invalid="ignore", divide="ignore"):
        centre = (each[..., None] * known).sum(axis=0) / each.sum(axis=0)[:, None]
        variance = (each[..., None] * (known - centre) ** 2).sum(axis=0) / each.sum(axis=0)[:, None]
    return float(100.0 * np.sqrt(variance.sum(axis=1)).mean())


def _agreeing(points: Floats, weights: Floats) -> float:
    """Return the share of people near the median pose, in %; the lower median for even numbers."""
    order = np.argsort(points, axis=0)
    reached = np.cumsum(weights[order], axis=0) >= weights.sum() / 2
    middle = np.take_along_axis(points, np.take_along_axis(order, reached.argmax(axis=0)[None], axis=0), axis=0)
    near = np.linalg.norm(points - middle, axis=2) <= NEAR
    return float(100.0 * (weights * (near.mean(axis=1) > 0.5)).sum() / weights.sum())


def _before_and_after(evidence: Evidence, model: str) -> tuple[Gathering, Gathering]:
    clean, under = pair(evidence.table(model, CLEAN), evidence.table(model, UNDER))
    joints, input_size = evidence.plan.joints, _input_size(evidence, model)
    return (
        gathering(clean, joints=joints, input_size=input_size),
        gathering(under, joints=joints, input_size=input_size),
    )


def _table(evidence: Evidence, gathered: dict[str, tuple[Gathering, Gathering]]) -> Tabular:
    heatmaps = heatmap_models(evidence.plan)
    return Tabular(
        stem="universal_one_pose",
        title="Universal perturbations at 16/255, each on its own model: does every person get the same pose?",
        columns=(
            "output",
            "spread, clean",
            "spread, under it",
            "people near the median pose, clean, %",
            "people near the median pose, under it, %",
            "coarse energy, %",
            "coarse energy of white noise, %",
        ),
        rows=tuple(
            (
                model,
                (
                    "heatmaps" if model in heatmaps else "coordinates",
                    before.spread.estimate,
                    after.spread.estimate,
                    before.agreeing.estimate,
                    after.agreeing.estimate,
                    coarse_energy(evidence.universal(model, LEARN)),
                    coarse_noise(_input_size(evidence, model)),
                ),
            )
            for model, (before, after) in gathered.items()
        ),
        note="Spread: standard deviation over people of a predicted keypoint, mean over keypoints, in % of the "
        f"crop's side. Near the median pose: more than half of the keypoints within {NEAR:g} of the crop's side. "
        f"Coarse: at most {COARSE} cycles a crop; one perturbation per model, so there is no interval. It "
        "measures the width of patterns, not whether they look like limbs.",
    )


def _verdict(gathered: dict[str, tuple[Gathering, Gathering]]) -> Verdict:
    return verdict(
        "Under its own universal perturbation at 16/255 a heatmap model's predicted poses differ less "
        "from person to person than on clean images.",
        mean([before.spread - after.spread for before, after in gathered.values()]),
        above=0.0,
        paper="shown in images: predicted skeletons follow hallucinated limbs; no number",
        measured=f"spread on clean images minus spread under it, mean over {', '.join(gathered)}, in % of the "
        "crop's side",
    )


def _picture(evidence: Evidence, model: str) -> Picture:
    """Show a model's perturbation, and predicted poses of people: clean (top) and under it (bottom)."""
    perturbation = evidence.universal(model, LEARN)
    factor = max(1, round(_TILE / perturbation.shape[2]))
    # Images are stored for the first block of people only; they are the first rows of the tables.
    people = evidence.store.pictures(evidence.plan.seen_cells(model, CLEAN)[0]).clean[:_PEOPLE]
    shown = enlarged(visible(perturbation, eps=LEARN.eps), 2 * factor)
    title = f"{model}: its universal perturbation at 16/255 (grey: no change; black and white: 16 levels)"
    if len(people) == 0:
        return Picture(stem=f"universal_{stem_of(model)}", title=title, image=shown)
    rows = []
    for images, view in ((people, CLEAN), (perturbed(people, perturbation), UNDER)):
        table = evidence.table(model, view)
        drawn = [
            draw_skeleton(image, table.predicted[row], table.skeleton, factor=factor)
            for row, image in enumerate(images)
        ]
        rows.append(side_by_side(drawn))
    return Picture(
        stem=f"universal_{stem_of(model)}",
        title=f"{title}, and predicted poses: on clean images (top) and under it (bottom)",
        image=side_by_side([shown, stacked(rows)]),
    )


def _input_size(evidence: Evidence, model: str) -> tuple[int, int]:
    height, width = evidence.plan.named(model).module.input_size
    return int(height), int(width)


UNIVERSAL_PICTURES = Finding(
    title="Universal perturbations: appearance and predicted poses", asks=_asks, find=_find
)
