"""Target x source matrices: relative scores of models under perturbations made on other models.

As in table 1 of Jain et al. (arXiv 1908.06401), a row is a target, and a column is the model on which the
perturbation was made. A target's vulnerability is the mean of its row without itself and its own -ALL variant.
Pairs of models are excluded if their crops differ in size or, for attacked images, in padding, because the images
then show different parts of a photo.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from robustpose.analysis.evidence import Ask, Evidence, ModelAsk
from robustpose.defences import split_defences
from robustpose.findings.finding import Tabular, Verdict
from robustpose.findings.reported import paper_name
from robustpose.findings.statistics import Sample, lost, mean, verdict, verdict_of_all
from robustpose.findings.sweeps import design_of, relative_sample
from robustpose.jobs.workbench import input_size_of, padding_of
from robustpose.metrics import Estimate
from robustpose.models import MODELS
from robustpose.study.definition import CLEAN, View
from robustpose.study.plan import Plan


@dataclass(frozen=True)
class Source:
    """The model on which a perturbation was made, with the loss of its last stage or of all stages."""

    model: str
    all_stages: bool = False

    @property
    def name(self) -> str:
        """The model's name, with the paper's -ALL."""
        return f"{self.model}-ALL" if self.all_stages else self.model


ViewOf = Callable[[str, Source], View]
"""The view of a target under a source."""


@dataclass(frozen=True)
class Matrix:
    """Relative scores of targets under sources.

    left  relative scores by (target, source); pairs whose crops differ are absent
    """

    targets: tuple[str, ...]
    sources: tuple[Source, ...]
    left: Mapping[tuple[str, Source], Sample]

    def across(self) -> list[tuple[str, str]]:
        """Return the pairs of different models, (target, source), with the source's last stage attacked."""
        return [(target, each.model) for target, each in self.left if each.model != target and not each.all_stages]

    def of(self, target: str, source: str) -> Sample:
        """Return the relative score of a target under a source whose last stage was attacked."""
        return self.left[target, Source(source)]

    def vulnerability(self, target: str) -> Sample | None:
        """Average a target's row without itself and its own -ALL; None if there is no other model."""
        others = [sample for (row, source), sample in self.left.items() if row == target != source.model]
        return mean(others) if others else None


def matrix_asks(plan: Plan, sources: Sequence[Source], view: ViewOf) -> list[Ask]:
    """Ask for every model, clean and under every source with fitting crops."""
    models = [model.name for model in plan.models]
    asked = [ModelAsk(target, view(target, each)) for target in models for each in sources]
    return [
        *(ModelAsk(model, CLEAN) for model in models),
        *(ask for ask in asked if fits(plan, ask.model, ask.view)),
    ]


def read_matrix(evidence: Evidence, sources: Sequence[Source], view: ViewOf) -> Matrix:
    """Score every model under every source with fitting crops."""
    return Matrix(
        targets=evidence.models,
        sources=tuple(sources),
        left={
            (target, source): relative_sample(evidence, target, view(target, source))
            for target in evidence.models
            for source in sources
            if fits(evidence.plan, target, view(target, source))
        },
    )


def fits(plan: Plan, target: str, view: View) -> bool:
    """Return whether a target takes the crops of a view: equal size and, for attacked images, equal padding."""
    shown, made = (plan.named(model).module for model in (target, view.source or target))
    if input_size_of(shown) != input_size_of(made):
        return False
    return view.universal is not None or padding_of(shown) == padding_of(made)


def misfits(matrix: Matrix) -> tuple[str, ...]:
    """Return a remark that lists the excluded pairs of models; empty if there are none."""
    models = [source.model for source in matrix.sources if not source.all_stages]
    absent = [
        f"{model} on {row}"
        for row in matrix.targets
        for model in models
        if (row, Source(model)) not in matrix.left
    ]
    if not absent:
        return ()
    return (f"Left out because the crops differ in size or padding: {', '.join(absent)}.",)


def matrix_table(matrix: Matrix, *, stem: str, title: str, note: str) -> Tabular:
    """Tabulate a matrix as the paper does."""
    rows: list[tuple[str, tuple[Estimate | float | str | None, ...]]] = []
    for target in matrix.targets:
        left = [matrix.left.get((target, source)) for source in matrix.sources]
        every = [*left, matrix.vulnerability(target)]
        rows.append((target, tuple(None if sample is None else sample.estimate for sample in every)))
    return Tabular(
        stem=stem,
        title=title,
        columns=(*(source.name for source in matrix.sources), "Vulner."),
        rows=tuple(rows),
        shade=True,
        note=note,
    )


def black_box_loss(matrix: Matrix, *, kind: str, metric: str) -> list[Verdict]:
    """Judge that perturbations of other models lower the score by at least 30%; no verdict without two models."""
    pairs = matrix.across()
    if not pairs:
        return []
    return [
        verdict(
            f"{kind} made on one model lower another model's score by at least 30%, on average.",
            lost(mean([matrix.of(*pair) for pair in pairs])),
            above=30.0,
            paper="30 to 40% lost",
            measured=f"mean loss of relative {metric} over {len(pairs)} pairs of models, in %",
        )
    ]


def alike_and_unlike(matrix: Matrix, *, kind: str, metric: str) -> list[Verdict]:
    """Judge that sources of the target's own family lower its score more; empty if no target has both kinds."""
    contrasts = []
    for target in matrix.targets:
        sources = [source for row, source in matrix.across() if row == target]
        alike = [matrix.of(target, each) for each in sources if _family(each) == _family(target)]
        unlike = [matrix.of(target, each) for each in sources if _family(each) != _family(target)]
        if alike and unlike:
            contrasts.append(mean(unlike) - mean(alike))
    if not contrasts:
        return []
    return [
        verdict(
            f"{kind} transfer better between similar designs than between dissimilar ones.",
            mean(contrasts),
            above=0.0,
            paper="stronger between similar designs: relative score of 2-SHG 52 to 75% under other hourglasses' "
            "perturbations, 89% under DeepPose's",
            measured=f"relative {metric} under sources of another backbone minus under sources of the same one "
            f"(hourglass, ResNet), mean over {len(contrasts)} targets that have both, in points",
        )
    ]


def regression_as_source(matrix: Matrix, *, kind: str, metric: str) -> list[Verdict]:
    """Judge that DeepPose is the worst source; empty without it or without another model that it can attack."""
    return [
        judged
        for model in matrix.targets
        if paper_name(model) == "DeepPose"
        for judged in (
            *_little_harm(matrix, model, kind=kind, metric=metric),
            *_less_harm_than_any(matrix, model, kind=kind, metric=metric),
        )
    ]


def _little_harm(matrix: Matrix, model: str, *, kind: str, metric: str) -> list[Verdict]:
    targets = [target for target, source in matrix.across() if source == model]
    if not targets:
        return []
    return [
        verdict(
            f"{kind} made on {model}: the relative score of other models is at least 75%, on average.",
            mean([matrix.of(target, model) for target in targets]),
            above=75.0,
            paper="relative score 75 to 89% under DeepPose's universal perturbation",
            measured=f"mean relative {metric} of {', '.join(targets)}, in %",
        )
    ]


def _less_harm_than_any(matrix: Matrix, model: str, *, kind: str, metric: str) -> list[Verdict]:
    """Compare a source with each other one, on the targets that are neither of the two."""
    pairs = matrix.across()
    gaps = {}
    for rival in matrix.targets:
        targets = [row for row in matrix.targets if {(row, model), (row, rival)} <= set(pairs)]
        if rival != model and targets:
            gaps[rival] = mean([matrix.of(row, model) - matrix.of(row, rival) for row in targets])
    if not gaps:
        return []
    nearest = min(gaps, key=lambda rival: float(gaps[rival].value))
    return [
        verdict_of_all(
            f"{kind} made on {model} transfer worse than those of any other model.",
            list(gaps.values()),
            above=0.0,
            paper="DeepPose transfers worst",
            measured=f"relative {metric} under {model}'s minus under the next worst source's ({nearest}), mean "
            "over the targets other than these two, in points",
        )
    ]


def _family(model: str) -> str:
    """Return the family of a model's architecture, ignoring defences; any other model is its own family."""
    design = design_of(split_defences(model)[1])
    return MODELS[design].family if design in MODELS else design
