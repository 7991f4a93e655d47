"""StudySpec: a study's options, and how to make the study from them."""

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
    """A study and its options.

    options  a frozen dataclass of study.options.option fields, all with defaults
    make     returns the study for given options; RobustPoseError for invalid options
    remarks  returns messages to the user about what the options exclude
    """

    options: type[Options]
    make: Callable[[Options], "Study | Realism | Validity"]
    remarks: Callable[[Options], tuple[str, ...]] = _nothing
