"""`robustpose train`: which people a net learns from, and which it is scored on."""

from collections.abc import Callable
from pathlib import Path

import pytest

from robustpose.cli import train as command
from robustpose.types import PoseDataset
from tests.cli.test_errors import run

Opened = Callable[..., tuple[str, str]]


class ReachedError(Exception):
    pass


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Opened:
    """Run the command up to the training; say what it would learn from and be scored on."""
    monkeypatch.chdir(tmp_path)

    def reach(*given: object, training: PoseDataset, validation: PoseDataset, **named: object) -> None:
        raise ReachedError(training.name, validation.name)

    monkeypatch.setattr(command, "train", reach)

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
