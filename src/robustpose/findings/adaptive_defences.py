"""Defences tested against an attacker who does not know them, and against one who does.

Athalye, Carlini and Wagner 2018 (arXiv 1802.00420) and Tramer, Carlini, Brendel and Madry 2020 (arXiv 2002.08347):
a defence must be tested by attacks that are adapted to it. Here such attacks go through the defence, with the
gradient of the identity if the defence has none (BPDA), and averaged over several draws if it is random (EOT). An
attacker who knows a defence may still use the images made without it, so the worse of the two counts for each
person.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from robustpose.analysis.evidence import Ask, Evidence, ModelAsk
from robustpose.defences import DEFENCES
from robustpose.findings.drawing import stem_of
from robustpose.findings.finding import Finding, Found, Tabular, Verdict
from robustpose.findings.statistics import Sample, decided, scored, verdict
from robustpose.jobs.setting import Setting
from robustpose.metrics import KeypointMetric, Table, pair
from robustpose.study.definition import CLEAN, View
from robustpose.study.plan import Plan


@dataclass(frozen=True)
class Judged:
    """A defence of a model under one attack: scores in percent, of the same people.

    unaware  the attacker does not know the defence
    aware    the attacker knows it
    """

    model: str
    defence: str
    setting: Setting
    clean: Sample
    plain: Sample
    unaware: Sample
    aware: Sample

    @property
    def gain(self) -> Sample:
        """The difference that the defence makes to the score against an attacker who knows it."""
        return self.aware - self.plain


def _pairs(plan: Plan) -> list[tuple[str, str]]:
    """Return (defence, model) for each defended model of the study whose undefended model is in the study, too."""
    names = {each.name for each in plan.models}
    found = []
    for name in (each.name for each in plan.models):
        defence, colon, model = name.partition(":")
        if colon and defence in DEFENCES and model in names:
            found.append((defence, model))
    return found


def _settings(plan: Plan) -> list[Setting]:
    """Return the study's untargeted attacks whose images can be stored."""
    return [each for each in plan.study.settings if not each.targeted and each.round_to_8bit]


def _asks(plan: Plan) -> list[Ask]:
    asks: list[Ask] = []
    for defence, model in _pairs(plan):
        behind = f"{defence}:{model}"
        asks += [ModelAsk(behind, CLEAN), ModelAsk(model, CLEAN)]
        for setting in _settings(plan):
            asks += [ModelAsk(model, View(setting)), ModelAsk(behind, View(setting))]
            asks.append(ModelAsk(model, View(setting, change=defence)))
    return asks


def _find(evidence: Evidence) -> Found:
    judged = [
        _judged(evidence, defence, model, setting)
        for defence, model in _pairs(evidence.plan)
        for setting in _settings(evidence.plan)
    ]
    if not judged:
        return Found(remarks=("The study has no model both with and without a defence.",))
    metric = evidence.metric.name
    shown = dict.fromkeys((each.model, each.setting) for each in judged)
    tables = tuple(_table([each for each in judged if (each.model, each.setting) == key], metric) for key in shown)
    return Found(
        exhibits=tables,
        verdicts=tuple(_verdict(each, metric) for each in judged),
        remarks=(
            "An attacker who knows a defence attacks through it, and may also use the images made without it: the "
            "worse of the two counts for each person.",
            *_approximated(judged),
        ),
    )


def _judged(evidence: Evidence, defence: str, model: str, setting: Setting) -> Judged:
    metric, behind = evidence.metric, f"{defence}:{model}"
    unaware = evidence.table(model, View(setting, change=defence))
    through = evidence.table(behind, View(setting))
    return Judged(
        model=model,
        defence=defence,
        setting=setting,
        clean=scored(evidence.table(behind, CLEAN), metric),
        plain=scored(evidence.table(model, View(setting)), metric),
        unaware=scored(unaware, metric),
        aware=scored(worse_of(through, unaware, metric), metric),
    )


def worse_of(one: Table, other: Table, metric: KeypointMetric) -> Table:
    """Return for each person the table row with fewer correct keypoints; the first if tied."""
    one, other = pair(one, other)
    fewer = np.nansum(metric.hits(other), axis=1) < np.nansum(metric.hits(one), axis=1)
    predicted = np.where(fewer[:, None, None], other.predicted, one.predicted)
    return replace(one, predicted=predicted)


def _table(judged: Sequence[Judged], metric: str) -> Tabular:
    first = judged[0]
    return Tabular(
        stem=f"adaptive_{stem_of(first.model)}_{first.setting.label.lower()}_{round(first.setting.eps * 255)}",
        title=f"{first.model} behind defences, {first.setting.title}: {metric} in %",
        columns=("clean", "attacker unaware", "attacker aware", "gain, points", "judgement"),
        rows=(
            ("no defence", (None, first.plain.estimate, first.plain.estimate, None, "")),
            *(
                (
                    each.defence,
                    (
                        each.clean.estimate,
                        each.unaware.estimate,
                        each.aware.estimate,
                        each.gain.estimate,
                        judgement(each.gain),
                    ),
                )
                for each in judged
            ),
        ),
        note="Gain: the score against an attacker who knows the defence, minus the score without a defence.",
    )


def judgement(gain: Sample) -> str:
    """State in words whether a defence helps under an adaptive attack."""
    return {
        "holds": "helps",
        "does not hold": "hurts under an adaptive attack",
        "undecided": "gains nothing that can be told under an adaptive attack",
    }[decided(gain.estimate, above=0.0)]


def _verdict(each: Judged, metric: str) -> Verdict:
    return verdict(
        f"{each.defence} raises the score of {each.model} under {each.setting.title} when the attacker knows it.",
        each.gain,
        above=0.0,
        paper="not in the paper, whose attacker does not know the defence",
        measured=f"{metric} with the defence minus without, attacker aware, in points",
    )


def _approximated(judged: Sequence[Judged]) -> list[str]:
    """Name the defences whose gradient is approximated or averaged."""
    names = dict.fromkeys(each.defence for each in judged)
    bpda = [name for name in names if DEFENCES[name].gradient != "exact"]
    eot = [f"{name} ({DEFENCES[name].draws} draws)" for name in names if DEFENCES[name].draws > 1]
    said = []
    if bpda:
        said.append(f"Attacked with the gradient of the identity (BPDA): {', '.join(bpda)}.")
    if eot:
        said.append(f"Attacked on average over several draws (EOT): {', '.join(eot)}.")
    return said


ADAPTIVE_DEFENCES = Finding(title="Defences under adaptive attacks", asks=_asks, find=_find)
