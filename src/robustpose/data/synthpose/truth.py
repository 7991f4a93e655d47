"""Truth from the renderer: keypoints, visibility, head size, box, segmentation.

Visibility is 0 outside the photo or the crop, 1 occluded, 2 visible. A keypoint is visible if a pixel at or next
to it shows a body part of its person that meets at the keypoint, in front of it by at most the thickness of flesh
there.
"""

from dataclasses import dataclass

import numpy as np

from robustpose.data.synthpose.assets import Floats, Ints, Mask, Pixels
from robustpose.data.synthpose.body import HEAD, PARTS
from robustpose.data.synthpose.camera import Framing
from robustpose.data.synthpose.kernels import bounds
from robustpose.data.synthpose.mesh import Surfaces
from robustpose.data.synthpose.people import COCO_LIMBS, Person
from robustpose.data.synthpose.rotation import length

BEYOND, OCCLUDED, VISIBLE = 0, 1, 2

HEAD_TOP = 9
"""Index of the head top in MPII's keypoints."""

_DEPTH_MPII = np.array(
    [0.10, 0.12, 0.16, 0.16, 0.12, 0.10, 0.22, 0.17, 0.13, 0.06, 0.08, 0.10, 0.14, 0.14, 0.10, 0.08]
)
"""Thickness of flesh in front of each of MPII's keypoints, in metres."""

_DEPTH_FACE = np.array([0.03, 0.03, 0.03, 0.04, 0.04])
"""The same for nose, eyes and ears, which are on the skin."""


HEAD_BOX = 1.254
"""Ratio of annotated head boxes to boxes from chin to crown: annotators include hair and a margin.

In MPII the segment from upper neck to head top is 0.8 of the head box's diagonal for everyone, so 4/3 of the head
size. On 400 people of train the median of that segment over 0.6 of the bare diagonal is 1.672 (1.671 on the 393
with both points in the photo; 5 % to 95 %: 1.08 to 1.93). Divided by this factor it is 1.333.
"""


def _parts(*names: str) -> frozenset[int]:
    return frozenset(PARTS.index(name) for name in names)


_MEETING_MPII: tuple[frozenset[int], ...] = (
    _parts("right_calf", "right_foot"),
    _parts("right_thigh", "right_calf"),
    _parts("right_thigh", "torso"),
    _parts("left_thigh", "torso"),
    _parts("left_thigh", "left_calf"),
    _parts("left_calf", "left_foot"),
    _parts("torso", "right_thigh", "left_thigh"),
    _parts("torso", "head"),
    _parts("torso", "head"),
    _parts("head"),
    _parts("right_forearm", "right_hand"),
    _parts("right_upper_arm", "right_forearm"),
    _parts("right_upper_arm", "torso"),
    _parts("left_upper_arm", "torso"),
    _parts("left_upper_arm", "left_forearm"),
    _parts("left_forearm", "left_hand"),
)
"""The parts of the body that meet at each of MPII's keypoints."""

_ANY = frozenset(range(1, len(PARTS)))


@dataclass(frozen=True)
class Seen:
    """The visible surface at every pixel of the supersampled image (S, S)."""

    depth: Floats
    owner: Ints  # 0 a thing or nothing, 1 the person, 2 another
    part: Pixels  # of the person, 0 elsewhere
    factor: int  # of supersampling, per axis


@dataclass(frozen=True)
class Truth:
    """All truth of one crop, in its pixels."""

    mpii: Floats  # (16, 2)
    mpii_visibility: Pixels  # (16,)
    coco: Floats  # (17, 2)
    coco_visibility: Pixels  # (17,)
    head_size: float
    segmentation: Pixels  # (S, S)


def read_pixels(depth: Floats, triangle: Ints, weights: Floats, surfaces: Surfaces, factor: int) -> Seen:
    """Return owner and part at every pixel; the part is that of the nearest corner of the triangle."""
    hit = triangle >= 0
    face = triangle[hit]
    owner = np.zeros(triangle.shape, dtype=np.int64)
    owner[hit] = surfaces.face_owner[face]
    wa, wb = weights[hit].T
    nearest = np.argmax(np.stack([wa, wb, 1 - wa - wb]), axis=0)
    part = np.zeros(triangle.shape, dtype=np.uint8)
    part[hit] = np.where(owner[hit] == 1, surfaces.parts[surfaces.faces[face, nearest]], 0)
    return Seen(depth=depth, owner=owner, part=part, factor=factor)


def measure(person: Person, framing: Framing, seen: Seen) -> Truth:
    """Return the truth of a person in its crop."""
    size = len(seen.part) // seen.factor
    half = seen.factor // 2
    segmentation = np.where(photo_mask(framing, size), seen.part[half :: seen.factor, half :: seen.factor], 0)
    mpii, mpii_depth = framing.camera.project(person.mpii)
    face, face_depth = framing.camera.project(person.coco[:5])
    in_photo = framing.in_photo(mpii, size)
    mpii_visibility = _visibility(mpii, mpii_depth, in_photo, _DEPTH_MPII, _MEETING_MPII, seen)
    if mpii_visibility[HEAD_TOP] == OCCLUDED and _near_head(mpii[HEAD_TOP], segmentation):
        mpii_visibility[HEAD_TOP] = VISIBLE
    face_visibility = _visibility(face, face_depth, framing.in_photo(face, size), _DEPTH_FACE, (_ANY,) * 5, seen)
    return Truth(
        mpii=mpii,
        mpii_visibility=mpii_visibility,
        coco=np.concatenate([face, mpii[COCO_LIMBS]]),
        coco_visibility=np.concatenate([face_visibility, mpii_visibility[COCO_LIMBS]]),
        head_size=head_size(framing.camera.project(person.head)[0]),
        segmentation=segmentation,
    )


def head_size(head: Floats) -> float:
    """Return 0.6 of the diagonal of a head box: MPII's rule (Andriluka et al. 2014).

    head has points (N, 2) of the bare head, from chin to crown; the head box is HEAD_BOX times their box.
    """
    low, high = bounds(head)
    return 0.6 * HEAD_BOX * length(high - low)


def photo_mask(framing: Framing, size: int) -> Mask:
    """Return the mask (S, S) of pixels whose centre is in the photo."""
    at = np.arange(size)
    left, top, right, bottom = framing.photo
    mask: Mask = ((at >= top) & (at < bottom))[:, None] & ((at >= left) & (at < right))[None]
    return mask


def _visibility(
    points: Floats,
    depths: Floats,
    in_photo: Mask,
    tolerance: Floats,
    meeting: tuple[frozenset[int], ...],
    seen: Seen,
) -> Pixels:
    """Return 0, 1 or 2 for points (N, 2) in pixels with their depths (N,)."""
    side = len(seen.part)
    fine = np.floor(seen.factor * (points + 0.5)).astype(np.int64)
    visibility = np.where(in_photo, OCCLUDED, BEYOND).astype(np.uint8)
    offsets = [(dx * seen.factor, dy * seen.factor) for dy in (-1, 0, 1) for dx in (-1, 0, 1)]
    for i in np.flatnonzero(in_photo):
        column, row = int(fine[i, 0]), int(fine[i, 1])
        for dx, dy in offsets:
            x, y = min(max(column + dx, 0), side - 1), min(max(row + dy, 0), side - 1)
            gap = depths[i] - seen.depth[y, x]
            on_its_part = int(seen.part[y, x]) in meeting[i]
            if seen.owner[y, x] == 1 and gap < tolerance[i] and (on_its_part or gap < 0.4 * tolerance[i]):
                visibility[i] = VISIBLE
    return visibility


def _near_head(point: Floats, segmentation: Pixels) -> bool:
    """Say whether the head is visible within 3 pixels (of 128) of a point, because its top is on the outline."""
    reach = max(1, round(3 * len(segmentation) / 128))
    x, y = (int(value) for value in np.rint(point))
    around = segmentation[max(0, y - reach) : y + reach + 1, max(0, x - reach) : x + reach + 1]
    return bool((around == HEAD).any())
