"""Keypoint similarity as a metric: each keypoint has the radius at which its own term of OKS is the threshold."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from robustpose.metrics import KS, Table
from robustpose.metrics.coco import oks, sigmas_of
from robustpose.metrics.hits import radius_of
from robustpose.objectives import Aim, Keypoints, correct_radius
from robustpose.skeletons import COCO_17, MPII_16
from tests.conftest import LinearPose, tiny_batch

ANKLE, NOSE = COCO_17.keypoints.index("right_ankle"), COCO_17.keypoints.index("nose")


def person(*, off: float, keypoint: int) -> Table:
    """One person of 10,000 photo pixels in a crop at half the size, one keypoint `off` input pixels away."""
    predicted = np.zeros((1, 17, 2))
    predicted[0, keypoint, 0] = off
    return Table(
        ids=("p",),
        skeleton=COCO_17,
        predicted=predicted,
        keypoints=np.zeros((1, 17, 2)),
        visible=np.ones((1, 17), bool),
        head_size=np.array([np.nan]),
        box_side=np.array([100.0]),
        area=np.array([10_000.0]),
        crops=np.array([[[0.5, 0.0, 3.0], [0.0, 0.5, 4.0]]]),
    )


@pytest.mark.parametrize(("keypoint", "k"), [(ANKLE, 2 * 0.089), (NOSE, 2 * 0.026)], ids=["ankle", "nose"])
def test_the_edge_by_hand(keypoint: int, k: float) -> None:
    edge = 50 * k * math.sqrt(2 * math.log(2))  # the area is 2,500 input pixels, so s is 50
    assert KS.name == "KS@0.5"
    assert radius_of(KS, person(off=0, keypoint=keypoint))[0, keypoint] == pytest.approx(edge)
    assert KS.hits(person(off=edge - 1e-6, keypoint=keypoint))[0, keypoint] == 1
    assert KS.hits(person(off=edge + 1e-6, keypoint=keypoint))[0, keypoint] == 0


def test_it_is_the_term_of_oks() -> None:
    generator = np.random.default_rng(0)
    table = replace(person(off=0, keypoint=0), predicted=generator.normal(0, 8, (1, 17, 2)))
    alone = np.eye(17, dtype=bool)
    terms = [
        oks(table.predicted, table.keypoints, alone[[k]], area=np.array([2_500.0]), sigmas=sigmas_of(COCO_17))
        for k in range(17)
    ]
    assert KS.hits(table)[0].tolist() == [float(term[0] >= 0.5) for term in terms]
    assert 0 < KS.hits(table).mean() < 1


def test_without_an_area_or_a_constant_a_keypoint_does_not_count() -> None:
    assert np.isnan(KS.hits(replace(person(off=0, keypoint=0), area=np.array([np.nan])))).all()
    assert np.isnan(KS.hits(replace(person(off=0, keypoint=0), area=None))).all()
    mpii = replace(
        person(off=0, keypoint=0),
        skeleton=MPII_16,
        predicted=np.zeros((1, 16, 2)),
        keypoints=np.zeros((1, 16, 2)),
        visible=np.ones((1, 16), bool),
    )
    known = np.isfinite(KS.hits(mpii))[0]
    assert {name for name, there in zip(MPII_16.keypoints, known, strict=True) if not there} == {
        *("pelvis", "thorax", "upper_neck", "head_top")
    }


def test_margins_have_a_radius_a_keypoint() -> None:
    model, batch = LinearPose(), tiny_batch(2)
    radius = torch.tensor([[1.0, 2.0, 4.0], [0.5, 3.0, 6.0]])
    loss = Keypoints().bind(model, Aim(batch.keypoints, batch.visible, radius), targeted=False)
    with torch.no_grad():
        apart = torch.linalg.vector_norm(model(batch.images).keypoints - batch.keypoints, dim=-1)
        found = loss.parts(batch.images, torch.arange(2))
    counted = batch.visible & torch.tensor(batch.skeleton.counted)
    torch.testing.assert_close(found, torch.where(counted, apart / radius - 1, 0.0), atol=1e-4, rtol=1e-4)


def test_the_radius_of_a_batch_is_that_of_its_table() -> None:
    batch = replace(tiny_batch(2), area=torch.tensor([400.0, 900.0], dtype=torch.float64))
    scale = batch.crops[:, :, :2].det().abs() * torch.tensor([400.0, 900.0], dtype=torch.float64)
    expected = scale.sqrt().numpy()[:, None] * 2 * sigmas_of(batch.skeleton) * math.sqrt(2 * math.log(2))
    np.testing.assert_allclose(correct_radius(batch, KS).numpy(), expected, rtol=1e-5)
