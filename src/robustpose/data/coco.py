"""COCO: person keypoints in the official JSON (Lin et al. 2014, Microsoft COCO, arXiv 1405.0312).

A person's area is the annotation's `area`, the area of the segmentation; NaN where a file lacks it.
"""

from pathlib import Path

from robustpose.data.annotations import Annotations, Wrong, annotation_file, refuse
from robustpose.data.coco_like import Layout, read_layout
from robustpose.data.dataset import DataSpec, Source
from robustpose.data.people import PhotoPeople, opened
from robustpose.skeletons import COCO_17

COCO = Layout(
    name="coco",
    official="a COCO person_keypoints file",
    skeleton=COCO_17,
    # the official layout: annotations/person_keypoints_val2017.json beside val2017/
    guesses=lambda file: [file.parent.parent / file.stem.removeprefix("person_keypoints_")],
)


def open_coco(path: str | Path, images: Path | None = None) -> PhotoPeople:
    """Read a person_keypoints JSON; RobustPoseError names the file and the fault."""
    file = annotation_file(path, "coco")
    return opened(read_coco(file), file, images)


def read_coco(file: Path, *, wrong: Wrong = refuse) -> Annotations:
    """Read the annotations: see coco_like.read_layout."""
    return read_layout(COCO, file, wrong=wrong)


COCO_DATA = DataSpec(
    open=open_coco,
    summary="COCO person keypoints: coco:PATH of a person_keypoints JSON, --detections for a detector's boxes",
    read=read_coco,
    source=Source(
        title="COCO 2017 person keypoints",
        files=("person_keypoints_*.json",),
        get="from the COCO site's download page: 2017 Train/Val annotations (annotations_trainval2017.zip), and "
        "2017 Val images (val2017.zip); unpack them so that annotations/ is beside val2017/",
        licence="annotations CC BY 4.0; photos under Flickr's terms, each with the licence that the file names",
        photos={"person_keypoints_val2017.json": 5000, "person_keypoints_train2017.json": 118_287},
    ),
)
