"""Compares two runs: what computed them, their scores, and whether a difference is more than noise."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from robustpose.analysis.scores import outcome
from robustpose.errors import RobustPoseError
from robustpose.jobs.setting import Setting
from robustpose.metrics import ALL, Estimate, Table, difference, pair, score
from robustpose.study.plan import metric_of
from robustpose.upkeep.opened import OpenedRun


@dataclass(frozen=True)
class Difference:
    """One score in both runs.

    before, after  with their 95% intervals over people
    change         after - before over the people of both, paired; NaN if they share none
    verdict        'same predictions', 'within noise', 'differs', or 'other people'
    """

    model: str
    attack: str
    eps: str
    metric: str
    before: Estimate
    after: Estimate
    change: Estimate
    verdict: str


@dataclass(frozen=True)
class Compared:
    """Two runs, side by side.

    facts   what differs in how they were computed: (what, in the first, in the second)
    only    models and attacks that one run has and the other lacks
    """

    facts: tuple[tuple[str, str, str], ...]
    scores: tuple[Difference, ...]
    only: tuple[str, ...]


def compare_runs(before: OpenedRun, after: OpenedRun) -> Compared:
    """Compare two runs, model by model and attack by attack; RobustPoseError if they share none."""
    shared = [model.name for model in before.plan.models if model.name in {m.name for m in after.plan.models}]
    if not shared:
        raise RobustPoseError("the two runs share no model")
    if before.plan.metric != after.plan.metric:
        raise RobustPoseError(f"the runs have different metrics: {before.plan.metric} and {after.plan.metric}")
    settings = [each for each in before.plan.study.settings if each in after.plan.study.settings]
    scores = tuple(_compared(before, after, model, setting) for model in shared for setting in (None, *settings))
    return Compared(tuple(_facts(before, after)), scores, tuple(_only(before, after)))


def _compared(before: OpenedRun, after: OpenedRun, model: str, setting: Setting | None) -> Difference:
    old, new = (outcome(run.plan, run.store, run.plan.named(model), setting).table for run in (before, after))
    metric = metric_of(before.plan)
    shared, theirs = pair(old, new)
    nothing = Estimate(value=math.nan, low=math.nan, high=math.nan, n=0)
    change = difference(shared, theirs, metric)[ALL] if len(shared) else nothing
    return Difference(
        model=model,
        attack="clean" if setting is None else setting.label,
        eps="" if setting is None else setting.budget,
        metric=metric.name,
        before=score(old, metric)[ALL],
        after=score(new, metric)[ALL],
        change=change,
        verdict=_verdict(shared, theirs, change),
    )


def _verdict(before: Table, after: Table, change: Estimate) -> str:
    if not len(before) or math.isnan(change.value):
        return "other people"
    same = before.predicted.shape == after.predicted.shape and bool((before.predicted == after.predicted).all())
    if same and (before.keypoints == after.keypoints).all():
        return "same predictions"
    return "differs" if change.low > 0 or change.high < 0 else "within noise"


def _facts(before: OpenedRun, after: OpenedRun) -> Iterator[tuple[str, str, str]]:
    old, new = (_made(run) for run in (before, after))
    for what in sorted({*old, *new}):
        if old.get(what) != new.get(what):
            yield what, old.get(what, "-"), new.get(what, "-")


def _made(run: OpenedRun) -> dict[str, str]:
    """Return what computed a run's results: device, software, versions; several values where they were mixed."""
    found: dict[str, set[str]] = {}
    there = {*run.store.names()}
    for name in dict.fromkeys(name for job in run.jobs if (name := run.store.name(job)) in there):
        about = run.store.about(name)
        versions: dict[str, Any] = about["job"].get("versions", {"code": about["job"].get("version", "unknown")})
        for what, value in {**versions, **about.get("made", {})}.items():
            found.setdefault(what, set()).add(str(value))
    facts = {what: ", ".join(sorted(values)) for what, values in found.items()}
    study = run.plan.study
    people = {"people": str(run.plan.n), "data": run.plan.dataset.name, "seed": str(study.seed)}
    weights = {f"weights of {model.name}": model.fingerprint[:12] for model in run.plan.models}
    return {**facts, **people, **weights}


def _only(before: OpenedRun, after: OpenedRun) -> Iterator[str]:
    for which, run, other in (("first", before, after), ("second", after, before)):
        theirs = {model.name for model in other.plan.models}
        yield from (f"only the {which} has {model.name}" for model in run.plan.models if model.name not in theirs)
        settings = [each for each in run.plan.study.settings if each not in other.plan.study.settings]
        yield from (f"only the {which} has {each.title}" for each in settings)
