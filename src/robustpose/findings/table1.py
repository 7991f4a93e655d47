"""Table 1: universal perturbations at 16/255, each evaluated on every model (the 'doubly black-box' attack).

After Jain et al. (arXiv 1908.06401). See attacks.universal for the training. The paper trains on 25,925 people;
here the grid sets the number. Each model's own perturbation is also evaluated on its training people, at every
budget of the grid, and trained on fractions of the data with the same number of updates. If the study has a second
data set, perturbations are also evaluated on its people, which the paper does not do.
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
from robustpose.study.definition import CLEAN, Learn, View
from robustpose.study.plan import Plan
from robustpose.threats import format_eps
from robustpose.types import PoseDataset

EPS16 = 16 / 255
"""The budget at which the paper compares models."""

_TENTH = 0.1
_MARGIN = 5.0
_PAPER_PEOPLE = 25_925
_PAPER_LEFT = {0.1: 18.0, 1.0: 9.9}
"""Relative score on validation people, mean over the paper's models, by the fraction of training people."""

_KIND = "Universal perturbations at 16/255"
_TRAINED = View(on="training")
_THERE = View(on="other")
_SPECIFIC = View(Setting("igsm", EPS16))
"""Image-specific perturbations, with which universal ones are compared."""


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
        return Found(remarks=("The study has no training set for universal perturbations.",))
    matrix = read_matrix(evidence, _sources(plan), _view)
    return Found(
        exhibits=(
            matrix_table(
                matrix,
                stem="table1",
                title=f"Universal perturbations at 16/255: relative {metric}, %",
                note="Rows: the evaluated model. Columns: the model that the perturbation was trained on; -ALL "
                "means through all its stages. Vulner.: the row's mean without the model itself and its own -ALL.",
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
        remarks=(*misfits(matrix), *_training_remarks(plan)),
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
    """Return the perturbations trained on fractions of the data, by the number of people."""
    learns = [Learn(EPS16, share=share) for share in sorted({*plan.study.grid.shares, _TENTH, 1.0})]
    return {_people(plan, model, learn): learn for learn in learns}


def _people(plan: Plan, model: str, learn: Learn) -> int:
    cell = plan.universal_cell(model, learn)
    return cell.stop - cell.start


def _same_data(plan: Plan) -> bool:
    """Return whether the training people are another split of the evaluated data set."""
    return plan.training is not None and _kind(plan.training) == _kind(plan.dataset)


def _kind(dataset: PoseDataset) -> str:
    return dataset.name.partition(":")[0]


def _own(evidence: Evidence, model: str, *, eps: float = EPS16, share: float = 1.0) -> Sample:
    return relative_sample(evidence, model, View(universal=Learn(eps, share=share)))


def _own_on_training(evidence: Evidence, model: str, *, eps: float = EPS16) -> Sample:
    """Score the training people, with another seed: they are not paired with the validation people."""
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
        title="A model's own universal perturbation on validation and training people: relative "
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
        note="The paper: relative score 9.9% on validation and 6.4% on training people at 16/255, mean over its "
        "models.",
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
        title="Universal perturbations at 16/255, by the number of training people",
        x_label="training people",
        y_label=f"relative {evidence.metric.name}, %",
        curves=(paper, *curves),
    )


def _strong(evidence: Evidence) -> Verdict:
    return verdict(
        "A universal perturbation at 16/255 lowers its own model's score by more than 80% on people that it was "
        "not trained on.",
        lost(_over_models(_own(evidence, model) for model in evidence.models)),
        above=80.0,
        paper="90.1% lost: relative score 9.9%",
        measured=f"mean loss of relative {evidence.metric.name} of {', '.join(evidence.models)}, in %",
    )


def _as_strong_as_image_specific(evidence: Evidence) -> Verdict:
    models = evidence.models
    return verdict(
        "A universal perturbation at 16/255 is about as strong on its own model as image-specific IGSM-U-10: the "
        f"relative score is at most {_MARGIN:g} points higher.",
        _over_models(relative_sample(evidence, model, _SPECIFIC) - _own(evidence, model) for model in models),
        above=-_MARGIN,
        paper="relative score about 8% under image-specific perturbations minus 9.9%: about -2 points",
        measured=f"relative {evidence.metric.name} under IGSM-U-10 minus under the universal perturbation, mean "
        "over models, in points",
    )


def _as_strong_on_unseen(evidence: Evidence) -> Verdict:
    training = _over_models(_own_on_training(evidence, model) for model in evidence.models)
    return verdict(
        f"Under a universal perturbation at 16/255 the relative score is at most {_MARGIN:g} points higher on "
        "people that it was not trained on than on people that it was trained on.",
        training - _over_models(_own(evidence, model) for model in evidence.models),
        above=-_MARGIN,
        paper="relative score 6.4% on training people minus 9.9% on validation people: -3.5 points",
        measured=f"relative {evidence.metric.name} on training people minus on validation people, each resampled "
        "separately, mean over models, in points",
    )


def _weaker_with_a_tenth(evidence: Evidence) -> Verdict:
    models = evidence.models
    return verdict(
        "Trained on a tenth of the people, a universal perturbation at 16/255 is weaker.",
        _over_models(_own(evidence, model, share=_TENTH) - _own(evidence, model) for model in models),
        above=0.0,
        paper="relative score 18% instead of 9.9%",
        measured=f"relative {evidence.metric.name} with a tenth minus with all, mean over models, in points",
    )


def _training_remarks(plan: Plan) -> list[str]:
    """Describe how the perturbations were trained, and on how many of the training people."""
    assert plan.training is not None
    model, grid = plan.models[0].name, plan.study.grid
    people = _people(plan, model, Learn(EPS16))
    remarks = [
        f"Trained on {people} people of {plan.training.name}, {grid.universal_samples} samples with repeats, "
        f"{grid.universal_batch} a step; a tenth is {_people(plan, model, Learn(EPS16, share=_TENTH))} people "
        f"with as many steps. The paper: {_PAPER_PEOPLE} people.",
        "Random noise of the same size is not tested here, so the loss that any noise would cause is not "
        "separated.",
    ]
    if not _same_data(plan):
        remarks.append(
            f"The training people are from {plan.training.name}, the others from {plan.dataset.name}. Whether a "
            "perturbation is as strong on unseen people is not judged, because the data sets differ in other ways."
        )
    if people < plan.n:
        remarks.append(f"Of the training people shown, only the first {people} were used in training.")
    return remarks


def _across_asks(plan: Plan, learn: Learn) -> list[Ask]:
    """Ask for every model on the people of the other data set, clean and under its own perturbation."""
    if plan.other is None:
        return []
    views = (CLEAN, View(universal=learn), _THERE, View(universal=learn, on="other"))
    return [ModelAsk(model.name, view) for model in plan.models for view in views]


def _across_table(evidence: Evidence, learn: Learn) -> list[Tabular]:
    """Tabulate relative scores on both data sets, each by its own metric; no table without other data."""
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
            title="Universal perturbations at 16/255 on another data set: relative score, %",
            columns=(
                f"{here}: clean {evidence.metric.name}",
                f"{here}: left",
                f"{other.name}: clean {metric.name}",
                f"{other.name}: left",
            ),
            rows=tuple(rows),
            shade=True,
            note="Each model's own perturbation. Left: score relative to the clean score of the same people.",
        )
    ]


TABLE1 = Finding(title="Table 1: universal perturbations", asks=_asks, find=_find)
