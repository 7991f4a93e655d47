"""The study of deployment faults: what it computes, how it ranks, what it says."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from robustpose.errors import RobustPoseError
from robustpose.faults import FAULTS, Level
from robustpose.jobs.fault import CALIBRATION
from robustpose.jobs.run import run_all
from robustpose.jobs.store import Store
from robustpose.metrics import ALL, Estimate
from robustpose.models import OpenedModel
from robustpose.studies.faults import FAULT_STUDY, Cost, OpenedFaults, _answers, asked, ranked
from robustpose.studies.measuring import mean_of
from robustpose.study.options import FaultOptions
from robustpose.study.plan import make_plan
from tests.conftest import TinyHeatmaps
from tests.faults.spots import SIZE, SpotFinder, finder, people


def opened(folder: Path, *faults: str, n: int = 4, missing: tuple[int, ...] = ()) -> OpenedFaults:
    study = replace(FAULT_STUDY, n=n, data="spots", per_cell=3)
    dataset = people(folder, n=6, missing=missing)
    return OpenedFaults(make_plan(study, models=(finder(),), dataset=dataset, metric="pckh"), faults)


def cost(fault: str, level: Level, value: float, *, half: float = 1.0, changes: bool = True) -> Cost:
    points = {ALL: Estimate(value=value, low=value - half, high=value + half, n=9)}
    return Cost(fault, level, points=points, scores=points, changes=changes)


def test_the_cost_of_a_wrong_colour_order_is_known(tmp_path: Path) -> None:
    """Two of three spots are taken for each other; the third keypoint, green, is found as before."""
    study = opened(tmp_path / "photos", "colour-order", "box-shift", "resize-filter")
    store = Store(tmp_path / "out")
    assert run_all(study.jobs, study.bench, store) == 2 * (1 + 1 + 4 + 4)
    assert run_all(study.jobs, study.bench, store) == 0
    found = study.measure(store)
    by = {(line["fault"], line["level"], line["part"]): line for line in found.lines}
    # 11 keypoints count: one person lacks the blue one. The 4 green ones stay right.
    assert by["", "", ALL]["score"] == pytest.approx(100.0)
    assert by["colour-order", "BGR", ALL]["score"] == pytest.approx(100 * 4 / 11)
    assert by["colour-order", "BGR", ALL]["cost"] == pytest.approx(100 * 7 / 11)
    assert by["colour-order", "BGR", "nose"]["cost"] == pytest.approx(100.0)
    assert by["colour-order", "BGR", "nose"]["n"] == 3
    assert by["box-shift", "0.1", ALL]["cost"] == 0
    assert found.answers[0] == (
        "finder: the mistake that would cost most. Colour channels in the order BGR: 63.6 [55.6, 66.7] points."
    )
    (table,) = found.summary
    assert table.columns == ("finder",)
    assert [label for label, _ in table.rows][:2] == ["colour-order BGR", "box-shift 0.05"]


def test_who_is_unreadable_is_said_once(tmp_path: Path) -> None:
    study = opened(tmp_path / "photos", "colour-bits", missing=(1,))
    store = Store(tmp_path / "out")
    run_all(study.jobs, study.bench, store)
    found = study.measure(store)
    assert [line.split(":")[0] for line in found.unreadable] == ["p1"]
    assert {line["n"] for line in found.lines if line["part"] == ALL} == {3}


def test_what_does_not_apply_is_said_in_a_line_and_not_computed(tmp_path: Path) -> None:
    study = opened(tmp_path, "mean-std", "precision", "decoding")
    assert {job.level for job in study.jobs} == {"", "applied though unneeded"}
    heatmaps = TinyHeatmaps().eval()
    heatmaps.input_size = SIZE
    two = (*study.plan.models, OpenedModel("second", SpotFinder().eval(), "finder-2"))
    study = replace(study, plan=replace(study.plan, models=two))
    assert list(study._refusals()) == [
        "mean-std (forgotten, applied twice) does not apply to finder, second: it takes images in [0, 1], "
        "without a mean and a standard deviation",
        "precision (fp16, bf16, int8 weights, int8) does not apply to finder, second: no convolution or linear "
        "layer that could be quantised runs in torch",
        "decoding (argmax, quarter) does not apply to finder, second: it predicts coordinates, not plain heatmaps",
    ]


def test_other_photos_of_the_calibration_are_other_cells(tmp_path: Path) -> None:
    study = opened(tmp_path, "colour-order", n=2)
    before = {job.photos for job in study.jobs}
    assert CALIBRATION > 2
    (tmp_path / "5.png").write_bytes((tmp_path / "0.png").read_bytes())
    assert before.isdisjoint(job.photos for job in replace(study).jobs)


def test_faults_are_ranked_by_their_typical_level_or_their_worst_form() -> None:
    costs = [
        cost("box-jitter", 0.5, 60.0),
        cost("box-jitter", 0.8, 10.0),
        cost("value-range", "[0, 255]", 40.0),
        cost("value-range", "[0, 1/255]", 50.0),
        cost("aspect", "stretched", 20.0),
        cost("aspect", "black bars", 0.0, changes=False),
        cost("colour-order", "BGR", 12.0),
        cost("colour-bits", 5.0, -0.5),
        cost("mirrored", "sides not swapped", 0.5, half=0.2),
        cost("precision", "fp16", 0.0, changes=False),
    ]
    assert [(each.fault, each.level) for each in ranked(costs)][:4] == [
        ("value-range", "[0, 1/255]"),
        ("aspect", "stretched"),
        ("colour-order", "BGR"),
        ("box-jitter", 0.8),
    ]
    worst, quiet, cheap = _answers("shg2", costs, Estimate(value=60.0, low=55.0, high=65.0, n=9))
    assert worst == (
        "shg2: the three mistakes that would cost most. Pixel values in [0, 1/255] instead of [0, 1]: "
        "50.0 [49.0, 51.0] points; the box stretched instead of extended to the crop's shape: 20.0 [19.0, 21.0] "
        "points; colour channels in the order BGR: 12.0 [11.0, 13.0] points."
    )
    assert quiet == (
        "shg2: easily missed, for less than half of the score is lost. Boxes that overlap the right one by an IoU "
        "of 0.8: 10.0 [9.0, 11.0] points; the image mirrored with its sides not swapped: 0.5 [0.3, 0.7] points."
    )
    assert cheap == (
        "shg2: next to nothing (less than 1 point) is lost by the image mirrored with its sides not swapped; "
        "colours of 5 bits a channel."
    )
    (nothing,) = _answers("shg2", [cost("colour-order", "BGR", 0.5)], cost("colour-order", "BGR", 60).total)
    assert nothing == "shg2: no fault has a cost whose interval lies above 0."


@pytest.mark.parametrize("name", FAULTS)
def test_every_fault_says_its_levels_in_words(name: str) -> None:
    spec = FAULTS[name]
    said = [spec.words(level) for level in spec.levels]
    assert len(set(said)) == len(said)
    assert spec.typical is None or spec.typical in spec.levels
    assert bool(spec.unit) or all(isinstance(level, str) for level in spec.levels) or name == "orientation"


def test_means_redraw_units() -> None:
    """Two clips of three frames: the interval spans the clips' means, not those of frames."""
    values = np.array([[1.0], [1.0], [1.0], [3.0], [3.0], [np.nan]])
    found = mean_of(values, units=["a", "a", "a", "b", "b", "b"])
    assert found.value == pytest.approx(9 / 5)
    assert (found.low, found.high, found.n) == (1.0, 3.0, 2)
    assert mean_of(values).n == 5


def test_options_that_cannot_be() -> None:
    with pytest.raises(RobustPoseError, match="unknown fault 'colour-oder'; did you mean 'colour-order'"):
        asked(FaultOptions(faults="colour-oder"))
    assert asked(FaultOptions(faults="aspect,aspect", models="shg2", n=3)).faults == ("aspect",)
    assert asked(FaultOptions(defence="box3", models="shg2")).study.models == ("box3:shg2",)


def test_the_lines_of_results_are_of_one_shape(tmp_path: Path) -> None:
    study = opened(tmp_path / "photos", "colour-bits")
    store = Store(tmp_path / "out")
    run_all(study.jobs, study.bench, store)
    lines = study.measure(store).lines
    assert len({tuple(line) for line in lines}) == 1
    assert {line["unit"] for line in lines} == {"", "bits a channel"}
