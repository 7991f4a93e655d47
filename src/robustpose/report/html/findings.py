"""The findings page: verdicts, then figures, tables and images, all downloadable.

The same plan and findings give the same bytes.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from markupsafe import Markup

from robustpose.errors import RobustPoseError, unknown_name
from robustpose.findings import FINDINGS, Chart, Found, Picture, Tabular
from robustpose.findings.statistics import FEWEST
from robustpose.folders import write_atomically
from robustpose.report.html import charts, exhibits, words
from robustpose.report.html.downloads import chart_csv, table_csv, verdicts_csv
from robustpose.report.html.exhibits import Judged, Sheet, Shown
from robustpose.report.html.page import environment
from robustpose.study.plan import Plan, metric_of

FOLDER = "findings"
_VERDICTS = "verdicts"
_STEM = re.compile(r"\w[\w.-]*")


@dataclass(frozen=True)
class Drawn:
    """A chart of the page: its SVG as a file and embedded; its numbers, unless there are too many."""

    stem: str
    title: str
    svg: str
    inline: Markup
    numbers: Sheet | None


@dataclass(frozen=True)
class Section:
    """One finding of the page."""

    name: str
    title: str
    verdicts: tuple[Judged, ...]
    charts: tuple[Drawn, ...]
    sheets: tuple[Sheet, ...]
    pictures: tuple[Shown, ...]
    remarks: tuple[str, ...]


def write_findings(plan: Plan, found: Mapping[str, Found], folder: Path) -> Path:
    """Write findings.html and its files into a report's folder; return its path.

    RobustPoseError for an unknown finding, or if two exhibits have the same file name.
    """
    _check(found)
    slots = {model.name: slot for slot, model in enumerate(plan.models)}
    sections = tuple(_section(name, each, slots) for name, each in found.items())
    for name, content in sorted(_files(found, sections).items()):
        path = folder / FOLDER / name
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, content)
    page = folder / "findings.html"
    write_atomically(page, _page(plan, sections).encode())
    return page


def lede(plan: Plan) -> str:
    """State the attacked models, the data and the metric."""
    names = words.listed([model.name for model in plan.models])
    tasks = (
        f" and on models of other tasks ({words.listed([task.name for task in plan.tasks])})" if plan.tasks else ""
    )
    people = "1 person" if plan.n == 1 else f"{plan.n} people"
    return (
        "This page tests the results and claims of Jain et al. (arXiv 1908.06401) on "
        f"{names}{tasks}, with {people} of {plan.dataset.name}, scored by {metric_of(plan).name}."
    )


def count_line(verdicts: tuple[Judged, ...]) -> str:
    """Count the verdicts: 'x hold, y do not, z undecided'."""
    if not verdicts:
        return "No claim is judged in this study."
    holds, fails, undecided = (sum(each.kind == kind for each in verdicts) for kind in ("holds", "fails", "open"))
    return (
        f"{words.counted(len(verdicts), 'claim')}: {holds} hold{'s' if holds == 1 else ''}, "
        f"{fails} {'does' if fails == 1 else 'do'} not, {undecided} undecided"
    )


def _check(found: Mapping[str, Found]) -> None:
    taken = {_VERDICTS}
    for name, each in found.items():
        if name not in FINDINGS:
            raise unknown_name("finding", name, FINDINGS)
        for exhibit in each.exhibits:
            if not _STEM.fullmatch(exhibit.stem):
                raise RobustPoseError(f"finding {name}: {exhibit.stem!r} is not a valid file name")
            if exhibit.stem.lower() in taken:
                raise RobustPoseError(f"finding {name}: another exhibit is also named {exhibit.stem!r}")
            taken.add(exhibit.stem.lower())


def _section(name: str, found: Found, slots: Mapping[str, int]) -> Section:
    title = FINDINGS[name].title
    pictures = [exhibits.shown(each) for each in found.exhibits if isinstance(each, Picture)]
    return Section(
        name=name,
        title=title,
        verdicts=tuple(exhibits.judged(name, title, verdict) for verdict in found.verdicts),
        charts=tuple(drawn(each) for each in found.exhibits if isinstance(each, Chart)),
        sheets=tuple(exhibits.sheet(each, slots) for each in found.exhibits if isinstance(each, Tabular)),
        pictures=tuple(each for each in pictures if each is not None),
        remarks=found.remarks,
    )


def drawn(chart: Chart) -> Drawn:
    """Draw a chart for the page and as a file."""
    svg = charts.chart_svg(chart)
    return Drawn(
        stem=chart.stem,
        title=chart.title,
        svg=svg,
        inline=Markup(charts.inline(svg, label=charts.spoken(chart), stem=chart.stem)),
        numbers=exhibits.numbers_of(chart),
    )


def _files(found: Mapping[str, Found], sections: tuple[Section, ...]) -> dict[str, bytes]:
    """Return the contents of the page's files, by name."""
    verdicts = [(name, verdict) for name, each in found.items() for verdict in each.verdicts]
    files = {f"{_VERDICTS}.csv": verdicts_csv(verdicts)}
    for each in found.values():
        for exhibit in each.exhibits:
            if isinstance(exhibit, Chart):
                files[f"{exhibit.stem}.csv"] = chart_csv(exhibit)
            elif isinstance(exhibit, Tabular):
                files[f"{exhibit.stem}.csv"] = table_csv(exhibit)
    for section in sections:
        files |= {f"{chart.stem}.svg": chart.svg.encode() for chart in section.charts}
        files |= {f"{picture.stem}.png": picture.file for picture in section.pictures}
    return files


def _page(plan: Plan, sections: tuple[Section, ...]) -> str:
    verdicts = tuple(judged for section in sections for judged in section.verdicts)
    return (
        environment()
        .get_template("findings.html.j2")
        .render(
            plan=plan,
            lede=lede(plan),
            count_line=count_line(verdicts),
            verdicts=verdicts,
            sections=sections,
            folder=FOLDER,
            strongest=exhibits.SHADE,
            fewest=FEWEST,
            guessed_losses=words.guessed_losses(plan),
        )
    )
