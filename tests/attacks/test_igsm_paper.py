"""IGSM and FGSM against a second implementation, written only from the paper."""

import math
from typing import Literal

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from robustpose.attacks import FGSM, IGSM, Attacked, Target, make_attack, run
from robustpose.attacks.fgsm import fgsm
from robustpose.errors import RobustPoseError
from robustpose.objectives import OBJECTIVES, TrainingLoss
from robustpose.threats import Linf
from robustpose.types import Batch
from tests.conftest import TINY, TRIO, LinearPose, TinyHeatmaps, aim_at, tiny_batch

EPS = 8 / 255
PEOPLE = 3


def drawn(keypoints: Tensor) -> Tensor:
    """Gaussian heatmaps of stride 2, cell by cell; pixel 0.5 is the centre of cell 0."""
    maps = torch.zeros(len(keypoints), len(TRIO), TINY[0] // 2, TINY[1] // 2)
    for n, k, row, column in np.ndindex(*maps.shape):
        x, y = (float(keypoints[n, k, 0]) - 0.5) / 2, (float(keypoints[n, k, 1]) - 0.5) / 2
        maps[n, k, row, column] = math.exp(-((column - x) ** 2 + (row - y) ** 2) / 2)
    return maps


def losses(stages: tuple[Tensor, ...], truth: Tensor, visible: Tensor, *, all_stages: bool) -> Tensor:
    """Mean over cells and keypoints of the squared error, keypoints without a label counting 0."""
    total = torch.zeros(len(truth))
    for stage in stages if all_stages else stages[-1:]:
        for k in range(len(TRIO)):
            total = total + visible[:, k] * ((stage[:, k] - truth[:, k]) ** 2).mean(dim=(1, 2)) / len(TRIO)
    return total


def plain_igsm(
    model: TinyHeatmaps, batch: Batch, keypoints: Tensor, *, steps: int, alpha: float, sign: int, all_stages: bool
) -> list[NDArray[np.float32]]:
    """x <- clip(x + sign * alpha * sgn(grad)); every iterate."""
    original = batch.images.numpy()
    iterates = [original]
    for _ in range(steps):
        x = torch.tensor(iterates[-1], requires_grad=True)
        loss = losses(model(x).stages, drawn(keypoints), batch.visible, all_stages=all_stages)
        (gradient,) = torch.autograd.grad(loss.sum(), x)
        moved = iterates[-1] + np.float32(sign * alpha) * np.sign(gradient.numpy())
        iterates.append(np.clip(np.clip(moved, original - np.float32(EPS), original + np.float32(EPS)), 0, 1))
    return iterates[1:]


def ours(
    model: TinyHeatmaps, batch: Batch, attack: IGSM | FGSM, *, objective: str, target: Target | None
) -> Attacked:
    return run(
        attack,
        model,
        batch,
        threat=Linf(EPS),
        objective=OBJECTIVES[objective],
        target=target,
        round_to_8bit=False,
    )


@pytest.mark.parametrize("targeted", [False, True], ids=["untargeted", "targeted"])
@pytest.mark.parametrize("objective", ["training_loss", "training_loss_all"])
def test_agrees_with_a_second_implementation(objective: str, targeted: bool) -> None:
    model, batch = TinyHeatmaps(seed=4), tiny_batch(PEOPLE, seed=9)
    target = Target(batch.keypoints.flip(1), batch.visible) if targeted else None
    pose = batch.keypoints if target is None else target.keypoints
    steps, share, sign = (20, 1 / 8, -1) if targeted else (10, 5 / 12, 1)
    all_stages = objective == "training_loss_all"
    trajectory = plain_igsm(model, batch, pose, steps=steps, alpha=share * EPS, sign=sign, all_stages=all_stages)

    def loss_of(images: Tensor) -> Tensor:
        with torch.no_grad():
            return losses(model(images).stages, drawn(pose), batch.visible, all_stages=all_stages)

    for count in (1, 2, steps):
        expected = trajectory[count - 1]
        mine = ours(model, batch, IGSM(steps=count, step_size=share), objective=objective, target=target).images
        if count == 1:
            torch.testing.assert_close(mine, torch.from_numpy(expected), rtol=0, atol=1e-6)
        # Later pixels may differ where a rounding turns a gradient's sign; the loss may not.
        torch.testing.assert_close(loss_of(mine), loss_of(torch.from_numpy(expected)), rtol=1e-3, atol=0)
    default = make_attack("igsm", targeted=targeted)
    assert default == IGSM(steps=steps, step_size=share)
    gained = loss_of(mine) - loss_of(batch.images)
    assert (sign * gained > 0).all()


@pytest.mark.parametrize("targeted", [False, True])
def test_fgsm_is_one_full_step_of_igsm(targeted: bool) -> None:
    model, batch = TinyHeatmaps(seed=4), tiny_batch(PEOPLE)
    target = Target(batch.keypoints.flip(1), batch.visible) if targeted else None
    one = ours(model, batch, IGSM(steps=1, step_size=1.0), objective="training_loss", target=target)
    assert torch.equal(one.images, ours(model, batch, FGSM(), objective="training_loss", target=target).images)


def test_the_papers_numbers() -> None:
    assert make_attack("igsm", targeted=False) == IGSM(steps=10, step_size=5 / 12)
    assert make_attack("igsm", targeted=True) == IGSM(steps=20, step_size=1 / 8)
    assert make_attack("igsm", targeted=True, steps=100) == IGSM(steps=100, step_size=1 / 8)
    assert make_attack("fgsm", targeted=True, steps=1) == FGSM()
    assert 1 / 3 <= 5 / 12 <= 1 / 2
    assert 1 / 9 <= 1 / 8 <= 1 / 7


@pytest.mark.parametrize(("steps", "step_size"), [(0, 0.5), (-1, 0.5), (10, 0.0), (10, -0.1), (10, math.nan)])
def test_igsm_refuses_numbers_that_are_none(steps: int, step_size: float) -> None:
    with pytest.raises(RobustPoseError, match=r"^igsm: step"):
        IGSM(steps=steps, step_size=step_size)


def test_fgsm_takes_one_step() -> None:
    with pytest.raises(RobustPoseError, match="takes one step, got 10"):
        fgsm(targeted=False, steps=10)


@pytest.mark.parametrize("targeted", [False, True])
def test_all_is_the_sum_over_stages(targeted: bool) -> None:
    model, batch = TinyHeatmaps(seed=1), tiny_batch(PEOPLE)
    rows = torch.arange(PEOPLE)
    stages = model(batch.images).stages
    assert len(stages) == 2
    each = [losses((stage,), drawn(batch.keypoints), batch.visible, all_stages=True) for stage in stages]
    sign = -1 if targeted else 1
    choices: list[tuple[Literal["all", "last"], Tensor]] = [("all", each[0] + each[1]), ("last", each[1])]
    for which, expected in choices:
        bound = TrainingLoss(which).bind(model, aim_at(batch), targeted=targeted)
        torch.testing.assert_close(bound(batch.images, rows), sign * expected, rtol=1e-4, atol=1e-7)


def test_rows_say_whose_truth_it_is() -> None:
    model, batch = LinearPose(), tiny_batch(4)
    bound = TrainingLoss().bind(model, aim_at(batch), targeted=False)
    whole = bound(batch.images, torch.arange(4))
    some = torch.tensor([3, 1])
    torch.testing.assert_close(bound(batch.images[some], some), whole[some])
