"""COCO: person keypoints in the official JSON (Lin et al. 2014, Microsoft COCO, arXiv 1405.0312).

A person's area is the annotation's `area`, that of the segmentation; NaN where a file lacks it.
"""

from pathlib import Path

from robustpose.data.coco_like import Layout, open_layout
from robustpose.data.people import PhotoPeople
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
    return open_layout(COCO, path, images)
