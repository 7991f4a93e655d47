"""What a study of STUDIES says of itself: its options, and what it is once they are set."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, TypeVar

from robustpose.study.definition import Study

if TYPE_CHECKING:
    from robustpose.studies.realism import Realism
    from robustpose.studies.validity.sides import Validity

Options = TypeVar("Options")


def _nothing(options: object) -> tuple[str, ...]:
    return ()


@dataclass(frozen=True)
class StudySpec(Generic[Options]):
    """A study by its options.

    options  a frozen dataclass of study.options.option fields, all with defaults
    make     the study that they ask for; RobustPoseError for options that cannot be
    remarks  lines for people about what the options leave out
    """

    options: type[Options]
    make: Callable[[Options], "Study | Realism | Validity"]
    remarks: Callable[[Options], tuple[str, ...]] = _nothing
