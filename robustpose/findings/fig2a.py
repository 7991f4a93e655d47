"""Figure 2a: FGSM-U on every net over eps, through the last stage and through all. Claim: one step is weak."""

from robustpose.findings.deciding import verdict
from robustpose.findings.finding import Chart, Finding, Found
from robustpose.findings.judging import mean
from robustpose.findings.sweeps import (
    EPS8,
    asks_of,
    curves_over_eps,
    heatmap_nets,
    paper_curves,
    relative_sample,
    settings_of,
    staged_nets,
)
from robustpose.study import Ask, Evidence, Plan, Setting, View

_CLAIMED = 50.0
"""Under one step at 8/255 the paper's heatmap nets keep 58 to 77%: more than half."""


def _asks(plan: Plan) -> list[Ask]:
    nets = [model.name for model in plan.models]
    return [
        *asks_of(nets, settings_of(plan, "fgsm")),
        *asks_of(staged_nets(plan), settings_of(plan, "fgsm", all_stages=True)),
        *asks_of(nets, [Setting("fgsm", EPS8)]),
    ]


def _find(evidence: Evidence) -> Found:
    plan = evidence.plan
    chart = Chart(
        stem="fig2a",
        title="FGSM-U: what one step leaves",
        x_label="eps, of 255",
        y_label=f"relative {evidence.metric.name}, %",
        curves=(
            *paper_curves("fig2a", evidence.nets),
            *curves_over_eps(evidence, evidence.nets, settings_of(plan, "fgsm")),
            *curves_over_eps(
                evidence, staged_nets(plan), settings_of(plan, "fgsm", all_stages=True), suffix="-ALL"
            ),
        ),
    )
    heatmaps = heatmap_nets(plan)
    if not heatmaps:
        return Found(exhibits=(chart,), remarks=("No heatmap net takes part, so the claim is not judged.",))
    effect = mean([relative_sample(evidence, net, View(Setting("fgsm", EPS8))) for net in heatmaps])
    return Found(
        exhibits=(chart,),
        verdicts=(
            verdict(
                "One FGSM step at 8/255 leaves heatmap nets more than half of their score.",
                effect,
                above=_CLAIMED,
                paper="58 to 77% left on heatmap nets, 42.5% on DeepPose",
                measured=f"mean relative {evidence.metric.name} of {', '.join(heatmaps)}, in %",
            ),
        ),
    )


FIG2A = Finding(title="Figure 2a: one step", asks=_asks, find=_find)
