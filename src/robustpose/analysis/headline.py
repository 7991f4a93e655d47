"""The settings of a study's headline."""

from collections.abc import Sequence

from robustpose.jobs.setting import Setting

MAIN_EPS = 8 / 255
"""The usual budget in the literature."""


def measure_of(setting: Setting) -> str:
    """Return the measure of a setting's strength."""
    return "target" if setting.targeted else "relative"


def main_settings(settings: Sequence[Setting]) -> tuple[Setting, ...]:
    """Return the settings of the headline: the untargeted ones at 8/255, or else at the largest eps.

    If all settings are targeted, they are used instead. If there are several threats, the first is used.
    """
    pool = [setting for setting in settings if not setting.targeted] or list(settings)
    if not pool:
        return ()
    pool = [setting for setting in pool if setting.threat == pool[0].threat]
    eps = MAIN_EPS if any(is_same_eps(setting.eps, MAIN_EPS) for setting in pool) else max(s.eps for s in pool)
    return tuple(setting for setting in pool if is_same_eps(setting.eps, eps))


def is_same_eps(eps: float, other: float) -> bool:
    """Return whether two budgets are equal up to rounding."""
    return abs(eps - other) < 1e-9
