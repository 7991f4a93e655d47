"""Figure 2d: IGSM-T-20 on every net over eps: how much of a target pose each net can be made to see.

After Jain et al. (arXiv 1908.06401). The paper says that nets converge with eps untargeted and diverge targeted.
The spread of nets is the standard deviation of their scores, without what chance among people adds: see spread.
Untargeted scores all fall towards 0, where a spread in points must shrink; so the spread of log-odds,
ln(p / (1 - p)), which has no floor, is judged beside it.
"""

from collections.abc import Callable

import numpy as np

from robustpose.analysis.evidence import Ask, Evidence
from robustpose.findings.contrasts import Contrast, contrasts_over_eps
from robustpose.findings.deciding import verdict
from robustpose.findings.fig2b import untargeted
from robustpose.findings.finding import Chart, Curve, Finding, Found, Verdict
from robustpose.findings.judging import Sample, mean
from robustpose.findings.matrix import lost
from robustpose.findings.orders import Under, dlcm_above_others, eight_above_two
from robustpose.findings.reported import reported
from robustpose.findings.spread import Scale, log_odds, points, spread
from robustpose.findings.sweeps import (
    EPS8,
    asks_of,
    curve,
    curves_over_eps,
    paper_curves,
    relative_sample,
    settings_of,
    staged_nets,
    target_sample,
)
from robustpose.jobs.setting import Setting
from robustpose.study.plan import Plan
from robustpose.study.view import View

_LOW, _HIGH = 1 / 255, 16 / 255
"""Between these budgets nets converge or diverge."""
_FEWEST = 3
"""Nets that have a spread; two have a difference."""
_DESIGNS = ("2-SHG", "8-SHG", "Attn-HG", "Chained", "DLCM", "DeepPose")


def targeted(eps: float, *, all_stages: bool = False) -> View:
    """Show IGSM-T-20, through the last stage or through all."""
    return View(
        Setting("igsm", eps, targeted=True, objective="training_loss_all" if all_stages else "training_loss")
    )


def _asks(plan: Plan) -> list[Ask]:
    nets = [model.name for model in plan.models]
    of_last = settings_of(plan, "igsm", targeted=True)
    of_all = settings_of(plan, "igsm", targeted=True, all_stages=True)
    both = [view(eps).setting for eps in (_LOW, EPS8, _HIGH) for view in (targeted, untargeted)]
    common = [untargeted(eps).setting for eps in _common(plan)]
    return [
        *asks_of(nets, [*of_last, *(setting for setting in (*both, *common) if setting)]),
        *asks_of(
            staged_nets(plan), [*of_all, Setting("igsm", EPS8, targeted=True, objective="training_loss_all")]
        ),
    ]


def _find(evidence: Evidence) -> Found:
    under = Under(
        attack="IGSM-T-20",
        what=f"100 minus target {evidence.metric.name}",
        robust=lambda net, eps: lost(target_sample(evidence, net, targeted(eps))),
    )
    orders = (
        dlcm_above_others(evidence, under, paper="52.9% hit on DLCM, 55.5 to 75.5% on the others"),
        eight_above_two(
            evidence, under, paper="60.5% hit on 8-SHG, 66.3% on 2-SHG; the order reverses at 100 steps"
        ),
    )
    stages = _all_above_last(evidence)
    made = [
        _harder_than_untargeted(evidence),
        *stages,
        *(each for each in orders if isinstance(each, Contrast)),
    ]
    table = contrasts_over_eps(
        _common(evidence.plan),
        made,
        stem="fig2d_contrasts",
        title="IGSM-T-20: contrasts at every budget",
        note="Differences in points, paired over people.",
    )
    remarks = [each for each in orders if isinstance(each, str)]
    if not stages:
        remarks.append("The attack through all stages: not judged, no net with several stages takes part.")
    if len(evidence.nets) < _FEWEST:
        remarks.append(f"Spread of the nets: not judged, it needs {_FEWEST} nets.")
        return Found((_chart(evidence), *table), tuple(each.judged() for each in made), tuple(remarks))
    return Found(
        exhibits=(_chart(evidence), *table, _spread_chart(evidence)),
        verdicts=(*(each.judged() for each in made), *_diverge_and_converge(evidence)),
        remarks=tuple(remarks),
    )


def _common(plan: Plan) -> list[float]:
    """Return the budgets that targeted and untargeted attacks share."""
    return [eps for eps in plan.study.grid.targeted_eps if eps in plan.study.grid.eps]


def _chart(evidence: Evidence) -> Chart:
    plan = evidence.plan
    of_all = settings_of(plan, "igsm", targeted=True, all_stages=True)
    return Chart(
        stem="fig2d",
        title="IGSM-T-20: how much of the target pose is seen",
        x_label="eps, of 255",
        y_label=f"target {evidence.metric.name}, %",
        curves=(
            *paper_curves("fig2d", evidence.nets),
            *curves_over_eps(evidence, evidence.nets, settings_of(plan, "igsm", targeted=True)),
            *curves_over_eps(evidence, staged_nets(plan), of_all, suffix="-ALL"),
        ),
    )


def _all_above_last(evidence: Evidence) -> list[Contrast]:
    staged = staged_nets(evidence.plan)
    if not staged:
        return []
    return [
        Contrast(
            line="all stages attacked - last stage attacked",
            claim="Targeted at 8/255, attacking all stages hits more of the target pose than attacking the last.",
            at=lambda eps: [
                mean(
                    [
                        target_sample(evidence, net, targeted(eps, all_stages=True))
                        - target_sample(evidence, net, targeted(eps))
                        for net in staged
                    ]
                )
            ],
            paper="66.3 to 80.5% for 2-SHG, 60.5 to 72.6% for 8-SHG, IGSM-T-20 at 8/255",
            measured=f"target {evidence.metric.name} under IGSM-T-20 at 8/255 through all stages minus that "
            f"through the last, mean of {', '.join(staged)}, in points",
        )
    ]


def _harder_than_untargeted(evidence: Evidence) -> Contrast:
    return Contrast(
        line="lost under IGSM-U-10 - hit under IGSM-T-20",
        claim="Targeted is harder than untargeted at 8/255: less of a target pose is hit than of the true pose is "
        "lost.",
        at=lambda eps: [
            mean(
                [_lost(evidence, net, eps) - target_sample(evidence, net, targeted(eps)) for net in evidence.nets]
            )
        ],
        paper="at 8/255, mean of six nets: 86.2% lost in 10 steps, 63.9% hit in 20",
        measured=f"100 minus relative {evidence.metric.name} under IGSM-U-10 at 8/255, minus target "
        f"{evidence.metric.name} under IGSM-T-20, mean of {', '.join(evidence.nets)}, in points",
    )


def _lost(evidence: Evidence, net: str, eps: float) -> Sample:
    kept = relative_sample(evidence, net, untargeted(eps))
    return Sample(100.0 - kept.value, 100.0 - kept.draws, kept.n, rests=kept.rests_on)


def _diverge_and_converge(evidence: Evidence) -> list[Verdict]:
    nets = f"the standard deviation over {len(evidence.nets)} nets, without the sampling noise of people,"
    targets, kept = _targets(evidence), _kept(evidence)
    paper_t, paper_u = reported("fig2d"), reported("fig2b")
    return [
        verdict(
            "Targeted, the nets diverge with eps.",
            spread(targets(_HIGH)) - spread(targets(_LOW)),
            above=0.0,
            paper=_from_to(paper_t, points),
            measured=f"{nets} of target {evidence.metric.name}, IGSM-T-20, at 16/255 minus at 1/255, in points",
        ),
        verdict(
            "Untargeted, the nets converge with eps.",
            spread(kept(_LOW)) - spread(kept(_HIGH)),
            above=0.0,
            paper=_from_to(paper_u, points),
            measured=f"{nets} of relative {evidence.metric.name}, IGSM-U-10, at 1/255 minus at 16/255, in points",
        ),
        verdict(
            "Untargeted, the nets converge by more than the fall of every score towards 0 brings about.",
            spread(kept(_LOW), scale=log_odds) - spread(kept(_HIGH), scale=log_odds),
            above=0.0,
            paper=f"{_from_to(paper_u, log_odds)}; the paper draws points only",
            measured=f"{nets} of the log-odds of relative {evidence.metric.name}, IGSM-U-10, at 1/255 minus at "
            "16/255",
        ),
    ]


def _spread_chart(evidence: Evidence) -> Chart:
    targets, kept, eps = _targets(evidence), _kept(evidence), _common(evidence.plan)
    x = [round(each * 255, 6) for each in eps]
    return Chart(
        stem="fig2d_spread",
        title="How far apart the nets lie",
        x_label="eps, of 255",
        y_label="standard deviation over nets, points",
        curves=(
            _paper_spread("targeted, paper", reported("fig2d")),
            _paper_spread("untargeted, paper", reported("fig2b"), dashed=True),
            curve("targeted", [spread(targets(each)).estimate for each in eps], x, slot=0),
            curve("untargeted", [spread(kept(each)).estimate for each in eps], x, slot=1, dashed=True),
        ),
        y_range=None,
    )


def _targets(evidence: Evidence) -> Callable[[float], list[Sample]]:
    return lambda eps: [target_sample(evidence, net, targeted(eps)) for net in evidence.nets]


def _kept(evidence: Evidence) -> Callable[[float], list[Sample]]:
    return lambda eps: [relative_sample(evidence, net, untargeted(eps)) for net in evidence.nets]


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


def _from_to(table: dict[str, dict[str, float]], scale: Scale) -> str:
    low, high = (_paper_deviation(table, eps, scale) for eps in ("1", "16"))
    unit = "points" if scale is points else "in log-odds"
    digits = 1 if scale is points else 2
    return f"{low:.{digits}f} at 1/255 and {high:.{digits}f} at 16/255 {unit}, over its six nets"


FIG2D = Finding(title="Figure 2d: a target pose in twenty steps", asks=_asks, find=_find)
