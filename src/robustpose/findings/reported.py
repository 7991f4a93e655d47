"""The paper's numbers, from findings/paper/*.csv, and its curves.

Jain, Shah, Kumar and Jain: "On the Robustness of Human Pose Estimation", CVPR Workshops 2019, arXiv 1908.06401
(which names the third author Sharma). Figures were read off its vector drawings (about +-0.1); tables are as
printed. MPII, PCKh@0.5.
"""

import csv
import re
from collections.abc import Mapping, Sequence
from functools import cache
from importlib import resources

from robustpose.findings.finding import Curve

PAPER_NAMES = {
    "deeppose": "DeepPose",
    "shg2": "2-SHG",
    "shg8": "8-SHG",
    "chained": "Chained",
    "attention_hg": "Attn-HG",
    "dlcm": "DLCM",
    "resdec": "ResDec-NoPre",
    "resdec_pre": "ResDec-Pre",
}
"""The paper's names of our models."""


def paper_name(model: str) -> str:
    """Return the paper's name of a model's architecture, if any: 2-SHG for `shg2:mine` and `shg2@photos`."""
    return PAPER_NAMES.get(re.split("[:@]", model)[0], model)


@cache
def reported(table: str) -> dict[str, dict[str, float]]:
    """Return a table of the paper: {row: {column: number}}; KeyError for an unknown table.

    fig2a_fgsm_untargeted, fig2b_igsm10_untargeted, fig2d_igsm20_targeted  by eps in 255ths: '0.25' ... '32'
    fig2ef_more_iterations, table1_universal, table2_per_joint             by the column's name
    """
    for path in (resources.files("robustpose.findings") / "paper").iterdir():
        if path.name.startswith(table):
            rows = list(csv.DictReader(path.read_text().splitlines()))
            label = next(iter(rows[0]))
            return {
                row[label]: {
                    name.removeprefix("eps_"): float(value)
                    for name, value in row.items()
                    if name != label and value
                }
                for row in rows
            }
    raise KeyError(table)


def paper_curves(table: str, models: Sequence[str]) -> list[Curve]:
    """Draw the paper's curves of these models and their -ALL variants, if any, in grey."""
    rows = reported(table)
    names = {paper_name(model) + suffix for model in models for suffix in ("", "-ALL")}
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


def paper_steps(models: Sequence[str], columns: Mapping[int, str]) -> list[Curve]:
    """Draw the paper's bars of figures 2e and 2f as curves over steps, in grey: {steps: column}."""
    bars = reported("fig2ef")
    designs = dict.fromkeys(paper_name(model) for model in models)
    return [
        Curve(
            name=f"{design}, paper",
            x=tuple(float(steps) for steps in columns),
            y=tuple(bars[design][column] for column in columns.values()),
        )
        for design in designs
        if design in bars
    ]
