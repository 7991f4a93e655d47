"""Terminal output: progress on stderr, tables and JSON on stdout."""

from robustpose.report.terminal.as_json import attack_json
from robustpose.report.terminal.certified import print_certified
from robustpose.report.terminal.checks import print_check, print_checked, print_photo, print_photos
from robustpose.report.terminal.measurement import print_measurement
from robustpose.report.terminal.progress import cells_bar, say, stderr, stdout, steps_bar
from robustpose.report.terminal.scores import (
    print_benchmark_tables,
    print_conclusion,
    print_results,
    print_rows,
    print_smallest,
    print_verdicts,
    print_why,
)
from robustpose.report.terminal.userstudy import print_answers, print_trials

__all__ = [
    "attack_json",
    "cells_bar",
    "print_answers",
    "print_benchmark_tables",
    "print_certified",
    "print_check",
    "print_checked",
    "print_conclusion",
    "print_measurement",
    "print_photo",
    "print_photos",
    "print_results",
    "print_rows",
    "print_smallest",
    "print_trials",
    "print_verdicts",
    "print_why",
    "say",
    "stderr",
    "stdout",
    "steps_bar",
]
