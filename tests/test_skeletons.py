import pytest

from robustpose.skeletons import (
    AIC_14,
    COCO_17,
    CROWDPOSE_14,
    EFFICIENTPOSE_16,
    MPII_16,
    OCHUMAN_19,
    SKELETONS,
    Skeleton,
)

ARMS_AND_LEGS = {
    f"{side}_{part}"
    for side in ("left", "right")
    for part in ("shoulder", "elbow", "wrist", "hip", "knee", "ankle")
}
everyone = pytest.mark.parametrize("skeleton", SKELETONS.values(), ids=SKELETONS)


@pytest.mark.parametrize(
    ("skeleton", "pairs"),
    [
        (MPII_16, {(3, 2), (4, 1), (5, 0), (13, 12), (14, 11), (15, 10)}),
        (EFFICIENTPOSE_16, {(6, 2), (7, 3), (8, 4), (13, 10), (14, 11), (15, 12)}),
        (COCO_17, {(1, 2), (3, 4), (5, 6), (7, 8), (9, 10), (11, 12), (13, 14), (15, 16)}),
        (AIC_14, {(5, 2), (6, 3), (7, 4), (11, 8), (12, 9), (13, 10)}),
    ],
)
def test_flip_pairs_are_left_then_right(skeleton: Skeleton, pairs: set[tuple[int, int]]) -> None:
    assert set(skeleton.flip_pairs) == pairs
    assert len(skeleton.flip_pairs) == len(pairs)


def test_flip_order_of_mpii() -> None:
    assert MPII_16.flip_order == (5, 4, 3, 2, 1, 0, 6, 7, 8, 9, 15, 14, 13, 12, 11, 10)


@everyone
def test_a_skeleton_is_consistent(skeleton: Skeleton) -> None:
    names = skeleton.keypoints
    assert len(set(names)) == len(names) == len(skeleton) == int(skeleton.name.rsplit("_", 1)[1])
    assert {name for limb in skeleton.limbs for name in limb} <= set(names)
    assert set(skeleton.uncounted) <= set(names)
    assert len(skeleton.sigmas) in (0, len(names))
    assert sorted(skeleton.flip_order) == list(range(len(names)))
    assert sorted(row for rows in skeleton.groups.values() for row in rows) == list(range(len(names)))
    for i, name in enumerate(names):
        assert skeleton.index(name) == i
        mirrored = names[skeleton.flip_order[i]]
        assert mirrored == (
            name.replace("left", "right") if name.startswith("left") else name.replace("right", "left")
        )


def test_the_skeletons_share_what_they_have_in_common() -> None:
    shared = {
        (a.name, b.name): set(a.keypoints) & set(b.keypoints)
        for a, b in [(AIC_14, MPII_16), (AIC_14, COCO_17), (MPII_16, COCO_17), (EFFICIENTPOSE_16, MPII_16)]
    } | {
        (a.name, b.name): set(a.keypoints) & set(b.keypoints)
        for a, b in [(CROWDPOSE_14, AIC_14), (CROWDPOSE_14, COCO_17), (OCHUMAN_19, COCO_17)]
    }
    assert shared == {
        ("aic_14", "mpii_16"): ARMS_AND_LEGS | {"head_top"},  # AI Challenger's neck is not MPII's upper neck
        ("aic_14", "coco_17"): ARMS_AND_LEGS,
        ("mpii_16", "coco_17"): ARMS_AND_LEGS,
        ("crowdpose_14", "aic_14"): ARMS_AND_LEGS | {"head_top", "neck"},
        ("crowdpose_14", "coco_17"): ARMS_AND_LEGS,
        ("ochuman_19", "coco_17"): set(COCO_17.keypoints),
        ("efficientpose_16", "mpii_16"): ARMS_AND_LEGS | {"head_top", "upper_neck", "thorax", "pelvis"},
    }


def test_rows_in_another_skeleton() -> None:
    assert MPII_16.rows_in(COCO_17) == (16, 14, 12, 11, 13, 15, None, None, None, None, 10, 8, 6, 5, 7, 9)
    assert MPII_16.rows_in(MPII_16) == tuple(range(16))
    assert AIC_14.rows_in(MPII_16) == (9, None, 12, 11, 10, 13, 14, 15, 2, 1, 0, 3, 4, 5)


def test_groups_hold_left_and_right() -> None:
    assert MPII_16.groups["ankle"] == (0, 5)
    assert MPII_16.groups["head_top"] == (9,)
    assert set(MPII_16.groups) == {
        *("ankle", "knee", "hip", "pelvis", "thorax", "upper_neck", "head_top", "wrist", "elbow", "shoulder")
    }


def test_mpiis_score_leaves_out_pelvis_and_thorax() -> None:
    assert [i for i, counts in enumerate(MPII_16.counted) if not counts] == [6, 7]
    assert all(COCO_17.counted)


def test_cocos_sigmas_are_the_official_ones() -> None:
    tenths = (0.26, 0.25, 0.25, 0.35, 0.35, 0.79, 0.79, 0.72, 0.72, 0.62, 0.62, 1.07, 1.07, 0.87, 0.87, 0.89, 0.89)
    assert COCO_17.sigmas == pytest.approx([s / 10 for s in tenths])


def test_an_unknown_keypoint_is_an_error() -> None:
    with pytest.raises(ValueError, match="tuple"):
        COCO_17.index("tail")
