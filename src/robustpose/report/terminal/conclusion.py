"""States a result in words: what the models lose, to which attack, which joint first, and what to do next."""

import math
from collections.abc import Sequence

from robustpose.analysis.doubts import Doubts
from robustpose.analysis.headline import main_settings, measure_of
from robustpose.analysis.scores import Row
from robustpose.jobs.setting import Setting
from robustpose.metrics import ALL
from robustpose.report.html.words import listed, spoken
from robustpose.report.stronger import attack_command, weakness
from robustpose.study.definition import Study
from robustpose.threats import norm_of, write_eps

_LITTLE = 10.0
"""Relative score, in percent, below which a budget no longer separates attacks or models."""


def conclusion(study: Study, rows: Sequence[Row], doubts: Doubts | None = None) -> list[str]:
    """Return two or three sentences about a study of attacks, from its rows by its own metric.

    The first one says so if a stronger attack exists. Scores that `doubts` withholds are not mentioned.
    """
    doubts = doubts or Doubts()
    rows = doubts.withheld(rows)
    settings = [each for each in main_settings(study.settings) if _scored(rows, each)]
    models = list(dict.fromkeys(row.model for row in rows))
    said = _useless(rows, models, doubts)
    if not settings:
        return said
    strongest = min(settings, key=lambda each: _damage(rows, each))
    found = [row for model in models for row in _rows(rows, strongest) if (row.model, row.part) == (model, ALL)]
    found = sorted((row for row in found if math.isfinite(row.value)), key=lambda row: row.value)
    if not found:
        return said
    weakest = found[-1] if strongest.targeted else found[0]
    specs = dict(zip(models, study.models, strict=False))  # a model's name may not be what opens it
    weak = weakness(study, specs.get(weakest.model, weakest.model))
    said = [*([weak] if weak else []), *said]
    said.append(_lost(found, strongest) if not strongest.targeted else _aimed(found, strongest))
    said += _joints(rows, strongest)
    return [*said, _next(study, strongest, weakest, spec=specs.get(weakest.model, weakest.model))]


def _useless(rows: Sequence[Row], models: Sequence[str], doubts: Doubts) -> list[str]:
    """State which models are useless, and which attacks had no effect."""
    helpless = [model for model in models if not _clean(rows, model) > 0]
    said = []
    if helpless:
        who = f"{listed(helpless)} {_has(helpless)}"
        said.append(f"{who} no correct keypoint on clean images, so attacks cannot lower the score.")
    if others := [model for model in doubts.models if model not in helpless]:
        which = "; ".join(f"{model}: {doubts.models[model][0].says}" for model in others)
        said.append(f"No relative score is given, because it would not measure robustness ({which}).")
    failed = dict.fromkeys(alarm.says for alarms in doubts.settings.values() for alarm in alarms)
    if failed:
        who = "The attack failed, so its score does" if len(failed) == 1 else "Attacks failed, so their scores do"
        said.append(f"{who} not measure robustness ({'; '.join(failed)}).")
    return said


def _lost(found: Sequence[Row], setting: Setting) -> str:
    """Say what untargeted attacks cost: of one model, or the range over several."""
    least, most = found[-1], found[0]
    if least.value >= 100:
        who = f"{least.model} loses" if len(found) == 1 else f"None of the {len(found)} models loses"
        thing = "nothing" if len(found) == 1 else "any"
        return f"{who} {thing} of the clean {least.metric} to {setting.title} ({_score(least)})."
    if len(found) == 1:
        unsure = "; the interval includes no loss" if least.low <= 100 <= least.high else ""
        return (
            f"{least.model} loses {_loss(least)} of its clean {least.metric} to {setting.title} "
            f"({_score(least)}{unsure})."
        )
    return (
        f"{setting.title} costs the {len(found)} models between {_loss(least)} ({least.model}, {_score(least)}) "
        f"and {_loss(most)} ({most.model}, {_score(most)}) of their clean {least.metric}."
    )


def _aimed(found: Sequence[Row], setting: Setting) -> str:
    """Say how often targeted attacks reach the target pose."""
    most = found[-1]
    if most.value <= 0:
        return f"{setting.title} moves no keypoint of {listed([row.model for row in found])} to the target pose."
    of = "" if len(found) == 1 else f", the most of {len(found)} models"
    metric = most.metric.removeprefix("target ")
    return (
        f"{setting.title} moves {most.value:.1f}%{_interval(most)} of the keypoints of {most.model} to the target "
        f"pose by {metric} ({_people(most)}){of}."
    )


def _joints(rows: Sequence[Row], setting: Setting) -> list[str]:
    """Say which joint is lost first and which last, by the models' mean."""
    values: dict[str, list[float]] = {}
    for row in _rows(rows, setting):
        if row.part != ALL and row.n > 0 and math.isfinite(row.value):
            values.setdefault(row.part, []).append(row.value)
    means = {part: sum(each) / len(each) for part, each in values.items()}
    if len(means) < 2:
        return []
    low, high = min(means.values()), max(means.values())
    if high - low < 0.05:  # they would read the same
        return []
    first, last = (high, low) if setting.targeted else (low, high)
    parts = {end: [spoken(part) for part, mean in means.items() if mean == end] for end in (first, last)}
    names = {end: listed(each) for end, each in parts.items()}
    if setting.targeted:
        most, least = f"{names[first]} most often ({first:.1f}%)", f"{names[last]} least ({last:.1f}%)"
        return [f"The attacker moves the {most}, the {least}."]
    verb = "is" if len(parts[first]) == 1 else "are"
    return [
        f"The {names[first]} {verb} lost first (relative score {first:.1f}%), "
        f"the {names[last]} last ({last:.1f}%)."
    ]


def _next(study: Study, setting: Setting, row: Row, *, spec: str) -> str:
    """Say what to run next."""
    if not setting.targeted and row.value < _LITTLE and norm_of(setting.threat) == math.inf:
        smaller = write_eps(setting.eps / 4, setting.threat)
        command = attack_command(study, spec, setting, attack=setting.attack, eps=smaller)
        return f"At relative scores this low, a smaller budget separates models better: {command}"
    return "The page shows the images and the scores by joint."


def _rows(rows: Sequence[Row], setting: Setting) -> list[Row]:
    """Return a setting's rows of the study's main metric, without COCO's official scores."""
    key = (setting.label, setting.budget, setting.objective, measure_of(setting))
    metric = next(row.metric for row in rows if row.measure == "clean")
    return [
        row
        for row in rows
        if (row.attack, row.eps, row.objective, row.measure) == key
        and row.metric.removeprefix("target ") == metric
    ]


def _scored(rows: Sequence[Row], setting: Setting) -> bool:
    return any(row.part == ALL and math.isfinite(row.value) for row in _rows(rows, setting))


def _damage(rows: Sequence[Row], setting: Setting) -> float:
    """Return the models' mean relative score, or minus their mean target score: the smaller, the stronger."""
    values = [row.value for row in _rows(rows, setting) if row.part == ALL and math.isfinite(row.value)]
    mean = sum(values) / len(values)
    return -mean if setting.targeted else mean


def _clean(rows: Sequence[Row], model: str) -> float:
    return next(row.value for row in rows if (row.model, row.measure, row.part) == (model, "clean", ALL))


def _has(names: Sequence[str]) -> str:
    return "has" if len(names) == 1 else "have"


def _loss(row: Row) -> str:
    return f"{max(100 - row.value, 0):.1f}%"


def _score(row: Row) -> str:
    return f"relative score {row.value:.1f}%{_interval(row)}, {_people(row)}"


def _interval(row: Row) -> str:
    """Write an interval; one person, or too few, have none."""
    if row.n < 2 or math.isnan(row.low) or math.isnan(row.high):
        return ""
    return f" [{row.low:.1f}, {row.high:.1f}]"


def _people(row: Row) -> str:
    if row.n == 1:
        return "1 person, so no interval"
    return f"n = {row.n}" + (", no interval" if math.isnan(row.low) else "")
