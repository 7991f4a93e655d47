"""Prints certified scores."""

from collections.abc import Sequence

from robustpose.analysis.certified import CERTIFIED, CertifiedRow
from robustpose.metrics import ALL
from robustpose.report.terminal.progress import interval
from robustpose.report.terminal.scores import print_rows


def print_certified(rows: Sequence[CertifiedRow]) -> None:
    """Print a line for each model, measure and radius, with a column for each metric."""
    whole = [row for row in rows if row.part == ALL]
    metrics = list(dict.fromkeys(row.metric for row in whole))
    first = whole[0]
    print(
        f"{first.data}, sigma {first.sigma:g}, {first.samples} noisy copies, alpha {first.alpha:g}; in percent, "
        f"95% intervals over n = {first.n} people. The radius is an L2 norm; RMS is the same per pixel value."
    )
    lines: dict[tuple[str, str, float], dict[str, CertifiedRow]] = {}
    for row in whole:
        lines.setdefault((row.model, row.measure, row.radius), {})[row.metric] = row
    several = len({row.model for row in whole}) > 1
    print_rows(
        [*(["model"] if several else []), "score", *metrics],
        [
            [
                *([model] if several else []),
                _measure(found[metrics[0]]),
                *(interval(each.value, each.low, each.high) for each in map(found.__getitem__, metrics)),
            ]
            for (model, _, _), found in lines.items()
        ],
    )
    if unbounded := max(row.open for row in whole):
        print(f"up to {unbounded:.1f}% of the keypoints have no bound and count as wrong; raise --n-samples")


def _measure(row: CertifiedRow) -> str:
    if row.measure != CERTIFIED:
        return row.measure
    return f"certified {row.radius:g} (RMS {row.rms:.2f}/255)"
