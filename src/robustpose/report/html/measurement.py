"""The page of a measuring study. A pure function of what was found: written twice, it is the same bytes."""

from pathlib import Path

from robustpose.findings import Chart, Tabular
from robustpose.folders import write_atomically
from robustpose.report.html import exhibits, words
from robustpose.report.html.downloads import chart_csv, table_csv
from robustpose.report.html.findings import drawn
from robustpose.report.html.page import environment
from robustpose.report.measurement import Measurement
from robustpose.study.plan import Plan

FOLDER = "exhibits"


def write_measurement(plan: Plan, found: Measurement, folder: Path) -> Path:
    """Write index.html, and its charts and tables as files beside it, into a folder; return the page's path."""
    slots = {model.name: slot for slot, model in enumerate(plan.models)}
    sections = []
    for place, section in enumerate(found.sections):
        charts = [drawn(each) for each in section.exhibits if isinstance(each, Chart)]
        sheets = [exhibits.sheet(each, slots) for each in section.exhibits if isinstance(each, Tabular)]
        sections.append({"name": f"part-{place + 1}", "section": section, "charts": charts, "sheets": sheets})
        files = {f"{each.stem}.svg": each.svg.encode() for each in charts}
        for each in section.exhibits:
            files[f"{each.stem}.csv"] = chart_csv(each) if isinstance(each, Chart) else table_csv(each)
        for name, content in sorted(files.items()):
            path = folder / FOLDER / name
            path.parent.mkdir(parents=True, exist_ok=True)
            write_atomically(path, content)
    page = (
        environment()
        .get_template("measurement.html.j2")
        .render(
            plan=plan,
            found=found,
            sections=sections,
            folder=FOLDER,
            rule=words.score_rule(plan),
            strongest=exhibits.SHADE,
        )
    )
    index = folder / "index.html"
    folder.mkdir(parents=True, exist_ok=True)
    write_atomically(index, page.encode())
    return index
