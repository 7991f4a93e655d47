"""`robustpose train`: which people a model learns from, and which it is scored on."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from robustpose.models.weights import load_facts, shipped_weights
from robustpose.types import PoseDataset
from tests.cli.test_errors import run
from tests.data.files import coco_annotation, coco_content, write_json, write_photo

Opened = Callable[..., tuple[str, str]]


class ReachedError(Exception):
    pass


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Opened:
    """Run the command up to the training; say what it would learn from and be scored on."""
    monkeypatch.chdir(tmp_path)

    def reach(*given: object, training: PoseDataset, validation: PoseDataset, **named: object) -> None:
        raise ReachedError(training.name, validation.name)

    monkeypatch.setattr("robustpose.train.train", reach)

    def open_them(*args: str) -> tuple[str, str]:
        with pytest.raises(ReachedError) as reached:
            run(monkeypatch, "train", "deeppose", *args)
        training, validation = reached.value.args
        return training, validation

    return open_them


@pytest.mark.parametrize("data", [[], ["--data", "synthpose"], ["--data", "synthpose:train"]])
def test_rendered_people_are_the_training_split_unless_another_is_named(data: list[str], opened: Opened) -> None:
    assert opened(*data) == ("synthpose:train", "synthpose:val")


def test_a_named_split_is_taken_at_its_word(opened: Opened) -> None:
    assert opened("--data", "synthpose:test") == ("synthpose:test", "synthpose:val")
    assert opened("--data", "synthpose:train,plain") == ("synthpose:train,plain", "synthpose:val")
    assert opened("--validation", "synthpose:test") == ("synthpose:train", "synthpose:test")


def coco_file(path: Path, *, people: int, first: int = 1) -> Path:
    write_photo(path.parent / "images" / "000007.png")
    return write_json(path, coco_content([coco_annotation(number, 7) for number in range(first, first + people)]))


def test_who_learns_from_photos_names_who_it_is_scored_on(
    opened: Opened, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    many, others = coco_file(tmp_path / "a.json", people=3), coco_file(tmp_path / "b.json", people=2, first=4)
    assert run(monkeypatch, "train", "deeppose", "--data", f"coco:{many}") == 2
    shown = capsys.readouterr().err
    assert "name a validation set with --validation, such as coco:PATH" in shown
    assert len(shown.splitlines()) == 1
    assert run(monkeypatch, "train", "deeppose", "--data", f"coco:{many}", "--validation", f"coco:{many}") == 2
    assert "the training set contains people of the validation set" in capsys.readouterr().err
    some = coco_file(tmp_path / "c.json", people=2, first=3)
    assert run(monkeypatch, "train", "deeppose", "--data", f"coco:{many}", "--validation", f"coco:{some}") == 2
    assert "contains people of the validation set, coco:000007:3 among them" in capsys.readouterr().err
    assert opened("--data", f"coco:{many}", "--validation", f"coco:{others}") == ("coco", "coco")
    assert opened("--data", f"coco:{many}", "--validation", "synthpose") == ("coco", "synthpose:val")


def test_rows_from_before_the_validation_set_was_written_down_are_read(tmp_path: Path) -> None:
    row = json.loads(shipped_weights("shg2").with_suffix(".json").read_text())
    old = {key: value for key, value in row.items() if not key.startswith("validation")}
    write_json(tmp_path / "old.json", old)
    assert load_facts(tmp_path / "old.safetensors").validation == ""
    write_json(tmp_path / "new.json", {**old, "validation": "coco"})
    assert load_facts(tmp_path / "new.safetensors").validation == "coco"
