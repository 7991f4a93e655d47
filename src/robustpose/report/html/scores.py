"""The numbers of a study, arranged for reading: which settings belong together and which one speaks first."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from robustpose.analysis.scores import Row, result_rows
from robustpose.jobs.setting import Setting
from robustpose.jobs.store import Store
from robustpose.metrics import ALL
from robustpose.study.plan import Plan

MAIN_EPS = 8 / 255
"""The budget that the field compares at."""


@dataclass(frozen=True)
class Family:
    """One attack over a range of eps: the settings that differ in nothing else, by rising eps."""

    label: str
    settings: tuple[Setting, ...]

    @property
    def targeted(self) -> bool:
        """Whether the attack aims at a pose."""
        return self.settings[0].targeted

    @property
    def measure(self) -> str:
        """What tells how strong it is: 'relative', or 'target' when it aims at a pose."""
        return measure_of(self.settings[0])


@dataclass(frozen=True)
class Model:
    """One model's numbers.

    name  unique in the study
    slot  its place in the study, and so its colour and its marker
    """

    name: str
    slot: int
    rows: Mapping[tuple[str, str, str, str, str], Row]

    def row(self, setting: Setting | None, measure: str, part: str = ALL) -> Row | None:
        """Look up a score; setting None is clean; None where no keypoint of that part counts."""
        if setting is None:
            return self.rows.get(("clean", "0/255", "", measure, part))
        return self.rows.get((setting.label, setting.budget, setting.objective, measure, part))

    def value(self, setting: Setting | None, measure: str) -> float:
        """Look up a score of all parts; NaN where undefined."""
        row = self.row(setting, measure)
        return float("nan") if row is None else row.value


def models(plan: Plan, store: Store) -> tuple[Model, ...]:
    """Score each model of a plan."""
    rows = result_rows(plan, store)
    return tuple(
        Model(
            name=model.name,
            slot=slot,
            rows={
                (row.attack, row.eps, row.objective, row.measure, row.part): row
                for row in rows
                if row.model == model.name
            },
        )
        for slot, model in enumerate(plan.models)
    )


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
    """Put the families that differ only in their objective into one panel, the widest range of eps first.

    A panel needs two eps to be a curve; an attack at one eps, or of another threat, is in the table only.
    """
    gathered: dict[tuple[str, bool, object], list[Family]] = {}
    for family in found:
        first = family.settings[0]
        if first.threat == "linf":
            gathered.setdefault((first.attack, first.targeted, first.numbers.get("steps")), []).append(family)
    groups = [sorted(group, key=lambda family: -len(family.settings)) for group in gathered.values()]
    return tuple(tuple(group) for group in groups if len(group[0].settings) > 1)


def measure_of(setting: Setting) -> str:
    """Name the measure that tells how strong a setting is."""
    return "target" if setting.targeted else "relative"


def main_settings(settings: Sequence[Setting]) -> tuple[Setting, ...]:
    """Choose what the headline is about: the untargeted settings at 8/255, or else at the largest eps.

    A study with targeted settings only gives those; one of several threats, those of the first.
    """
    pool = [setting for setting in settings if not setting.targeted] or list(settings)
    if not pool:
        return ()
    pool = [setting for setting in pool if setting.threat == pool[0].threat]
    eps = MAIN_EPS if any(_same(setting.eps, MAIN_EPS) for setting in pool) else max(s.eps for s in pool)
    return tuple(setting for setting in pool if _same(setting.eps, eps))


def strongest(found: Sequence[Model], settings: Sequence[Setting]) -> Setting:
    """Return the setting that does most damage, the models' mean; the first of equals."""
    return min(settings, key=lambda setting: _mean_damage(found, setting))


def pictured(settings: Sequence[Setting], *, targeted: bool) -> Setting | None:
    """Choose the setting to show in pictures: the most steps at 8/255, else at the largest eps.

    The plain training loss goes before its variants. None where the study has no such setting.
    """
    pool = [setting for setting in settings if setting.targeted == targeted]
    if not pool:
        return None
    pool = [setting for setting in pool if setting.threat == pool[0].threat]
    return max(
        pool,
        key=lambda s: (
            _same(s.eps, MAIN_EPS),
            s.eps,
            int(s.numbers.get("steps", 1)),
            s.objective == "training_loss",
        ),
    )


def half_gone(model: Model, settings: Sequence[Setting]) -> Setting | None:
    """Return the untargeted setting of the smallest eps that leaves less than half of the clean score."""
    threat = main_settings(settings)[0].threat if settings else ""
    enough = [s for s in settings if s.threat == threat and not s.targeted and model.value(s, "relative") < 50]
    return min(enough, key=lambda s: s.eps, default=None)


def _mean_damage(found: Sequence[Model], setting: Setting) -> float:
    """Return the models' mean relative score, or minus their mean target score; infinite where undefined."""
    values = np.array([model.value(setting, measure_of(setting)) for model in found])
    values = values[np.isfinite(values)]
    if len(values) == 0:
        return float("inf")
    return float(-values.mean() if setting.targeted else values.mean())


def _same(eps: float, other: float) -> bool:
    return abs(eps - other) < 1e-9
