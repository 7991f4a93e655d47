"""Which metrics can be a study's main one, and which are reported beside it."""

import numpy as np
import pytest

from robustpose.errors import RobustPoseError
from robustpose.metrics import (
    KS,
    METRICS,
    PCK,
    PCKH,
    Table,
    main_metric,
    main_metrics,
    metrics_beside,
    number_name,
)
from robustpose.skeletons import MPII_16


def people(*, data: str = "", area: float = np.nan, head: float = 10.0) -> Table:
    n, k = 3, len(MPII_16)
    return Table(
        ids=("a", "b", "c"),
        skeleton=MPII_16,
        predicted=np.zeros((n, k, 2)),
        keypoints=np.zeros((n, k, 2)),
        visible=np.ones((n, k), bool),
        head_size=np.full(n, head),
        box_side=np.full(n, 50.0),
        score=np.ones(n),
        area=np.full(n, area),
        crops=np.broadcast_to(np.eye(2, 3), (n, 2, 3)),
        photo=np.array(["p", "p", "q"]),
        data=data,
    )


def test_main_metrics_are_those_with_hits_per_keypoint() -> None:
    assert main_metrics() == {"pckh": PCKH, "pck": PCK, "ks": KS}
    assert main_metric("ks") is KS


def test_another_cannot_be_the_main_one() -> None:
    with pytest.raises(RobustPoseError, match=r"metric 'oks' is not a mean over keypoints.*known: ks, pck, pckh"):
        main_metric("oks")
    with pytest.raises(RobustPoseError, match=r"'pkch'; did you mean 'pckh'\? known: ks, pck, pckh"):
        main_metric("pkch")


def test_what_is_beside_depends_on_the_data() -> None:
    assert list(metrics_beside("pck", people())) == []
    assert list(metrics_beside("pck", people(area=900.0))) == ["oks"]
    assert list(metrics_beside("pckh", people(data="mpii"))) == ["mpii"]
    assert list(metrics_beside("pck", people(data="mpii"))) == []  # MPII's table is one of PCKh
    assert list(metrics_beside("pckh", people(data="mpii", head=np.nan))) == []
    assert list(metrics_beside("pckh", people(data="lsp[1-9]"))) == ["lsp"]


def test_what_numbers_are_called() -> None:
    assert number_name(METRICS["oks"], "AP(L)") == "OKS AP(L)"
    assert number_name(METRICS["oks"], "mean") == "mean OKS"
    assert number_name(METRICS["oks"], "all") == "OKS"


@pytest.mark.parametrize("metric", METRICS.values(), ids=METRICS)
def test_every_metric_says_what_it_redraws(metric: object) -> None:
    assert getattr(metric, "redraws", None) in ("people", "photos")
