"""Answer files: what is read, merged and refused."""

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from robustpose.errors import RobustPoseError
from robustpose.userstudy import Design, draw_trials, read_answers, write_page
from tests.userstudy.observers import answers, made_up_trials, stimuli, write

SEES = {"attack": 4 / 255, "noise": 4 / 255}
TRIALS = made_up_trials(each=1)


def one(number: int = 0, **change: Any) -> dict[str, Any]:
    return {**answers(TRIALS, number, thresholds=SEES), **change}


def test_files_are_read(tmp_path: Path) -> None:
    found = read_answers([write(tmp_path, one(number)) for number in range(3)])
    assert found.study == "s1"
    assert [each.id for each in found.participants] == [f"{number:016x}" for number in range(3)]
    assert [each.mirrored for each in found.participants] == [False, True, False]
    assert len(found.participants[0].answers) == 18
    assert found.participants[0].answers[2].eps == 4 / 255
    assert found.notes == ()


def test_an_earlier_download_of_the_same_participant_is_merged(tmp_path: Path) -> None:
    whole = one()
    early = {**whole, "answers": whole["answers"][:5]}
    for order in ([early, whole], [whole, early], [whole, whole]):
        paths = [write(tmp_path, each, name=f"{row}.json") for row, each in enumerate(order)]
        found = read_answers(paths)
        assert [len(each.answers) for each in found.participants] == [18]
        assert "of participant 0000000000000000: counted once" in found.notes[0]


def test_the_same_participant_with_other_answers_is_refused(tmp_path: Path) -> None:
    other = copy.deepcopy(one())
    other["answers"][3]["reaction_ms"] = 5
    paths = [write(tmp_path, one(), name="a.json"), write(tmp_path, other, name="b.json")]
    with pytest.raises(RobustPoseError, match=r"a\.json and .*b\.json have different answers of participant"):
        read_answers(paths)


def test_two_studies_are_refused(tmp_path: Path) -> None:
    paths = [write(tmp_path, one(0)), write(tmp_path, one(1, study="s2"))]
    with pytest.raises(RobustPoseError, match=r"study s2, .* answers study s1: analyse one study at a time"):
        read_answers(paths)


@pytest.mark.parametrize(
    ("change", "line"),
    [
        (lambda file: file.pop("format"), "is not an answer file"),
        (lambda file: file.update(format="robustpose userstudy answers 9"), "is not an answer file"),
        (lambda file: file.pop("mirrored"), "'mirrored' is missing"),
        (lambda file: file.update(mirrored=1), "'mirrored' must be true or false, got 1"),
        (lambda file: file.update(answers={}), "'answers' must be a list"),
        (lambda file: file["answers"].append(3), "answer 19: expected an object, got 3"),
        (lambda file: file["answers"][0].update(side="up"), "answer 1: 'side' must be left or right, got 'up'"),
        (lambda file: file["answers"][0].update(side=["left"]), "'side' must be left or right"),
        (lambda file: file["answers"][0].update(kind="adv"), "'kind' must be attack or noise or catch"),
        (lambda file: file["answers"][1].update(eps="eight"), "answer 2: eps must be a number"),
        (lambda file: file["answers"][1].update(eps=8), "'eps' must be a budget"),
        (lambda file: file["answers"][1].update(eps="0/255"), "eps must be more than 0"),
        (lambda file: file["answers"][1].update(correct="yes"), "'correct' must be true or false"),
        (lambda file: file["answers"][1].update(reaction_ms=-4), "'reaction_ms' must be milliseconds, got -4"),
        (lambda file: file["answers"][1].update(reaction_ms=float("nan")), "'reaction_ms' must be milliseconds"),
        (lambda file: file["answers"].append(file["answers"][0]), "answers trial t001 twice"),
        (lambda file: file["answers"][0].update(trial="t900"), "trial 't900', which the study does not have"),
        (lambda file: file["answers"][0].update(trial="x"), "trial 'x', which the study does not have"),
    ],
)
def test_foreign_and_damaged_files(tmp_path: Path, change: Callable[[Any], Any], line: str) -> None:
    file = copy.deepcopy(one())
    change(file)
    with pytest.raises(RobustPoseError, match=line):
        read_answers([write(tmp_path, file, name="a.json")])


@pytest.mark.parametrize(
    ("content", "line"),
    [("{", "is not a JSON file"), ("[1]", "is not an answer file"), ("{}", "is not an answer file")],
)
def test_files_that_are_something_else(tmp_path: Path, content: str, line: str) -> None:
    path = tmp_path / "a.json"
    path.write_text(content)
    with pytest.raises(RobustPoseError, match=line):
        read_answers([path])
    with pytest.raises(RobustPoseError, match="no such file"):
        read_answers([tmp_path / "b.json"])
    with pytest.raises(RobustPoseError, match="is not a file"):
        read_answers([tmp_path])


def test_an_edited_answer_contradicts_the_others(tmp_path: Path) -> None:
    """Who turns wrong into right says that the other side was tampered with."""
    edited = copy.deepcopy(one(1))
    edited["answers"][4]["correct"] = not edited["answers"][4]["correct"]
    with pytest.raises(RobustPoseError, match="trial t005 contradicts the other files"):
        read_answers([write(tmp_path, one(0)), write(tmp_path, edited)])


def test_answers_are_checked_against_the_page(tmp_path: Path) -> None:
    study = draw_trials(stimuli(), Design())
    write_page(study, tmp_path / "page")
    trials = json.loads((tmp_path / "page/trials.json").read_text())["trials"]
    good = answers(trials, 1, thresholds=SEES, study=study.fingerprint)
    path = write(tmp_path, good)
    assert len(read_answers([path], page=tmp_path / "page").participants[0].answers) == 46
    bad: Any = copy.deepcopy(good)
    bad["answers"][7]["correct"] = not bad["answers"][7]["correct"]
    edited = write(tmp_path, bad, name="edited.json")
    read_answers([edited])  # alone, nothing contradicts it
    with pytest.raises(RobustPoseError, match=r"trial t008 contradicts the page's trials\.json"):
        read_answers([edited], page=tmp_path / "page")
    with pytest.raises(RobustPoseError, match=f"answers study s1, .* contains study {study.fingerprint}"):
        read_answers([write(tmp_path, one())], page=tmp_path / "page")
    with pytest.raises(RobustPoseError, match=r"trials\.json: no such file"):
        read_answers([path], page=tmp_path)


@pytest.mark.parametrize(
    ("right", "shown", "looks"),
    [(6, 6, True), (5, 6, True), (4, 6, False), (3, 3, True), (2, 3, False), (2, 2, False)],
)
def test_who_looks(tmp_path: Path, right: int, shown: int, looks: bool) -> None:
    file = one()
    catch = [row for row in file["answers"] if row["kind"] == "catch"][:shown]
    for row in catch[right:]:
        row.update(correct=False, side={"left": "right", "right": "left"}[row["side"]])
    [them] = read_answers([write(tmp_path, {**file, "answers": catch})]).participants
    assert (sum(them.catch), len(them.catch), them.looks) == (right, shown, looks)
