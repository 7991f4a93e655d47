"""Several processes that train one model: what each computes, and that the result equals that of one."""

import json
import os
import subprocess
import sys
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from robustpose.data.augment import TrainingPeople
from robustpose.errors import RobustPoseError
from robustpose.models.weights import load_facts, load_weights
from robustpose.skeletons import Skeleton
from robustpose.train import Recipe, is_main_process, tasks, train
from robustpose.train import run as module
from robustpose.train.processes import join
from robustpose.train.recipe import rows_of_step
from tests.cli.test_errors import run
from tests.conftest import TinyHeatmaps
from tests.train.dots import Dots

ROOT = Path(__file__).parents[2]
RECIPE = Recipe(architecture="tiny", people=8, samples=24, batch=4, lr=1e-2, warmup_steps=2, ema=0.9, clip=0.02)
STEPS, EVERY = 6, 4
UNEQUAL = replace(RECIPE, batch=5)


@dataclass
class Seen:
    """A record of one process's training: its models, the rows and a number of each draw, its losses."""

    models: list[TinyHeatmaps]
    rows: list[list[int]]
    numbers: list[float]
    losses: list[float]


def watch(patch: pytest.MonkeyPatch) -> Seen:
    """Train a tiny model without batch statistics on crops that no generator changes, in float32."""
    seen = Seen([], [], [], [])

    def tiny(architecture: str, *, size: str, skeleton: Skeleton) -> TinyHeatmaps:
        seen.models.append(TinyHeatmaps())
        return seen.models[-1]

    def middles(
        people: TrainingPeople,
        rows: NDArray[np.int64],
        *,
        input_size: tuple[int, int],
        generator: np.random.Generator,
        half_body: float,
    ) -> tuple[Tensor, Tensor, Tensor]:
        seen.rows.append(rows.tolist())
        seen.numbers.append(generator.random())
        (height, width), (tall, wide) = input_size, people.images.shape[1:3]
        top, left = (tall - height) // 2, (wide - width) // 2
        images = people.images[rows, top : top + height, left : left + width]
        return (
            torch.from_numpy(images).permute(0, 3, 1, 2).float() / 255,
            torch.from_numpy(people.keypoints[rows] - [left, top]).float(),
            torch.from_numpy(people.visible[rows]),
        )

    patch.setattr(module, "build", tiny)
    patch.setattr(module, "_has_bfloat16", lambda device: False)
    patch.setattr(tasks, "augmented", middles)
    return seen


def learn(out: Path, seen: Seen, *, recipe: Recipe = RECIPE) -> dict[str, Any]:
    facts = train(
        recipe,
        training=Dots(8),
        validation=Dots(5),
        out=out,
        validate_every=EVERY,
        on_progress=lambda progress: seen.losses.append(progress.loss),
    )
    return asdict(facts)


def take_part(out: Path) -> None:
    """The code of each of the two processes."""
    with pytest.MonkeyPatch.context() as patch:
        seen = watch(patch)
        facts = learn(out / "together", seen)
        model = seen.models[0].state_dict()
        refused = ""
        try:
            learn(out / "unequal", seen, recipe=UNEQUAL)
        except RobustPoseError as error:
            refused = str(error)
    rank = os.environ["RANK"]
    torch.save(model, out / f"net-{rank}.pt")
    told = {
        "facts": facts,
        "rows": seen.rows,
        "numbers": seen.numbers,
        "losses": seen.losses,
        "refused": refused,
        "is_main_process": is_main_process(),
    }
    (out / f"told-{rank}.json").write_text(json.dumps(told))


@dataclass(frozen=True)
class Pair:
    """The records of two processes."""

    folder: Path
    told: tuple[dict[str, Any], dict[str, Any]]
    models: tuple[dict[str, Tensor], dict[str, Tensor]]


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Pair:
    folder = tmp_path_factory.mktemp("pair")
    script = folder / "take_part.py"
    script.write_text(
        "import sys\nfrom pathlib import Path\n"
        "from tests.train.test_processes import take_part\n"
        "take_part(Path(sys.argv[1]))\n"
    )
    launcher = (sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2")
    path = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
    done = subprocess.run(
        [*launcher, str(script), str(folder)],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr.decode()
    first, second = (json.loads((folder / f"told-{rank}.json").read_text()) for rank in range(2))
    ours, theirs = (torch.load(folder / f"net-{rank}.pt", weights_only=True) for rank in range(2))
    return Pair(folder, (first, second), (ours, theirs))


def largest_difference(ours: dict[str, Tensor], theirs: dict[str, Tensor]) -> float:
    assert ours.keys() == theirs.keys()
    return max(float((ours[name] - theirs[name]).abs().max()) for name in ours)


@pytest.mark.slow
def test_two_processes_make_the_model_of_one_that_draws_their_batches_together(
    pair: Pair, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = watch(monkeypatch)
    facts = learn(tmp_path, seen)
    alone = torch.load(tmp_path / "checkpoint.pt", weights_only=True)
    together = torch.load(pair.folder / "together" / "checkpoint.pt", weights_only=True)
    begun = TinyHeatmaps().state_dict()
    assert largest_difference(alone["net"], begun) > 0.01, "the model has moved"
    for model in (together["net"], *pair.models):
        assert largest_difference(model, alone["net"]) < 1e-5
    assert largest_difference(together["average"], alone["average"]) < 1e-5
    means = np.mean([told["losses"] for told in pair.told], axis=0)
    np.testing.assert_allclose(means, seen.losses, rtol=1e-5)
    assert pair.told[0]["losses"] != pair.told[1]["losses"]
    assert pair.told[0]["facts"]["score"] == facts["score"]


@pytest.mark.slow
def test_two_processes_share_each_batch_and_draw_apart(pair: Pair) -> None:
    ours, theirs = pair.told
    assert len(ours["rows"]) == len(theirs["rows"]) == STEPS
    for step, (mine, other) in enumerate(zip(ours["rows"], theirs["rows"], strict=True)):
        batch = rows_of_step(step, people=RECIPE.people, batch=RECIPE.batch, seed=RECIPE.seed)
        assert len(mine) == len(other) == 2
        assert sorted(mine + other) == sorted(batch.tolist())
    assert len({*ours["numbers"], *theirs["numbers"]}) == 2 * STEPS


@pytest.mark.slow
def test_the_first_of_two_processes_writes_and_both_know_the_facts(pair: Pair) -> None:
    ours, theirs = pair.told
    assert ours["facts"] == theirs["facts"]
    folder = pair.folder / "together"
    weights = folder / "tiny.safetensors"
    assert ours["facts"] == asdict(load_facts(weights))
    load_weights(TinyHeatmaps(), weights)
    lines = [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines] == [4, 6]
    assert [line["loss"] for line in lines] == [ours["losses"][3], ours["losses"][5]]
    assert sorted(path.name for path in folder.iterdir()) == [
        *("checkpoint.pt", "log.jsonl", "tiny.json", "tiny.safetensors")
    ]
    assert (ours["is_main_process"], theirs["is_main_process"]) == (True, False)


@pytest.mark.slow
def test_a_batch_that_two_processes_cannot_share_is_one_line_in_each(pair: Pair) -> None:
    for told in pair.told:
        assert told["refused"] == "a batch of 5 cannot be shared by 2 processes"
    assert not (pair.folder / "unequal").exists()


def test_several_processes_without_accelerate_are_told_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "accelerate", None)
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(RobustPoseError, match=r"pip install 'robustpose\[distributed\]'"):
        join("cpu")


def test_one_process_does_without_accelerate(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "accelerate", None)
    model = TinyHeatmaps()
    for size in (None, "1"):
        monkeypatch.delenv("WORLD_SIZE", raising=False)
        if size is not None:
            monkeypatch.setenv("WORLD_SIZE", size)
        alone = join("cpu")
        assert (alone.index, alone.count, alone.first, alone.device.type) == (0, 1, True, "cpu")
        assert alone.share(model) is model
        alone.wait()


@pytest.mark.parametrize(("rank", "expected"), [(None, True), ("0", True), ("1", False), ("10", False)])
def test_one_process_is_the_main_one(monkeypatch: pytest.MonkeyPatch, rank: str | None, expected: bool) -> None:
    monkeypatch.delenv("RANK", raising=False)
    if rank is not None:
        monkeypatch.setenv("RANK", rank)
    assert is_main_process() == expected


def test_the_package_runs_as_the_command_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(monkeypatch, "list") == 0
    command = capsys.readouterr().out
    path = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
    as_module = [sys.executable, "-m", "robustpose"]
    done = subprocess.run(
        [*as_module, "list"], cwd=tmp_path, env={**os.environ, "PYTHONPATH": path}, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == command
    assert "shg2" in command
