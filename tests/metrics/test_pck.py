import math
from dataclasses import replace

import numpy as np
import pytest

from robustpose.metrics import ALL, PCK, PCKH, Pck, Table, score
from robustpose.metrics.hits import percentages, totals
from robustpose.metrics.table import Floats
from robustpose.skeletons import COCO_17, MPII_16


def at_the_truth(n: int) -> Table:
    """n people of MPII, everything labelled, every prediction perfect, heads 10 pixels."""
    keypoints = np.random.default_rng(0).uniform(0, 100, size=(n, 16, 2)).round()
    return Table(
        ids=tuple(f"p{i}" for i in range(n)),
        skeleton=MPII_16,
        predicted=keypoints.copy(),
        keypoints=keypoints,
        visible=np.ones((n, 16), bool),
        head_size=np.full(n, 10.0),
        box_side=np.full(n, 80.0),
    )


def off(table: Table, row: int, keypoint: str, by: tuple[float, float]) -> None:
    table.predicted[row, table.skeleton.index(keypoint)] += by


def values(table: Table, metric: Pck = PCKH) -> dict[str, float]:
    return {part: float(value) for part, value in percentages(*totals(metric.hits(table)), table.skeleton).items()}


def test_three_people_by_hand() -> None:
    table = at_the_truth(3)
    table.visible[2, MPII_16.index("left_ankle")] = False
    off(table, 0, "right_ankle", (3.0, 4.0))  # 5 = exactly half a head: correct
    off(table, 1, "right_ankle", (3.0, 4.0001))  # just over: wrong
    off(table, 2, "right_ankle", (0.0, -5.0))  # the edge again
    off(table, 0, "left_ankle", (100.0, 0.0))  # wrong
    off(table, 2, "left_ankle", (100.0, 0.0))  # not labelled: does not count
    off(table, 0, "pelvis", (100.0, 0.0))  # left out
    off(table, 1, "thorax", (100.0, 0.0))  # left out
    off(table, 2, "head_top", (0.0, 6.0))  # wrong
    got = values(table)
    # 14 keypoints count; one is not labelled: 41. Wrong: right ankle 1, left ankle 1, head top 1.
    assert got[ALL] == pytest.approx(100 * 38 / 41)
    # Right ankle 2 of 3, left ankle 1 of 2: the mean of the two sides, not 3 of 5.
    assert got["ankle"] == pytest.approx((200 / 3 + 50) / 2)
    assert got["head_top"] == pytest.approx(200 / 3)
    assert got["knee"] == got["hip"] == got["wrist"] == got["elbow"] == got["shoulder"] == got["upper_neck"] == 100
    assert math.isnan(got["pelvis"])
    assert math.isnan(got["thorax"])
    assert list(got) == [
        *("all", "ankle", "knee", "hip", "pelvis", "thorax", "upper_neck"),
        *("head_top", "wrist", "elbow", "shoulder"),
    ]


@pytest.mark.parametrize("unit", [10.0, 7.0, 0.1, 3.3, 1e-3])
@pytest.mark.parametrize("threshold", [0.5, 0.1])
def test_the_edge_is_correct_and_the_next_number_is_not(unit: float, threshold: float) -> None:
    metric = Pck(unit="box_side", threshold=threshold)
    table = at_the_truth(2)
    k = MPII_16.index("head_top")
    table.keypoints[:, k] = 0.0
    edge = threshold * unit
    table.predicted[:, k] = [[edge, 0.0], [0.0, np.nextafter(edge, 1000)]]
    table.box_side[:] = unit
    assert metric.hits(table)[:, k].tolist() == [1.0, 0.0]


def test_left_and_right_averaged_is_not_pooled() -> None:
    table = at_the_truth(4)
    for row in range(1, 4):
        table.visible[row, MPII_16.index("left_wrist")] = False
    off(table, 0, "left_wrist", (50.0, 0.0))
    assert values(table)["wrist"] == 50.0  # (100 + 0) / 2, where pooling gives 4 of 5
    only_wrists = np.array(["wrist" in name for name in MPII_16.keypoints])
    assert values(replace(table, visible=table.visible & only_wrists))[ALL] == 80.0
    table.visible[0, MPII_16.index("left_wrist")] = False
    assert values(table)["wrist"] == 100.0  # one side without labels: the other side's


def test_a_broken_prediction_is_wrong_not_missing() -> None:
    table = at_the_truth(2)
    table.predicted[0, MPII_16.index("head_top")] = np.nan
    table.predicted[1, MPII_16.index("head_top"), 0] = np.inf
    got = values(table)
    assert got["head_top"] == 0.0
    assert got[ALL] == pytest.approx(100 * 26 / 28)
    assert score(table, PCKH)["head_top"].n == 2


def test_a_person_without_head_size_does_not_count() -> None:
    table = at_the_truth(3)
    table.head_size[1] = np.nan
    off(table, 1, "head_top", (50.0, 0.0))
    assert values(table)["head_top"] == 100.0
    assert score(table, PCKH)[ALL].n == 2
    assert np.isnan(PCKH.hits(table)[1]).all()
    assert score(table, PCK)[ALL].n == 3
    table.head_size[:] = np.nan
    assert math.isnan(values(table)[ALL])
    assert score(table, PCKH)[ALL].n == 0


def test_unlabelled_truth_may_be_nan() -> None:
    table = at_the_truth(2)
    table.visible[0, 3] = False
    table.keypoints[0, 3] = np.nan
    assert values(table)[ALL] == 100.0


def test_pck_measures_in_boxes() -> None:
    table = at_the_truth(1)
    off(table, 0, "head_top", (8.0, 0.0))
    off(table, 0, "upper_neck", (8.1, 0.0))
    got = values(table, PCK)
    assert (got["head_top"], got["upper_neck"]) == (100.0, 0.0)


def test_names() -> None:
    assert PCKH.name == "PCKh@0.5"
    assert PCK.name == "PCK@0.1"
    assert replace(PCKH, against="target").name == "target PCKh@0.5"


def test_target_pckh_is_against_the_target_alone() -> None:
    table = at_the_truth(2)
    target = table.keypoints + 40.0
    asked = np.ones((2, 16), bool)
    asked[0, MPII_16.index("head_top")] = False
    reached = table.predicted.copy()
    reached[0, :9] += 40.0  # the first nine keypoints of person 0 go where they were asked to
    table = replace(table, predicted=reached, target=target, target_visible=asked)
    against = replace(PCKH, against="target")
    # Of the nine, pelvis and thorax do not count: 7 of 13 + 14.
    assert values(table, against)[ALL] == pytest.approx(100 * 7 / 27)
    assert values(table, against)["head_top"] == 0.0
    hits = against.hits(table)
    assert np.isnan(hits[0, MPII_16.index("head_top")])
    unlabelled = replace(table, visible=np.zeros((2, 16), bool))
    assert values(unlabelled, against)[ALL] == pytest.approx(100 * 7 / 27)


def test_target_pckh_needs_targets() -> None:
    with pytest.raises(ValueError, match=r"target PCKh@0\.5 needs target poses"):
        replace(PCKH, against="target").hits(at_the_truth(1))


def mpii_arithmetic(table: Table) -> tuple[list[float], float]:
    """The published MPII evaluation, person by person: PCKh of each joint, and their mean weighted by labels."""
    correct, labelled = [0] * 16, [0] * 16
    for person in range(len(table)):
        for joint in range(16):
            if not table.visible[person, joint]:
                continue
            dx, dy = table.predicted[person, joint] - table.keypoints[person, joint]
            labelled[joint] += 1
            if math.sqrt(dx * dx + dy * dy) / table.head_size[person] <= 0.5:
                correct[joint] += 1
    each = [100 * c / m for c, m in zip(correct, labelled, strict=True)]
    counted = [j for j in range(16) if j not in (6, 7)]
    everything = sum(labelled[j] for j in counted)
    return each, sum(each[j] * labelled[j] / everything for j in counted)


@pytest.mark.parametrize("seed", range(5))
def test_against_the_published_arithmetic(seed: int) -> None:
    generator = np.random.default_rng(seed)
    n = 60
    keypoints = generator.uniform(0, 128, size=(n, 16, 2))
    table = replace(
        at_the_truth(n),
        keypoints=keypoints,
        predicted=keypoints + generator.normal(0, 4, size=(n, 16, 2)),
        visible=generator.random((n, 16)) < 0.8,
        head_size=generator.uniform(5, 15, size=n),
    )
    each, mean = mpii_arithmetic(table)
    got = values(table)
    assert 20 < mean < 95
    assert got[ALL] == pytest.approx(mean)
    # MPII's numbering: 0 to 5 legs from right to left ankle, 8 neck, 9 head top, 10 to 15 arms.
    for part, sides in {
        "ankle": (0, 5),
        "knee": (1, 4),
        "hip": (2, 3),
        "wrist": (10, 15),
        "elbow": (11, 14),
        "shoulder": (12, 13),
        "upper_neck": (8,),
        "head_top": (9,),
    }.items():
        assert got[part] == pytest.approx(sum(each[j] for j in sides) / len(sides)), part


def test_a_skeleton_without_uncounted_keypoints() -> None:
    hits: Floats = np.ones((2, 17))
    hits[0, 0] = 0.0
    got = percentages(*totals(hits), COCO_17)
    assert float(got[ALL]) == pytest.approx(100 * 33 / 34)
    assert float(got["nose"]) == 50.0
    assert set(got) == {ALL, *COCO_17.groups}
