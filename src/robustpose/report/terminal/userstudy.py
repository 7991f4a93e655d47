"""Prints the trials and the results of a user study, and states the results in words."""

import math
from collections.abc import Sequence

import polars as pl
from rich.box import SIMPLE_HEAD
from rich.table import Table

from robustpose.report.terminal.progress import say, show_table
from robustpose.threats import format_eps
from robustpose.userstudy import UserStudy
from robustpose.userstudy.analysis import Analysis, Comparison, Rate, Threshold
from robustpose.userstudy.answers import CATCH_LEAST, CATCH_SHARE


def criterion() -> str:
    """Return the rule by which participants are excluded."""
    return f"fewer than {CATCH_SHARE:.0%} of the catch trials correct, or fewer than {CATCH_LEAST} answered"


def eps_text(eps: float, tested: tuple[float, float]) -> str:
    """Return a threshold as text: 5.2/255, under 1/255, above 32/255."""
    low, high = tested
    if math.isinf(eps):
        return f"above {format_eps(high)}"
    return f"under {format_eps(low)}" if eps == 0 else f"{eps * 255:.3g}/255"


def reading(found: Analysis) -> list[str]:
    """State the thresholds, and the difference between attack and noise."""
    lines = []
    for each in found.thresholds:
        low, high = (eps_text(end, each.tested) for end in (each.low, each.high))
        if math.isinf(each.value):
            what = f"75% correct is not reached up to {format_eps(each.tested[1])}"
        elif each.value == 0:
            what = f"75% correct is exceeded already at {format_eps(each.tested[0])}"
        else:
            what = f"75% correct at {eps_text(each.value, each.tested)}"
        lines.append(f"{each.kind}: {what} [{low}, {high}], {_basis(each)}")
    if (versus := found.comparison) is not None:
        lines.append(
            f"attack minus noise of the same eps: {versus.value:+.1f} percentage points correct "
            f"[{versus.low:+.1f}, {versus.high:+.1f}], {_basis(versus)}"
        )
    return lines


def rows_as_csv(rates: Sequence[Rate]) -> bytes:
    """Return the table as CSV: percent and d' with three decimals, eps as 8/255."""
    frame = pl.DataFrame([{**vars(rate), "eps": format_eps(rate.eps)} for rate in rates])
    return frame.with_columns(pl.col(pl.Float64).fill_nan(None).round(3)).write_csv(float_precision=3).encode()


def _basis(each: Threshold | Comparison) -> str:
    people = "participant" if each.participants == 1 else "participants"
    return f"n = {each.participants} {people}, {each.trials} trials, 95% interval over {each.over}"


def print_trials(study: UserStudy) -> None:
    """Print the number of trials of each kind."""
    table = _table(
        f"{study.stimuli.model}, {study.stimuli.attack}, {study.stimuli.data}\nstudy {study.fingerprint}"
    )
    for column in ("kind", "eps", "trials", "left", "people", "rms change, levels"):
        table.add_column(column, no_wrap=True)
    groups = sorted({(trial.kind, trial.eps) for trial in study.trials})
    for kind, eps in groups:
        those = [trial for trial in study.trials if (trial.kind, trial.eps) == (kind, eps)]
        left = sum(trial.tampered == "left" for trial in those)
        size = sum(trial.rms for trial in those) / len(those)
        people = len({trial.person for trial in those})
        table.add_row(kind, format_eps(eps), str(len(those)), str(left), str(people), f"{size:.2f}")
    show_table(table)
    for line in study.stimuli.without:
        say(f"not shown: {line}")


def print_answers(found: Analysis) -> None:
    """Print the results over all participants."""
    people = "participant" if found.participants == 1 else "participants"
    print(f"study {found.study}: {found.participants} {people}, {len(found.left_out)} excluded ({criterion()})")
    for line in found.left_out:
        print(f"excluded: {line}")
    for line in found.notes:
        print(f"note: {line}")
    table = _table(
        "Share of correct answers (two alternatives, chance level 50%)\n"
        "n trials, 95% intervals over people or over trials"
    )
    for column in ("kind", "eps", "n", "people", "correct, %", "d'", "over"):
        table.add_column(column, no_wrap=True)
    for rate in found.rates:
        table.add_row(*_line(rate))
    show_table(table)
    for line in reading(found):
        print(line)


def _table(title: str) -> Table:
    return Table(title=title, title_justify="left", box=SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False)


def _line(rate: Rate) -> list[str]:
    return [
        rate.kind,
        format_eps(rate.eps),
        str(rate.trials),
        str(rate.participants),
        f"{rate.right:5.1f} [{rate.low:.1f}, {rate.high:.1f}]",
        f"{rate.d_prime:5.2f} [{rate.d_low:.2f}, {rate.d_high:.2f}]",
        "people" if rate.over == "participants" else rate.over,
    ]
