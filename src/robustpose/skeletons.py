"""Keypoint sets of data sets and models: names, order, limbs, uncounted keypoints.

Keypoints of two skeletons are the same if their names are the same. `left` and `right` are the person's own.
Sources: MPII (Andriluka et al. 2014), COCO (Lin et al. 2014; OKS sigmas as in the
official evaluation code), AI Challenger (Wu et al. 2017), EfficientPose (Groos et al. 2020, arXiv 2004.12186),
CrowdPose (Li et al. 2019, with the sigmas of its evaluation code), OCHuman (Zhang et al. 2019),
BlazePose (Bazarevsky et al. 2020, arXiv 2006.10204).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from robustpose.errors import RobustPoseError, unknown_name


@dataclass(frozen=True)
class Skeleton:
    """An ordered set of named keypoints.

    `limbs` are pairs of names to draw; `uncounted` are names that the data set's own score ignores;
    `sigmas` are OKS constants per keypoint, empty where none are published.
    """

    name: str
    keypoints: tuple[str, ...]
    limbs: tuple[tuple[str, str], ...]
    uncounted: tuple[str, ...] = ()
    sigmas: tuple[float, ...] = ()

    def __len__(self) -> int:
        return len(self.keypoints)

    def index(self, keypoint: str) -> int:
        """Return the index of a keypoint; ValueError where the skeleton lacks it."""
        return self.keypoints.index(keypoint)

    @cached_property
    def flip_pairs(self) -> tuple[tuple[int, int], ...]:
        """Pairs of indices (left, right) that swap when the image is mirrored."""
        names = self.keypoints
        return tuple(
            (i, names.index("right_" + name.removeprefix("left_")))
            for i, name in enumerate(names)
            if name.startswith("left_")
        )

    @cached_property
    def flip_order(self) -> tuple[int, ...]:
        """For each keypoint, its index in the output for a mirrored image."""
        order = list(range(len(self)))
        for left, right in self.flip_pairs:
            order[left], order[right] = right, left
        return tuple(order)

    @cached_property
    def groups(self) -> dict[str, tuple[int, ...]]:
        """Indices by body part, left and right together: {'ankle': (0, 5), ..., 'head_top': (9,)}."""
        groups: dict[str, tuple[int, ...]] = {}
        for i, name in enumerate(self.keypoints):
            part = name.removeprefix("left_").removeprefix("right_")
            groups[part] = (*groups.get(part, ()), i)
        return groups

    @cached_property
    def counted(self) -> tuple[bool, ...]:
        """Whether each keypoint counts in the data set's own score."""
        return tuple(name not in self.uncounted for name in self.keypoints)

    def rows_in(self, other: "Skeleton") -> tuple[int | None, ...]:
        """Return for each keypoint its index in `other`, or None where `other` lacks it."""
        return tuple(other.keypoints.index(name) if name in other.keypoints else None for name in self.keypoints)


def _names(text: str) -> tuple[str, ...]:
    return tuple(text.split())


def _limbs(text: str) -> tuple[tuple[str, str], ...]:
    """Read pairs of names: 'left_hip-left_knee left_knee-left_ankle'."""
    return tuple((first, second) for first, _, second in (limb.partition("-") for limb in text.split()))


_ARMS_AND_LEGS = _limbs(
    "right_shoulder-right_elbow right_elbow-right_wrist left_shoulder-left_elbow left_elbow-left_wrist "
    "right_hip-right_knee right_knee-right_ankle left_hip-left_knee left_knee-left_ankle"
)

_MPII_LIMBS = (
    *_ARMS_AND_LEGS,
    *_limbs(
        "right_hip-pelvis left_hip-pelvis pelvis-thorax thorax-upper_neck upper_neck-head_top "
        "right_shoulder-thorax left_shoulder-thorax"
    ),
)

MPII_16 = Skeleton(
    name="mpii_16",
    keypoints=_names(
        "right_ankle right_knee right_hip left_hip left_knee left_ankle pelvis thorax upper_neck head_top "
        "right_wrist right_elbow right_shoulder left_shoulder left_elbow left_wrist"
    ),
    limbs=_MPII_LIMBS,
    uncounted=("pelvis", "thorax"),
)

LSP_14 = Skeleton(
    name="lsp_14",
    keypoints=_names(
        "right_ankle right_knee right_hip left_hip left_knee left_ankle right_wrist right_elbow right_shoulder "
        "left_shoulder left_elbow left_wrist upper_neck head_top"
    ),
    limbs=(
        *_ARMS_AND_LEGS,
        *_limbs(
            "right_hip-left_hip right_shoulder-right_hip left_shoulder-left_hip right_shoulder-upper_neck "
            "left_shoulder-upper_neck upper_neck-head_top"
        ),
    ),
)

EFFICIENTPOSE_16 = Skeleton(
    name="efficientpose_16",
    keypoints=_names(
        "head_top upper_neck right_shoulder right_elbow right_wrist thorax left_shoulder left_elbow left_wrist "
        "pelvis right_hip right_knee right_ankle left_hip left_knee left_ankle"
    ),
    limbs=_MPII_LIMBS,
    uncounted=("pelvis", "thorax"),
)

COCO_17 = Skeleton(
    name="coco_17",
    keypoints=_names(
        "nose left_eye right_eye left_ear right_ear left_shoulder right_shoulder left_elbow right_elbow "
        "left_wrist right_wrist left_hip right_hip left_knee right_knee left_ankle right_ankle"
    ),
    limbs=(
        *_ARMS_AND_LEGS,
        *_limbs(
            "left_hip-right_hip left_shoulder-left_hip right_shoulder-right_hip left_shoulder-right_shoulder "
            "nose-left_eye nose-right_eye left_eye-left_ear right_eye-right_ear"
        ),
    ),
    sigmas=(
        *(0.026, 0.025, 0.025, 0.035, 0.035),
        *(0.079, 0.079, 0.072, 0.072, 0.062, 0.062),
        *(0.107, 0.107, 0.087, 0.087, 0.089, 0.089),
    ),
)

AIC_14 = Skeleton(
    name="aic_14",
    keypoints=_names(
        "head_top neck right_shoulder right_elbow right_wrist left_shoulder left_elbow left_wrist right_hip "
        "right_knee right_ankle left_hip left_knee left_ankle"
    ),
    limbs=(
        *_ARMS_AND_LEGS,
        *_limbs("head_top-neck neck-right_shoulder neck-left_shoulder neck-right_hip neck-left_hip"),
    ),
)

CROWDPOSE_14 = Skeleton(
    name="crowdpose_14",
    keypoints=_names(
        "left_shoulder right_shoulder left_elbow right_elbow left_wrist right_wrist left_hip right_hip "
        "left_knee right_knee left_ankle right_ankle head_top neck"
    ),
    limbs=(
        *_ARMS_AND_LEGS,
        *_limbs("head_top-neck neck-right_shoulder neck-left_shoulder neck-right_hip neck-left_hip"),
    ),
    sigmas=(
        *(0.079, 0.079, 0.072, 0.072, 0.062, 0.062),
        *(0.107, 0.107, 0.087, 0.087, 0.089, 0.089),
        *(0.079, 0.079),
    ),
)

OCHUMAN_19 = Skeleton(
    name="ochuman_19",
    keypoints=_names(
        "right_shoulder right_elbow right_wrist left_shoulder left_elbow left_wrist right_hip right_knee "
        "right_ankle left_hip left_knee left_ankle head_top neck right_ear left_ear nose right_eye left_eye"
    ),
    limbs=(
        *_ARMS_AND_LEGS,
        *_limbs(
            "left_hip-right_hip left_shoulder-left_hip right_shoulder-right_hip neck-left_shoulder "
            "neck-right_shoulder head_top-nose nose-neck nose-left_eye nose-right_eye left_eye-left_ear "
            "right_eye-right_ear"
        ),
    ),
)

BLAZEPOSE_33 = Skeleton(
    name="blazepose_33",
    keypoints=_names(
        "nose left_eye_inner left_eye left_eye_outer right_eye_inner right_eye right_eye_outer left_ear "
        "right_ear left_mouth right_mouth left_shoulder right_shoulder left_elbow right_elbow left_wrist "
        "right_wrist left_pinky right_pinky left_index right_index left_thumb right_thumb left_hip right_hip "
        "left_knee right_knee left_ankle right_ankle left_heel right_heel left_foot_index right_foot_index"
    ),
    limbs=(
        *_ARMS_AND_LEGS,
        *_limbs(
            "left_hip-right_hip left_shoulder-left_hip right_shoulder-right_hip left_shoulder-right_shoulder "
            "nose-left_eye nose-right_eye left_eye-left_ear right_eye-right_ear left_mouth-right_mouth "
            "left_wrist-left_index right_wrist-right_index left_ankle-left_heel right_ankle-right_heel "
            "left_ankle-left_foot_index right_ankle-right_foot_index"
        ),
    ),
)

FACE = frozenset({"nose", "left_eye", "right_eye", "left_ear", "right_ear"})
"""Keypoints that say little about a pose: a close-up of a face shows all five."""

SKELETONS = {
    s.name: s for s in (MPII_16, LSP_14, EFFICIENTPOSE_16, COCO_17, AIC_14, CROWDPOSE_14, OCHUMAN_19, BLAZEPOSE_33)
}

_BY_NUMBER = {len(skeleton): skeleton for skeleton in (MPII_16, COCO_17)}


def read_skeleton(given: Skeleton | str | Sequence[str] | None, *, keypoints: int) -> Skeleton:
    """Return the skeleton of data with a number of keypoints: itself, by name, or of the keypoints' names.

    None is COCO's for 17 keypoints and MPII's for 16; for other numbers a skeleton with names like keypoint_0,
    without left and right. RobustPoseError for an unknown name, and for another number of keypoints.
    """
    if given is None:
        plain = tuple(f"keypoint_{number}" for number in range(keypoints))
        return _BY_NUMBER.get(keypoints) or Skeleton(name=f"keypoints_{keypoints}", keypoints=plain, limbs=())
    if isinstance(given, str):
        if given not in SKELETONS:
            raise unknown_name("skeleton", given, SKELETONS)
        given = SKELETONS[given]
    if not isinstance(given, Skeleton):
        names = tuple(given)
        if not all(isinstance(name, str) for name in names) or len({*names}) < len(names):
            raise RobustPoseError(f"skeleton must be a name or different keypoint names, got {given!r:.80}")
        uncounted = tuple(name for name in names if name in MPII_16.uncounted)
        given = Skeleton(name="own", keypoints=names, limbs=(), uncounted=uncounted)
    if len(given) != keypoints:
        raise RobustPoseError(f"skeleton {given.name} has {len(given)} keypoints, got keypoints of {keypoints}")
    return given
