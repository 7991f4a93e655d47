"""The corruptions study's page. The same results give the same bytes."""

import base64
from pathlib import Path

from markupsafe import Markup

from robustpose.corruptions import CORRUPTIONS
from robustpose.corruptions.people import pixels_of, truth_of
from robustpose.findings import Chart, Tabular
from robustpose.folders import write_atomically
from robustpose.geometry import Pixels
from robustpose.jobs.workbench import Workbench, input_size_of, padding_of
from robustpose.report.html import charts, exhibits, words
from robustpose.report.html.corrupted import contact_sheet
from robustpose.report.html.exhibits import Sheet
from robustpose.report.html.findings import Drawn
from robustpose.report.html.page import environment
from robustpose.report.html.pictures import jpeg
from robustpose.studies.corruptions import sheets
from robustpose.studies.corruptions.found import CorruptionsFound
from robustpose.studies.corruptions.limits import SHARES
from robustpose.studies.corruptions.printed import protocol_words
from robustpose.studies.corruptions.worst import worst_people

_CONTACT = "contact.jpg"


def write_page(found: CorruptionsFound, bench: Workbench, folder: Path) -> Path:
    """Write index.html, its figures and images into a folder; return its path."""
    figures = tuple(_drawn(chart) for chart in sheets.curves(found))
    contact = _contact(found)
    worst = worst_people(found, bench)
    files = {f"figures/{each.stem}.svg": each.svg.encode() for each in figures} | contact
    page = (
        environment(Path(__file__).parent)
        .get_template("page.html.j2")
        .render(
            study=found.study,
            lede=_lede(found),
            rule=words.score_rule(found.plan),
            overview=_sheet(found, sheets.overview(found)),
            beside=[_sheet(found, each) for each in sheets.beside(found)],
            published=_sheet(found, sheets.published(found)) if found.published else None,
            sentences=[said for model in found.scored.models if (said := sheets.sentence(found, model.model))],
            limits=[_sheet(found, sheets.limits(found, share)) for share in SHARES] if found.study.axes else [],
            corruptions=_sheet(found, sheets.by_corruption(found)),
            groups=[_sheet(found, sheets.by_group(found, by)) for by in ("family", "severity", "part", "size")],
            pairs=_sheet(found, sheets.pairs(found)) if found.pairings else None,
            verdicts=[exhibits.judged("", "", each) for each in found.verdicts],
            first=figures[0],
            figures=figures[1:],
            contact=_CONTACT if contact else "",
            worst=[(each, _uri(each.clean), _uri(each.corrupted)) for each in worst],
            percent=_percent,
            spoken=sheets.spoken,
            first_model=found.scored.models[0].model,
            strongest=exhibits.SHADE,
            sources=sorted({CORRUPTIONS[name].source for name in found.scored.corruptions}),
        )
    )
    for name, content in sorted(files.items()):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, content)
    folder.mkdir(parents=True, exist_ok=True)
    index = folder / "index.html"
    write_atomically(index, page.encode())
    return index


def _lede(found: CorruptionsFound) -> str:
    scored = found.scored
    severities = words.listed([str(each) for each in scored.severities])
    attacks = f" {found.attacked_people} of them are also attacked." if found.settings else ""
    return (
        f"{words.counted(len(scored.models), 'model')} on {scored.people} people of "
        f"{found.plan.dataset.name}: {len(scored.corruptions)} corruptions at severities {severities}, "
        f"{protocol_words(found)}.{attacks}"
    )


def _contact(found: CorruptionsFound) -> dict[str, bytes]:
    """Draw the first person who can be read under every corruption; nothing where nobody can."""
    module = found.plan.models[0].module
    rows = range(min(found.plan.n, 20))
    batch = found.plan.dataset.load(rows, input_size=input_size_of(module), padding=padding_of(module))
    if not len(batch):
        return {}
    image = contact_sheet(
        pixels_of(batch)[0],
        found.scored.corruptions,
        key=batch.ids[0],
        seed=found.study.base.seed,
        severities=found.scored.severities,
        tile=128,
        blocks=2 if len(found.scored.corruptions) > 4 else 1,
        truth=truth_of(batch, 0),
    )
    return {_CONTACT: jpeg(image)}


def _drawn(chart: Chart) -> Drawn:
    svg = charts.chart_svg(chart)
    inline = Markup(charts.inline(svg, label=charts.spoken(chart), stem=chart.stem))
    return Drawn(stem=chart.stem, title=chart.title, svg=svg, inline=inline, numbers=None)


def _sheet(found: CorruptionsFound, table: Tabular) -> Sheet:
    return exhibits.sheet(table, {model.model: slot for slot, model in enumerate(found.scored.models)})


def _uri(image: Pixels) -> str:
    return "data:image/jpeg;base64," + base64.b64encode(jpeg(image)).decode()


def _percent(share: float) -> str:
    return f"{100 * share:.0f}%"
