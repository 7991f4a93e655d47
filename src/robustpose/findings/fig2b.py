"""Figure 2b: IGSM-U-10 on every net over eps, and what the paper reads off it: heatmaps, structure, stacks, -ALL.

After Jain et al. (arXiv 1908.06401). Where the paper names an order of nets, ours is a paired contrast at 8/255,
and a table of the same contrast at every budget stands beside it.
"""

from robustpose.analysis.evidence import Ask, Evidence
from robustpose.findings.contrasts import PEOPLE_NOT_NETS, Contrast, contrasts_over_eps
from robustpose.findings.finding import Chart, Finding, Found
from robustpose.findings.orders import (
    Under,
    chained_below_others,
    dlcm_above_others,
    eight_above_two,
    heatmaps_above_regression,
)
from robustpose.findings.sweeps import (
    EPS8,
    asks_of,
    curves_over_eps,
    mean_relative,
    paper_curves,
    relative_sample,
    settings_of,
    staged_nets,
)
from robustpose.jobs.setting import Setting
from robustpose.study.plan import Plan
from robustpose.study.view import View


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
    under = Under(
        attack="IGSM-U-10",
        what=f"relative {evidence.metric.name}",
        robust=lambda net, eps: relative_sample(evidence, net, untargeted(eps)),
    )
    made = (
        heatmaps_above_regression(
            evidence,
            under,
            paper="7.6 to 20.4% left on heatmap nets (mean of five 15.4), 6.0% on DeepPose: 9.4 points apart",
        ),
        _last_above_all(evidence),
        dlcm_above_others(
            evidence,
            under,
            paper="called the most robust; its own figure has 17.7% left of DLCM, 20.4% of 8-SHG",
        ),
        eight_above_two(
            evidence,
            under,
            paper="20.4% left of 8-SHG, 15.1% of 2-SHG; the order reverses at 100 steps (figure 2e)",
        ),
        chained_below_others(
            evidence,
            under,
            paper="7.6% left of Chained, 15.1 to 20.4% of the other heatmap nets",
        ),
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


def _last_above_all(evidence: Evidence) -> Contrast | str:
    staged = staged_nets(evidence.plan)
    if not staged:
        return "The attack through all stages: not judged, no net with several stages takes part."
    return Contrast(
        line="last stage attacked - all stages attacked",
        claim="Untargeted at 8/255, attacking all stages leaves less than attacking the last stage.",
        at=lambda eps: [
            mean_relative(evidence, staged, untargeted(eps))
            - mean_relative(evidence, staged, untargeted(eps, all_stages=True))
        ],
        paper="15.1 to 10.7% left of 2-SHG, 20.4 to 15.2% of 8-SHG, IGSM-U-10 at 8/255",
        measured=f"relative {evidence.metric.name} under IGSM-U-10 at 8/255 through the last stage minus that "
        f"through all, mean of {', '.join(staged)}, in points",
    )


FIG2B = Finding(title="Figure 2b: ten steps", asks=_asks, find=_find)
