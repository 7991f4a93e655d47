"""A killed training continues to the same bytes, whichever process draws its batches."""

import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from robustpose.data.augment import training_people
from robustpose.errors import RobustPoseError
from robustpose.train import Progress
from robustpose.train import run as module
from robustpose.train.run import Run
from tests.conftest import TINY
from tests.train.dots import EVERY, RECIPE, STEPS, Dots, StoppedError, start, stop_at, tiny, weights

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("tiny_models")]


@pytest.mark.parametrize("steps", [(1,), (3,), (5,), (4, 7), (8,)])
def test_a_run_that_was_stopped_ends_in_the_same_bytes(
    tmp_path: Path, undisturbed: Path, steps: tuple[int, ...]
) -> None:
    for step in steps:
        with pytest.raises(StoppedError):
            start(tmp_path, on_progress=stop_at(step))
    seen: list[int] = []
    start(tmp_path, on_progress=lambda progress: seen.append(progress.step))
    assert weights(tmp_path) == weights(undisturbed)
    assert seen == list(range((steps[-1] // EVERY * EVERY if steps[-1] < STEPS else STEPS) + 1, STEPS + 1))


@pytest.mark.parametrize("stopped", [False, True])
def test_batches_drawn_by_other_processes_are_the_same(tmp_path: Path, undisturbed: Path, stopped: bool) -> None:
    if stopped:
        with pytest.raises(StoppedError):
            start(tmp_path, on_progress=stop_at(5), workers=2)
    start(tmp_path, workers=2)
    assert weights(tmp_path) == weights(undisturbed)


def test_drawing_ahead_leaves_the_random_state_to_the_model() -> None:
    people = training_people(Dots(8), rows=range(8), input_size=TINY)
    drawing = Run(RECIPE, device="cpu", data_fingerprint="dots").drawing(people)
    before = torch.get_rng_state()
    batches = list(drawing.ahead(workers=0, pinned=False))
    assert torch.equal(torch.get_rng_state(), before)
    assert len(batches) == len(drawing) == RECIPE.steps


def kill_myself_at_5(progress: Progress) -> None:
    if progress.step == 5:
        os.kill(os.getpid(), signal.SIGKILL)


def be_killed(out: str) -> None:
    """The code of the next test's subprocess."""
    module.__dict__["build"] = tiny
    start(Path(out), on_progress=kill_myself_at_5)


def test_kill_9(tmp_path: Path, undisturbed: Path) -> None:
    root = Path(__file__).parents[2]
    code = f"from tests.train.test_resuming import be_killed; be_killed({str(tmp_path)!r})"
    path = os.pathsep.join([str(root), os.environ.get("PYTHONPATH", "")])
    killed = subprocess.run(
        [sys.executable, "-c", code],
        cwd=root,
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        check=False,
    )
    assert killed.returncode == -signal.SIGKILL, killed.stderr.decode()
    assert not (tmp_path / "tiny.safetensors").exists()
    start(tmp_path)
    assert weights(tmp_path) == weights(undisturbed)


def test_a_kill_in_the_middle_of_a_checkpoint(
    tmp_path: Path, undisturbed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = torch.save
    written = 0

    def half(state: object, path: Path) -> None:
        nonlocal written
        written += 1
        whole(state, path)
        if written == 2:
            path.write_bytes(path.read_bytes()[:1000])
            raise StoppedError

    with monkeypatch.context() as patch:
        patch.setattr(torch, "save", half)
        with pytest.raises(StoppedError):
            start(tmp_path)
    start(tmp_path)
    assert weights(tmp_path) == weights(undisturbed)


def test_a_finished_run_is_not_run_again(tmp_path: Path) -> None:
    first = start(tmp_path)
    content = weights(tmp_path)
    again = start(tmp_path, on_progress=stop_at(1))
    assert again == first
    assert weights(tmp_path) == content


def test_another_seed_is_another_model(tmp_path: Path, undisturbed: Path) -> None:
    start(tmp_path, recipe=replace(RECIPE, seed=1))
    assert weights(tmp_path) != weights(undisturbed)


def test_a_checkpoint_from_before_a_field_of_the_recipe_goes_on(tmp_path: Path) -> None:
    def at_step_3() -> Run:
        run = Run(RECIPE, device="cpu", data_fingerprint="dots 8")
        run.step = 3
        run.save(tmp_path / "checkpoint.pt")
        return Run(RECIPE, device="cpu", data_fingerprint="dots 8")

    run = at_step_3()
    held = torch.load(tmp_path / "checkpoint.pt", weights_only=True)
    old = {key: value for key, value in held["recipe"].items() if key not in ("half_body", "skeleton")}
    torch.save({**held, "recipe": old}, tmp_path / "checkpoint.pt")
    run.resume(tmp_path / "checkpoint.pt")
    assert run.step == 3
    torch.save({**held, "recipe": {**old, "lr": 0.5}}, tmp_path / "checkpoint.pt")
    with pytest.raises(RobustPoseError, match=r"is of another recipe: lr 0\.5 there, 0\.01 here; choose another"):
        run.resume(tmp_path / "checkpoint.pt")
    torch.save({**held, "recipe": {**old, "surprise": 1}}, tmp_path / "checkpoint.pt")
    with pytest.raises(RobustPoseError, match="is of another recipe: surprise 1 there, 'unknown' here"):
        run.resume(tmp_path / "checkpoint.pt")
    torch.save({**held, "recipe": [1]}, tmp_path / "checkpoint.pt")
    with pytest.raises(RobustPoseError, match="not a checkpoint"):
        run.resume(tmp_path / "checkpoint.pt")
