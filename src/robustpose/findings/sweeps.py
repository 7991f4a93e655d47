"""Curves over eps, which several figures of the paper are: of which nets, by which score."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cache

import torch

from robustpose import attacks
from robustpose.analysis.evidence import Ask, Evidence, NetAsk
from robustpose.findings.finding import Curve
from robustpose.findings.judging import Sample, kept, mean, scored
from robustpose.findings.reported import paper_name, reported
from robustpose.jobs.setting import Setting
from robustpose.metrics import Estimate, Pck
from robustpose.models import OpenedModel
from robustpose.models.architectures.dlcm import PartsHead
from robustpose.models.architectures.integral import Integral
from robustpose.models.heads import CoordinateHead, HeatmapHead
from robustpose.models.offset_heads import CentreHead, OffsetHead
from robustpose.study.plan import Plan
from robustpose.study.view import CLEAN, View

EPS8 = 8 / 255
"""Where the paper and the field compare."""


def settings_of(
    plan: Plan, attack: str, *, targeted: bool = False, all_stages: bool = False, steps: int | None = None
) -> list[Setting]:
    """Return an attack over the grid's budgets, with the paper's number of steps unless told."""
    grid = plan.study.grid
    return [
        Setting(
            attack,
            eps,
            steps=steps,
            targeted=targeted,
            objective="training_loss_all" if all_stages else "training_loss",
        )
        for eps in (grid.targeted_eps if targeted else grid.eps)
    ]


def heatmap_nets(plan: Plan) -> list[str]:
    """Name the nets that write heatmaps, with maps of bones or of offsets beside them or without."""
    kinds = HeatmapHead | PartsHead | OffsetHead | CentreHead
    return [model.name for model in plan.models if isinstance(model.net.head, kinds)]


def regression_nets(plan: Plan) -> list[str]:
    """Name the nets that write coordinates and no map: integral regression averages one, so it is neither."""
    return [
        model.name
        for model in plan.models
        if isinstance(model.net.head, CoordinateHead) and not isinstance(model.net, Integral)
    ]


def staged_nets(plan: Plan) -> list[str]:
    """Name the nets with several supervised stages, for which attacking all of them is an attack of its own."""
    return [model.name for model in plan.models if _stages(model) > 1]


def design_of(net: str) -> str:
    """Return a net's design: that of `shg2:mine` and of `shg2@photos` is shg2."""
    return re.split("[:@]", net)[0]


def net_of(nets: Sequence[str], design: str) -> str | None:
    """Return the first net of a design; None where there is none."""
    return next((net for net in nets if design_of(net) == design), None)


def slot_of(evidence: Evidence, net: str) -> int:
    """Return a net's place in the study, and so its colour in every chart."""
    return evidence.nets.index(net)


def asks_of(nets: Sequence[str], settings: Sequence[Setting]) -> list[Ask]:
    """Ask for nets clean and under settings."""
    return [NetAsk(net, view) for net in nets for view in (CLEAN, *map(View, settings))]


def relative_sample(evidence: Evidence, net: str, view: View) -> Sample:
    """Score what is left of a net's clean score: 100 x attacked / clean."""
    return kept(evidence.table(net, CLEAN), evidence.table(net, view), evidence.metric)


def target_sample(evidence: Evidence, net: str, view: View) -> Sample:
    """Score how much of the target pose a net sees."""
    return scored(evidence.table(net, view), as_target(evidence.metric))


def mean_relative(evidence: Evidence, nets: Sequence[str], view: View) -> Sample:
    """Average what is left of the clean scores of nets."""
    return mean([relative_sample(evidence, net, view) for net in nets])


def as_target(metric: Pck) -> Pck:
    """Hold a metric against the target pose."""
    return replace(metric, against="target")


def curve(
    name: str, estimates: Sequence[Estimate], x: Sequence[float], *, slot: int | None, dashed: bool = False
) -> Curve:
    """Draw estimates over x."""
    return Curve(
        name=name,
        x=tuple(x),
        y=tuple(estimate.value for estimate in estimates),
        low=tuple(estimate.low for estimate in estimates),
        high=tuple(estimate.high for estimate in estimates),
        slot=slot,
        dashed=dashed,
    )


def curves_over_eps(
    evidence: Evidence, nets: Sequence[str], settings: Sequence[Setting], *, suffix: str = ""
) -> list[Curve]:
    """Draw nets over the budgets of settings: the target score of targeted ones, the relative score of others.

    With a suffix the curves are dashed: the same nets under another objective.
    """
    sample = target_sample if settings and settings[0].targeted else relative_sample
    return [
        curve(
            net + suffix,
            [sample(evidence, net, View(setting)).estimate for setting in settings],
            levels(settings),
            slot=slot_of(evidence, net),
            dashed=bool(suffix),
        )
        for net in nets
    ]


def paper_curves(table: str, nets: Sequence[str]) -> list[Curve]:
    """Draw the paper's own curves of these nets and of their -ALL variants, where it has them, in grey."""
    rows = reported(table)
    names = {paper_name(net) + suffix for net in nets for suffix in ("", "-ALL")}
    found = [(row, values) for row, values in rows.items() if row.partition(" (")[0] in names]
    return [
        Curve(
            name=f"{row.partition(' (')[0]}, paper",
            x=tuple(float(eps) for eps in values),
            y=tuple(values.values()),
            dashed=row.endswith("-ALL"),
        )
        for row, values in found
    ]


def paper_steps(nets: Sequence[str], columns: Mapping[int, str]) -> list[Curve]:
    """Draw the paper's bars of figures 2e and 2f as curves over steps, in grey: {steps: column}."""
    bars = reported("fig2ef")
    designs = dict.fromkeys(paper_name(net) for net in nets)
    return [
        Curve(
            name=f"{design}, paper",
            x=tuple(float(steps) for steps in columns),
            y=tuple(bars[design][column] for column in columns.values()),
        )
        for design in designs
        if design in bars
    ]


def levels(settings: Sequence[Setting]) -> list[float]:
    """Return the budgets in 255ths."""
    return [round(setting.eps * 255, 6) for setting in settings]


@cache
def _stages(model: OpenedModel) -> int:
    """Count the supervised stages, on an empty picture."""
    height, width = model.net.input_size
    return len(attacks.predict(model.net, torch.zeros(1, 3, int(height), int(width)), ids=("none",)).stages)
