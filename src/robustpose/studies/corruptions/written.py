"""Writes the corruptions study's tables as CSV files, each in one act."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import polars as pl

from robustpose.analysis.csv_files import csv_bytes
from robustpose.corruptions import CORRUPTIONS
from robustpose.findings.statistics import Sample, mean, ratio
from robustpose.folders import write_atomically
from robustpose.metrics import ALL, Estimate
from robustpose.studies.corruptions.found import CorruptionsFound
from robustpose.studies.corruptions.scores import ModelScores, Place, Scored

Line = dict[str, object]


def write_tables(found: CorruptionsFound, folder: Path) -> None:
    """Write corruptions.csv (every score), summary.csv (mPC and rPC), limits.csv, beside.csv and pairs.csv."""
    folder.mkdir(parents=True, exist_ok=True)
    common: Line = {"data": found.plan.dataset.name, "protocol": found.study.protocol}
    tables: dict[str, list[Line]] = {
        "corruptions": [common | line for each in found.scored.models for line in _scores(found.scored, each)],
        "summary": [common | line for each in found.scored.models for line in _summary(found.scored, each)],
        "limits": [common | _limit(found, each.model, each.axis, each.share) for each in found.limits],
        "beside": [common | line for line in _beside(found)],
        "pairs": [
            common
            | {"first": each.first, "second": each.second, "measure": each.measure}
            | _numbers(each.difference)
            for each in found.pairings
        ],
    }
    for name, lines in tables.items():
        path = folder / f"{name}.csv"
        if not lines:
            path.unlink(missing_ok=True)
            continue
        frame = pl.DataFrame(lines, infer_schema_length=None)
        frame = frame.with_columns(pl.col(pl.Float64).fill_nan(None).round(4))
        write_atomically(path, csv_bytes(frame, decimals=4))


def _numbers(estimate: Estimate) -> Line:
    return {"value": estimate.value, "low": estimate.low, "high": estimate.high, "n": estimate.n}


def _scores(scored: Scored, model: ModelScores) -> Iterator[Line]:
    def line(place: Place | None, metric: str, part: str, measure: str, sample: Sample) -> Line:
        name, severity = place or ("", 0)
        return {
            "model": model.model,
            "corruption": name,
            "family": CORRUPTIONS[name].family if name else "",
            "severity": severity or None,
            "metric": metric,
            "part": part,
            "measure": measure,
            **_numbers(sample.estimate),
        }

    for part in (ALL, *scored.parts):
        yield line(None, scored.metric, part, "clean", model.clean[part])
    for place, found in model.corrupted.items():
        for part in (ALL, *scored.parts):
            yield line(place, scored.metric, part, "corrupted", found[part])
        yield line(place, scored.metric, ALL, "relative", model.relative(place))
    for metric, (clean, by_place) in model.beside.items():
        yield line(None, metric, ALL, "clean", clean)
        for place, sample in by_place.items():
            yield line(place, metric, ALL, "corrupted", sample)


def _summary(scored: Scored, model: ModelScores) -> Iterator[Line]:
    def lines(by: str, group: str, metric: str, clean: Sample, mpc: Sample) -> Iterator[Line]:
        about: Line = {"model": model.model, "metric": metric, "by": by, "group": group}
        for measure, sample in (("clean", clean), ("mPC", mpc), ("rPC", ratio(mpc, clean))):
            yield about | {"measure": measure} | _numbers(sample.estimate)

    clean = model.clean[ALL]
    yield from lines("all", ALL, scored.metric, clean, model.mpc())
    for family, names in scored.families.items():
        yield from lines("family", family, scored.metric, clean, model.mpc(names=names))
    for name in scored.corruptions:
        yield from lines("corruption", name, scored.metric, clean, model.mpc(names=(name,)))
    for severity in scored.severities:
        yield from lines("severity", str(severity), scored.metric, clean, model.mpc(severity=severity))
    for part in scored.parts:
        yield from lines("part", part, scored.metric, model.clean[part], model.mpc(part))
    for size, (of_size, by_place) in model.by_size.items():
        yield from lines("size", size, scored.metric, of_size, mean_of(by_place))
    for metric, (of_all, by_place) in model.beside.items():
        yield from lines("all", ALL, metric, of_all, mean_of(by_place))


def mean_of(by_place: Mapping[Place, Sample]) -> Sample:
    """Return mPC of scores by corruption and severity."""
    return mean(list(by_place.values()))


def _limit(found: CorruptionsFound, model: str, axis: str, share: float) -> Line:
    each = found.limit(model, axis, share)
    return {
        "model": model,
        "axis": axis,
        "share": share,
        "level": each.value,
        "milder": each.low,
        "stronger": each.high,
        "beyond": each.beyond,
        "below": each.below,
        "words": each.words,
        "n": each.n,
    }


def _beside(found: CorruptionsFound) -> Iterator[Line]:
    for model in found.scored.models:
        about: Line = {"model": model.model, "metric": found.scored.metric}
        scores: Sequence[tuple[str, Sample]] = (
            ("clean", model.clean[ALL]),
            ("mPC", model.mpc()),
            ("rPC", model.rpc()),
            *((f"relative {each.title}", found.attacks[model.model, each]) for each in found.settings),
        )
        for measure, sample in scores:
            yield about | {"measure": measure} | _numbers(sample.estimate)
    for each in found.ranks:
        yield {
            "model": "",
            "metric": "Kendall's tau-b",
            "measure": f"rPC and relative {each.setting.title}",
            **_numbers(each.tau),
        }
