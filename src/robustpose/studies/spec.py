"""StudySpec, a study's entry in the registry: its options, how to make it and how to run it."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

Options = TypeVar("Options")
Made = TypeVar("Made")


def _nothing(options: object) -> tuple[str, ...]:
    return ()


@dataclass(frozen=True)
class StudySpec(Generic[Options, Made]):
    """A study.

    options  a frozen dataclass of study.options.option fields, all with defaults
    make     returns the study for given options; RobustPoseError for invalid options
    run      computes what is missing in a folder, writes the results there and prints them; grid.run_grid runs a
             study of attacks and findings
    remarks  returns messages to the user about what the options exclude
    """

    options: type[Options]
    make: Callable[[Options], Made]
    run: Callable[[Made, Path, Options], None]
    remarks: Callable[[Options], tuple[str, ...]] = _nothing
