"""Writes a study's page: one self-contained index.html, and its figures and images as separate files."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from robustpose.alarms import ALARMS
from robustpose.analysis.alarms import watch_study
from robustpose.analysis.doubts import doubts_of
from robustpose.analysis.headline import main_settings, measure_of
from robustpose.analysis.scores import outcome
from robustpose.folders import write_atomically
from robustpose.jobs.setting import Setting
from robustpose.jobs.store import Store
from robustpose.report.html import figures, words
from robustpose.report.html.gallery import Outcomes, portraits, targeted_tiles
from robustpose.report.html.scores import (
    Family,
    Model,
    families,
    models,
    panels,
    pictured,
    strongest,
)
from robustpose.report.html.tables import costs, groups, headlines, worst_of
from robustpose.report.html.why import level, why
from robustpose.report.stronger import weakness
from robustpose.study.plan import Plan, metric_of
from robustpose.threats import THREATS

_TEMPLATES = Path(__file__).parent / "templates"
_PART_ORDER = (
    *("head_top", "nose", "eye", "ear", "upper_neck", "neck", "thorax", "shoulder", "elbow", "wrist"),
    *("pelvis", "hip", "knee", "ankle"),
)
_LINES_SHOWN = 5
_PEOPLE_OPEN = 3


@dataclass(frozen=True)
class Figure:
    """A figure of the page: file name under figures/, title, SVG, and label for screen readers."""

    stem: str
    title: str
    svg: str
    label: str

    @property
    def inline(self) -> Markup:
        """The figure, embedded in the page."""
        return Markup(figures.inline(self.svg, label=self.label))


def write_report(plan: Plan, store: Store, folder: Path) -> Path:
    """Write a study's page into a folder and return its path; RobustPoseError if a job is missing.

    The same stored jobs give the same bytes.
    """
    page, files = _assemble(plan, store)
    for name, content in sorted(files.items()):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, content)
    folder.mkdir(parents=True, exist_ok=True)
    index = folder / "index.html"
    write_atomically(index, page.encode())
    return index


def _assemble(plan: Plan, store: Store) -> tuple[str, Mapping[str, bytes]]:
    settings = plan.study.settings
    doubts = doubts_of(plan, store)
    said, effects = why(plan, store, doubts)
    found, gathered = models(plan, store, doubts), families(settings)
    outcomes: Outcomes = {
        (slot, setting): outcome(plan, store, model, setting)
        for slot, model in enumerate(plan.models)
        for setting in (None, *settings)
    }
    metric = metric_of(plan)
    curves = _curves(found, gathered, metric.name)
    shown, aimed = pictured(settings, targeted=False), pictured(settings, targeted=True)
    people = portraits(found, outcomes, shown, metric) if shown else ()
    targeted = targeted_tiles(found, outcomes, aimed, metric) if aimed else ()
    joints = strongest(found, main_settings(settings)) if settings else None
    parts = _parts(found, joints, metric.name) if joints else ()
    page = (
        environment()
        .get_template("page.html.j2")
        .render(
            plan=plan,
            models=found,
            lede=words.lede(plan, [model.name for model in found], people=len(outcomes[0, None].table)),
            data=words.data_in_full(plan),
            metric=metric.name,
            rule=words.score_rule(plan),
            threat=words.threat_rule(settings),
            trained_loss=all(
                each.objective == "training_loss" and each.spec.objective is not None for each in settings
            ),
            why=said,
            effects=[effect for effect in effects if effect.sure],
            weakness=weakness(plan.study, _weakest(plan, found)),
            useless=doubts.watched,
            answer=words.answer(plan, found, [worst_of(model, settings) for model in found]) if settings else "",
            headlines=headlines(found, settings) if settings else (),
            swept=len({setting.eps for setting in settings if not setting.targeted}) > 2,
            main=main_settings(settings)[0] if settings else None,
            usual=THREATS[main_settings(settings)[0].threat].remark if settings else "",
            curves=curves,
            parts=parts,
            joints=joints,
            people=people,
            shown=shown,
            targeted=targeted,
            aimed=aimed,
            groups=groups(found, gathered, metric.name),
            unrounded=any(not setting.round_to_8bit for setting in settings),
            costs=costs(found, gathered, outcomes),
            unreadable=tuple(dict.fromkeys(line for run in outcomes.values() for line in run.unreadable)),
            aimless=_aimless(found, settings, outcomes),
            lines_shown=_LINES_SHOWN,
            open_people=_PEOPLE_OPEN,
            guessed_losses=words.guessed_losses(plan),
            alarms=[*doubts.watched, *watch_study(plan, store)],
            alarm_meanings=ALARMS,
        )
    )
    files = {f"figures/{figure.stem}.svg": figure.svg.encode() for figure in (*curves, *parts)}
    tiles = [person.truth for person in people]
    tiles += [tile for person in people for _, row in person.models for tile in row]
    tiles += [tile for _, row in targeted for tile in row]
    return page, files | {f"pictures/{tile.stem}.png": tile.file for tile in tiles}


def _weakest(plan: Plan, found: Sequence[Model]) -> str:
    """Return the spec of the model with the lowest headline score, or the first model if no score is defined."""
    settings = main_settings(plan.study.settings)
    values = [
        (value, slot)
        for slot, model in enumerate(found)
        for setting in settings
        if math.isfinite(value := model.value(setting, measure_of(setting)))
    ]
    sign = -1 if settings and settings[0].targeted else 1
    return plan.study.models[min(values, key=lambda each: sign * each[0])[1] if values else 0]


def _curves(found: Sequence[Model], gathered: Sequence[Family], metric: str) -> tuple[Figure, ...]:
    """Draw one panel for each attack; another objective of the same attack shares its panel."""
    drawn: list[Figure] = []
    for panel in panels(gathered):
        main, *variants = panel
        threat = main.settings[0].threat
        curves = [
            figures.Curve(
                model=model.name,
                slot=model.slot,
                eps=tuple(round(setting.eps * THREATS[threat].scale, 6) for setting in family.settings),
                rows=tuple(row for setting in family.settings if (row := model.row(setting, family.measure))),
                variant=family is not main,
            )
            for family in panel
            for model in found
        ]
        stem = f"curve-{main.label.lower()}"
        ylabel = f"target {metric}, %" if main.targeted else f"relative {metric}, %"
        title = f"{main.label}: {words.how(main)}"
        if variants:
            title += f". Hollow markers: {words.listed([family.label for family in variants])}"
        drawn.append(
            Figure(
                stem=stem if all(each.stem != stem for each in drawn) else f"{stem}-{threat}",
                title=title,
                svg=figures.curves_svg(curves, ylabel=ylabel, threat=threat),
                label=f"{ylabel} over eps under {main.label}; the numbers are in the table of all results",
            )
        )
    return tuple(drawn)


def _parts(found: Sequence[Model], setting: Setting, metric: str) -> tuple[Figure, ...]:
    """Draw each model's body parts, clean and under one setting."""
    drawn = []
    for model in found:
        names = {part for _, _, _, measure, part in model.rows if measure == "clean"} - {"all"}
        parts = [
            figures.Part(name=words.spoken(name), clean=clean, attacked=model.row(setting, "attacked", name))
            for name in sorted(names, key=_from_head_to_foot)
            if (clean := model.row(None, "clean", name))
        ]
        drawn.append(
            Figure(
                stem=f"parts-model-{model.slot + 1}",
                title=model.name,
                svg=figures.parts_svg(parts, slot=model.slot, xlabel=f"{metric}, %"),
                label=f"{metric} of {model.name} by body part, clean and under {setting.title}",
            )
        )
    return tuple(drawn)


def _from_head_to_foot(part: str) -> tuple[int, str]:
    return (_PART_ORDER.index(part) if part in _PART_ORDER else len(_PART_ORDER), part)


def _aimless(
    found: Sequence[Model], settings: Sequence[Setting], outcomes: Outcomes
) -> tuple[tuple[str, int], ...]:
    """Count per model the people for whom no target pose existed."""
    counts = []
    for setting in [setting for setting in settings if setting.targeted][:1]:
        for model in found:
            asked = outcomes[model.slot, setting].table.target_visible
            assert asked is not None
            counts.append((model.name, int((~asked.any(axis=1)).sum())))
    return tuple((name, count) for name, count in counts if count)


def environment(*folders: Path) -> Environment:
    """Return the templates' environment: all text is escaped, and an unknown name is an error.

    Templates in `folders` are preferred to those of the report.
    """
    made = Environment(
        loader=FileSystemLoader([*folders, _TEMPLATES]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters |= {"listed": words.listed, "measure": measure_of}
    made.globals |= {"counted": words.counted, "spoken": words.spoken, "level": level}
    return made
