"""Training: the schedule, the epochs, the weight average, and overfitting one batch."""

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from robustpose.data.augment import training_people
from robustpose.metrics import ALL
from robustpose.train import Recipe, evaluate, tasks, train
from robustpose.train.recipe import rows_of_step
from robustpose.train.run import Run, schedule
from tests.conftest import TINY
from tests.train.dots import RECIPE, Dots, Normed

pytestmark = pytest.mark.usefixtures("tiny_models")


def test_evaluating_leaves_the_mode() -> None:
    model = Normed()
    people = Dots(5).load(range(5), input_size=TINY)
    before = [p.clone() for p in model.state_dict().values()]
    whole = evaluate(model, people)[ALL]
    assert model.training
    assert all(torch.equal(a, b) for a, b in zip(before, model.state_dict().values(), strict=True))
    assert evaluate(model.eval(), people, batch=2)[ALL] == whole
    assert not model.training


@pytest.mark.slow
def test_a_model_learns_one_batch_by_heart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    people = Dots(4).load(range(4), input_size=TINY)

    def always(*given: object, **named: object) -> tuple[Tensor, Tensor, Tensor]:
        return people.images, people.keypoints, people.visible

    monkeypatch.setattr(tasks, "augmented", always)
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


def state(model: nn.Module) -> dict[str, Tensor]:
    return {name: tensor.clone() for name, tensor in model.state_dict().items()}


@pytest.mark.parametrize("begun", ["anew", "from a checkpoint", "from other weights"])
@pytest.mark.parametrize("ema", [0.9, 0.25])
def test_the_average_in_closed_form(tmp_path: Path, undisturbed: Path, begun: str, ema: float) -> None:
    """Step k moves it to d average + (1 - d) model with d = min(ema, (1 + k) / (10 + k)), buffers and all."""
    recipe = replace(RECIPE, ema=ema)
    people = training_people(Dots(8), rows=range(8), input_size=TINY)

    def new() -> Run:
        return Run(recipe, device="cpu", data_fingerprint="dots")

    run = new()
    if begun == "from other weights":
        run.begin_from(undisturbed / "tiny.safetensors")
    states = [state(run.model)]
    for step in range(1, 6):
        run.advance(run.drawing(people)[0])
        states.append(state(run.model))
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
