"""COCO: person keypoints in the official JSON (Lin et al. 2014, Microsoft COCO, arXiv 1405.0312).

A person's area is the annotation's `area`, that of the segmentation; NaN where a file lacks it.
"""

from pathlib import Path

from robustpose.data.annotations import Annotations, Wrong, annotation_file, refuse
from robustpose.data.coco_like import Layout, read_layout
from robustpose.data.people import PhotoPeople, opened
from robustpose.skeletons import COCO_17

COCO = Layout(
    name="coco",
    official="a COCO person_keypoints file",
    skeleton=COCO_17,
    # the official tree: annotations/person_keypoints_val2017.json beside val2017/
    guesses=lambda file: [file.parent.parent / file.stem.removeprefix("person_keypoints_")],
)


def open_coco(path: str | Path, images: Path | None = None) -> PhotoPeople:
    """Read a person_keypoints JSON; RobustPoseError names the file and the thing that is wrong with it."""
    file = annotation_file(path, "coco")
    return opened(read_coco(file), file, images)


def read_coco(file: Path, *, wrong: Wrong = refuse) -> Annotations:
    """Read what the file says: see coco_like.read_layout."""
    return read_layout(COCO, file, wrong=wrong)
