"""The validity study's page: the rankings of models on rendered people and in photos, compared.

The same comparison gives the same bytes.
"""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from markupsafe import Markup

from robustpose.analysis.scores import Row
from robustpose.findings import Tabular
from robustpose.folders import write_atomically
from robustpose.jobs.setting import Setting
from robustpose.metrics import ALL, Estimate
from robustpose.report.html import charts, exhibits, words
from robustpose.report.html.exhibits import Sheet
from robustpose.report.html.findings import Drawn
from robustpose.report.html.page import environment
from robustpose.report.html.scatter import Point, scatter_svg
from robustpose.studies.validity.comparison import Comparison, Line
from robustpose.studies.validity.offsets import Offset
from robustpose.studies.validity.sides import PHOTOS, RENDERED, Validity
from robustpose.study.plan import Plan

Scored = tuple[str, Setting | None]
"""A score: 'clean' without a setting; 'attacked' or 'relative' under one."""

_WAYS = {
    "found": "Difference in correct keypoints, rendered minus photos, points",
    "error": "Difference in distance from the ground truth, rendered minus photos, % of the box side",
    "down": "Downward offset, rendered minus photos, % of the box side",
    "outward": "Outward offset, away from the opposite keypoint, rendered minus photos, % of the box side",
}


def write_validity(study: Validity, sides: Mapping[str, Plan], found: Comparison, folder: Path) -> Path:
    """Write index.html and its figures into a folder next to those of the two data sets; return its path."""
    shown: list[Scored] = [("clean", None), *(("relative", each) for each in telling(found))]
    figures = tuple(_figure(found, *each) for each in shown)
    page = (
        environment(Path(__file__).parent)
        .get_template("page.html.j2")
        .render(
            study=study,
            sides=[sides[RENDERED], sides[PHOTOS]],
            lede=_lede(found),
            guessed_losses=words.guessed_losses(sides[RENDERED]),
            rule=words.score_rule(sides[RENDERED]),
            threat=words.threat_rule(found.settings),
            joints=found.joints,
            strongest=exhibits.SHADE,
            answers=[_answer(found, *each) for each in shown],
            misleading=[
                (pair, words.listed([name(*_scored(line)) for line in lines]))
                for pair, lines in found.misleading()
            ],
            figures=figures,
            agreement=_agreement(found, "Clean and relative scores", ("clean", "relative")),
            attacked=_agreement(found, "Attacked scores", ("attacked",)),
            models=[_models(found, *each) for each in shown],
            parts=_parts(found, shown),
            offsets=[_offsets(found, way) for way in _WAYS],
        )
    )
    for figure in figures:
        path = folder / "figures" / f"{figure.stem}.svg"
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, figure.svg.encode())
    index = folder / "index.html"
    write_atomically(index, page.encode())
    return index


def telling(found: Comparison) -> tuple[Setting, ...]:
    """Return for each attack the eps with the largest spread of relative scores, summed over both data sets."""
    gathered: dict[str, list[Setting]] = {}
    for setting in found.settings:
        gathered.setdefault(setting.label, []).append(setting)
    return tuple(max(each, key=lambda setting: _spread(found, setting)) for each in gathered.values())


def name(measure: str, setting: Setting | None) -> str:
    """Return a score's printed name: 'clean', 'relative, IGSM-U-10 at 2/255'."""
    return measure if setting is None else f"{measure}, {setting.title}"


def _scored(line: Line) -> Scored:
    return line.measure, line.setting


def _spread(found: Comparison, setting: Setting) -> float:
    """Return the standard deviation of relative scores over models; minus infinity for fewer than two models."""
    spreads = []
    for rows in found.rows.values():
        values = np.array([row.value for row in rows["relative", setting, ALL]])
        values = values[np.isfinite(values)]
        spreads.append(float(values.std()) if len(values) > 1 else -np.inf)
    return sum(spreads)


def _lede(found: Comparison) -> str:
    rendered, photos = (f"{found.people[side]} {{}} ({found.data[side]})" for side in (RENDERED, PHOTOS))
    return (
        f"{len(found.models)} models, each on {rendered.format('rendered people')} and on "
        f"{photos.format('people in photos')}, clean and attacked: {words.listed(found.models)}."
    )


def _answer(found: Comparison, measure: str, setting: Setting | None) -> str:
    """State how well the two rankings agree on one score."""
    each = found.line(measure, setting).found
    tau, score = each.tau, name(measure, setting)
    said = "no tau"
    if math.isfinite(tau.value):
        said = f"tau {tau.value:.2f} [{tau.low:.2f}, {tau.high:.2f}]"
    if math.isfinite(each.one_order.value):
        said += f"; if both rankings were equal, {each.one_order.value:.2f}"
        said += f" [{each.one_order.low:.2f}, {each.one_order.high:.2f}] would be expected"
    pairs = "No pair of models is separated on both data sets."
    if each.both:
        pairs = (
            f"Of the {each.both} pairs of models separated on both data sets, {each.agree} are in the same order."
        )
        if each.both == 1:
            order = "the same" if each.agree else "opposite"
            pairs = f"The one pair of models separated on both data sets is in {order} order."
    return f"{score[0].upper()}{score[1:]}: {said}. {pairs}"


def _figure(found: Comparison, measure: str, setting: Setting | None) -> Drawn:
    rendered, photos = (found.rows[side][measure, setting, ALL] for side in (RENDERED, PHOTOS))
    unit = f"{rendered[0].metric}, %" if measure == "clean" else f"relative {rendered[0].metric}, % of clean"
    points = [
        Point(x.model, slot, (x.value, x.low, x.high), (y.value, y.low, y.high))
        for slot, (x, y) in enumerate(zip(rendered, photos, strict=True))
    ]
    svg = scatter_svg(points, x_label=f"rendered people: {unit}", y_label=f"photos: {unit}")
    stem = "scatter-clean" if setting is None else f"scatter-{setting.label.lower()}"
    title = "Clean" if setting is None else setting.title
    said = "; ".join(f"{each.name}: {each.x[0]:.1f} and {each.y[0]:.1f}" for each in points)
    label = f"{title}: {unit} on rendered people and in photos. {said}."
    return Drawn(
        stem=stem, title=title, svg=svg, inline=Markup(charts.inline(svg, label=label, stem=stem)), numbers=None
    )


def _agreement(found: Comparison, title: str, measures: Sequence[str]) -> Sheet:
    lines = [line for line in found.lines if line.part == ALL and line.measure in measures]
    return _sheet(
        found,
        Tabular(
            stem="agreement",
            title=title,
            columns=("tau", "tau if equal", "rendered", "photos", "both", "same order"),
            rows=tuple(
                (
                    "clean" if line.setting is None else line.setting.title,
                    (
                        *(line.found.tau, line.found.one_order),
                        *(line.found.rendered, line.found.photos, line.found.both, line.found.agree),
                    ),
                )
                for line in lines
            ),
            note="Tau if equal: the tau expected with these people if both rankings were equal. The other columns "
            f"count, of {len(found.models) * (len(found.models) - 1) // 2} pairs of models, those separated on "
            "rendered people, in photos, on both, and on both in the same order. Tau is undefined if all models "
            "are tied.",
        ),
    )


def _models(found: Comparison, measure: str, setting: Setting | None) -> Sheet:
    """Lay out each model's scores on both data sets, and its two ranks."""
    rendered, photos = (found.rows[side][measure, setting, ALL] for side in (RENDERED, PHOTOS))
    places = zip(_places(rendered), _places(photos), strict=True)
    return _sheet(
        found,
        Tabular(
            stem="nets",
            title="Clean, %" if setting is None else f"Relative, {setting.title}, % of clean",
            columns=("rendered", "photos", "ranks"),
            rows=tuple(
                (model, (_estimate(x), _estimate(y), f"{place_x}, {place_y}"))
                for model, x, y, (place_x, place_y) in zip(found.models, rendered, photos, places, strict=True)
            ),
            says_n=False,
        ),
    )


def _places(rows: Sequence[Row]) -> list[str]:
    return [
        str(1 + sum(other.value > row.value for other in rows)) if row.value == row.value else "-" for row in rows
    ]


def _estimate(row: Row) -> Estimate:
    return Estimate(value=row.value, low=row.low, high=row.high, n=row.n)


def _parts(found: Comparison, shown: Sequence[Scored]) -> Sheet:
    return _sheet(
        found,
        Tabular(
            stem="parts",
            title="Tau by body part",
            columns=tuple(words.spoken(part) for part in found.parts),
            rows=tuple(
                (name(*score), tuple(found.line(*score, part).found.tau for part in found.parts))
                for score in shown
            ),
            says_n=False,
        ),
    )


def _offsets(found: Comparison, way: str) -> Sheet:
    of_model: dict[tuple[str, str], Offset] = {
        (each.model, each.part): each for each in found.offsets if each.way == way
    }
    parts = [part for part in found.parts if any((model, part) in of_model for model in found.models)]
    changes = [
        [of_model[model, part].change if (model, part) in of_model else None for part in parts]
        for model in found.models
    ]
    middles = [_mean([line[column] for line in changes]) for column in range(len(parts))]
    rows: list[tuple[str, tuple[Estimate | float | None, ...]]] = [
        (model, tuple(line)) for model, line in zip(found.models, changes, strict=True)
    ]
    return _sheet(
        found,
        Tabular(
            stem=f"offsets-{way}",
            title=_WAYS[way],
            columns=tuple(words.spoken(part) for part in parts),
            rows=(*rows, ("mean of the models", tuple(middles))),
            says_n=False,
        ),
    )


def _mean(changes: Sequence[Estimate | None]) -> float | None:
    """Return the mean of the defined changes."""
    values = [each.value for each in changes if each is not None and math.isfinite(each.value)]
    return sum(values) / len(values) if values else None


def _sheet(found: Comparison, table: Tabular) -> Sheet:
    return exhibits.sheet(table, {model: slot for slot, model in enumerate(found.models)})
