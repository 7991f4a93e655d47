"""Scores of a study that do not measure robustness: those of useless models, and of attacks without any effect.

The scores remain in results.csv. Tables, pages, JSON and sentences give the alarm instead of the score.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from robustpose.alarms import Alarm, nothing_moved, useless
from robustpose.analysis.alarms import Watched
from robustpose.analysis.scores import Row, outcome
from robustpose.jobs.setting import Setting
from robustpose.jobs.store import Store
from robustpose.metrics import main_metric
from robustpose.study.described import clean_score_of
from robustpose.study.plan import Plan

_WITHHELD = ("relative", "joints", "target")
"""The measures that are withheld."""
_NAN = float("nan")


@dataclass(frozen=True)
class Doubts:
    """The alarms of each model's clean predictions, and of each attack without any effect.

    models    by model name
    settings  by model name, and the attack, eps and objective of a row
    """

    models: Mapping[str, list[Alarm]] = field(default_factory=dict)
    settings: Mapping[tuple[str, str, str, str], list[Alarm]] = field(default_factory=dict)

    @property
    def watched(self) -> list[Watched]:
        """All alarms, those of clean predictions first."""
        found = [Watched(model, alarm) for model, alarms in self.models.items() for alarm in alarms]
        return found + [Watched(key[0], alarm) for key, alarms in self.settings.items() for alarm in alarms]

    def about(self, model: str, setting: Setting) -> list[Alarm]:
        """Return the alarms of a model under a setting."""
        return [*self.models.get(model, ()), *self.settings.get(_key(model, setting), ())]

    def withheld(self, rows: Sequence[Row]) -> list[Row]:
        """Return the rows with withheld scores replaced by NaN; n is unchanged."""
        return [
            replace(row, value=_NAN, low=_NAN, high=_NAN)
            if row.measure in _WITHHELD and self._doubts(row)
            else row
            for row in rows
        ]

    def _doubts(self, row: Row) -> bool:
        return bool(
            self.models.get(row.model) or self.settings.get((row.model, row.attack, row.eps, row.objective))
        )


def doubts_of(plan: Plan, store: Store) -> Doubts:
    """Check the clean predictions of every model of a plan, and whether each attack changed any prediction."""
    metric = main_metric(plan.metric)
    models: dict[str, list[Alarm]] = {}
    settings: dict[tuple[str, str, str, str], list[Alarm]] = {}
    for model in plan.models:
        clean = outcome(plan, store, model, None).table
        if alarms := useless(clean, metric, expected=clean_score_of(model.module)):
            models[model.name] = alarms
        for setting in plan.study.settings:
            if setting.spec.moves_truth:
                continue  # predictions move with the image
            attacked = outcome(plan, store, model, setting).table
            if alarms := nothing_moved(setting.title, clean, attacked):
                settings[_key(model.name, setting)] = alarms
    return Doubts(models, settings)


def _key(model: str, setting: Setting) -> tuple[str, str, str, str]:
    return model, setting.label, setting.budget, setting.objective
