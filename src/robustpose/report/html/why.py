"""States in three sentences which factors go with failure: under the attack, and on clean images."""

from collections.abc import Sequence

from robustpose.analysis.doubts import Doubts
from robustpose.analysis.effects import FEWEST, Effect, headline_effects
from robustpose.jobs.store import Store
from robustpose.report.html.words import listed, spoken
from robustpose.study.plan import Plan

SHOWN = 3


def why(plan: Plan, store: Store, doubts: Doubts) -> tuple[list[str], list[Effect]]:
    """Return the sentences about the first model of a study, and the effects behind them; both may be empty.

    Relative scores that `doubts` withholds are not compared.
    """
    found = headline_effects(plan, store)
    if found is None:
        return [], []
    model, setting, attacked, clean = found
    if doubts.about(model.name, setting):
        attacked = []
    said = [
        _sentence(attacked, f"Under {setting.title}, the relative score of {model.name}"),
        _sentence(clean, f"The clean score of {model.name}"),
    ]
    factors = len({effect.factor for effect in (*attacked, *clean)})
    number = "1 factor was" if factors == 1 else f"{factors} factors were"
    said.append(
        f"{number} compared, each by its two most different groups of at least {FEWEST} people; the differences "
        "may have other causes, and factors.csv has all groups."
    )
    return said, [*attacked, *clean]


def _sentence(effects: Sequence[Effect], what: str) -> str:
    sure = [effect for effect in effects if effect.sure][:SHOWN]
    if not effects:
        return f"{what} cannot be compared between groups of people."
    if not sure:
        top = effects[0]
        return (
            f"{what} differs by no factor beyond chance; the largest difference is {_difference(top)} for "
            f"{spoken(top.factor)} ({level(top.better)} against {level(top.worse)})."
        )
    parts = [
        f"{spoken(each.factor)} ({level(each.better)} against {level(each.worse)}: {_difference(each)})"
        for each in sure
    ]
    return f"{what} differs most by {listed(parts)}."


def level(text: str) -> str:
    """Write a level for people: numbers with three digits, a range of one number as that number.

    >>> level("0.176471 to 1"), level("0 to 0"), level("riding to work")
    ('0.176 to 1', '0', 'riding to work')
    """
    ends = text.split(" to ")
    try:
        low, high = (f"{float(end):.3g}" for end in (ends[0], ends[-1]))
    except ValueError:
        return text
    return low if low == high else f"{low} to {high}"


def _difference(effect: Effect) -> str:
    return f"{effect.value:+.1f} points [{effect.low:.1f}, {effect.high:.1f}]"
