"""Plausibility of a skeleton: its bone lengths, left-right ratios and joint angles compared with true poses.

Jain et al. (arXiv 1908.06401) show attacked skeletons and find that they look plausible, without a measure. Here
the features of a 2D pose are the length of each bone relative to the torso, the ratio of each left bone to its
right one, and the angles of knees and elbows. In 2D, bones are foreshortened and a knee can have any angle, so
there are no hard limits: a feature is implausible if it is rare among true poses.

The implausibility is the root mean square over features of z = |value - median| / (1.4826 x median absolute
deviation), with z at most 10. This is Mahalanobis's distance with robust statistics and without correlations, so
that one odd limb is not lost among good ones. Median and deviation are those of true poses of other people of the
same data. The factor makes the deviation consistent for a normal distribution: Rousseeuw and Croux 1993,
"Alternatives to the Median Absolute Deviation", JASA 88(424).
"""

from dataclasses import dataclass

import numpy as np

from robustpose.metrics.table import Floats
from robustpose.skeletons import Skeleton

FEWEST = 5
"""Minimum number of true poses with a feature for it to be used."""

_CONSISTENT = 1.4826
_MOST = 10.0
_SHORTEST = 0.01
"""Lower bound of bone lengths relative to the torso, so that logarithms are finite."""

_TORSO = ("left_shoulder", "right_shoulder", "left_hip", "right_hip")
_ANGLES = (("hip", "knee", "ankle"), ("shoulder", "elbow", "wrist"))


@dataclass(frozen=True)
class TruePoses:
    """Statistics of true poses.

    middle, spread  (F,) median and scaled median absolute deviation of each feature; NaN if too few people have it
                    or all have the same value
    n               number of people
    """

    skeleton: Skeleton
    middle: Floats
    spread: Floats
    n: int


def can_judge(skeleton: Skeleton) -> bool:
    """Return whether a skeleton has shoulders and hips, so that bones can be compared with the torso."""
    return set(_TORSO) <= set(skeleton.keypoints)


def learn(keypoints: Floats, skeleton: Skeleton) -> TruePoses:
    """Compute the statistics of true poses (N, K, 2), NaN where a joint is not labelled."""
    described = describe(keypoints, skeleton)
    enough = np.isfinite(described).sum(axis=0) >= FEWEST
    middle, spread = np.full((2, described.shape[1]), np.nan)
    middle[enough] = np.nanmedian(described[:, enough], axis=0)
    spread[enough] = _CONSISTENT * np.nanmedian(np.abs(described[:, enough] - middle[enough]), axis=0)
    return TruePoses(skeleton, middle, np.where(spread > 0, spread, np.nan), len(keypoints))


def implausibility(keypoints: Floats, poses: TruePoses) -> Floats:
    """Return the implausibility (N,) of poses (N, K, 2): 0 (the median true pose) to 10, NaN without features."""
    away = np.abs(describe(keypoints, poses.skeleton) - poses.middle) / poses.spread
    known = np.isfinite(away)
    with np.errstate(invalid="ignore"):
        squared = np.where(known, away.clip(max=_MOST) ** 2, 0.0).sum(axis=1) / known.sum(axis=1)
    distance: Floats = np.sqrt(squared)
    return distance


def describe(keypoints: Floats, skeleton: Skeleton) -> Floats:
    """Return features (N, F) of poses (N, K, 2), invariant to scale, translation and rotation in the image.

    Logarithms of bone lengths over the torso's, of left over right, and angles of knees and elbows in degrees.
    """
    keypoints = np.where(np.isfinite(keypoints), keypoints, np.nan)
    at = {name: keypoints[:, row] for row, name in enumerate(skeleton.keypoints)}
    shoulders, hips = ((at[f"left_{part}"] + at[f"right_{part}"]) / 2 for part in ("shoulder", "hip"))
    torso = _length(shoulders, hips)
    bones = {(a, b): _length(at[a], at[b]) for a, b in skeleton.limbs}
    shortest = np.maximum(_SHORTEST * torso, np.finfo(float).tiny)
    lengths = {bone: np.log(np.maximum(length, shortest)) for bone, length in bones.items()}
    columns = [length - np.log(np.maximum(torso, np.finfo(float).tiny)) for length in lengths.values()]
    columns += [lengths[left] - lengths[right] for left in lengths if (right := _mirrored(left)) in lengths]
    columns += [
        _angle(*(at[f"{side}_{part}"] for part in parts))
        for parts in _ANGLES
        for side in ("left", "right")
        if all(f"{side}_{part}" in at for part in parts)
    ]
    return np.stack(columns, axis=1)


def _mirrored(bone: tuple[str, str]) -> tuple[str, str] | None:
    """Return the right bone of a left one; None for any other."""
    if not all(name.startswith("left_") for name in bone):
        return None
    first, second = ("right_" + name.removeprefix("left_") for name in bone)
    return first, second


def _length(a: Floats, b: Floats) -> Floats:
    length: Floats = np.linalg.norm(a - b, axis=1)
    return length


def _angle(a: Floats, corner: Floats, b: Floats) -> Floats:
    """Return the angle at a joint (N,) in degrees: 180 is straight."""
    first, second = a - corner, b - corner
    cross = first[:, 0] * second[:, 1] - first[:, 1] * second[:, 0]
    angle: Floats = np.abs(np.degrees(np.arctan2(cross, (first * second).sum(axis=1))))
    return angle
