"""Figure 2c: one backbone, two ways to write keypoints, with pre-training and without, under IGSM-U-10.

After Jain et al. (arXiv 1908.06401). The paper draws its pair on one ResNet and names DeepPose for regression;
here resreg is regression on the very backbone of resdec. "No difference at small budgets" is judged as an
equivalence, for a difference that is not found is no proof that there is none.
"""

from robustpose.analysis.evidence import Ask, Evidence
from robustpose.findings.contrasts import PEOPLE_NOT_NETS, Contrast, contrasts_over_eps
from robustpose.findings.deciding import verdict_within
from robustpose.findings.fig2b import untargeted
from robustpose.findings.finding import Chart, Finding, Found, Tabular, Verdict
from robustpose.findings.judging import mean, scored
from robustpose.findings.sweeps import (
    EPS8,
    asks_of,
    curves_over_eps,
    net_of,
    paper_curves,
    relative_sample,
    settings_of,
)
from robustpose.jobs.setting import Setting
from robustpose.metrics import Estimate
from robustpose.study.plan import Plan
from robustpose.study.view import CLEAN

_SHOWN = ("deeppose", "resreg", "resdec", "resdec_pre")
_SMALL_EPS = 1 / 255
_ALIKE = 2.0
"""Points of relative score within which two nets count as alike; the paper's differ by 3.1 at 8/255."""


def _asks(plan: Plan) -> list[Ask]:
    nets = [model.name for model in plan.models]
    if not _pairs(nets):
        return []
    return asks_of(_shown(nets), [*settings_of(plan, "igsm"), Setting("igsm", EPS8)])


def _find(evidence: Evidence) -> Found:
    if not _pairs(evidence.nets):
        return Found(remarks=("Not judged: it needs resdec, and resreg or resdec_pre beside it.",))
    regression, heatmaps, pretrained = (net_of(evidence.nets, design) for design in _SHOWN[1:])
    contrasts, verdicts, remarks = [], [], [PEOPLE_NOT_NETS]
    if heatmaps is not None and regression is not None:
        contrasts.append(_heatmaps(evidence, heatmaps, regression))
        verdicts.append(contrasts[-1].judged())
    else:
        remarks.append("Heatmaps against regression on one backbone: not judged, it needs resdec and resreg.")
    if heatmaps is not None and pretrained is not None:
        contrasts.append(_pretraining(evidence, pretrained, heatmaps))
        verdicts += [contrasts[-1].judged(), *_alike_at_small(evidence, contrasts[-1])]
        remarks.append(
            "The paper pre-trains on ImageNet. The weights that come with resdec_pre were pre-trained on the "
            "actions of rendered people."
        )
    else:
        remarks.append("Pre-training: not judged, it needs resdec and resdec_pre.")
    table = contrasts_over_eps(
        evidence.plan.study.grid.eps,
        contrasts,
        stem="fig2c_contrasts",
        title="One backbone under IGSM-U-10: who keeps more, at every budget",
        note=f"Differences of relative {evidence.metric.name} in points, paired over people.",
    )
    return Found(
        exhibits=(_chart(evidence), _scores(evidence), *table), verdicts=tuple(verdicts), remarks=tuple(remarks)
    )


def _shown(nets: list[str] | tuple[str, ...]) -> list[str]:
    return [net for design in _SHOWN if (net := net_of(nets, design)) is not None]


def _pairs(nets: list[str] | tuple[str, ...]) -> bool:
    """Say whether a pair on one backbone takes part."""
    others = (net_of(nets, "resreg"), net_of(nets, "resdec_pre"))
    return net_of(nets, "resdec") is not None and any(net is not None for net in others)


def _chart(evidence: Evidence) -> Chart:
    shown = _shown(evidence.nets)
    return Chart(
        stem="fig2c",
        title="IGSM-U-10 on one backbone",
        x_label="eps, of 255",
        y_label=f"relative {evidence.metric.name}, %",
        curves=(
            *paper_curves("fig2b", shown),
            *curves_over_eps(evidence, shown, settings_of(evidence.plan, "igsm")),
        ),
    )


def _scores(evidence: Evidence) -> Tabular:
    """Show the clean scores: a relative score says nothing of what it is relative to."""
    rows: list[tuple[str, tuple[Estimate | float | str | None, ...]]] = []
    for net in _shown(evidence.nets):
        clean = scored(evidence.table(net, CLEAN), evidence.metric)
        attacked = scored(evidence.table(net, untargeted(EPS8)), evidence.metric)
        kept = relative_sample(evidence, net, untargeted(EPS8))
        rows.append((net, (clean.estimate, attacked.estimate, kept.estimate)))
    return Tabular(
        stem="fig2c_scores",
        title=f"{evidence.metric.name} on one backbone, clean and under IGSM-U-10 at 8/255",
        columns=("clean", "attacked", "relative"),
        rows=tuple(rows),
        shade=True,
        note="deeppose has another backbone; it is what the paper shows for regression.",
    )


def _heatmaps(evidence: Evidence, heatmaps: str, regression: str) -> Contrast:
    return Contrast(
        line=f"{heatmaps} - {regression}",
        claim="On one backbone heatmaps keep more than direct regression under IGSM-U-10 at 8/255.",
        at=lambda eps: [
            relative_sample(evidence, heatmaps, untargeted(eps))
            - relative_sample(evidence, regression, untargeted(eps))
        ],
        paper="14.2% left with heatmaps and no pre-training, 6.0% of DeepPose",
        measured=f"relative {evidence.metric.name} of {heatmaps} minus that of {regression}, in points",
    )


def _pretraining(evidence: Evidence, pretrained: str, heatmaps: str) -> Contrast:
    return Contrast(
        line=f"{pretrained} - {heatmaps}",
        claim="Pre-training helps: more is left under IGSM-U-10 at 8/255.",
        at=lambda eps: [
            relative_sample(evidence, pretrained, untargeted(eps))
            - relative_sample(evidence, heatmaps, untargeted(eps))
        ],
        paper="17.3% left with ImageNet pre-training, 14.2% without: 3.1 points",
        measured=f"relative {evidence.metric.name} of {pretrained} minus that of {heatmaps}, in points",
    )


def _alike_at_small(evidence: Evidence, pretraining: Contrast) -> list[Verdict]:
    """Judge whether pre-training makes no difference at small budgets, where the grid has any."""
    small = [eps for eps in evidence.plan.study.grid.eps if eps <= _SMALL_EPS]
    if not small:
        return []
    return [
        verdict_within(
            "Pre-training makes no difference at budgets of 1/255 and less.",
            mean([difference for eps in small for difference in pretraining.at(eps)]),
            margin=_ALIKE,
            paper="0.0, -0.5 and -0.6 points at 0.25, 0.5 and 1/255",
            measured=f"{pretraining.measured}, mean of {len(small)} budgets",
        )
    ]


FIG2C = Finding(title="Figure 2c: the same backbone", asks=_asks, find=_find)
