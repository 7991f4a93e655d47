"""Orders of nets that the paper names, as contrasts under any attack: heatmaps, structure, stacks, chains.

What is compared is how robust a net is under the attack: what is left of its score, or of a targeted attack what
of the target pose is not hit. More is better.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from robustpose.analysis.evidence import Evidence
from robustpose.findings.contrasts import Contrast, leads
from robustpose.findings.judging import Sample, mean
from robustpose.findings.sweeps import EPS8, design_of, heatmap_nets, net_of, regression_nets


@dataclass(frozen=True)
class Under:
    """An attack under which nets are compared.

    attack  its name: IGSM-U-10
    what    is compared, in words: relative PCKh@0.5
    robust  how robust a net is at a budget
    """

    attack: str
    what: str
    robust: Callable[[str, float], Sample]

    def mean(self, nets: Sequence[str], eps: float) -> Sample:
        """Average nets."""
        return mean([self.robust(net, eps) for net in nets])


def heatmaps_above_regression(evidence: Evidence, under: Under, *, paper: str) -> Contrast | str:
    """Claim 2; a remark where the study has not a net of each kind."""
    heatmaps, regression = heatmap_nets(evidence.plan), regression_nets(evidence.plan)
    if not heatmaps or not regression:
        return "Heatmaps against regression: not judged, it needs a net of each kind."
    return Contrast(
        line="heatmap nets - regression nets",
        claim=f"Under {under.attack} at 8/255 heatmap nets keep more of their score than regression nets.",
        at=lambda eps: [under.mean(heatmaps, eps) - under.mean(regression, eps)],
        paper=paper,
        measured=f"mean {under.what} of {', '.join(heatmaps)} minus that of {', '.join(regression)}, in points",
    )


def dlcm_above_others(evidence: Evidence, under: Under, *, paper: str) -> Contrast | str:
    """Claim 3; a remark where dlcm or another net lacks."""
    dlcm = net_of(evidence.nets, "dlcm")
    others = [net for net in evidence.nets if design_of(net) != "dlcm"]
    if dlcm is None or not others:
        return "Structure: not judged, it needs dlcm and another net."
    best = max(others, key=lambda net: float(under.robust(net, EPS8).value))
    return Contrast(
        line=f"{dlcm} - the best other net",
        claim=f"DLCM is the most robust net under {under.attack} at 8/255.",
        at=lambda eps: leads(under.robust(dlcm, eps), [under.robust(net, eps) for net in others]),
        paper=paper,
        measured=f"{under.what} of {dlcm} minus that of the best other net (here {best}; found anew in every "
        "bootstrap draw), in points",
    )


def eight_above_two(evidence: Evidence, under: Under, *, paper: str) -> Contrast | str:
    """Claim 4; a remark where shg2 or shg8 lacks."""
    two, eight = net_of(evidence.nets, "shg2"), net_of(evidence.nets, "shg8")
    if two is None or eight is None:
        return "8 stacks against 2: not judged, it needs shg2 and shg8."
    return Contrast(
        line=f"{eight} - {two}",
        claim=f"Under {under.attack} at 8/255 8 stacks keep more than 2.",
        at=lambda eps: [under.robust(eight, eps) - under.robust(two, eps)],
        paper=paper,
        measured=f"{under.what} of {eight} minus that of {two}, in points",
    )


def chained_below_others(evidence: Evidence, under: Under, *, paper: str) -> Contrast | str:
    """Claim 6; a remark where chained or another heatmap net lacks."""
    chained = net_of(evidence.nets, "chained")
    others = [net for net in heatmap_nets(evidence.plan) if design_of(net) != "chained"]
    if chained is None or not others:
        return "Chained predictions: not judged, it needs chained and another heatmap net."
    return Contrast(
        line=f"the worst other heatmap net - {chained}",
        claim=f"Chained is the least robust heatmap net under {under.attack} at 8/255.",
        at=lambda eps: [under.robust(net, eps) - under.robust(chained, eps) for net in others],
        paper=paper,
        measured=f"{under.what} of the worst other heatmap net (found anew in every bootstrap draw) minus that of "
        f"{chained}, in points",
    )
