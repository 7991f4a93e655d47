"""What a user study asks, and what people answered, on stdout."""

from rich.box import SIMPLE_HEAD
from rich.table import Table

from robustpose.report.terminal.progress import say, stdout
from robustpose.threats import format_eps
from robustpose.userstudy import Analysis, Rate, UserStudy, criterion, reading


def print_trials(study: UserStudy) -> None:
    """Print how many trials of each kind a page has."""
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
    stdout.print(table, markup=False)
    for line in study.stimuli.without:
        say(f"not shown: {line}")


def print_answers(found: Analysis) -> None:
    """Print what the answers of all participants show."""
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
    for column in ("kind", "eps", "n", "people", "right, %", "d'", "over"):
        table.add_column(column, no_wrap=True)
    for rate in found.rates:
        table.add_row(*_line(rate))
    stdout.print(table, markup=False)
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
