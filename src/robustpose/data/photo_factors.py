"""What is known of people in photos beside their keypoints: size, occlusion, crowding, truncation, pose."""

import math
from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np

from robustpose.data.annotations import Person
from robustpose.data.detections import overlap
from robustpose.skeletons import Skeleton

_EDGE = 2.0
"""Distance in pixels within which a box touches the photo's edge."""


def photo_factors(
    people: Sequence[Person],
    rows: Sequence[int],
    *,
    skeleton: Skeleton,
    sizes: Mapping[str, tuple[int, int] | None],
) -> dict[str, list[float | str]]:
    """Return what is known of the people of `rows`, by name, one number per person; NaN where it is unknown.

    people  everybody of the data set: crowding counts the others of a photo
    sizes   (H, W) of the photos, where the file gives them

    box_side          longer side of the box, photo pixels
    labelled_share    labelled keypoints, as a share of all that count
    occluded_share    of the labelled keypoints, those that the file marks as occluded
    crowding          largest overlap (intersection over union) with the box of another person
    people_in_photo   people of the photo
    truncated         1 if the box touches the photo's edge, else 0
    torso_tilt        angle between the torso and upright, degrees: 90 lies, 180 stands on the head

    Factors that are unknown or the same for everybody are left out.
    """
    together = Counter(person.photo for person in people)
    by_photo: dict[str, list[Person]] = {}
    for person in people:
        by_photo.setdefault(person.photo, []).append(person)
    chosen = [people[row] for row in rows]
    counted = np.asarray(skeleton.counted)
    found: dict[str, list[float]] = {
        "box_side": [float(max(each.box[2:])) for each in chosen],
        "labelled_share": [float(each.visible[counted].mean()) for each in chosen],
        "occluded_share": [each.occluded for each in chosen],
        "crowding": [
            max((overlap(each.box, other.box) for other in by_photo[each.photo] if other is not each), default=0.0)
            for each in chosen
        ],
        "people_in_photo": [float(together[each.photo]) for each in chosen],
        "truncated": [_touches(each, sizes.get(each.photo)) for each in chosen],
        "torso_tilt": [_tilt(each, skeleton) for each in chosen],
    }
    return {name: [*values] for name, values in found.items() if len({v for v in values if math.isfinite(v)}) > 1}


def _touches(person: Person, size: tuple[int, int] | None) -> float:
    if size is None:
        return math.nan
    x, y, w, h = person.box
    inside = min(x, y, size[1] - x - w, size[0] - y - h)
    return float(inside <= _EDGE)


def _tilt(person: Person, skeleton: Skeleton) -> float:
    """Return the angle of the line from hips to shoulders to upright, in degrees; NaN without their labels."""
    names = ("left_shoulder", "right_shoulder", "left_hip", "right_hip")
    if not set(names) <= {*skeleton.keypoints}:
        return math.nan
    rows = [skeleton.index(name) for name in names]
    if not person.visible[rows].all():
        return math.nan
    points = person.keypoints[rows]
    across, up = points[:2].mean(axis=0) - points[2:].mean(axis=0)
    return math.degrees(math.atan2(abs(across), -up))
