"""What the corruptions study found, from stored cells: scores, limits, attacks beside corruptions, claims."""

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from robustpose.analysis.scores import outcome
from robustpose.corruptions import HENDRYCKS_15
from robustpose.findings import Verdict
from robustpose.findings.statistics import Sample, kept, mean, verdict_of_all
from robustpose.jobs.setting import Setting
from robustpose.jobs.store import Store
from robustpose.metrics import Estimate
from robustpose.metrics.bootstrap import from_draws
from robustpose.metrics.table import Floats
from robustpose.studies.corruptions.definition import CorruptionStudy
from robustpose.studies.corruptions.limits import SHARES, Limit, limit
from robustpose.studies.corruptions.scores import ModelScores, Scored, score_study
from robustpose.studies.validity.agreement import tau_b
from robustpose.study.plan import Plan, metric_of

FEWEST_MODELS = 4
"""Models for a rank correlation."""

MODEL_DRAWS = 1000


@dataclass(frozen=True)
class Published:
    """One row of AdvMix's tables: see advmix.csv."""

    data: str
    model: str
    training: str
    metric: str
    clean: float
    mpc: float
    rpc: float
    source: str


@dataclass(frozen=True)
class Pairing:
    """The paired difference of two models: first - second, in points."""

    first: str
    second: str
    measure: str
    difference: Estimate


@dataclass(frozen=True)
class Ranks:
    """Kendall's tau-b over models between rPC and the relative score under an attack."""

    setting: Setting
    tau: Estimate


@dataclass(frozen=True)
class CorruptionsFound:
    """All that the study's tables, page and terminal show.

    attacks   relative scores of the attacked people, by model and setting
    published  rows of AdvMix for the same sort of data; empty where there is none
    """

    study: CorruptionStudy
    plan: Plan
    scored: Scored
    limits: tuple[Limit, ...]
    attacked_people: int
    attacks: Mapping[tuple[str, Setting], Sample]
    pairings: tuple[Pairing, ...]
    ranks: tuple[Ranks, ...]
    verdicts: tuple[Verdict, ...]
    published: tuple[Published, ...]

    @property
    def settings(self) -> tuple[Setting, ...]:
        """The attacks beside the corruptions."""
        return self.study.base.settings

    def limit(self, model: str, axis: str, share: float) -> Limit:
        """Return one limit."""
        return next(each for each in self.limits if (each.model, each.axis, each.share) == (model, axis, share))


def find(
    study: CorruptionStudy,
    plan: Plan,
    attacked: Plan,
    store: Store,
    levels: Mapping[tuple[str, str], Mapping[int, Sample]],
) -> CorruptionsFound:
    """Gather what a study found; RobustPoseError where a cell is missing."""
    scored = score_study(study, plan, store)
    attacks = _attacks(attacked, store)
    return CorruptionsFound(
        study=study,
        plan=plan,
        scored=scored,
        limits=tuple(
            limit(model, axis, known, share) for (model, axis), known in levels.items() for share in SHARES
        ),
        attacked_people=attacked.n if study.base.settings else 0,
        attacks=attacks,
        pairings=tuple(_pairings(scored.models)),
        ranks=tuple(_ranks(scored, attacks, study.base.settings)),
        verdicts=_verdicts(scored),
        published=tuple(each for each in published() if each.data == plan.dataset.name.partition("-")[0]),
    )


def published() -> tuple[Published, ...]:
    """Read AdvMix's rows."""
    with (Path(__file__).parent / "advmix.csv").open(encoding="utf-8", newline="") as file:
        return tuple(
            Published(
                data=row["data"],
                model=row["model"],
                training=row["training"],
                metric=row["metric"],
                clean=float(row["clean"]),
                mpc=float(row["mpc"]),
                rpc=float(row["rpc"]),
                source=row["source"],
            )
            for row in csv.DictReader(file)
        )


def _attacks(plan: Plan, store: Store) -> dict[tuple[str, Setting], Sample]:
    metric = metric_of(plan)
    found = {}
    for model in plan.models:
        for setting in plan.study.settings:
            clean, under = (outcome(plan, store, model, each).table for each in (None, setting))
            found[model.name, setting] = kept(clean, under, metric)
    return found


def _pairings(models: Sequence[ModelScores]) -> list[Pairing]:
    found = []
    for place, first in enumerate(models):
        for second in models[place + 1 :]:
            for measure, change in (("mPC", first.mpc() - second.mpc()), ("rPC", first.rpc() - second.rpc())):
                found.append(Pairing(first.model, second.model, measure, change.estimate))
    return found


def _ranks(
    scored: Scored, attacks: Mapping[tuple[str, Setting], Sample], settings: Sequence[Setting]
) -> list[Ranks]:
    if len(scored.models) < FEWEST_MODELS:
        return []
    names = [each.model for each in scored.models]
    rpc = [each.rpc() for each in scored.models]
    return [
        Ranks(setting, rank_correlation(rpc, [attacks[name, setting] for name in names])) for setting in settings
    ]


def rank_correlation(first: Sequence[Sample], second: Sequence[Sample], *, seed: int = 0) -> Estimate:
    """Return Kendall's tau-b between two scores of the same models; its interval redraws models and people.

    n is the number of models.
    """
    x, y = (np.array([float(each.value) for each in side]) for side in (first, second))
    drawn_x, drawn_y = (np.array([each.draws for each in side]) for side in (first, second))
    generator = np.random.default_rng(seed)
    taus = []
    for draw in range(min(MODEL_DRAWS, drawn_x.shape[1], drawn_y.shape[1])):
        models = generator.integers(len(x), size=len(x))
        taus.append(float(tau_b(drawn_x[models, draw], drawn_y[models, -1 - draw])))
    draws: Floats = np.array(taus)
    return from_draws(tau_b(x, y), draws[np.isfinite(draws)], len(x))


def _verdicts(scored: Scored) -> tuple[Verdict, ...]:
    """Judge what AdvMix found of ResNet-50: zoom blur costs most, brightness least."""
    if not set(HENDRYCKS_15) <= set(scored.corruptions):
        return ()
    of = {name: mean([model.mpc(names=(name,)) for model in scored.models]) for name in HENDRYCKS_15}
    paper = "COCO AP of SBL-ResNet-50: zoom blur 16.3, brightness 65.5, of 70.4 clean"
    measured = f"mean {scored.metric} of the models and severities, differences from the other 14 corruptions"
    return (
        verdict_of_all(
            "Of the 15 corruptions zoom blur has the lowest score.",
            [of[name] - of["zoom_blur"] for name in HENDRYCKS_15 if name != "zoom_blur"],
            above=0,
            paper=paper,
            measured=f"{measured}: theirs minus zoom blur's",
        ),
        verdict_of_all(
            "Of the 15 corruptions brightness has the highest score.",
            [of["brightness"] - of[name] for name in HENDRYCKS_15 if name != "brightness"],
            above=0,
            paper=paper,
            measured=f"{measured}: brightness's minus theirs",
        ),
    )
