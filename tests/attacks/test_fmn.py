"""FMN against minimum-norm perturbations known in closed form."""

from dataclasses import dataclass, replace

import numpy as np
import pytest
import torch
from torch import Tensor

from robustpose.attacks import FMN, run
from robustpose.errors import RobustPoseError
from robustpose.objectives import Keypoints, Margin, TrainingLoss, correct_radius
from robustpose.threats import L2, Linf, make_threat
from robustpose.types import Batch
from tests.conftest import TINY, LinearPose, tiny_batch


def near_truth(model: LinearPose, batch: Batch) -> Batch:
    """Set the truth half a radius off the prediction, so that no keypoint is lost without an attack."""
    with torch.no_grad():
        said = model(batch.images).keypoints
    aside = torch.tensor([0.3, 0.4]) * correct_radius(batch)[:, :, None]
    return replace(batch, keypoints=said + aside)


def smallest_of(model: LinearPose, batch: Batch, *, dual: float) -> Tensor:
    """The smallest size (N, K) that takes each keypoint out of its radius, by trying every way to leave it.

    Out along a direction u it takes (r - u . d) / ||W^T u||, with d how far off the keypoint is already.
    """
    height, width = TINY
    with torch.no_grad():
        off = (model(batch.images).keypoints - batch.keypoints).double().numpy()
    weights = model.W.detach().double().numpy().reshape(3, 2, -1) * np.array([width, height])[None, :, None]
    angles = np.linspace(0, 2 * np.pi, 4000, endpoint=False)
    ways = np.stack([np.cos(angles), np.sin(angles)], axis=1)  # (A, 2)
    reach = np.linalg.norm(np.einsum("ac,kcd->kad", ways, weights), ord=dual, axis=2)  # (K, A)
    radius = correct_radius(batch).double().numpy()
    missing = radius[:, :, None] - np.einsum("ac,nkc->nka", ways, off)
    return torch.from_numpy((missing / reach).min(axis=2))


@pytest.mark.parametrize(("threat", "eps", "dual"), [("linf", 0.2, 1), ("l2", 3.0, 2)], ids=["linf", "l2"])
@pytest.mark.parametrize("objective", [Margin(), Keypoints()], ids=["margin", "keypoints"])
def test_each_keypoint_s_smallest(threat: str, eps: float, dual: float, objective: Margin | Keypoints) -> None:
    model = LinearPose(seed=3)
    batch = near_truth(model, tiny_batch(4, levels=(100, 150)))
    found = run(FMN(steps=60, each=True), model, batch, threat=make_threat(threat, eps), objective=objective)
    assert found.minimum_norm is not None
    best = smallest_of(model, batch, dual=dual)
    assert torch.equal(found.minimum_norm.isnan(), ~batch.visible)
    ratio = (found.minimum_norm.double() / best)[batch.visible]
    assert best.max() < eps / 2, "the closed form must lie inside the budget"
    assert (ratio >= 0.999).all()
    assert (ratio <= 1.03).all()


@dataclass(frozen=True)
class Rooms:
    """Parts that each read one row of the image: part k is lost when its row's mean has risen by prices[k]."""

    images: Tensor
    prices: Tensor

    @property
    def counted(self) -> Tensor:
        return torch.ones(len(self.images), len(self.prices), dtype=torch.bool)

    def __call__(self, adv: Tensor, rows: Tensor, /) -> Tensor:
        return self.parts(adv, rows).mean(dim=1)

    def parts(self, adv: Tensor, rows: Tensor, /) -> Tensor:
        return (adv - self.images[rows]).mean(dim=(1, 3))[:, : len(self.prices)] - self.prices


def test_one_run_finds_the_whole_ladder() -> None:
    """Independent parts: in Linf each is lost exactly at its price."""
    images = torch.full((2, 3, 8, 12), 0.5)
    prices = torch.tensor([0.003, 0.01, 0.03, 0.1, -0.1])
    found = FMN(steps=120).search(Rooms(images, prices), images, Linf(0.2), torch.Generator())
    expected = prices.clamp(min=0.0).expand(2, 5)
    ratio = found.minimum_norm[:, :4] / expected[:, :4]
    assert (ratio > 1).all()
    assert (ratio < 1.15).all()
    assert not found.minimum_norm[:, 4].any(), "lost without an attack"
    assert (Rooms(images, prices)(found.images, torch.arange(2)) > 0).all()


def test_what_no_budget_breaks_is_infinite() -> None:
    images = torch.full((1, 3, 8, 12), 0.5)
    found = FMN(steps=40).search(Rooms(images, torch.tensor([0.01, 0.3])), images, Linf(0.05), torch.Generator())
    assert torch.isfinite(found.minimum_norm).tolist() == [[True, False]]
    assert Linf(0.05).size(images, found.images).item() <= 0.05 + 1e-6


def test_the_image_is_the_one_that_lost_most() -> None:
    images = torch.full((1, 3, 8, 12), 0.5)
    loss = Rooms(images, torch.tensor([0.01, 0.02, 0.3]))
    found = FMN(steps=60).search(loss, images, Linf(0.05), torch.Generator())
    assert (loss.parts(found.images, torch.arange(1)) > 0).sum() == 2


def test_costs() -> None:
    model = LinearPose(seed=3)
    batch = near_truth(model, tiny_batch(4))
    found = run(FMN(steps=7), model, batch, threat=L2(1.0), objective=Margin())
    assert (found.backwards, found.forwards) == (4 * 7, 4 * 8)
    each = run(FMN(steps=7, each=True), model, batch, threat=L2(1.0), objective=Margin())
    assert each.backwards <= 11 * 7  # keypoints that were lost already take no run; one is not labelled


def test_a_loss_without_parts_is_refused() -> None:
    with pytest.raises(RobustPoseError, match="a value per keypoint: margin or keypoints"):
        run(FMN(), LinearPose(), tiny_batch(), threat=Linf(0.1), objective=TrainingLoss())
    with pytest.raises(RobustPoseError, match="fmn: steps must be at least 1, got 0"):
        FMN(steps=0)
