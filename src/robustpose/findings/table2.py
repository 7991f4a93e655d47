"""Table 2: which joints break, and where their predictions move, under IGSM-U-10 and IGSM-T-20 at 8/255.

After Jain et al. (arXiv 1908.06401), table 2: left and right of a joint are averaged and the last stage is
attacked. The paper ranks joints by one number each; here each ranking is a paired contrast over people. Where the
predictions of a joint lie (see joints.places) is not in the paper.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from robustpose.analysis.evidence import Ask, Evidence
from robustpose.findings.drawing import stem_of
from robustpose.findings.finding import Finding, Found, Tabular, Verdict
from robustpose.findings.joints import NOWHERE, TWIN, by_part, parts_of, places
from robustpose.findings.reported import paper_name, reported
from robustpose.findings.statistics import Sample, mean, ratio, verdict, verdict_of_all
from robustpose.findings.sweeps import EPS8, as_target, asks_of
from robustpose.jobs.setting import Setting
from robustpose.metrics import ALL, Estimate, KeypointMetric, Table, pair
from robustpose.study.definition import CLEAN, View
from robustpose.study.plan import Plan

UNTARGETED = Setting("igsm", EPS8)
TARGETED = Setting("igsm", EPS8, targeted=True)

Row = tuple[str, tuple[Estimate | float | str | None, ...]]


@dataclass(frozen=True)
class Claim:
    """A claim of the paper that some joints score lower, or higher, than the others.

    sign  +1 if the named joints are said to score higher, -1 if lower
    average, every  the claim compared with the mean of the other joints, and with each of them
    """

    joints: tuple[str, ...]
    setting: Setting
    sign: int
    average: str
    every: str
    paper: str


CLAIMS = (
    Claim(
        ("hip",),
        UNTARGETED,
        -1,
        "Under IGSM-U-10 at 8/255 hips have a lower relative score than the other joints on average.",
        "Under IGSM-U-10 at 8/255 hips have a lower relative score than any other joint.",
        "relative score 3.1% for hips; the other joints 4.8 to 35.4%",
    ),
    Claim(
        ("neck", "head"),
        UNTARGETED,
        +1,
        "Under IGSM-U-10 at 8/255 neck and head have a higher relative score than the other joints on average.",
        "Under IGSM-U-10 at 8/255 neck and head each have a higher relative score than any other joint.",
        "relative score 35.4% for neck, 23.6% for head; the other joints 3.1 to 20.0%",
    ),
    Claim(
        ("wrist", "head"),
        TARGETED,
        -1,
        "IGSM-T-20 at 8/255 moves wrists and head to their targets less often than the other joints on average.",
        "IGSM-T-20 at 8/255 moves wrists and head each to their targets less often than any other joint.",
        "wrist 51.5%, head 52.0%; the other joints 56.0 to 82.0%",
    ),
)


def scores(evidence: Evidence, model: str, setting: Setting) -> dict[str, Sample]:
    """Score each part of a model: target scores for targeted attacks, relative scores for others."""
    attacked = evidence.table(model, View(setting))
    if setting.targeted:
        return by_part(as_target(evidence.metric).hits(attacked), attacked)
    clean, attacked = pair(evidence.table(model, CLEAN), attacked)
    before, after = (by_part(evidence.metric.hits(table), table) for table in (clean, attacked))
    return {part: ratio(after[part], before[part]) for part in before if before[part].value > 0}


def _asks(plan: Plan) -> list[Ask]:
    return asks_of([model.name for model in plan.models], [UNTARGETED, TARGETED])


def _find(evidence: Evidence) -> Found:
    models, metric = evidence.models, evidence.metric
    untargeted = {model: scores(evidence, model, UNTARGETED) for model in models}
    targeted = {model: scores(evidence, model, TARGETED) for model in models}
    verdicts: list[Verdict] = []
    lacking = []
    for claim in CLAIMS:
        judged = _judged(claim, targeted if claim.setting.targeted else untargeted, metric)
        verdicts += judged
        if not judged:
            lacking.append(f"Not judged, because the joints are missing: {claim.average}")
    return Found(
        exhibits=(
            _beside_paper(untargeted, "table2_untargeted", f"IGSM-U-10 at 8/255: relative {metric.name}, %", "UI"),
            _beside_paper(targeted, "table2_targeted", f"IGSM-T-20 at 8/255: {as_target(metric).name}, %", "TI"),
            _summary(evidence),
            *(_confusion(evidence, model) for model in models),
        ),
        verdicts=tuple(verdicts),
        remarks=(
            *lacking,
            "Chance: the attacked predictions of one person compared with the true pose of the next one.",
            "A share of 0 or 100% has an interval of zero width, because resampling the people cannot change it.",
        ),
    )


def _shared(samples: Mapping[str, Mapping[str, Sample]]) -> list[str]:
    """Return the parts that every model has, in the order of the first model."""
    first, *others = samples.values()
    return [part for part in first if part != ALL and all(part in each for each in others)]


def _judged(claim: Claim, samples: Mapping[str, Mapping[str, Sample]], metric: KeypointMetric) -> list[Verdict]:
    """Compare the claim's joints with the others, averaged over models; empty if joints are missing."""
    parts = _shared(samples)
    if not set(claim.joints) < set(parts):
        return []
    average = {part: mean([each[part] for each in samples.values()]) for part in parts}
    named = [average[part] for part in claim.joints]
    others = [average[part] for part in parts if part not in claim.joints]
    above, below = (named, others) if claim.sign > 0 else (others, named)
    ranked = sorted(parts, key=lambda part: -claim.sign * float(average[part].value))[:3]
    extreme = ", ".join(f"{part} {average[part].value:.1f}%" for part in ranked)
    name = as_target(metric).name if claim.setting.targeted else f"relative {metric.name}"
    joints = " and ".join(claim.joints)
    sides = (joints, "the others") if claim.sign > 0 else ("the others", joints)
    of_models = f"mean of {', '.join(samples)}, in points"
    kind = f"{'highest' if claim.sign > 0 else 'lowest'} joints here: {extreme}"
    return [
        verdict(
            claim.average,
            mean(above) - mean(below),
            above=0.0,
            paper=claim.paper,
            measured=f"mean {name} of {sides[0]} minus mean of {sides[1]}, {of_models}",
        ),
        verdict_of_all(
            claim.every,
            [one - other for one in above for other in below],
            above=0.0,
            paper=claim.paper,
            measured=f"lowest {name} of {sides[0]} minus highest of {sides[1]}, {of_models}; {kind}",
        ),
    ]


def _beside_paper(samples: Mapping[str, Mapping[str, Sample]], stem: str, title: str, suffix: str) -> Tabular:
    """Tabulate our scores, with the paper's row below each model that it has."""
    columns = (*_shared(samples), ALL)
    paper = reported("table2")
    rows: list[Row] = []
    for model, parts in samples.items():
        rows.append((model, tuple(parts[part].estimate if part in parts else None for part in columns)))
        rows += _paper_row(paper, f"{paper_name(model).removesuffix('-HG')}-{suffix}", columns)
    if len(samples) > 1:
        averages = [mean([each[part] for each in samples.values() if part in each]) for part in columns]
        rows.append(("mean", tuple(average.estimate for average in averages)))
    rows += _paper_row(paper, f"mean {suffix}", columns)
    return Tabular(
        stem=stem,
        title=title,
        columns=columns,
        rows=tuple(rows),
        shade=True,
        note="Left and right averaged. The paper's rows: MPII, PCKh@0.5, as printed, without intervals; its mean "
        "is over its own models.",
    )


def _paper_row(paper: Mapping[str, Mapping[str, float]], name: str, columns: Sequence[str]) -> list[Row]:
    if name not in paper:
        return []
    label = f"{name.rpartition('-')[0] or 'mean'}, paper"
    return [(label, tuple(paper[name].get(column) for column in columns))]


def _samples_of_places(evidence: Evidence, model: str, view: View) -> dict[str, dict[str, Sample]]:
    table = evidence.table(model, view)
    return {place: by_part(hits, table) for place, hits in places(table, evidence.metric).items()}


_SHOWN = ((CLEAN, "clean"), (View(UNTARGETED), UNTARGETED.label))


def _confusion(evidence: Evidence, model: str) -> Tabular:
    found = {label: _samples_of_places(evidence, model, view) for view, label in _SHOWN}
    columns = tuple(found["clean"])
    rows: list[Row] = [
        (f"{part}, {label}", tuple(shares[column][part].estimate for column in columns))
        for part in parts_of(evidence.table(model, CLEAN))
        for label, shares in found.items()
    ]
    return Tabular(
        stem=f"table2_places_{stem_of(model)}",
        title=f"{model}: where the predictions of a joint lie, clean and under IGSM-U-10 at 8/255, %",
        columns=columns,
        rows=tuple(rows),
        shade=True,
        note="Rows: the predicted joint. Columns: the true joint of the same person within the threshold of "
        f"{evidence.metric.name}, the nearest if there are several. A joint's own column is its own place; twin "
        "is the same joint of the other side; nowhere is near none of the labelled joints. A row sums to 100.",
    )


def _summary(evidence: Evidence) -> Tabular:
    rows: list[Row] = []
    for model in evidence.models:
        clean, attacked = (evidence.table(model, view) for view, _ in _SHOWN)
        shown = {"clean": clean, UNTARGETED.label: attacked, "chance": _of_next_person(attacked)}
        rows += [
            (f"{model}, {label}", tuple(sample.estimate for sample in _four(table, evidence.metric)))
            for label, table in shown.items()
        ]
    return Tabular(
        stem="table2_places",
        title="Where predictions lie, all joints, clean and under IGSM-U-10 at 8/255, %",
        columns=("own place", TWIN, "another joint", NOWHERE),
        rows=tuple(rows),
        shade=True,
        note="All labelled joints pooled. Twin: the same joint of the other side. Another joint: any other of the "
        "same person. Chance: the attacked predictions against the true pose of the next person.",
    )


def _four(table: Table, metric: KeypointMetric) -> list[Sample]:
    """Score the shares of all joints that lie at their own place, twin, another joint and nowhere."""
    found, own = places(table, metric), metric.hits(table)
    another = 1.0 - own - found[TWIN] - found[NOWHERE]
    return [by_part(hits, table)[ALL] for hits in (own, found[TWIN], another, found[NOWHERE])]


def _of_next_person(table: Table) -> Table:
    """Compare each person's predictions with the ground truth of the next person."""
    return replace(
        table, keypoints=np.roll(table.keypoints, -1, axis=0), visible=np.roll(table.visible, -1, axis=0)
    )


TABLE2 = Finding(title="Table 2: joint by joint", asks=_asks, find=_find)
