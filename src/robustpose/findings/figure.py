"""The paper's figures of all models under one attack, over eps or over steps, and their claims."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from robustpose.analysis.evidence import Ask, Evidence
from robustpose.findings.contrasts import PEOPLE_NOT_MODELS, Contrast, contrasts_over_eps
from robustpose.findings.finding import Chart, Exhibit, Finding, Found, Tabular, Verdict
from robustpose.findings.reported import paper_curves, paper_name, paper_steps, reported
from robustpose.findings.statistics import Sample, mean, scored, verdict, verdict_of_all
from robustpose.findings.sweeps import EPS8, Sweep, all_models, asks_of, curves, model_of, staged_models
from robustpose.jobs.setting import Setting
from robustpose.metrics import Estimate
from robustpose.study.definition import CLEAN
from robustpose.study.plan import Plan

Claim = Callable[[Evidence], Iterable[Contrast | Verdict | Exhibit | str]]
"""Returns what a figure claims: contrasts (judged, and tabulated over eps), verdicts, exhibits, remarks."""


@dataclass(frozen=True)
class OverEps:
    """A figure of models under one attack over eps, judged at 8/255.

    stem       of the chart
    paper      table of the paper's curves
    contrasts  title of the table of contrasts
    also       results needed beside the attack at the grid's budgets and at 8/255
    models     models of the figure; without any, the figure is replaced by the remark `lacking`
    budgets    of the table of contrasts
    """

    stem: str
    paper: str
    chart: str
    contrasts: str
    sweep: Sweep
    claims: tuple[Claim, ...]
    also: Callable[[Plan], Sequence[Ask]] = lambda plan: ()
    models: Callable[[Plan], list[str]] = all_models
    lacking: str = ""
    budgets: Callable[[Plan], Sequence[float]] = lambda plan: plan.study.grid.eps

    def asks(self, plan: Plan) -> list[Ask]:
        """Ask for every model, and for those with several stages attacked through all of them."""
        if not (models := self.models(plan)):
            return []
        staged = [model for model in staged_models(plan) if model in models]
        return [
            *asks_of(models, [*self.sweep.over(plan), self.sweep.at(EPS8)]),
            *asks_of(staged, self.sweep.over(plan, all_stages=True)),
            *self.also(plan),
        ]

    def find(self, evidence: Evidence) -> Found:
        """Draw the figure and judge its claims."""
        if not self.models(evidence.plan):
            return Found(remarks=(self.lacking,))
        read = [each for claim in self.claims for each in claim(evidence)]
        of = "" if self.sweep.targeted else f" of {self.sweep.score_name(evidence.metric)}"
        table = contrasts_over_eps(
            self.budgets(evidence.plan),
            [each for each in read if isinstance(each, Contrast)],
            stem=f"{self.stem}_contrasts",
            title=self.contrasts,
            note=f"Differences{of} in points, paired over people.",
        )
        judged = [each.judged() if isinstance(each, Contrast) else each for each in read]
        return Found(
            exhibits=(self._chart(evidence), *table, *(each for each in judged if isinstance(each, Exhibit))),
            verdicts=tuple(each for each in judged if isinstance(each, Verdict)),
            remarks=(*(each for each in judged if isinstance(each, str)), PEOPLE_NOT_MODELS),
        )

    def _chart(self, evidence: Evidence) -> Chart:
        plan, models = evidence.plan, self.models(evidence.plan)
        staged = [model for model in staged_models(plan) if model in models]
        return Chart(
            stem=self.stem,
            title=self.chart,
            x_label="eps, of 255",
            y_label=f"{self.sweep.score_name(evidence.metric)}, %",
            curves=(
                *paper_curves(self.paper, models),
                *curves(evidence, models, self.sweep.over(plan)),
                *curves(evidence, staged, self.sweep.over(plan, all_stages=True), suffix="-ALL"),
            ),
        )


@dataclass(frozen=True)
class OverSteps:
    """A figure of models at 8/255 after 10, 20 and the grid's largest number of steps.

    short     steps of the paper's shorter attack
    bars      the paper's columns, by steps
    longer    claim that the longest attack is stronger than the short one, and the paper's numbers
    reverses  claim that 8 stacks lead after few steps and 2 after many, and the paper's numbers
    """

    stem: str
    sweep: Sweep
    short: int
    bars: Mapping[int, str]
    longer: tuple[str, str]
    reverses: tuple[str, str]

    def settings(self, plan: Plan, *, all_stages: bool = False) -> list[Setting]:
        """Return the attack after each number of steps."""
        return [self.sweep.at(EPS8, steps=steps, all_stages=all_stages) for steps in steps_of(plan)]

    def asks(self, plan: Plan) -> list[Ask]:
        """Ask for every model, and for those with several stages attacked through all of them."""
        return [
            *asks_of(all_models(plan), self.settings(plan)),
            *asks_of(staged_models(plan), self.settings(plan, all_stages=True)),
        ]

    def exhibits(self, evidence: Evidence) -> tuple[Chart, Tabular]:
        """Draw the figure and lay out its numbers."""
        plan, steps = evidence.plan, steps_of(evidence.plan)
        score, attack = self.sweep.score_name(evidence.metric), self.sweep.name.rpartition("-")[0]
        ours = [
            *curves(evidence, evidence.models, self.settings(plan), x=steps),
            *curves(evidence, staged_models(plan), self.settings(plan, all_stages=True), x=steps, suffix="-ALL"),
        ]
        chart = Chart(
            stem=self.stem,
            title=f"{attack} at 8/255: more steps",
            x_label="steps",
            y_label=f"{score}, %",
            curves=(*paper_steps(evidence.models, self.bars), *ours),
        )
        table = Tabular(
            stem=f"{self.stem}_bars",
            title=f"{score}, {attack} at 8/255, %",
            columns=(
                f"clean {evidence.metric.name}",
                *(f"{each} steps" for each in steps),
                *(f"{each} steps, paper" for each in self.bars),
            ),
            rows=(
                *(self._row(evidence, model) for model in evidence.models),
                *(self._row(evidence, model, all_stages=True) for model in staged_models(plan)),
            ),
            shade=True,
        )
        return chart, table

    def _row(
        self, evidence: Evidence, model: str, *, all_stages: bool = False
    ) -> tuple[str, tuple[Estimate | float | str | None, ...]]:
        settings = self.settings(evidence.plan, all_stages=all_stages)
        theirs = {} if all_stages else reported("fig2ef").get(paper_name(model), {})
        return f"{model}-ALL" if all_stages else model, (
            scored(evidence.table(model, CLEAN), evidence.metric).estimate,
            *(self.sweep.sample(evidence, model, setting).estimate for setting in settings),
            *(theirs.get(column) for column in self.bars.values()),
        )

    def stronger(self, evidence: Evidence) -> Verdict:
        """Judge that the longest attack is stronger than the short one."""
        models, long = evidence.models, evidence.plan.study.grid.long
        first, second = (long, self.short) if self.sweep.targeted else (self.short, long)
        return verdict(
            self.longer[0].format(short=self.short, long=long),
            mean(
                [
                    self._robust(evidence, model, self.short) - self._robust(evidence, model, long)
                    for model in models
                ]
            ),
            above=0.0,
            paper=self.longer[1],
            measured=f"{self.sweep.score_name(evidence.metric)} after {first} steps minus that after {second}, "
            f"mean of {', '.join(models)}, in points",
        )

    def reversal(self, evidence: Evidence, two: str, eight: str) -> Verdict:
        """Judge that 8 stacks lead after few steps and 2 after many: both leads must be above 0."""
        short, long = self.short, evidence.plan.study.grid.long
        (two_early, two_late), (eight_early, eight_late) = (
            [self._robust(evidence, model, steps) for steps in (short, long)] for model in (two, eight)
        )
        return verdict_of_all(
            self.reverses[0].format(short=short, long=long),
            [eight_early - two_early, two_late - eight_late],
            above=0.0,
            paper=self.reverses[1],
            measured=f"the smaller of {eight}'s lead after {short} steps and {two}'s lead after {long}, in points "
            f"of {self.sweep.score_name(evidence.metric)}",
        )

    def _robust(self, evidence: Evidence, model: str, steps: int) -> Sample:
        return self.sweep.robust_under(evidence, model, self.sweep.at(EPS8, steps=steps))


SHORT = (10, 20)
"""Steps of the paper's shorter attacks, untargeted and targeted."""


def steps_of(plan: Plan) -> list[int]:
    """Return the steps after which models are scored; none if no attack is longer than the short ones."""
    long = plan.study.grid.long
    return sorted({*SHORT, long}) if long > max(SHORT) else []


def finding_over_eps(title: str, figure: OverEps) -> Finding:
    """Return the finding of a figure over eps."""
    return Finding(title=title, asks=figure.asks, find=figure.find)


def finding_over_steps(title: str, figures: Sequence[OverSteps], *, remark: str) -> Finding:
    """Return the finding of figures over steps; only a remark if no attack is longer than the short ones."""

    def asks(plan: Plan) -> list[Ask]:
        return [ask for each in figures for ask in each.asks(plan)] if steps_of(plan) else []

    def find(evidence: Evidence) -> Found:
        if not steps_of(evidence.plan):
            long = evidence.plan.study.grid.long
            line = f"Left out: this study's longest attacks have {long} steps; more than {max(SHORT)} are needed."
            return Found(remarks=(line,))
        verdicts = [figure.stronger(evidence) for figure in figures]
        lacking = "2 stacks against 8: not judged, it needs shg2 and shg8."
        two, eight = model_of(evidence.models, "shg2"), model_of(evidence.models, "shg8")
        if two is not None and eight is not None:
            verdicts += [figure.reversal(evidence, two, eight) for figure in figures]
            lacking = ""
        return Found(
            exhibits=tuple(each for figure in figures for each in figure.exhibits(evidence)),
            verdicts=tuple(verdicts),
            remarks=(*filter(None, [lacking]), remark, PEOPLE_NOT_MODELS),
        )

    return Finding(title=title, asks=asks, find=find)
