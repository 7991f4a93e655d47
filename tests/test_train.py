"""Training: a killed run continues to the same bytes, and training trains."""

import json
import math
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from robustpose.data.augment import training_people
from robustpose.errors import RobustPoseError
from robustpose.metrics import ALL, Estimate
from robustpose.models.weights import WeightFacts, load_facts, load_weights
from robustpose.skeletons import COCO_17, Skeleton
from robustpose.train import Progress, Recipe, courses, evaluate, train
from robustpose.train import run as module
from robustpose.train.drawing import rows_of_step
from robustpose.train.run import Run, schedule
from robustpose.types import Batch, PoseDataset, PoseOutput
from tests.conftest import TINY, TRIO, TinyHeatmaps

RECIPE = Recipe(architecture="tiny", people=8, samples=32, batch=4, lr=1e-2, warmup_steps=2, ema=0.9)
STEPS = 8
EVERY = 3


class Normed(TinyHeatmaps):
    """With batch statistics, which a checkpoint must hold too."""

    def __init__(self) -> None:
        super().__init__()
        self.norm = nn.BatchNorm2d(3)

    def forward(self, images: Tensor) -> PoseOutput:
        return super().forward(self.norm(images))


def tiny(architecture: str, *, size: str, skeleton: Skeleton = TRIO) -> Normed:
    return Normed()


class Dots:
    """People who are three coloured dots on grey, one for each keypoint."""

    left_out: tuple[str, ...] = ()

    def __init__(self, n: int, *, name: str = "dots", skeleton: Skeleton = TRIO) -> None:
        self.n, self.name, self.fingerprint, self.skeleton = n, name, f"{name} {n}", skeleton

    has_head_sizes = True

    def content(self, rows: Sequence[int]) -> str:
        return ""

    def __len__(self) -> int:
        return self.n

    def load(self, rows: Sequence[int], *, input_size: tuple[int, int], padding: float = 1.25) -> Batch:
        height, width = input_size
        if rows and max(rows) >= self.n:
            raise IndexError("no such person")
        images = torch.full((len(rows), 3, height, width), 100 / 255)
        k = len(self.skeleton)
        keypoints = torch.zeros(len(rows), k, 2)
        for i, row in enumerate(rows):
            generator = np.random.default_rng(row)
            for joint in range(k):
                x, y = int(generator.integers(2, width - 2)), int(generator.integers(2, height - 2))
                keypoints[i, joint] = torch.tensor([x, y])
                images[i, joint % 3, y - 1 : y + 2, x - 1 : x + 2] = 1.0
        n = len(rows)
        return Batch(
            images=images,
            keypoints=keypoints,
            visible=torch.ones(n, k, dtype=torch.bool),
            head_size=torch.full((n,), 6.0),
            box_side=torch.full((n,), 12.0),
            crops=torch.zeros(n, 2, 3, dtype=torch.float64),
            ids=tuple(map(str, rows)),
            skeleton=self.skeleton,
        )


@pytest.fixture(autouse=True)
def tiny_nets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "build", tiny)


def ignore(progress: Progress) -> None:
    pass


def start(
    out: Path,
    *,
    recipe: Recipe = RECIPE,
    on_progress: Callable[[Progress], None] = ignore,
    data: str = "dots",
    workers: int = 0,
) -> WeightFacts:
    return train(
        recipe,
        training=Dots(8, name=data),
        validation=Dots(5),
        out=out,
        workers=workers,
        validate_every=EVERY,
        on_progress=on_progress,
    )


def weights(out: Path) -> bytes:
    return (out / "tiny.safetensors").read_bytes()


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("undisturbed")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "build", tiny)
        start(out)
    return out


class StoppedError(Exception):
    pass


def stop_at(step: int) -> Callable[[Progress], None]:
    def stop(progress: Progress) -> None:
        if progress.step == step:
            raise StoppedError

    return stop


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
def test_lessons_drawn_by_other_processes_are_the_same(tmp_path: Path, undisturbed: Path, stopped: bool) -> None:
    if stopped:
        with pytest.raises(StoppedError):
            start(tmp_path, on_progress=stop_at(5), workers=2)
    start(tmp_path, workers=2)
    assert weights(tmp_path) == weights(undisturbed)


def test_drawing_ahead_leaves_the_random_state_to_the_net() -> None:
    people = training_people(Dots(8), rows=range(8), input_size=TINY)
    drawing = Run(RECIPE, device="cpu", data_fingerprint="dots").drawing(people)
    before = torch.get_rng_state()
    lessons = list(drawing.ahead(workers=0, pinned=False))
    assert torch.equal(torch.get_rng_state(), before)
    assert len(lessons) == len(drawing) == RECIPE.steps


def kill_myself_at_5(progress: Progress) -> None:
    if progress.step == 5:
        os.kill(os.getpid(), signal.SIGKILL)


def be_killed(out: str) -> None:
    """What the subprocess of the next test runs."""
    module.__dict__["build"] = tiny
    start(Path(out), on_progress=kill_myself_at_5)


def test_kill_9(tmp_path: Path, undisturbed: Path) -> None:
    root = Path(__file__).parents[1]
    code = f"from tests.test_train import be_killed; be_killed({str(tmp_path)!r})"
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


def test_another_seed_is_another_net(tmp_path: Path, undisturbed: Path) -> None:
    start(tmp_path, recipe=replace(RECIPE, seed=1))
    assert weights(tmp_path) != weights(undisturbed)


@pytest.mark.parametrize(
    ("other", "named"),
    [
        ({"lr": 1e-3}, r"lr 0\.01 there, 0\.001 here"),
        ({"seed": 1, "samples": 64}, "samples 32 there, 64 here, seed 0 there, 1 here"),
        ({"people": 4}, "people 8 there, 4 here"),
        ({"architecture": "other"}, "architecture 'tiny' there, 'other' here"),
    ],
)
def test_the_folder_of_another_recipe_says_what_differs(
    tmp_path: Path, undisturbed: Path, other: dict[str, Any], named: str
) -> None:
    checkpoint = tmp_path / "checkpoint.pt"
    checkpoint.write_bytes((undisturbed / "checkpoint.pt").read_bytes())
    before = checkpoint.read_bytes()
    with pytest.raises(
        RobustPoseError, match=rf"checkpoint\.pt is of another recipe: {named}; choose another --out$"
    ):
        start(tmp_path, recipe=replace(RECIPE, **other))
    assert checkpoint.read_bytes() == before


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


def test_a_damaged_checkpoint_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "checkpoint.pt").write_bytes(b"junk" * 100)
    with pytest.raises(RobustPoseError, match=r"checkpoint\.pt"):
        start(tmp_path)


def test_the_folder_of_other_people(tmp_path: Path) -> None:
    with pytest.raises(StoppedError):
        start(tmp_path, on_progress=stop_at(5))
    with pytest.raises(RobustPoseError, match=r"checkpoint\.pt is of another data set; choose another --out"):
        start(tmp_path, data="other dots")


@pytest.mark.parametrize(
    ("recipe", "training", "message"),
    [
        (replace(RECIPE, people=9), Dots(8), r"between the batch \(4\) and what dots has \(8\), got 9"),
        (replace(RECIPE, batch=16), Dots(8), r"between the batch \(16\) and what dots has \(8\), got 8"),
        (RECIPE, Dots(8, skeleton=COCO_17), "dots is in skeleton coco_17, the net in trio"),
        (replace(RECIPE, samples=3), Dots(8), r"samples must be at least one batch \(4\), got 3"),
        (replace(RECIPE, lr=math.nan), Dots(8), "lr must be a number > 0, got nan"),
        (replace(RECIPE, lr=-1e-3), Dots(8), r"lr must be a number > 0, got -0\.001"),
        (replace(RECIPE, lr=0.0), Dots(8), r"lr must be a number > 0, got 0\.0"),
        (replace(RECIPE, half_body=2.0), Dots(8), r"half_body must lie in \[0, 1\], got 2\.0"),
        (replace(RECIPE, half_body=-0.1), Dots(8), r"half_body must lie in \[0, 1\], got -0\.1"),
        (replace(RECIPE, half_body=math.nan), Dots(8), r"half_body must lie in \[0, 1\], got nan"),
    ],
    ids=[
        "more people than there are",
        "a batch larger than the people",
        "another skeleton",
        "not one step",
        "a rate that is no number",
        "a negative rate",
        "no rate",
        "more half bodies than bodies",
        "less than no half bodies",
        "half bodies that are no number",
    ],
)
def test_a_recipe_that_does_not_fit_the_data_is_one_line_before_anyone_is_rendered(
    tmp_path: Path, recipe: Recipe, training: Dots, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(training, "load", never)
    with pytest.raises(RobustPoseError, match=message):
        train(recipe, training=training, validation=Dots(5), out=tmp_path, on_checked=never)


def never(*given: object, **named: object) -> None:
    raise AssertionError("this must not be called")


def test_people_are_rendered_once_all_is_checked_and_before_they_are_loaded(tmp_path: Path) -> None:
    events: list[str] = []

    class Watched(Dots):
        def load(self, rows: Sequence[int], *, input_size: tuple[int, int], padding: float = 1.25) -> Batch:
            events.append("load")
            return super().load(rows, input_size=input_size, padding=padding)

    def go(recipe: Recipe) -> None:
        train(
            recipe,
            training=Watched(8),
            validation=Dots(5),
            out=tmp_path,
            on_checked=lambda: events.append("checked"),
            on_progress=lambda progress: events.append("step"),
        )

    go(RECIPE)
    assert events == ["checked", "load", *["step"] * STEPS]
    events.clear()
    with pytest.raises(RobustPoseError, match="is of another recipe"):
        go(replace(RECIPE, half_body=0.5))
    (tmp_path / "checkpoint.pt").write_bytes(b"junk")
    with pytest.raises(RobustPoseError, match="not a checkpoint"):
        go(RECIPE)
    assert events == []


def test_facts_say_what_was_done(undisturbed: Path) -> None:
    facts = load_facts(undisturbed / "tiny.safetensors")
    assert (facts.architecture, facts.size, facts.device) == ("tiny", "compact", "cpu")
    assert (facts.data, facts.data_fingerprint) == ("dots", "dots 8")
    assert (facts.validation, facts.validation_fingerprint) == ("dots", "dots 5")
    assert facts.recipe == asdict(replace(RECIPE, skeleton="trio"))
    assert facts.skeleton == "trio"
    assert facts.samples == 32
    assert facts.n == 5
    assert facts.low <= facts.score <= facts.high
    net = Normed()
    load_weights(net, undisturbed / "tiny.safetensors")
    measured = evaluate(net, Dots(5).load(range(5), input_size=TINY))[ALL]
    assert facts.score == round(measured.value, 2), "the score is that of the file, rounded weights and all"
    net.load_state_dict(torch.load(undisturbed / "checkpoint.pt", weights_only=True)["average"])
    exact = evaluate(net, Dots(5).load(range(5), input_size=TINY))[ALL]
    assert facts.stored == "float16"
    assert facts.rounding_cost == round(exact.value - measured.value, 2)
    assert facts.precision == ("bfloat16" if torch.ops.mkldnn._is_mkldnn_bf16_supported() else "float32")


@pytest.mark.parametrize("has_it", [True, False])
def test_facts_say_what_the_passes_computed_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, has_it: bool
) -> None:
    computed: list[torch.dtype] = []

    class Watched(Normed):
        def forward(self, images: Tensor) -> PoseOutput:
            found = super().forward(images)
            if self.training:
                computed.append(found.stages[0].dtype)
            return found

    monkeypatch.setattr(module, "build", lambda architecture, *, size, skeleton: Watched())
    monkeypatch.setattr(module, "_has_bfloat16", lambda device: has_it)
    facts = start(tmp_path)
    assert facts.precision == ("bfloat16" if has_it else "float32")
    assert set(computed) == {torch.bfloat16 if has_it else torch.float32}


@pytest.mark.parametrize(
    ("cost", "stored"),
    [(0.15, "float16"), (0.0, "float16"), (-3.0, "float16"), (0.25, "float32"), (math.nan, "float32")],
)
def test_weights_are_rounded_only_where_that_costs_little(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cost: float, stored: str
) -> None:
    def score(course: object, net: nn.Module, validation: PoseDataset, *, n: int) -> Estimate:
        rounded = all(torch.equal(p, p.half().float()) for p in net.parameters())
        value = 80.0 - cost if rounded else 80.0
        return Estimate(value=value, low=value - 1, high=value + 1, n=n)

    monkeypatch.setattr(courses.PoseCourse, "score", score)
    facts = start(tmp_path)
    assert facts == load_facts(tmp_path / "tiny.safetensors")
    kept = stored == "float32"
    assert (facts.stored, facts.rounding_cost) == (stored, 0.0 if kept else cost)
    assert (facts.score, facts.low, facts.high) == ((80, 79, 81) if kept else (80 - cost, 79 - cost, 81 - cost))
    average = torch.load(tmp_path / "checkpoint.pt", weights_only=True)["average"]
    net = Normed()
    assert load_weights(net, tmp_path / "tiny.safetensors") == facts.sha256
    held = load_file(tmp_path / "tiny.safetensors")
    for name, ours in net.state_dict().items():
        exact = average[name]
        floating = exact.is_floating_point()
        assert held[name].dtype == (getattr(torch, stored) if floating else exact.dtype)
        assert ours.dtype == exact.dtype
        assert torch.equal(ours, exact if kept or not floating else exact.half().float())
    exact_at_half = [torch.equal(p, p.half().float()) for p in net.parameters()]
    assert all(exact_at_half) == (not kept)


def test_the_log_has_a_line_for_each_validation(undisturbed: Path) -> None:
    lines = [json.loads(line) for line in (undisturbed / "log.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines] == [3, 6, 8]
    assert all(math.isfinite(line["loss"]) and 0 <= line["PCKh@0.5"] <= 100 for line in lines)
    assert sorted(p.name for p in undisturbed.iterdir()) == [
        *("checkpoint.pt", "log.jsonl", "tiny.json", "tiny.safetensors")
    ]


def test_evaluating_leaves_the_mode() -> None:
    net = Normed()
    people = Dots(5).load(range(5), input_size=TINY)
    before = [p.clone() for p in net.state_dict().values()]
    whole = evaluate(net, people)[ALL]
    assert net.training
    assert all(torch.equal(a, b) for a, b in zip(before, net.state_dict().values(), strict=True))
    assert evaluate(net.eval(), people, batch=2)[ALL] == whole
    assert not net.training


def test_a_net_learns_one_batch_by_heart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    people = Dots(4).load(range(4), input_size=TINY)

    def always(*given: object, **named: object) -> tuple[Tensor, Tensor, Tensor]:
        return people.images, people.keypoints, people.visible

    monkeypatch.setattr(courses, "augmented", always)
    losses: list[float] = []
    recipe = Recipe(architecture="tiny", people=4, samples=4 * 400, batch=4, lr=2e-2, warmup_steps=10, ema=0.9)
    facts = train(
        recipe,
        training=Dots(4),
        validation=Dots(4),
        out=tmp_path,
        on_progress=lambda progress: losses.append(progress.loss),
    )
    head = Normed().head
    nothing = head.loss(torch.zeros(4, 3, 4, 6), head.encode(people.keypoints), people.visible).mean()
    assert len(losses) == 400
    assert losses[-1] < losses[0] / 10
    assert losses[-1] < float(nothing), "two stages together below what one empty map scores"
    assert facts.score > 70


def test_the_schedule_by_hand() -> None:
    shares = [schedule(step, steps=10, warmup=4) for step in range(10)]
    assert shares[:5] == [0.25, 0.5, 0.75, 1.0, 1.0]
    assert shares[7] == pytest.approx(0.5)
    assert shares[9] == pytest.approx(0.5 * (1 + math.cos(math.pi * 5 / 6)))
    assert schedule(10, steps=10, warmup=4) == pytest.approx(0.0)
    assert schedule(0, steps=10, warmup=0) == 1.0
    assert schedule(5, steps=5, warmup=5) == 1.0


def test_every_epoch_sees_everyone_once() -> None:
    epochs = [
        np.concatenate([rows_of_step(3 * epoch + i, people=12, batch=4, seed=7) for i in range(3)])
        for epoch in range(3)
    ]
    for order in epochs:
        assert sorted(order.tolist()) == list(range(12))
    assert len({tuple(order.tolist()) for order in epochs}) == 3
    again = rows_of_step(4, people=12, batch=4, seed=7)
    assert (again == epochs[1][4:8]).all()
    assert len(rows_of_step(0, people=10, batch=4, seed=7)) == 4
    assert (rows_of_step(4, people=12, batch=4, seed=8) != again).any()


def state(net: nn.Module) -> dict[str, Tensor]:
    return {name: tensor.clone() for name, tensor in net.state_dict().items()}


@pytest.mark.parametrize("begun", ["anew", "from a checkpoint", "from other weights"])
@pytest.mark.parametrize("ema", [0.9, 0.25])
def test_the_average_in_closed_form(tmp_path: Path, undisturbed: Path, begun: str, ema: float) -> None:
    """Step k moves it to d average + (1 - d) net with d = min(ema, (1 + k) / (10 + k)), buffers and all."""
    recipe = replace(RECIPE, ema=ema)
    people = training_people(Dots(8), rows=range(8), input_size=TINY)

    def new() -> Run:
        return Run(recipe, device="cpu", data_fingerprint="dots")

    run = new()
    if begun == "from other weights":
        run.begin_from(undisturbed / "tiny.safetensors")
    states = [state(run.net)]
    for step in range(1, 6):
        run.advance(run.drawing(people)[0])
        states.append(state(run.net))
        if step == 2 and begun == "from a checkpoint":
            run.save(tmp_path / "checkpoint.pt")
            run = new()
            run.resume(tmp_path / "checkpoint.pt")
    decays = [0.0, *(min(ema, (1 + k) / (10 + k)) for k in range(1, 6))]
    shares = [(1 - decays[k]) * math.prod(decays[k + 1 :]) for k in range(6)]
    assert sum(shares) == pytest.approx(1)
    for name, found in run.average.state_dict().items():
        if found.is_floating_point():
            each = torch.stack([held[name].double() for held in states])
            wanted = torch.tensordot(torch.tensor(shares, dtype=torch.double), each, dims=1)
            assert torch.allclose(found.double(), wanted, atol=1e-6), name
            assert not torch.equal(found, states[-1][name])
        else:
            assert torch.equal(found, states[-1][name]), name
    assert int(run.average.state_dict()["norm.num_batches_tracked"]) == (
        5 if begun != "from other weights" else 13
    )
