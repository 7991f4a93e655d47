"""Reads answer files, and rejects files of other studies, contradictions, and malformed content."""

import json
import math
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

from robustpose.errors import RobustPoseError
from robustpose.threats import parse_eps
from robustpose.userstudy.trials import FORMAT, Kind, Side

ANSWERS_FORMAT = "robustpose userstudy answers 1"
CATCH_SHARE, CATCH_LEAST = 0.8, 3
"""Participants with a smaller share of correct catch trials, or fewer answered catch trials, are excluded."""


@dataclass(frozen=True)
class Answer:
    """One choice.

    eps          in [0, 1] units
    reaction_ms  time since the images appeared
    """

    trial: str
    kind: Kind
    eps: float
    attack: str
    person: str
    side: Side
    correct: bool
    reaction_ms: float


@dataclass(frozen=True)
class Participant:
    """One person's answers; mirrored means that every trial was shown with left and right exchanged."""

    id: str
    mirrored: bool
    answers: tuple[Answer, ...]

    @property
    def catch(self) -> tuple[bool, ...]:
        """Whether each catch trial was answered correctly."""
        return tuple(answer.correct for answer in self.answers if answer.kind == "catch")

    @property
    def looks(self) -> bool:
        """Whether the participant passes the catch trials."""
        return len(self.catch) >= CATCH_LEAST and sum(self.catch) >= CATCH_SHARE * len(self.catch)


@dataclass(frozen=True)
class Answers:
    """All participants of one study, with notes on merged files."""

    study: str
    participants: tuple[Participant, ...]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class _File:
    """The content of one answer file; trials is the number of trials of its page."""

    path: Path
    study: str
    trials: int
    participant: Participant


@dataclass(frozen=True)
class _Fact:
    """The properties of a trial that do not depend on an answer."""

    kind: str
    eps: float
    attack: str
    person: str
    tampered: str


def read_answers(paths: Sequence[Path], *, page: Path | None = None) -> Answers:
    """Read answer files of one study.

    page  folder of the study's page; if given, every answer is checked against its trials.json

    RobustPoseError for files that are not answer files, belong to several studies, have unknown or repeated
    trials, or contradict the trials or each other.
    """
    if not paths:
        raise RobustPoseError("no answer file is given")
    files = [_read_file(path) for path in paths]
    first = files[0]
    for file in files:
        if (file.study, file.trials) != (first.study, first.trials):
            raise RobustPoseError(
                f"{file.path} answers study {file.study}, {first.path} answers study {first.study}: analyse one "
                "study at a time"
            )
    _check_trials(files, {} if page is None else _read_key(page, first))
    participants, notes = _merged(files)
    return Answers(study=first.study, participants=participants, notes=notes)


def _merged(files: Iterable[_File]) -> tuple[tuple[Participant, ...], tuple[str, ...]]:
    """Merge the files of each participant; a later download includes the answers of an earlier one."""
    found: dict[str, _File] = {}
    notes = []
    for file in files:
        them = file.participant
        if them.id not in found:
            found[them.id] = file
            continue
        before = found[them.id]
        shorter, longer = sorted((before, file), key=lambda each: len(each.participant.answers))
        if not set(shorter.participant.answers) <= set(longer.participant.answers):
            raise RobustPoseError(f"{before.path} and {file.path} have different answers of participant {them.id}")
        found[them.id] = longer
        notes.append(f"{before.path} and {file.path} are of participant {them.id}: counted once")
    return tuple(file.participant for file in found.values()), tuple(notes)


def _check_trials(files: Iterable[_File], facts: dict[str, _Fact]) -> None:
    """Check each answer against its trial, known from the page's folder or from earlier answers."""
    known = dict(facts)
    for file in files:
        for answer in file.participant.answers:
            number = re.fullmatch(r"t(\d{3,})", answer.trial)
            there = answer.trial in facts if facts else number and 1 <= int(number[1]) <= file.trials
            if not there:
                raise RobustPoseError(f"{file.path} answers trial {answer.trial!r}, which the study does not have")
            fact = _fact(answer, file.participant)
            if known.setdefault(answer.trial, fact) != fact:
                raise RobustPoseError(
                    f"{file.path}: trial {answer.trial} contradicts "
                    + ("the page's trials.json" if facts else "the other files")
                )


def _fact(answer: Answer, participant: Participant) -> _Fact:
    """Return the properties of a trial, from an answer to it."""
    right = (answer.side == "right") == answer.correct
    unmirrored = right != participant.mirrored
    return _Fact(answer.kind, answer.eps, answer.attack, answer.person, "right" if unmirrored else "left")


def _read_key(folder: Path, first: _File) -> dict[str, _Fact]:
    path = folder / "trials.json"
    content = _read_json(path)
    if content.get("format") != FORMAT:
        raise RobustPoseError(f"{path} is not a file of `robustpose userstudy make` of this version")
    if content.get("study") != first.study:
        raise RobustPoseError(
            f"{first.path} answers study {first.study}, {folder} contains study {content.get('study')}"
        )
    try:
        return {
            row["trial"]: _Fact(row["kind"], parse_eps(row["eps"]), row["attack"], row["person"], row["tampered"])
            for row in content["trials"]
        }
    except (KeyError, TypeError, AttributeError) as error:
        raise RobustPoseError(f"{path} is damaged ({error})") from None


def _read_file(path: Path) -> _File:
    content = _read_json(path)
    if content.get("format") != ANSWERS_FORMAT:
        raise RobustPoseError(f"{path} is not an answer file of `robustpose userstudy` of this version")
    study = _field(path, content, "study", _is_text, "a study's fingerprint")
    name = _field(path, content, "participant", _is_text, "a participant's random id")
    trials = _field(path, content, "trials", _is_count, "the page's number of trials")
    mirrored = _field(path, content, "mirrored", _is_flag, "true or false")
    rows = _field(path, content, "answers", _is_list, "a list")
    answers = tuple(_read_answer(path, number, row) for number, row in enumerate(rows, start=1))
    seen: set[str] = set()
    for answer in answers:
        if answer.trial in seen:
            raise RobustPoseError(f"{path} answers trial {answer.trial} twice")
        seen.add(answer.trial)
    them = Participant(id=name, mirrored=mirrored, answers=answers)
    return _File(path=path, study=study, trials=trials, participant=them)


def _read_answer(path: Path, number: int, row: Any) -> Answer:
    where = f"{path}, answer {number}"
    if not isinstance(row, dict):
        raise RobustPoseError(f"{where}: expected an object, got {row!r}")
    try:
        eps = parse_eps(_field(where, row, "eps", _is_text, "a budget such as '8/255'"))
    except RobustPoseError as error:
        raise RobustPoseError(str(error) if where in str(error) else f"{where}: {error}") from None
    if eps == 0:
        raise RobustPoseError(f"{where}: eps must be more than 0")
    kinds, sides = get_args(Kind), get_args(Side)
    return Answer(
        trial=_field(where, row, "trial", _is_text, "a trial's id"),
        kind=_field(where, row, "kind", lambda value: value in kinds, " or ".join(kinds)),
        eps=eps,
        attack=_field(where, row, "attack", _is_text, "an attack's name"),
        person=_field(where, row, "person", _is_text, "a person's id"),
        side=_field(where, row, "side", lambda value: value in sides, " or ".join(sides)),
        correct=_field(where, row, "correct", _is_flag, "true or false"),
        reaction_ms=_field(where, row, "reaction_ms", _is_time, "milliseconds"),
    )


def _read_json(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise RobustPoseError(f"{path}: no such file") from None
    except (IsADirectoryError, NotADirectoryError):
        raise RobustPoseError(f"{path} is not a file") from None
    except (json.JSONDecodeError, UnicodeDecodeError, RecursionError):
        raise RobustPoseError(f"{path} is not a JSON file") from None
    if not isinstance(content, dict):
        raise RobustPoseError(f"{path} is not an answer file of `robustpose userstudy` of this version")
    return content


def _field(
    where: object, row: dict[str, Any], name: str, fits: Callable[[Any], bool | None], expected: str
) -> Any:
    if name not in row:
        raise RobustPoseError(f"{where}: {name!r} is missing")
    value = row[name]
    try:
        good = fits(value)
    except TypeError:
        good = False
    if not good:
        raise RobustPoseError(f"{where}: {name!r} must be {expected}, got {value!r}")
    return value


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and value != ""


def _is_flag(value: Any) -> bool:
    return isinstance(value, bool)


def _is_list(value: Any) -> bool:
    return isinstance(value, list)


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value > 0


def _is_time(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value) and value >= 0
