"""Scores and claims of the corruptions study on numbers typed by hand."""

import numpy as np
import pytest

from robustpose.corruptions import HENDRYCKS_15
from robustpose.findings.statistics import Sample
from robustpose.metrics import ALL, Table
from robustpose.skeletons import MPII_16
from robustpose.studies.corruptions.found import _verdicts, published, rank_correlation
from robustpose.studies.corruptions.scores import ModelScores, Scored, thirds

DRAWS = np.linspace(-1, 1, 101)


def score(value: float, *, n: int = 50) -> Sample:
    return Sample(np.asarray(value), value + DRAWS, n=n)


def model(scores: dict[str, tuple[float, float]], *, name: str = "m", clean: float = 80.0) -> ModelScores:
    """Make a model with scores of corruptions at severities 1 and 5."""
    return ModelScores(
        model=name,
        clean={ALL: score(clean)},
        corrupted={
            (corruption, severity): {ALL: score(value)}
            for corruption, both in scores.items()
            for severity, value in zip((1, 5), both, strict=True)
        },
        by_size={},
        beside={},
        tables={},
    )


def scored(*models: ModelScores) -> Scored:
    names = tuple(dict.fromkeys(name for name, _ in models[0].corrupted))
    return Scored("PCKh@0.5", 50, (), names, (1, 5), {}, (), models)


def test_mpc_and_rpc_by_hand() -> None:
    found = model({"fog": (70.0, 50.0), "snow": (60.0, 20.0)})
    assert found.mpc().value == pytest.approx(50)
    assert found.rpc().value == pytest.approx(62.5)
    assert found.mpc(names=("fog",)).value == pytest.approx(60)
    assert found.rpc(severity=5).value == pytest.approx(43.75)
    assert found.relative(("snow", 1)).value == pytest.approx(75)
    assert found.mpc().draws == pytest.approx(50 + DRAWS), "draws are averaged draw by draw"
    other = model({"fog": (70.0, 50.0), "snow": (60.0, 40.0)})
    assert (found.mpc() - other.mpc()).estimate.low == pytest.approx(-5), "the draws are paired"


def test_zoom_blur_and_brightness() -> None:
    middle = dict.fromkeys(HENDRYCKS_15, (60.0, 40.0))
    as_published = middle | {"zoom_blur": (30.0, 10.0), "brightness": (75.0, 70.0)}
    assert [each.holds for each in _verdicts(scored(model(as_published)))] == ["holds", "holds"]
    against = middle | {"zoom_blur": (75.0, 70.0), "brightness": (30.0, 10.0)}
    assert [each.holds for each in _verdicts(scored(model(against)))] == ["does not hold", "does not hold"]
    even = [each.holds for each in _verdicts(scored(model(as_published), model(against)))]
    assert even == ["undecided", "does not hold"], "of the means of the models: zoom blur equals brightness"
    assert _verdicts(scored(model({"fog": (60.0, 40.0)}))) == (), "claimed of all 15"


def test_rank_correlation() -> None:
    rising = [score(each) for each in (10.0, 30.0, 50.0, 70.0)]
    assert rank_correlation(rising, rising).value == 1
    found = rank_correlation(rising, rising[::-1])
    assert (found.value, found.n) == (-1, 4)
    assert found.low == -1 and found.high == -1
    mixed = rank_correlation(rising, [rising[each] for each in (1, 0, 3, 2)])
    assert mixed.value == pytest.approx(1 / 3)
    assert mixed.low < 1 / 3 < mixed.high


def test_published_rows() -> None:
    """As stated in the paper's tables; rPC is mPC of clean, up to the rounding of both."""
    rows = {(each.data, each.model, each.training): each for each in published()}
    assert rows["coco", "HRNet-W32 256x192", "standard"].mpc == 53.0
    assert rows["mpii", "HRNet-W32", "standard"].rpc == 88.7
    for each in rows.values():
        assert each.rpc == pytest.approx(100 * each.mpc / each.clean, abs=0.16)


def test_thirds_are_by_pixels_of_the_photo() -> None:
    """Boxes of the same size in the crop, of people 50 to 450 pixels large in the photo."""
    zooms = np.array([2.0, 1.0, 0.5, 0.25, 0.22, 4.0])
    crops = np.zeros((6, 2, 3))
    crops[:, 0, 0] = crops[:, 1, 1] = zooms
    table = Table(
        ids=tuple("abcdef"),
        skeleton=MPII_16,
        predicted=np.zeros((6, 16, 2)),
        keypoints=np.zeros((6, 16, 2)),
        visible=np.ones((6, 16), bool),
        head_size=np.ones(6),
        box_side=np.full(6, 100.0),
        crops=crops,
    )
    small, middle, large = thirds(table)
    assert [list(np.flatnonzero(each.people)) for each in (small, middle, large)] == [[0, 5], [1, 2], [3, 4]]
    alike = thirds(table.take([0, 0, 0]))
    assert [each.people.sum() for each in alike] == [3]
