"""Figure 2b: IGSM-U-10 on every net over eps, and what the paper reads off it: heatmaps, structure, stacks, -ALL.

After Jain et al. (arXiv 1908.06401). Where the paper names an order of nets, ours is a paired contrast at 8/255,
and a table of the same contrast at every budget stands beside it.
"""

from robustpose.findings.contrasts import PEOPLE_NOT_NETS, Contrast, contrasts_over_eps, leads
from robustpose.findings.finding import Chart, Finding, Found
from robustpose.findings.sweeps import (
    EPS8,
    asks_of,
    curves_over_eps,
    design_of,
    heatmap_nets,
    mean_relative,
    net_of,
    paper_curves,
    regression_nets,
    relative_sample,
    settings_of,
    staged_nets,
)
from robustpose.study import Ask, Evidence, Plan, Setting, View


def untargeted(eps: float, *, all_stages: bool = False) -> View:
    """Show IGSM-U-10, through the last stage or through all."""
    return View(Setting("igsm", eps, objective="training_loss_all" if all_stages else "training_loss"))


def _asks(plan: Plan) -> list[Ask]:
    nets = [model.name for model in plan.models]
    of_last = [*settings_of(plan, "igsm"), untargeted(EPS8).setting]
    of_all = [*settings_of(plan, "igsm", all_stages=True), untargeted(EPS8, all_stages=True).setting]
    return [
        *asks_of(nets, [setting for setting in of_last if setting]),
        *asks_of(staged_nets(plan), [setting for setting in of_all if setting]),
    ]


def _find(evidence: Evidence) -> Found:
    made = (
        _heatmaps_above_regression(evidence),
        _last_above_all(evidence),
        _dlcm_above_others(evidence),
        _eight_above_two(evidence),
    )
    contrasts = [each for each in made if isinstance(each, Contrast)]
    table = contrasts_over_eps(
        evidence.plan.study.grid.eps,
        contrasts,
        stem="fig2b_contrasts",
        title="IGSM-U-10: who keeps more, at every budget",
        note=f"Differences of relative {evidence.metric.name} in points, paired over people.",
    )
    return Found(
        exhibits=(_chart(evidence), *table),
        verdicts=tuple(each.judged() for each in contrasts),
        remarks=(*(each for each in made if isinstance(each, str)), PEOPLE_NOT_NETS),
    )


def _chart(evidence: Evidence) -> Chart:
    plan = evidence.plan
    of_all = settings_of(plan, "igsm", all_stages=True)
    return Chart(
        stem="fig2b",
        title="IGSM-U-10: what ten steps leave",
        x_label="eps, of 255",
        y_label=f"relative {evidence.metric.name}, %",
        curves=(
            *paper_curves("fig2b", evidence.nets),
            *curves_over_eps(evidence, evidence.nets, settings_of(plan, "igsm")),
            *curves_over_eps(evidence, staged_nets(plan), of_all, suffix="-ALL"),
        ),
    )


def _heatmaps_above_regression(evidence: Evidence) -> Contrast | str:
    heatmaps, regression = heatmap_nets(evidence.plan), regression_nets(evidence.plan)
    if not heatmaps or not regression:
        return "Heatmaps against regression: not judged, it needs a net of each kind."
    return Contrast(
        line="heatmap nets - regression nets",
        claim="Under IGSM-U-10 at 8/255 heatmap nets keep more of their score than regression nets.",
        at=lambda eps: [
            mean_relative(evidence, heatmaps, untargeted(eps))
            - mean_relative(evidence, regression, untargeted(eps))
        ],
        paper="7.6 to 20.4% left on heatmap nets (mean of five 15.4), 6.0% on DeepPose: 9.4 points apart",
        measured=f"mean relative {evidence.metric.name} of {', '.join(heatmaps)} minus that of "
        f"{', '.join(regression)}, in points",
    )


def _last_above_all(evidence: Evidence) -> Contrast | str:
    staged = staged_nets(evidence.plan)
    if not staged:
        return "The attack through all stages: not judged, no net with several stages takes part."
    return Contrast(
        line="last stage attacked - all stages attacked",
        claim="Untargeted, attacking all stages leaves less than attacking the last stage.",
        at=lambda eps: [
            mean_relative(evidence, staged, untargeted(eps))
            - mean_relative(evidence, staged, untargeted(eps, all_stages=True))
        ],
        paper="15.1 to 10.7% left of 2-SHG, 20.4 to 15.2% of 8-SHG, IGSM-U-10 at 8/255",
        measured=f"relative {evidence.metric.name} under IGSM-U-10 at 8/255 through the last stage minus that "
        f"through all, mean of {', '.join(staged)}, in points",
    )


def _dlcm_above_others(evidence: Evidence) -> Contrast | str:
    dlcm = net_of(evidence.nets, "dlcm")
    others = [net for net in evidence.nets if design_of(net) != "dlcm"]
    if dlcm is None or not others:
        return "Structure: not judged, it needs dlcm and another net."
    best = max(others, key=lambda net: float(relative_sample(evidence, net, untargeted(EPS8)).value))
    return Contrast(
        line=f"{dlcm} - the best other net",
        claim="DLCM is the most robust net under IGSM-U-10 at 8/255.",
        at=lambda eps: leads(
            relative_sample(evidence, dlcm, untargeted(eps)),
            [relative_sample(evidence, net, untargeted(eps)) for net in others],
        ),
        paper="called the most robust; its own figure has 17.7% left of DLCM, 20.4% of 8-SHG",
        measured=f"relative {evidence.metric.name} of {dlcm} minus that of the best other net (here {best}; found "
        "anew in every bootstrap draw), in points",
    )


def _eight_above_two(evidence: Evidence) -> Contrast | str:
    two, eight = net_of(evidence.nets, "shg2"), net_of(evidence.nets, "shg8")
    if two is None or eight is None:
        return "8 stacks against 2: not judged, it needs shg2 and shg8."
    return Contrast(
        line=f"{eight} - {two}",
        claim="Under IGSM-U-10 at 8/255 8 stacks keep more than 2.",
        at=lambda eps: [
            relative_sample(evidence, eight, untargeted(eps)) - relative_sample(evidence, two, untargeted(eps))
        ],
        paper="20.4% left of 8-SHG, 15.1% of 2-SHG; the order reverses at 100 steps (figure 2e)",
        measured=f"relative {evidence.metric.name} of {eight} minus that of {two}, in points",
    )


FIG2B = Finding(title="Figure 2b: ten steps", asks=_asks, find=_find)
