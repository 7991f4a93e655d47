"""Universal perturbations carried over to the people of a second data set, which they were not learned on either.

Jain et al. (arXiv 1908.06401) do not leave MPII here. Scores there are by the metric that suits those people:
where no head sizes are known, PCK.
"""

from robustpose.analysis.evidence import Ask, Evidence, ModelAsk
from robustpose.findings.finding import Tabular
from robustpose.findings.statistics import Sample, kept, scored
from robustpose.findings.sweeps import relative_sample
from robustpose.study.plan import Plan
from robustpose.study.view import CLEAN, Learn, View

_THERE = View(on="other")


def across_asks(plan: Plan, learn: Learn) -> list[Ask]:
    """Ask for every model on the other people, clean and under its own universal perturbation."""
    if plan.other is None:
        return []
    views = (CLEAN, View(universal=learn), _THERE, View(universal=learn, on="other"))
    return [ModelAsk(model.name, view) for model in plan.models for view in views]


def across_table(evidence: Evidence, learn: Learn) -> list[Tabular]:
    """Lay out what is left here and there; nothing where the study has no other people."""
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
