"""Table 1: universal perturbations at 16/255, each shown to every model (the 'doubly black-box' attack).

After Jain et al. (arXiv 1908.06401); how they are learned: attacks.universal. The paper learns on 25,925 people,
here on the grid's. A model's own perturbation is also shown to people that it was learned on, at every budget of
the grid, and learned on shares of the data: the number of updates stays, only the people are fewer. Where the
study has a second data set, perturbations are carried over to its people, too, which the paper does not do.
"""

from collections.abc import Iterable

from robustpose.analysis.evidence import Ask, Evidence, ModelAsk
from robustpose.findings.finding import Chart, Curve, Finding, Found, Tabular, Verdict
from robustpose.findings.matrix import (
    Source,
    alike_and_unlike,
    black_box_loss,
    matrix_asks,
    matrix_table,
    misfits,
    read_matrix,
    regression_as_source,
)
from robustpose.findings.reported import reported
from robustpose.findings.statistics import Sample, kept, lost, mean, scored, verdict
from robustpose.findings.sweeps import curve, relative_sample, slot_of, staged_models
from robustpose.jobs.setting import Setting
from robustpose.study.plan import Plan
from robustpose.study.view import CLEAN, Learn, View
from robustpose.threats import format_eps
from robustpose.types import PoseDataset

EPS16 = 16 / 255
"""Where the paper sets models against each other."""

_TENTH = 0.1
_MARGIN = 5.0
_PAPER_PEOPLE = 25_925
_PAPER_LEFT = {0.1: 18.0, 1.0: 9.9}
"""What is left on validation people, mean over the paper's models, by the share of its training people."""

_KIND = "Universal perturbations at 16/255"
_TRAINED = View(on="training")
_THERE = View(on="other")
_SPECIFIC = View(Setting("igsm", EPS16))
"""What universal perturbations are set against: those made for each image."""


def learned(source: Source, *, eps: float = EPS16) -> Learn:
    """Return a source's universal perturbation."""
    return Learn(eps, objective="training_loss_all" if source.all_stages else "training_loss")


def _asks(plan: Plan) -> list[Ask]:
    if plan.training is None:
        return []
    asks = [*matrix_asks(plan, _sources(plan), _view), *_across_asks(plan, Learn(EPS16))]
    for model in (model.name for model in plan.models):
        asks += [ModelAsk(model, _TRAINED), ModelAsk(model, _SPECIFIC)]
        asks += [ModelAsk(model, view) for eps in _budgets(plan) for view in _validation_and_training(eps)]
        asks += [ModelAsk(model, View(universal=learn)) for learn in _shares(plan, model).values()]
    return asks


def _find(evidence: Evidence) -> Found:
    plan, metric = evidence.plan, evidence.metric.name
    if plan.training is None:
        return Found(remarks=("The study has no training set to learn universal perturbations on.",))
    matrix = read_matrix(evidence, _sources(plan), _view)
    return Found(
        exhibits=(
            matrix_table(
                matrix,
                stem="table1",
                title=f"Universal perturbations at 16/255: relative {metric}, %",
                note="Rows: the model that is shown the pictures. Columns: the model that the perturbation was "
                "learned on, -ALL through all its stages. Vulner.: the row's mean without the model itself and "
                "its own -ALL.",
            ),
            _paper_table(),
            _seen_and_unseen(evidence),
            *_across_table(evidence, Learn(EPS16)),
            _shares_chart(evidence),
        ),
        verdicts=(
            _strong(evidence),
            _as_strong_as_image_specific(evidence),
            *([_as_strong_on_unseen(evidence)] if _same_data(plan) else []),
            _weaker_with_a_tenth(evidence),
            *black_box_loss(matrix, kind=_KIND, metric=metric),
            *alike_and_unlike(matrix, kind=_KIND, metric=metric),
            *regression_as_source(matrix, kind=_KIND, metric=metric),
        ),
        remarks=(*misfits(matrix), *_lessons(plan)),
    )


def _sources(plan: Plan) -> list[Source]:
    staged = staged_models(plan)
    return [
        Source(model.name, all_stages)
        for model in plan.models
        for all_stages in (False, True)
        if not all_stages or model.name in staged
    ]


def _view(target: str, source: Source) -> View:
    return View(universal=learned(source), source="" if source.model == target else source.model)


def _budgets(plan: Plan) -> list[float]:
    return sorted({*plan.study.grid.universal_eps, EPS16})


def _validation_and_training(eps: float) -> tuple[View, View]:
    return View(universal=Learn(eps)), View(universal=Learn(eps), on="training")


def _shares(plan: Plan, model: str) -> dict[int, Learn]:
    """Return the sweep over how much data is learned on, by the number of people."""
    learns = [Learn(EPS16, share=share) for share in sorted({*plan.study.grid.shares, _TENTH, 1.0})]
    return {_people(plan, model, learn): learn for learn in learns}


def _people(plan: Plan, model: str, learn: Learn) -> int:
    cell = plan.universal_cell(model, learn)
    return cell.stop - cell.start


def _same_data(plan: Plan) -> bool:
    """Say whether the training people are of the same data set as the people: another split of the same kind."""
    return plan.training is not None and _kind(plan.training) == _kind(plan.dataset)


def _kind(dataset: PoseDataset) -> str:
    return dataset.name.partition(":")[0]


def _own(evidence: Evidence, model: str, *, eps: float = EPS16, share: float = 1.0) -> Sample:
    return relative_sample(evidence, model, View(universal=Learn(eps, share=share)))


def _own_on_training(evidence: Evidence, model: str, *, eps: float = EPS16) -> Sample:
    """Score the training people; another seed, for they are others: nothing pairs them with validation people."""
    attacked = evidence.table(model, _validation_and_training(eps)[1])
    return kept(evidence.table(model, _TRAINED), attacked, evidence.metric, seed=1)


def _over_models(samples: Iterable[Sample]) -> Sample:
    return mean(list(samples))


def _paper_table() -> Tabular:
    rows = reported("table1_universal")
    columns = tuple(next(iter(rows.values())))
    return Tabular(
        stem="table1_paper",
        title="The paper's table 1: universal perturbations at 16/255 on MPII, relative PCKh@0.5, %",
        columns=columns,
        rows=tuple((target, tuple(values.get(column) for column in columns)) for target, values in rows.items()),
        shade=True,
        note="As printed: without intervals, and without the number of people.",
    )


def _seen_and_unseen(evidence: Evidence) -> Tabular:
    budgets = _budgets(evidence.plan)
    return Tabular(
        stem="table1_training_people",
        title=f"A model's own universal perturbation on people that it was not and was learned on: relative "
        f"{evidence.metric.name}, %",
        columns=tuple(f"{format_eps(eps)}, {people}" for eps in budgets for people in ("validation", "training")),
        rows=tuple(
            (
                model,
                tuple(
                    sample.estimate
                    for eps in budgets
                    for sample in (_own(evidence, model, eps=eps), _own_on_training(evidence, model, eps=eps))
                ),
            )
            for model in evidence.models
        ),
        shade=True,
        note="The paper: 9.9% left on validation and 6.4% on training people at 16/255, mean over its models.",
    )


def _shares_chart(evidence: Evidence) -> Chart:
    curves = []
    for model in evidence.models:
        shares = _shares(evidence.plan, model)
        left = [relative_sample(evidence, model, View(universal=learn)).estimate for learn in shares.values()]
        curves.append(curve(model, left, list(map(float, shares)), slot=slot_of(evidence, model)))
    paper = Curve(
        name="mean of its models, paper",
        x=tuple(round(share * _PAPER_PEOPLE) for share in _PAPER_LEFT),
        y=tuple(_PAPER_LEFT.values()),
    )
    return Chart(
        stem="table1_shares",
        title="Universal perturbations at 16/255: how many people they are learned on",
        x_label="training people",
        y_label=f"relative {evidence.metric.name}, %",
        curves=(paper, *curves),
    )


def _strong(evidence: Evidence) -> Verdict:
    return verdict(
        "A universal perturbation at 16/255 takes more than 80% of its own model's score on people that it was "
        "not learned on.",
        lost(_over_models(_own(evidence, model) for model in evidence.models)),
        above=80.0,
        paper="90.1% lost, that is 9.9% left",
        measured=f"mean loss of relative {evidence.metric.name} of {', '.join(evidence.models)}, in %",
    )


def _as_strong_as_image_specific(evidence: Evidence) -> Verdict:
    models = evidence.models
    return verdict(
        "A universal perturbation at 16/255 is about as strong on its own model as IGSM-U-10, made for each "
        f"image: it leaves no more than {_MARGIN:g} points more.",
        _over_models(relative_sample(evidence, model, _SPECIFIC) - _own(evidence, model) for model in models),
        above=-_MARGIN,
        paper="about 8% left under image-specific perturbations minus 9.9%: about -2 points",
        measured=f"relative {evidence.metric.name} under IGSM-U-10 minus under the universal perturbation, mean "
        "over models, in points",
    )


def _as_strong_on_unseen(evidence: Evidence) -> Verdict:
    training = _over_models(_own_on_training(evidence, model) for model in evidence.models)
    return verdict(
        f"A universal perturbation at 16/255 leaves people that it was not learned on at most {_MARGIN:g} points "
        "more of the score than people that it was learned on.",
        training - _over_models(_own(evidence, model) for model in evidence.models),
        above=-_MARGIN,
        paper="6.4% left on training people minus 9.9% on validation people: -3.5 points",
        measured=f"relative {evidence.metric.name} on training people minus on validation people, each redrawn by "
        "itself, mean over models, in points",
    )


def _weaker_with_a_tenth(evidence: Evidence) -> Verdict:
    models = evidence.models
    return verdict(
        "Learned on a tenth of the people, a universal perturbation at 16/255 is weaker.",
        _over_models(_own(evidence, model, share=_TENTH) - _own(evidence, model) for model in models),
        above=0.0,
        paper="18% left instead of 9.9%",
        measured=f"relative {evidence.metric.name} with a tenth minus with all, mean over models, in points",
    )


def _lessons(plan: Plan) -> list[str]:
    """Say how the perturbations were learned, and who of the training people they have not seen."""
    assert plan.training is not None
    model, grid = plan.models[0].name, plan.study.grid
    people = _people(plan, model, Learn(EPS16))
    remarks = [
        f"Learned on {people} people of {plan.training.name}, {grid.universal_samples} samples with repeats, "
        f"{grid.universal_batch} a step; a tenth is {_people(plan, model, Learn(EPS16, share=_TENTH))} people "
        f"with as many steps. The paper: {_PAPER_PEOPLE} people.",
        "Random noise of the same size is not shown here, so what a model loses to any noise is not told apart.",
    ]
    if not _same_data(plan):
        remarks.append(
            f"People that were learned on are of {plan.training.name}, others of {plan.dataset.name}: whether a "
            "perturbation is as strong on unseen people is not judged, for they differ in more than that."
        )
    if people < plan.n:
        remarks.append(f"Of the training people shown, only the first {people} were learned on.")
    return remarks


def _across_asks(plan: Plan, learn: Learn) -> list[Ask]:
    """Ask for every model on the people of the other data set, clean and under its own perturbation."""
    if plan.other is None:
        return []
    views = (CLEAN, View(universal=learn), _THERE, View(universal=learn, on="other"))
    return [ModelAsk(model.name, view) for model in plan.models for view in views]


def _across_table(evidence: Evidence, learn: Learn) -> list[Tabular]:
    """Lay out relative scores here and there, by the metric that suits each; nothing without other data."""
    other = evidence.plan.other
    if other is None:
        return []
    here, metric = evidence.plan.dataset.name, evidence.metric_on("other")
    rows = []
    for model in evidence.models:
        there = evidence.table(model, _THERE)
        samples: tuple[Sample, ...] = (
            scored(evidence.table(model, CLEAN), evidence.metric),
            relative_sample(evidence, model, View(universal=learn)),
            scored(there, metric),
            kept(there, evidence.table(model, View(universal=learn, on="other")), metric),
        )
        rows.append((model, tuple(sample.estimate for sample in samples)))
    return [
        Tabular(
            stem="table1_across",
            title="Universal perturbations at 16/255 carried over to other data: what is left, %",
            columns=(
                f"{here}: clean {evidence.metric.name}",
                f"{here}: left",
                f"{other.name}: clean {metric.name}",
                f"{other.name}: left",
            ),
            rows=tuple(rows),
            shade=True,
            note="Each model's own perturbation. Left: relative to the clean score of the same people.",
        )
    ]


TABLE1 = Finding(title="Table 1: universal perturbations", asks=_asks, find=_find)
