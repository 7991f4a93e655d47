"""The tables and charts of the corruptions study, for its page and the terminal."""

from collections.abc import Sequence

from robustpose.corruptions.axes import AXES
from robustpose.findings import Chart, Curve, Tabular
from robustpose.findings.statistics import Sample, ratio
from robustpose.metrics import ALL, Estimate
from robustpose.studies.corruptions.found import CorruptionsFound
from robustpose.studies.corruptions.limits import SHARES
from robustpose.studies.corruptions.scores import ModelScores
from robustpose.studies.corruptions.written import mean_of

Values = tuple[Estimate | float | str | None, ...]


def spoken(name: str) -> str:
    """Write a corruption or a body part for people."""
    return name.replace("_", " ")


def overview(found: CorruptionsFound) -> Tabular:
    """Set clean, mPC, rPC and the attacks beside each other: a row for each model."""
    metric = found.scored.metric
    return Tabular(
        stem="beside",
        title="Corruption and attack",
        columns=(
            f"clean {metric}",
            "mPC",
            "rPC, % of clean",
            *(f"relative, {each.title}, % of clean" for each in found.settings),
        ),
        rows=tuple(
            (
                model.model,
                (
                    model.clean[ALL].estimate,
                    model.mpc().estimate,
                    model.rpc().estimate,
                    *(found.attacks[model.model, each].estimate for each in found.settings),
                ),
            )
            for model in found.scored.models
        ),
        note=_ranks(found),
    )


def _ranks(found: CorruptionsFound) -> str:
    if not found.settings:
        return ""
    if not found.ranks:
        return "The rank correlation between corruption and attack needs four models or more."
    said = "; ".join(
        f"{each.setting.title}: {each.tau.value:.2f} [{each.tau.low:.2f}, {each.tau.high:.2f}]"
        for each in found.ranks
    )
    return (
        f"Kendall's tau-b over {found.ranks[0].tau.n} models between rPC and the relative score under an attack, "
        f"95% intervals over models and people: {said}. 1 is the same order, 0 none."
    )


def beside(found: CorruptionsFound) -> tuple[Tabular, ...]:
    """Tabulate mPC and rPC by other metrics, such as OKS AP."""
    metrics = dict.fromkeys(name for model in found.scored.models for name in model.beside)
    return tuple(
        Tabular(
            stem=f"beside-{metric.lower().replace(' ', '-')}",
            title=metric,
            columns=("clean", "mPC", "rPC, % of clean"),
            rows=tuple(
                (model.model, _three(clean, mean_of(by_place)))
                for model in found.scored.models
                for clean, by_place in [model.beside[metric]]
            ),
            note="Intervals over photos.",
        )
        for metric in metrics
    )


def _three(clean: Sample, mpc: Sample) -> Values:
    return clean.estimate, mpc.estimate, ratio(mpc, clean).estimate


def by_corruption(found: CorruptionsFound) -> Tabular:
    """Tabulate the relative score under each corruption, the lowest mean of the models first."""
    models = found.scored.models
    found_of = {name: [model.rpc(names=(name,)) for model in models] for name in found.scored.corruptions}
    costliest = sorted(found_of, key=lambda name: sum(float(each.value) for each in found_of[name]))
    return Tabular(
        stem="by-corruption",
        title="Relative score by corruption, % of clean",
        columns=tuple(model.model for model in models),
        rows=tuple((spoken(name), tuple(each.estimate for each in found_of[name])) for name in costliest),
        shade=True,
        note="Mean of the severities. The corruption that costs most stands first.",
        says_n=False,
    )


def by_group(found: CorruptionsFound, by: str) -> Tabular:
    """Tabulate the relative score by family, severity, body part or size of the person."""
    models, scored = found.scored.models, found.scored
    titles = {
        "family": "By family",
        "severity": "By severity",
        "part": "By body part",
        "size": "By size of the person in the photo",
    }
    rows: list[tuple[str, list[Sample]]] = []
    if by == "family":
        rows = [(family, [m.rpc(names=names) for m in models]) for family, names in scored.families.items()]
    elif by == "severity":
        rows = [(f"severity {each}", [m.rpc(severity=each) for m in models]) for each in scored.severities]
    elif by == "part":
        rows = [(spoken(part), [m.rpc(part) for m in models]) for part in scored.parts]
    else:
        rows = [(size.name, [_of_size(m, size.name) for m in models]) for size in scored.sizes]
    return Tabular(
        stem=f"by-{by}",
        title=f"{titles[by]}: relative score, % of clean",
        columns=tuple(model.model for model in models),
        rows=tuple((label, tuple(each.estimate for each in samples)) for label, samples in rows),
        shade=True,
    )


def _of_size(model: ModelScores, size: str) -> Sample:
    clean, by_place = model.by_size[size]
    return ratio(mean_of(by_place), clean)


def limits(found: CorruptionsFound, share: float) -> Tabular:
    """Tabulate in words how far each model is usable: a row for each axis."""
    models = [model.model for model in found.scored.models]
    return Tabular(
        stem=f"limits-{share:g}",
        title=f"Limits at a relative score of {share:g}%",
        columns=tuple(models),
        rows=tuple(
            (AXES[axis].title, tuple(limit_text(found, model, axis, share) for model in models))
            for axis in found.study.axes
        ),
    )


def limit_text(found: CorruptionsFound, model: str, axis: str, share: float) -> str:
    """Write a limit and its interval."""
    each = found.limit(model, axis, share)
    if each.below or each.beyond or each.low != each.low:
        return each.words
    low, high = (AXES[axis].number.format(level=end) for end in sorted((each.low, each.high)))
    return f"{each.words} [{low}, {high}]"


def sentence(found: CorruptionsFound, model: str, share: float = SHARES[0]) -> str:
    """Say in one sentence how far a model is usable."""
    said = [
        f"{AXES[each.axis].title} {each.words}"
        for each in found.limits
        if each.model == model and each.share == share
    ]
    return f"{model} has a relative score of {share:g}% or more: {'; '.join(said)}." if said else ""


def pairs(found: CorruptionsFound) -> Tabular:
    """Tabulate the paired differences of models."""
    return Tabular(
        stem="pairs",
        title="Differences between models, points",
        columns=("mPC", "rPC"),
        rows=tuple(
            (f"{first.first} - {first.second}", (first.difference, second.difference))
            for first, second in zip(found.pairings[::2], found.pairings[1::2], strict=True)
        ),
        note="Paired over people. Models differ where the interval excludes 0.",
    )


def published(found: CorruptionsFound) -> Tabular:
    """Tabulate AdvMix's rows for the same sort of data."""
    return Tabular(
        stem="published",
        title="Published",
        columns=("training", "metric", "clean", "mPC", "rPC, % of clean"),
        rows=tuple(
            (each.model, (each.training, each.metric, each.clean, each.mpc, each.rpc)) for each in found.published
        ),
        note="arXiv 2105.06152: the same 15 corruptions of whole photos, other models, all people of the "
        "validation set; corrupted photos were saved as JPEG, and the flip test was on.",
    )


def curves(found: CorruptionsFound) -> tuple[Chart, ...]:
    """Draw the relative score over severity: of all corruptions, and of each."""
    groups: list[tuple[str, str, Sequence[str]]] = [("all", "all corruptions", ())]
    groups += [(name, spoken(name), (name,)) for name in found.scored.corruptions]
    return tuple(
        Chart(
            stem=f"severity-{stem}",
            title=title,
            x_label="severity",
            y_label="relative score, % of clean",
            curves=tuple(_curve(found, slot, model, names) for slot, model in enumerate(found.scored.models)),
            scale="linear",
        )
        for stem, title, names in groups
    )


def _curve(found: CorruptionsFound, slot: int, model: ModelScores, names: Sequence[str]) -> Curve:
    estimates = [model.rpc(names=names, severity=each).estimate for each in found.scored.severities]
    return Curve(
        name=model.model,
        slot=slot,
        x=(0.0, *map(float, found.scored.severities)),
        y=(100.0, *(each.value for each in estimates)),
        low=(100.0, *(each.low for each in estimates)),
        high=(100.0, *(each.high for each in estimates)),
    )
