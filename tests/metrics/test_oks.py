import math

import numpy as np
import pytest
from pycocotools.cocoeval import COCOeval, Params

from robustpose.metrics.coco import oks, sigmas_of
from robustpose.skeletons import AIC_14, COCO_17, MPII_16

SIGMAS = np.array([0.05, 0.1])


def one(predicted: list[list[float]], visible: list[bool], *, area: float = 400.0) -> float:
    """The OKS of one person of two keypoints, the true ones being (10, 10) and (30, 20)."""
    truth = np.array([[[10.0, 10.0], [30.0, 20.0]]])
    found = oks(np.array([predicted]), truth, np.array([visible]), area=np.array([area]), sigmas=SIGMAS)
    assert found.shape == (1,)
    return float(found[0])


def test_at_the_truth_it_is_one_and_far_away_nothing() -> None:
    assert one([[10, 10], [30, 20]], [True, True]) == 1.0
    assert one([[1e6, 10], [30, -1e6]], [True, True]) == 0.0


def test_by_hand() -> None:
    # k = 0.1 and s^2 = 400: 2 pixels off are exp(-4 / (2 * 400 * 0.01)) = exp(-0.5).
    assert one([[12, 10], [30, 20]], [True, True]) == pytest.approx((0.60653066 + 1) / 2, abs=1e-8)
    # k = 0.2: a distance of 5 (3 and 4) is exp(-25 / (2 * 400 * 0.04)) = exp(-0.78125).
    assert one([[12, 10], [33, 24]], [True, True]) == pytest.approx((0.60653066 + 0.45783336) / 2, abs=1e-8)
    assert one([[12, 10], [33, 24]], [False, True]) == pytest.approx(0.45783336, abs=1e-8)
    # Four times the area forgives twice the distance.
    assert one([[14, 10], [30, 20]], [True, False], area=1600.0) == pytest.approx(0.60653066, abs=1e-8)


def test_who_has_no_labelled_keypoint_or_no_area_has_no_similarity() -> None:
    assert math.isnan(one([[10, 10], [30, 20]], [False, False]))
    assert math.isnan(one([[10, 10], [30, 20]], [True, True], area=math.nan))


def test_a_broken_prediction_is_far_away_and_not_missing() -> None:
    assert one([[math.nan, 10], [30, 20]], [True, True]) == 0.5
    assert one([[math.inf, 10], [30, 20]], [True, True]) == 0.5


def test_unlabelled_truth_may_be_nan_and_nothing_is_written_to() -> None:
    truth = np.array([[[10.0, 10.0], [np.nan, np.nan]]])
    predicted, visible, area = truth + 1, np.array([[True, False]]), np.array([400.0])
    found = oks(predicted, truth, visible, area=area, sigmas=SIGMAS)
    assert found[0] == pytest.approx(math.exp(-2 / 8), rel=1e-12)
    assert visible.tolist() == [[True, False]]


def test_constants_are_cocos_and_other_skeletons_take_them_by_name() -> None:
    np.testing.assert_allclose(sigmas_of(COCO_17), Params(iouType="keypoints").kpt_oks_sigmas, rtol=1e-15)
    aic = sigmas_of(AIC_14)
    assert aic[AIC_14.index("left_wrist")] == 0.062
    assert [name for name, sigma in zip(AIC_14.keypoints, aic, strict=True) if np.isnan(sigma)] == [
        "head_top",
        "neck",
    ]
    assert np.isnan(sigmas_of(MPII_16)).sum() == 4


def test_a_keypoint_without_a_constant_does_not_count() -> None:
    truth = np.zeros((1, 2, 2))
    predicted = np.array([[[0.0, 0.0], [50.0, 0.0]]])
    found = oks(predicted, truth, np.ones((1, 2), bool), area=np.array([9.0]), sigmas=np.array([0.1, np.nan]))
    assert found.tolist() == [1.0]


@pytest.mark.parametrize("seed", range(4))
def test_against_pycocotools(seed: int) -> None:
    generator = np.random.default_rng(seed)
    n, k = 50, 17
    truth = generator.uniform(0, 200, (n, k, 2))
    visible = generator.random((n, k)) < 0.7
    visible[:, 0] = True
    predicted = truth + generator.normal(0, 8, (n, k, 2))
    area = generator.uniform(200, 40000, n)
    official = COCOeval(iouType="keypoints")
    for i in range(n):
        official._gts[i, 1].append(
            {
                "keypoints": np.dstack([truth[i : i + 1], visible[i : i + 1, :, None]]).ravel().tolist(),
                "bbox": [0, 0, 200, 200],
                "area": area[i],
            }
        )
        flat = np.dstack([predicted[i : i + 1], np.ones((1, k, 1))]).ravel().tolist()
        official._dts[i, 1].append({"keypoints": flat, "score": 1.0})
    theirs = [official.computeOks(i, 1)[0, 0] for i in range(n)]
    ours = oks(predicted, truth, visible, area=area, sigmas=sigmas_of(COCO_17))
    assert 0.1 < ours.mean() < 0.9
    np.testing.assert_allclose(ours, theirs, rtol=1e-12)
