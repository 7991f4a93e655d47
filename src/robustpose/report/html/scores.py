"""A study's scores arranged for the page, and the settings of its headline, figures and images."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from robustpose.analysis.doubts import Doubts
from robustpose.analysis.headline import MAIN_EPS, is_same_eps, main_settings, measure_of
from robustpose.analysis.scores import Row, result_rows
from robustpose.jobs.setting import Setting
from robustpose.jobs.store import Store
from robustpose.metrics import ALL
from robustpose.study.plan import Plan


@dataclass(frozen=True)
class Family:
    """The settings of one attack that differ only in eps, by increasing eps."""

    label: str
    settings: tuple[Setting, ...]

    @property
    def targeted(self) -> bool:
        """Whether the attack has a target pose."""
        return self.settings[0].targeted

    @property
    def measure(self) -> str:
        """The measure of its strength: 'target' for targeted attacks, otherwise 'relative'."""
        return measure_of(self.settings[0])


@dataclass(frozen=True)
class Model:
    """One model's scores.

    name  unique in the study
    slot  its place in the study, and so its colour and its marker
    withheld  why a relative score is not given, by attack, eps and objective; under "" for all
    """

    name: str
    slot: int
    rows: Mapping[tuple[str, str, str, str, str], Row]
    withheld: Mapping[tuple[str, str, str] | Literal[""], str] = field(default_factory=dict)

    def why_withheld(self, setting: Setting) -> str:
        """Return why no relative score is given under a setting; empty if one is."""
        key = (setting.label, setting.budget, setting.objective)
        return self.withheld.get("", "") or self.withheld.get(key, "")

    def row(self, setting: Setting | None, measure: str, part: str = ALL) -> Row | None:
        """Look up a score; setting None is clean. None if no keypoint of that part is counted."""
        if setting is None:
            return self.rows.get(("clean", "0/255", "", measure, part))
        return self.rows.get((setting.label, setting.budget, setting.objective, measure, part))

    def value(self, setting: Setting | None, measure: str) -> float:
        """Look up the score over all parts; NaN if undefined."""
        row = self.row(setting, measure)
        return float("nan") if row is None else row.value


def models(plan: Plan, store: Store, doubts: Doubts | None = None) -> tuple[Model, ...]:
    """Score each model of a plan; scores that `doubts` withholds are NaN."""
    doubts = doubts or Doubts()
    rows = doubts.withheld(result_rows(plan, store))
    return tuple(
        Model(
            name=model.name,
            slot=slot,
            rows={
                (row.attack, row.eps, row.objective, row.measure, row.part): row
                for row in rows
                if row.model == model.name
            },
            withheld=_withheld(model.name, doubts),
        )
        for slot, model in enumerate(plan.models)
    )


def _withheld(model: str, doubts: Doubts) -> dict[tuple[str, str, str] | Literal[""], str]:
    if alarms := doubts.models.get(model):
        return {"": alarms[0].says}
    return {key[1:]: alarms[0].says for key, alarms in doubts.settings.items() if key[0] == model}


def families(settings: Iterable[Setting]) -> tuple[Family, ...]:
    """Gather the settings of each attack, in the study's order."""
    gathered: dict[tuple[str, str, str], list[Setting]] = {}
    for setting in settings:
        gathered.setdefault((setting.label, setting.objective, setting.threat), []).append(setting)
    return tuple(
        Family(label=label, settings=tuple(sorted(group, key=lambda setting: setting.eps)))
        for (label, _, _), group in gathered.items()
    )


def panels(found: Sequence[Family]) -> tuple[tuple[Family, ...], ...]:
    """Put families that differ only in their objective into one panel, the one with most values of eps first.

    A panel needs two values of eps. Attacks at one eps are in the table only.
    """
    gathered: dict[tuple[str, bool, object, str], list[Family]] = {}
    for family in found:
        first = family.settings[0]
        key = (first.attack, first.targeted, first.numbers.get("steps"), first.threat)
        gathered.setdefault(key, []).append(family)
    groups = [sorted(group, key=lambda family: -len(family.settings)) for group in gathered.values()]
    return tuple(tuple(group) for group in groups if len(group[0].settings) > 1)


def strongest(found: Sequence[Model], settings: Sequence[Setting]) -> Setting:
    """Return the setting with the most damage, averaged over models; the first if tied."""
    return min(settings, key=lambda setting: _mean_damage(found, setting))


def pictured(settings: Sequence[Setting], *, targeted: bool) -> Setting | None:
    """Return the setting whose images are shown: the most steps at 8/255, or else at the largest eps.

    The training loss is preferred to other objectives. None if the study has no such setting.
    """
    pool = [setting for setting in settings if setting.targeted == targeted]
    if not pool:
        return None
    pool = [setting for setting in pool if setting.threat == pool[0].threat]
    return max(
        pool,
        key=lambda s: (
            is_same_eps(s.eps, MAIN_EPS),
            s.eps,
            int(s.numbers.get("steps", 1)),
            s.objective == "training_loss",
        ),
    )


def half_gone(model: Model, settings: Sequence[Setting]) -> Setting | None:
    """Return the untargeted setting of the smallest eps with a relative score below 50%."""
    threat = main_settings(settings)[0].threat if settings else ""
    enough = [s for s in settings if s.threat == threat and not s.targeted and model.value(s, "relative") < 50]
    return min(enough, key=lambda s: s.eps, default=None)


def _mean_damage(found: Sequence[Model], setting: Setting) -> float:
    """Return the models' mean relative score, or minus their mean target score; infinite if undefined."""
    values = np.array([model.value(setting, measure_of(setting)) for model in found])
    values = values[np.isfinite(values)]
    if len(values) == 0:
        return float("inf")
    return float(-values.mean() if setting.targeted else values.mean())
