"""Finished people are left out of the passes, and nothing else changes."""

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from robustpose.attack_types import Attack
from robustpose.attacks import APGD, IGSM, PGD, Attacked, Target, run
from robustpose.attacks.acceleration import Unfinished
from robustpose.objectives import Margin, TrainingLoss
from robustpose.threats import Linf
from robustpose.types import Batch
from tests.conftest import LinearPose, aim_at, tiny_batch

STOPPING: tuple[Attack, ...] = (
    IGSM(steps=12),
    PGD(steps=12, restarts=2, momentum=0.5),
    APGD(steps=12),
    APGD(steps=12, restarts=3),
)


def people(model: LinearPose) -> Batch:
    """People predicted within a quarter of a pixel; no pixel is near black or white."""
    batch = tiny_batch(6, levels=(90, 160))
    seen = model(batch.images).keypoints.detach()
    return replace(batch, keypoints=seen + 0.05, head_size=torch.full((6,), 0.5))


def attacked(attack: Attack, *, target: Tensor | None, stops_at_cap: bool) -> tuple[Attacked, Tensor]:
    """Attack, and return which keypoints end within the radius of the truth or the target."""
    model = LinearPose().eval()
    batch = people(model)
    aim = batch.keypoints if target is None else batch.keypoints + target
    with pytest.MonkeyPatch.context() as patch:
        if not stops_at_cap:
            patch.setattr(type(attack), "stops_at_cap", False)
        found = run(
            attack,
            model,
            batch,
            threat=Linf(16 / 255),
            objective=Margin(),
            target=None if target is None else Target(aim, batch.visible),
        )
    return found, (found.output.keypoints - aim).norm(dim=-1) <= 0.25


@pytest.mark.parametrize("target", [None, torch.tensor([0.2, 0.2])], ids=["untargeted", "targeted"])
@pytest.mark.parametrize("attack", STOPPING, ids=lambda attack: f"{type(attack).__name__}")
def test_the_finished_cost_nothing_and_score_as_they_would(attack: Attack, target: Tensor | None) -> None:
    every, within = attacked(attack, target=target, stops_at_cap=False)
    left_out, still_within = attacked(attack, target=target, stops_at_cap=True)
    assert torch.equal(within, still_within)
    assert left_out.backwards < 0.8 * every.backwards, "most people are done early here"
    assert left_out.forwards < 0.8 * every.forwards
    if isinstance(attack, IGSM):
        assert torch.equal(left_out.images, every.images)


def test_a_loss_without_a_cap_is_always_asked() -> None:
    batch = tiny_batch()
    found = run(IGSM(steps=7), LinearPose().eval(), batch, threat=Linf(0.1), objective=TrainingLoss())
    assert (found.forwards, found.backwards) == (28, 28)


def test_the_cap_is_reached_where_every_counted_keypoint_is_lost() -> None:
    batch, model = tiny_batch(), LinearPose().eval()
    far = replace(aim_at(batch), keypoints=batch.keypoints + 1000)
    for aim, there in ((far, True), (replace(far, keypoints=model(batch.images).keypoints.detach()), False)):
        loss = Margin(enough=0.25).bind(model, aim, targeted=False)
        cap = loss.cap  # type: ignore[attr-defined]
        assert torch.allclose(cap, torch.tensor(0.25))
        assert torch.equal(loss(batch.images, torch.arange(4)) >= cap - 1e-6, torch.full((4,), there))
    nobody = Margin().bind(model, replace(far, visible=torch.zeros_like(far.visible)), targeted=False)
    assert torch.equal(nobody.cap, torch.zeros(4))  # type: ignore[attr-defined]


def test_finished_people_reach_no_model_and_get_no_gradient() -> None:
    """Losses by hand: the image's first pixel; the cap is 1."""
    asked: list[list[int]] = []

    def loss(adv: Tensor, rows: Tensor) -> Tensor:
        asked.append(rows.tolist())
        return adv[:, 0, 0, 0].clamp(max=1.0)

    unfinished = Unfinished(loss, torch.ones(3))
    rows = torch.tensor([0, 1, 2, 0])
    adv = torch.zeros(4, 3, 2, 2)
    adv[1], adv[3] = 2.0, 1.0
    adv.requires_grad_(True)
    assert unfinished(adv, rows).tolist() == [0.0, 1.0, 0.0, 1.0]
    second = unfinished(adv, rows)
    assert second.tolist() == [-torch.inf, -torch.inf, 0.0, -torch.inf]
    (gradient,) = torch.autograd.grad(second.sum(), adv)
    assert gradient[2, 0, 0, 0] == 1.0
    assert gradient.abs().sum() == 1.0
    assert asked == [[0, 1, 2, 0], [2]]
    adv.data[2] = 1.0
    unfinished(adv, rows)
    last = unfinished(adv, rows)
    assert (last == -torch.inf).all()
    assert not torch.autograd.grad(last.sum(), adv)[0].any()
    assert asked[2:] == [[2]]
