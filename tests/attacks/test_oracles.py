"""Every registered attack against the best that any attack could do, known in closed form for a linear model."""

from dataclasses import dataclass

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from robustpose.attack_types import Loss
from robustpose.attacks import ATTACKS, Target, make_perturbing, run
from robustpose.objectives import Aim
from robustpose.threats import THREATS, Linf, make_threat, threats_of
from robustpose.types import PoseModel
from tests.conftest import TINY, TRIO, LinearPose, tiny_batch

Floats = NDArray[np.float64]
ENOUGH = 0.99
GRADIENT_ATTACKS = [
    name for name in ATTACKS if ATTACKS[name].objective == "training_loss" and name not in ("di", "ti")
]
"""Attacks that raise any loss along its own gradient; the others have tests of their own."""

BUDGETS = [
    (threat, eps)
    for threat in threats_of("values")
    for eps in THREATS[threat].budgets
    if make_threat(threat, eps).holds_8bit
]


@dataclass(frozen=True)
class LinearLoss:
    """u . keypoints, in input pixels: to raise untargeted, to lower targeted."""

    u: Tensor

    def bind(self, model: PoseModel, aim: Aim, /, *, targeted: bool) -> Loss:
        sign = -1.0 if targeted else 1.0

        def loss(adv: Tensor, rows: Tensor) -> Tensor:
            return sign * (model(adv).keypoints * self.u).sum(dim=(1, 2))

        return loss


def gradient(model: LinearPose, u: Tensor) -> Floats:
    """W^T u, by hand: a raw unit is W pixels of x and H pixels of y."""
    height, width = TINY
    pixels_per_unit = np.array([width, height])
    weights = model.W.detach().double().numpy()
    flat: Floats = weights.T @ (u.double().numpy() * pixels_per_unit).reshape(-1)
    return flat.reshape(3, height, width)


def best_move(threat: str, eps: float, room: Floats, slope: Floats) -> Floats:
    """The changes (3, H, W), as large as 0 and `room`, that gain most by a slope >= 0: in closed form."""
    known = THREATS[threat].best_move
    assert known is not None
    return known(eps, room, slope)


@pytest.mark.parametrize("targeted", [False, True], ids=["untargeted", "targeted"])
@pytest.mark.parametrize("levels", [(60, 190), (0, 255)], ids=["inner levels", "all levels"])
@pytest.mark.parametrize(("threat", "eps"), BUDGETS)
@pytest.mark.parametrize("name", GRADIENT_ATTACKS)
def test_best_gain_on_a_linear_model(
    name: str, threat: str, eps: float, levels: tuple[int, int], targeted: bool
) -> None:
    model, batch = LinearPose(seed=3), tiny_batch(3, levels=levels)
    u = torch.randn(len(TRIO), 2, generator=torch.Generator().manual_seed(7))
    attacked = run(
        make_perturbing(name, targeted=targeted),
        model,
        batch,
        threat=make_threat(threat, eps),
        objective=LinearLoss(u),
        target=Target(keypoints=batch.keypoints, visible=batch.visible) if targeted else None,
    )
    uphill = -gradient(model, u) if targeted else gradient(model, u)
    images = batch.images.double().numpy()
    room = np.where(uphill > 0, 1 - images, images)
    best = np.array([(best_move(threat, eps, each, np.abs(uphill)) * np.abs(uphill)).sum() for each in room])
    gain = ((attacked.images.double().numpy() - images) * uphill).sum(axis=(1, 2, 3))
    assert (gain >= ENOUGH * best).all()
    assert (gain <= best * (1 + 1e-5)).all()


def test_every_threat_to_pixel_values_has_budgets_and_a_best_move() -> None:
    for threat in threats_of("values"):
        assert THREATS[threat].budgets
        assert THREATS[threat].best_move


def test_the_oracle_is_the_dual_norm_where_the_range_never_binds() -> None:
    slope = np.abs(gradient(LinearPose(seed=3), torch.ones(3, 2)))
    room = np.full_like(slope, 0.9)
    gains = {threat: (best_move(threat, 0.2, room, slope) * slope).sum() for threat in ("linf", "l2", "l1")}
    assert gains["linf"] == pytest.approx(0.2 * slope.sum())
    assert gains["l2"] == pytest.approx(0.2 * np.linalg.norm(slope))
    assert gains["l1"] == pytest.approx(0.2 * slope.max())


@pytest.mark.parametrize("name", GRADIENT_ATTACKS)
def test_what_the_attack_gained_is_what_the_model_says(name: str) -> None:
    """The returned output belongs to the returned images."""
    model, batch = LinearPose(seed=3), tiny_batch(3)
    attacked = run(
        make_perturbing(name, targeted=False),
        model,
        batch,
        threat=Linf(8 / 255),
        objective=LinearLoss(torch.ones(3, 2)),
    )
    torch.testing.assert_close(attacked.output.keypoints, model(attacked.images).keypoints)
    assert not attacked.output.keypoints.requires_grad
    assert not attacked.images.requires_grad
