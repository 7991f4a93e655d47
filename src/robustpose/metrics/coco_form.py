"""What pycocotools takes: annotations and answers of one category, person, whose id is 1."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from pycocotools.coco import COCO

from robustpose.metrics.table import Floats


def as_coco(annotations: Sequence[Mapping[str, Any]], photos: int) -> COCO:
    """Return annotations, or answers, of photos 0 to `photos` - 1 as the official code takes them."""
    made = COCO()
    made.dataset = {
        "images": [{"id": photo} for photo in range(photos)],
        "annotations": list(annotations),
        "categories": [{"id": 1}],
    }
    made.createIndex()
    return made


def extent_of(points: Floats) -> float:
    """Return the area of the box around points, which is officially the area of an answer."""
    there = points[np.isfinite(points).all(axis=1)]
    return float(np.prod(np.ptp(there, axis=0))) if len(there) else 0.0
