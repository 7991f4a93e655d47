"""Alarms that tables of stored predictions set off: stronger attacks must not leave more."""

from collections.abc import Sequence
from dataclasses import replace

from robustpose.alarms.alarm import Alarm
from robustpose.metrics import ALL, Pck, Table
from robustpose.metrics.bootstrap import difference


def more_hurts_less(tables: Sequence[tuple[str, Table]], metric: Pck) -> list[Alarm]:
    """Compare an attack of growing strength, weakest first, each with its label; clean may be the first.

    An alarm for each that leaves more of the score than a weaker one, or, where the tables have targets, hits less
    of them, beyond the 95% interval of the paired difference over people: once, against the furthest of them.
    """
    targeted = all(table.target is not None for _, table in tables)
    metric = replace(metric, against="target") if targeted else metric
    alarms = []
    for position, (label, stronger) in enumerate(tables):
        worst, said = 0.0, ""
        for weaker_label, weaker in tables[:position]:
            change = difference(weaker, stronger, metric)[ALL]
            gain = -change.high if targeted else change.low  # at least so much in the model's favour
            if gain > worst:
                verb = "hits" if targeted else "leaves"
                worst = gain
                said = (
                    f"{label} {verb} {change.value:+.1f} [{change.low:+.1f}, {change.high:+.1f}] points of "
                    f"{metric.name} against {weaker_label}, n = {change.n}"
                )
        if said:
            alarms.append(Alarm("more-hurts-less", said))
    return alarms


def black_box_beats(white: tuple[str, Table], black: tuple[str, Table], metric: Pck) -> list[Alarm]:
    """Compare, at one budget, an attack that has the gradient with one that has not."""
    change = difference(black[1], white[1], metric)[ALL]
    if not change.low > 0:
        return []
    says = (
        f"{white[0]} leaves {change.value:+.1f} [{change.low:+.1f}, {change.high:+.1f}] points of {metric.name} "
        f"against {black[0]}, which has no gradient, n = {change.n}"
    )
    return [Alarm("black-box-beats", says)]
