"""Detection of attacks by the shape of heatmaps, by their peaks, and by the plausibility of skeletons.

Jain et al. (arXiv 1908.06401) report that attacked heatmaps stay Gaussian (Kullback-Leibler divergence) and that
attacked skeletons look plausible, so that neither reveals an attack. They show examples. Here each is a detector
with one number per person, judged by its ROC curve over clean and attacked images of the same people at 8/255:

KL            mean over joints of the divergence of the map from its Gaussian: see jobs/signals.py
peak          mean over joints of the head's score; lower is more suspicious
plausibility  of the predicted skeleton: see plausibility; fitted to true poses of the first half of the people,
              evaluated on the other half

An AUC below 50 distinguishes attacks as well as one above, with the sign reversed, so claims are judged on
50 + |AUC - 50|. The attacks do not know the detectors.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from robustpose.analysis.evidence import Ask, Evidence
from robustpose.findings.finding import Chart, Curve, Finding, Found, Tabular, Verdict
from robustpose.findings.plausibility import can_judge, implausibility, learn
from robustpose.findings.roc import FALSE_ALARMS, Alarm, alarm, auc, average, roc, told
from robustpose.findings.statistics import Sample, mean, verdict_below
from robustpose.findings.sweeps import EPS8, asks_of, heatmap_models, regression_models, slot_of
from robustpose.jobs.setting import Setting
from robustpose.metrics import Estimate, Table
from robustpose.metrics.table import Floats
from robustpose.study.definition import CLEAN, View
from robustpose.study.plan import Plan

WATCHED = (Setting("fgsm", EPS8), Setting("igsm", EPS8), Setting("igsm", EPS8, targeted=True))
KL, PEAK, PLAUSIBILITY = "KL", "peak", "plausibility"
DETECTORS = (KL, PEAK, PLAUSIBILITY)

TELLS = 75.0
"""The AUC from which a detector counts as distinguishing attacked from clean images, in percent."""

_UNITS = {KL: "KL, nats", PEAK: "peak", PLAUSIBILITY: "implausibility"}
_BY = {
    KL: "how Gaussian heatmaps are (KL)",
    PEAK: "the peaks' height",
    PLAUSIBILITY: "the skeleton's plausibility",
}


def watched(evidence: Evidence, model: str, view: View) -> dict[str, Floats]:
    """Return each detector's number (N,) per person from a model's predictions; NaN where undefined."""
    table, signals = evidence.table(model, view), evidence.signals(model, view)
    seen: dict[str, Floats] = {}
    if model in heatmap_models(evidence.plan):
        seen[KL] = _known_mean(signals["divergence"])
    if model not in regression_models(evidence.plan):
        seen[PEAK] = _known_mean(signals["score"])
    if can_judge(table.skeleton):
        seen[PLAUSIBILITY] = _implausible(table, table.predicted)
    return {detector: values for detector, values in seen.items() if np.isfinite(values).any()}


def _implausible(table: Table, keypoints: Floats) -> Floats:
    """Return the implausibility (N,) of poses (N, K, 2); NaN for the first half, the reference."""
    half = len(table) // 2
    truth = np.where(table.visible[..., None], table.keypoints, np.nan)
    poses = learn(truth[:half], table.skeleton)
    return np.append(np.full(half, np.nan), implausibility(keypoints[half:], poses))


def _known_mean(values: Floats) -> Floats:
    known = np.isfinite(values)
    with np.errstate(invalid="ignore"):
        mean_known: Floats = np.where(known, values, 0.0).sum(axis=1) / known.sum(axis=1)
    return mean_known


def _asks(plan: Plan) -> list[Ask]:
    return asks_of([model.name for model in plan.models], WATCHED)


def _find(evidence: Evidence) -> Found:
    alarms = _alarms(evidence)
    areas = {where: auc(each) for where, each in alarms.items()}
    verdicts: list[Verdict] = []
    remarks = []
    for detector, claim in _CLAIMS.items():
        if any(where.detector == detector for where in areas):
            verdicts += [_hidden(claim, detector, setting, areas) for setting in WATCHED]
        else:
            remarks.append(claim.not_judged)
    return Found(
        exhibits=(_areas_table(evidence, areas), _levels(evidence), *_charts(evidence, alarms)),
        verdicts=tuple(verdicts),
        remarks=(
            *remarks,
            *_empty_maps(evidence),
            "The attacks do not know the detectors, and no detector is trained on attacks.",
            "Far from its peak a Gaussian is almost 0, so the KL divergence weighs small values there most.",
            "Plausibility: the second half of the people is evaluated, against true poses of the first half.",
        ),
    )


def _empty_maps(evidence: Evidence) -> list[str]:
    """Return remarks on how many maps have no positive cell and so no divergence."""
    said = []
    for model in heatmap_models(evidence.plan):
        for setting in WATCHED:
            empty = ~np.isfinite(evidence.signals(model, View(setting))["divergence"])
            if empty.any():
                said.append(
                    f"{model}, {setting.title}: {100 * empty.mean():.1f}% of the maps have no positive cell, so "
                    "no divergence; an image with only such maps counts as the most suspicious."
                )
    return said


@dataclass(frozen=True)
class Where:
    """A detector, a model and an attack."""

    detector: str
    model: str
    setting: Setting


@dataclass(frozen=True)
class Claim:
    """The paper's claim about a detector."""

    sentence: str
    paper: str
    not_judged: str


_CLAIMS = {
    KL: Claim(
        "The KL divergence of heatmaps from Gaussians cannot distinguish {attack} at 8/255 from clean images.",
        "attacked heatmaps stay Gaussian; no number",
        "No heatmap model takes part, so the shape of heatmaps is not judged.",
    ),
    PLAUSIBILITY: Claim(
        "The plausibility of predicted skeletons cannot distinguish {attack} at 8/255 from clean images.",
        "attacked skeletons look plausible; no number",
        "Plausibility is not judged: it needs shoulders and hips, and true poses of at least ten people.",
    ),
}


def _alarms(evidence: Evidence) -> dict[Where, Alarm]:
    alarms = {}
    for model in evidence.models:
        clean = watched(evidence, model, CLEAN)
        for setting in WATCHED:
            attacked = watched(evidence, model, View(setting))
            for detector in (each for each in DETECTORS if each in clean and each in attacked):
                sign = -1.0 if detector == PEAK else 1.0
                alarms[Where(detector, model, setting)] = alarm(sign * clean[detector], sign * attacked[detector])
    return {where: each for where, each in alarms.items() if len(each)}


def _of(areas: Mapping[Where, Sample], detector: str, setting: Setting) -> dict[str, Sample]:
    """Return a detector's AUC by model."""
    return {
        where.model: area
        for where, area in areas.items()
        if where.detector == detector and where.setting == setting
    }


def _hidden(claim: Claim, detector: str, setting: Setting, areas: Mapping[Where, Sample]) -> Verdict:
    """Judge that the AUC of a detector, averaged over the models to which it applies, is below TELLS."""
    there = _of(areas, detector, setting)
    return verdict_below(
        claim.sentence.format(attack=setting.label),
        mean([told(area) for area in there.values()]),
        below=TELLS,
        paper=claim.paper,
        measured=f"50 + |AUC - 50|, mean of {', '.join(there)}, in % (50 is chance), clean and attacked images "
        "resampled together",
    )


def _areas_table(evidence: Evidence, areas: Mapping[Where, Sample]) -> Tabular:
    columns = [(setting, detector) for setting in WATCHED for detector in DETECTORS]
    rows: list[tuple[str, tuple[Estimate | float | str | None, ...]]] = []
    for model in evidence.models:
        found = [areas.get(Where(detector, model, setting)) for setting, detector in columns]
        rows.append((model, tuple(None if area is None else area.estimate for area in found)))
    averages = [list(_of(areas, detector, setting).values()) for setting, detector in columns]
    if len(rows) > 1:
        rows.append(("mean", tuple(mean(each).estimate if each else None for each in averages)))
    return Tabular(
        stem="detection_auc",
        title="Distinguishing attacked from clean images at 8/255: area under the ROC curve, %",
        columns=tuple(f"{setting.label}, {detector}" for setting, detector in columns),
        rows=tuple(rows),
        shade=True,
        note="50 is chance, 100 is perfect; below 50 attacked images look less suspicious than clean ones. "
        "Coordinate models have neither maps nor scores.",
    )


def _levels(evidence: Evidence) -> Tabular:
    """Tabulate the detectors' values, in their own units."""
    views = (CLEAN, *map(View, WATCHED))
    rows: list[tuple[str, tuple[Estimate | float | str | None, ...]]] = []
    for model in evidence.models:
        seen = [watched(evidence, model, view) for view in views]
        table = evidence.table(model, CLEAN)
        for detector in (each for each in DETECTORS if each in seen[0]):
            truth = None
            if detector == PLAUSIBILITY:
                visible = np.where(table.visible[..., None], table.keypoints, np.nan)
                truth = average(_implausible(table, visible)).estimate
            values = [average(each[detector]).estimate if detector in each else None for each in seen]
            rows.append((f"{model}: {_UNITS[detector]}", (truth, *values)))
    return Tabular(
        stem="detection_levels",
        title="Values of the detectors, mean over people",
        columns=("true poses", "clean", *(setting.label for setting in WATCHED)),
        rows=tuple(rows),
        note="KL: divergence of a map from the Gaussian at its peak; 0 is a Gaussian. Implausibility: distance "
        "from the median true pose, in robust standard deviations; higher is less plausible.",
    )


def _charts(evidence: Evidence, alarms: Mapping[Where, Alarm]) -> list[Chart]:
    charts = []
    for detector in DETECTORS:
        for setting in WATCHED:
            curves = tuple(
                _curve(where, each, slot=slot_of(evidence, where.model))
                for where, each in alarms.items()
                if where.detector == detector and where.setting == setting
            )
            if curves:
                charts.append(
                    Chart(
                        stem=f"detection_{detector.lower()}_{setting.label.lower().replace('-', '_')}",
                        title=f"{setting.label} at 8/255 by {_BY[detector]}: ROC",
                        x_label="false alarms, %",
                        y_label="attacks found, %",
                        curves=curves,
                        scale="linear",
                        diagonal=True,
                    )
                )
    return charts


def _curve(where: Where, alarm: Alarm, *, slot: int) -> Curve:
    found, low, high = roc(alarm)
    return Curve(
        name=where.model,
        x=tuple(FALSE_ALARMS.tolist()),
        y=tuple(found.tolist()),
        low=tuple(low.tolist()),
        high=tuple(high.tolist()),
        slot=slot,
    )


DETECTION = Finding(title="Claim 12: attacks stay unnoticed", asks=_asks, find=_find)
