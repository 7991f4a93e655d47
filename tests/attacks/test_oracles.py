"""Every registered attack against the best that any attack could do, known in closed form for a linear net."""

from dataclasses import dataclass

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from robustpose.attacks import ATTACKS, Target, make_attack, run
from robustpose.objectives import Aim
from robustpose.threats import Linf
from robustpose.types import Loss, PoseModel
from tests.conftest import TINY, TRIO, LinearPose, tiny_batch

Floats = NDArray[np.float64]
ENOUGH = 0.99


@dataclass(frozen=True)
class LinearLoss:
    """u . keypoints, in input pixels: to raise untargeted, to lower targeted."""

    u: Tensor

    def bind(self, model: PoseModel, aim: Aim, /, *, targeted: bool) -> Loss:
        sign = -1.0 if targeted else 1.0

        def loss(adv: Tensor, rows: Tensor) -> Tensor:
            return sign * (model(adv).keypoints * self.u).sum(dim=(1, 2))

        return loss


def gradient(net: LinearPose, u: Tensor) -> Floats:
    """W^T u, by hand: a raw unit is W pixels of x and H pixels of y."""
    height, width = TINY
    pixels_per_unit = np.array([width, height])
    weights = net.W.detach().double().numpy()
    flat: Floats = weights.T @ (u.double().numpy() * pixels_per_unit).reshape(-1)
    return flat.reshape(3, height, width)


@pytest.mark.parametrize("targeted", [False, True], ids=["untargeted", "targeted"])
@pytest.mark.parametrize("levels", [(60, 190), (0, 255)], ids=["range never binds", "range binds"])
@pytest.mark.parametrize("eps", [1 / 255, 8 / 255, 32 / 255], ids=["1", "8", "32"])
@pytest.mark.parametrize("name", ATTACKS)
def test_best_gain_on_a_linear_net(name: str, eps: float, levels: tuple[int, int], targeted: bool) -> None:
    net, batch = LinearPose(seed=3), tiny_batch(3, levels=levels)
    u = torch.randn(len(TRIO), 2, generator=torch.Generator().manual_seed(7))
    attacked = run(
        make_attack(name, targeted=targeted),
        net,
        batch,
        threat=Linf(eps),
        objective=LinearLoss(u),
        target=Target(keypoints=batch.keypoints, visible=batch.visible) if targeted else None,
    )
    uphill = -gradient(net, u) if targeted else gradient(net, u)
    images = batch.images.double().numpy()
    # A linear function is largest in a corner of the box that is left when [0, 1] cuts the ball.
    corner = np.clip(images + eps * np.sign(uphill), 0.0, 1.0)
    best = ((corner - images) * uphill).sum(axis=(1, 2, 3))
    gain = ((attacked.images.double().numpy() - images) * uphill).sum(axis=(1, 2, 3))
    assert (gain >= ENOUGH * best).all()
    assert (gain <= best * (1 + 1e-5)).all()
    dual_norm = eps * np.abs(uphill).sum()  # eps * ||W^T u||_1
    if levels == (60, 190):
        np.testing.assert_allclose(best, dual_norm, rtol=1e-9)
    else:
        assert best.sum() < 0.9999 * len(best) * dual_norm


@pytest.mark.parametrize("name", ATTACKS)
def test_what_the_attack_gained_is_what_the_net_says(name: str) -> None:
    """The output handed back belongs to the images handed back."""
    net, batch = LinearPose(seed=3), tiny_batch(3)
    attacked = run(
        make_attack(name, targeted=False), net, batch, threat=Linf(8 / 255), objective=LinearLoss(torch.ones(3, 2))
    )
    torch.testing.assert_close(attacked.output.keypoints, net(attacked.images).keypoints)
    assert not attacked.output.keypoints.requires_grad
    assert not attacked.images.requires_grad
