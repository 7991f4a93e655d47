"""Alarms from stored predictions: the score must not be higher under a stronger attack."""

from collections.abc import Sequence
from dataclasses import replace

from robustpose.alarms.alarm import Alarm
from robustpose.metrics import ALL, Pck, Table
from robustpose.metrics.bootstrap import difference


def more_hurts_less(tables: Sequence[tuple[str, Table]], metric: Pck) -> list[Alarm]:
    """Compare attacks of increasing strength, weakest first, each with its label; clean may be the first.

    Raises an alarm for each attack with a higher score than a weaker one or, with targets, a lower target score,
    beyond the 95% interval of the paired difference over people: one alarm, against the most different one.
    """
    targeted = all(table.target is not None for _, table in tables)
    metric = replace(metric, against="target") if targeted else metric
    alarms = []
    for position, (label, stronger) in enumerate(tables):
        worst, said = 0.0, ""
        for weaker_label, weaker in tables[:position]:
            change = difference(weaker, stronger, metric)[ALL]
            gain = -change.high if targeted else change.low  # lower bound, in the model's favour
            if gain > worst:
                worst = gain
                said = (
                    f"{label}: {metric.name} differs by {change.value:+.1f} "
                    f"[{change.low:+.1f}, {change.high:+.1f}] points from {weaker_label}, n = {change.n}"
                )
        if said:
            alarms.append(Alarm("more-hurts-less", said))
    return alarms


def black_box_beats(white: tuple[str, Table], black: tuple[str, Table], metric: Pck) -> list[Alarm]:
    """Compare a gradient attack with a gradient-free one at the same budget."""
    change = difference(black[1], white[1], metric)[ALL]
    if not change.low > 0:
        return []
    says = (
        f"{white[0]}: {metric.name} differs by {change.value:+.1f} [{change.low:+.1f}, {change.high:+.1f}] points "
        f"from {black[0]}, a gradient-free attack, n = {change.n}"
    )
    return [Alarm("black-box-beats", says)]
