"""Spread of models: the standard deviation of their scores, corrected for the sampling noise of people.

Jain et al. (arXiv 1908.06401) say that models converge with eps under untargeted attacks and diverge under
targeted ones. Untargeted scores all fall towards 0, where a spread in points must shrink, so the spread of
log-odds, ln(p / (1 - p)), which has no floor, is judged too.

Scores of equal models also differ, by sampling errors. The variance over models is therefore too large by s^2 on
average, the variance over models of these errors. The bootstrap estimates s^2 as the mean over draws of the
variance over models of (draw - value). A draw contains this error twice, its own and that of the scores from which
it is drawn, so 2 s^2 are subtracted from the variance of each draw.
"""

from collections.abc import Callable, Iterable, Sequence

import numpy as np

from robustpose.analysis.evidence import Ask, Evidence
from robustpose.findings.finding import Chart, Curve, Verdict
from robustpose.findings.reported import reported
from robustpose.findings.statistics import Sample, verdict
from robustpose.findings.sweeps import IGSM_T, IGSM_U, Sweep, all_models, asks_of, curve, levels
from robustpose.metrics.table import Floats
from robustpose.study.plan import Plan

_CLIPPED = 0.5
"""Scores are clipped to this many percent from 0 and 100 before log-odds are taken."""

Scale = Callable[[Floats], Floats]


def points(percent: Floats) -> Floats:
    """Return percentages unchanged."""
    return percent


def log_odds(percent: Floats) -> Floats:
    """Turn percentages into ln(p / (1 - p)), clipped near 0 and 100."""
    share = np.clip(percent, _CLIPPED, 100.0 - _CLIPPED) / 100.0
    odds: Floats = np.log(share / (1.0 - share))
    return odds


def variance(samples: Sequence[Sample], *, scale: Scale = points) -> Sample:
    """Return the variance over samples of the same people (divisor n - 1) minus s^2: about 0 for equal models.

    Models without a score are ignored; NaN for fewer than two models.
    """
    known, n = [each for each in samples if np.isfinite(each.value)], min(sample.n for sample in samples)
    if len(known) < 2:
        return Sample(np.asarray(np.nan), np.full_like(samples[0].draws, np.nan), n)
    values = np.stack([scale(sample.value) for sample in known])
    draws = np.stack([scale(sample.draws) for sample in known])
    errors = np.var(draws - values[:, None], axis=0, ddof=1)
    chance = float(errors[np.isfinite(errors)].mean()) if np.isfinite(errors).any() else np.nan
    return Sample(
        value=np.asarray(np.var(values, ddof=1) - chance), draws=np.var(draws, axis=0, ddof=1) - 2.0 * chance, n=n
    )


def spread(samples: Sequence[Sample], *, scale: Scale = points) -> Sample:
    """Return the standard deviation over samples; 0 if they differ by no more than sampling noise."""
    found = variance(samples, scale=scale)
    return Sample(np.sqrt(np.maximum(found.value, 0.0)), np.sqrt(np.maximum(found.draws, 0.0)), found.n)


_LOW, _HIGH = 1 / 255, 16 / 255
"""Between these budgets models converge or diverge."""
_FEWEST = 3
"""Minimum number of models with a spread; two only have a difference."""
_DESIGNS = ("2-SHG", "8-SHG", "Attn-HG", "Chained", "DLCM", "DeepPose")


def spread_asks(plan: Plan) -> list[Ask]:
    """Ask for every model under both attacks at the budgets that are judged or drawn."""
    judged = [sweep.at(eps) for eps in (_LOW, _HIGH) for sweep in (IGSM_T, IGSM_U)]
    return asks_of(all_models(plan), [*judged, *map(IGSM_U.at, common_eps(plan))])


def common_eps(plan: Plan) -> list[float]:
    """Return the budgets that targeted and untargeted attacks share."""
    return [eps for eps in plan.study.grid.targeted_eps if eps in plan.study.grid.eps]


def diverge_and_converge(evidence: Evidence) -> Iterable[Chart | Verdict | str]:
    """Judge that models diverge with eps targeted and converge untargeted; a remark for too few models."""
    if len(evidence.models) < _FEWEST:
        yield f"Spread of the models: not judged, it needs {_FEWEST} models."
        return
    metric = evidence.metric
    models = f"the standard deviation over {len(evidence.models)} models, without the sampling noise of people,"
    hit, kept = (f"of {sweep.score_name(metric)}, {sweep.name}," for sweep in (IGSM_T, IGSM_U))

    def at(sweep: Sweep, eps: float, scale: Scale = points) -> Sample:
        return spread([sweep.sample(evidence, model, sweep.at(eps)) for model in evidence.models], scale=scale)

    yield verdict(
        "Targeted, the models diverge with eps.",
        at(IGSM_T, _HIGH) - at(IGSM_T, _LOW),
        above=0.0,
        paper=_from_to("fig2d", points),
        measured=f"{models} {hit} at 16/255 minus at 1/255, in points",
    )
    yield verdict(
        "Untargeted, the models converge with eps.",
        at(IGSM_U, _LOW) - at(IGSM_U, _HIGH),
        above=0.0,
        paper=_from_to("fig2b", points),
        measured=f"{models} {kept} at 1/255 minus at 16/255, in points",
    )
    yield verdict(
        "Untargeted, the models converge by more than the fall of every score towards 0 explains.",
        at(IGSM_U, _LOW, log_odds) - at(IGSM_U, _HIGH, log_odds),
        above=0.0,
        paper=f"{_from_to('fig2b', log_odds)}; the paper draws points only",
        measured=f"{models} of the log-odds {kept} at 1/255 minus at 16/255",
    )
    eps = common_eps(evidence.plan)
    yield Chart(
        stem="fig2d_spread",
        title="Spread of the models",
        x_label="eps, of 255",
        y_label="standard deviation over models, points",
        curves=(
            _paper_spread("targeted, paper", reported("fig2d")),
            _paper_spread("untargeted, paper", reported("fig2b"), dashed=True),
            *(
                curve(
                    name,
                    [at(sweep, each).estimate for each in eps],
                    levels(map(IGSM_U.at, eps)),
                    slot=slot,
                    dashed=slot > 0,
                )
                for slot, (name, sweep) in enumerate((("targeted", IGSM_T), ("untargeted", IGSM_U)))
            ),
        ),
        y_range=None,
    )


def _paper_spread(name: str, table: dict[str, dict[str, float]], *, dashed: bool = False) -> Curve:
    at = list(table[_DESIGNS[0]])
    return Curve(
        name=name,
        x=tuple(float(eps) for eps in at),
        y=tuple(_paper_deviation(table, eps, points) for eps in at),
        dashed=dashed,
    )


def _paper_deviation(table: dict[str, dict[str, float]], eps: str, scale: Scale) -> float:
    return float(np.std(scale(np.array([table[design][eps] for design in _DESIGNS])), ddof=1))


def _from_to(table: str, scale: Scale) -> str:
    low, high = (_paper_deviation(reported(table), eps, scale) for eps in ("1", "16"))
    unit = "points" if scale is points else "in log-odds"
    digits = 1 if scale is points else 2
    return f"{low:.{digits}f} at 1/255 and {high:.{digits}f} at 16/255 {unit}, over its six models"
