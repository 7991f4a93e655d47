"""Simple defences: smoothing filters and their cost on clean images, and mirrored perturbations as a probe.

Jain et al. (arXiv 1908.06401): mirroring an image-specific perturbation raises the relative score from 5-10% to
70-75%, a universal one is as strong mirrored, and smoothing helps against both. The paper names no filters, so
filters and sizes are ours. No attacker here knows the filter, so every defence looks better than it is: Athalye,
Carlini and Wagner, "Obfuscated Gradients Give a False Sense of Security", ICML 2018, arXiv 1802.00420.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from robustpose.analysis.evidence import Ask, Evidence, ModelAsk
from robustpose.findings.drawing import stem_of
from robustpose.findings.finding import Finding, Found, Tabular, Verdict
from robustpose.findings.statistics import Sample, lost, mean, ratio, verdict
from robustpose.findings.sweeps import EPS8, relative_sample
from robustpose.jobs.setting import Setting
from robustpose.jobs.transfer import MIRRORED
from robustpose.metrics import Estimate
from robustpose.study.definition import CLEAN, Learn, View
from robustpose.study.plan import Plan

IMAGE_SPECIFIC = View(Setting("igsm", EPS8))
UNIVERSAL = View(universal=Learn(16 / 255))

_KINDS = {"image-specific": IMAGE_SPECIFIC, "universal": UNIVERSAL}
_TITLES = {"image-specific": "IGSM-U-10 at 8/255", "universal": "Universal at 16/255"}

SMOOTHING = {
    "box3": "box filter, 3x3",
    "box5": "box filter, 5x5",
    "gaussian1": "Gaussian, sigma 1 pixel",
    "gaussian2": "Gaussian, sigma 2 pixels",
    "median3": "median, 3x3",
    "median5": "median, 5x5",
}
_LABELS = {"": "none", MIRRORED: "perturbation mirrored", **SMOOTHING}

_PAPER = {
    "image-specific": {"": "5 to 10", MIRRORED: "70 to 75", **dict.fromkeys(SMOOTHING, "helps")},
    "universal": {"": "9.9", MIRRORED: "as strong", **dict.fromkeys(SMOOTHING, "helps")},
}
_AS_STRONG = 90.0


Left = Mapping[tuple[str, View], Sample]
"""Scores relative to the clean undefended score, by model and view."""


def _asks(plan: Plan) -> list[Ask]:
    return [ModelAsk(model.name, view) for model in plan.models for view in _views(plan)]


def _find(evidence: Evidence) -> Found:
    attacked, metric = _attacked(evidence.plan), evidence.metric.name
    left = {
        (model, view): relative_sample(evidence, model, view)
        for model in evidence.models
        for view in _views(evidence.plan)
    }
    remarks = [
        "No attacker here knows the defence, so these numbers are upper bounds on its benefit.",
        "Mirroring the perturbation is a probe: it needs the clean image, so it cannot serve as a defence.",
    ]
    verdicts = [_mirrored_specific(left, metric), _smoothing_helps(left, "image-specific", metric)]
    if "universal" in attacked:
        verdicts += [_mirrored_universal(left, metric), _smoothing_helps(left, "universal", metric)]
    else:
        remarks.append("The study has no training set for universal perturbations.")
    return Found(
        exhibits=tuple(_table(left, model, kinds=tuple(attacked), metric=metric) for model in evidence.models),
        verdicts=tuple(verdicts),
        remarks=tuple(remarks),
    )


def _views(plan: Plan) -> list[View]:
    return [
        *(replace(CLEAN, change=change) for change in ("", *SMOOTHING)),
        *(replace(attacked, change=change) for attacked in _attacked(plan).values() for change in _LABELS),
    ]


def _attacked(plan: Plan) -> dict[str, View]:
    """Return the attacks to defend against; universal perturbations only if there is a training set."""
    return {kind: view for kind, view in _KINDS.items() if kind != "universal" or plan.training is not None}


def _mean_left(left: Left, attacked: View, changes: Sequence[str]) -> Sample:
    """Average over models and changes."""
    views = {replace(attacked, change=change) for change in changes}
    return mean([sample for (_, view), sample in left.items() if view in views])


def _table(left: Left, model: str, *, kinds: Sequence[str], metric: str) -> Tabular:
    columns = ["clean pictures"]
    for kind in kinds:
        columns += [_TITLES[kind], f"{_TITLES[kind]}, paper"]
    rows: list[tuple[str, tuple[Estimate | float | str | None, ...]]] = []
    for change, label in _LABELS.items():
        # Clean images have no perturbation to mirror.
        clean = None if change == MIRRORED else left[model, replace(CLEAN, change=change)].estimate
        cells: list[Estimate | float | str | None] = [clean]
        for kind in kinds:
            cells += [left[model, replace(_KINDS[kind], change=change)].estimate, _PAPER[kind][change]]
        rows.append((label, tuple(cells)))
    return Tabular(
        stem=f"defences_{stem_of(model)}",
        title=f"{model} with simple defences: {metric} in % of its clean undefended score",
        columns=tuple(columns),
        rows=tuple(rows),
        shade=True,
        note="The paper's numbers are means over its models; it has none for smoothing.",
    )


def _mirrored_specific(left: Left, metric: str) -> Verdict:
    return verdict(
        "Under a mirrored IGSM-U-10 perturbation at 8/255 the relative score is at least 70%.",
        _mean_left(left, IMAGE_SPECIFIC, [MIRRORED]),
        above=70.0,
        paper="relative score 70 to 75%, instead of 5 to 10%",
        measured=f"relative {metric}, mean over models, in %",
    )


def _mirrored_universal(left: Left, metric: str) -> Verdict:
    """Compare losses, because relative scores would also agree for a perturbation that has no effect."""
    losses = [lost(_mean_left(left, UNIVERSAL, [change])) for change in (MIRRORED, "")]
    return verdict(
        f"Mirrored, a universal perturbation at 16/255 causes at least {_AS_STRONG:g}% of its unmirrored loss.",
        ratio(*losses),
        above=_AS_STRONG,
        paper="as strong mirrored; no number",
        measured=f"mean loss of relative {metric} mirrored, in % of the mean loss unmirrored",
    )


def _smoothing_helps(left: Left, kind: str, metric: str) -> Verdict:
    return verdict(
        f"{_TITLES[kind]}: models have a higher relative score with smoothing than undefended.",
        _mean_left(left, _KINDS[kind], list(SMOOTHING)) - _mean_left(left, _KINDS[kind], [""]),
        above=0.0,
        paper="helps; no number",
        measured=f"relative {metric} smoothed minus not, mean over models and the {len(SMOOTHING)} "
        "filters, in points",
    )


SIMPLE_DEFENCES = Finding(title="Simple defences", asks=_asks, find=_find)
