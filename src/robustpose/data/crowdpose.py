"""CrowdPose: people in crowds, 14 keypoints (Li et al. 2019, "CrowdPose", arXiv 1812.00324).

Its files are in COCO's format, without areas; as in the official evaluation, the area is 0.53 x the box's. The
file's `head` is the top of the head. The official split by crowding (easy, medium, hard) is not reported.
"""

from pathlib import Path

from robustpose.data.annotations import Annotations, Wrong, annotation_file, refuse
from robustpose.data.coco_like import Layout, read_layout
from robustpose.data.dataset import DataSpec, Source
from robustpose.data.people import PhotoPeople, opened
from robustpose.skeletons import CROWDPOSE_14

CROWDPOSE = Layout(
    name="crowdpose",
    official="a crowdpose_val.json",
    skeleton=CROWDPOSE_14,
    spelled=(("head", "head_top"), ("top_head", "head_top")),
    box_area=0.53,
    # the usual layouts: json/ or annotations/ beside images/
    guesses=lambda file: [file.parent.parent / "images"],
)


def open_crowdpose(path: str | Path, images: Path | None = None) -> PhotoPeople:
    """Read crowdpose_{train,val,test}.json; RobustPoseError names the file and the fault."""
    file = annotation_file(path, "crowdpose")
    return opened(read_crowdpose(file), file, images)


def read_crowdpose(file: Path, *, wrong: Wrong = refuse) -> Annotations:
    """Read the annotations: see coco_like.read_layout."""
    return read_layout(CROWDPOSE, file, wrong=wrong)


CROWDPOSE_DATA = DataSpec(
    open=open_crowdpose,
    summary="CrowdPose: crowdpose:PATH of a crowdpose JSON",
    read=read_crowdpose,
    source=Source(
        title="CrowdPose",
        files=("crowdpose_*.json",),
        get="from the links in the authors' repository, Jeff-sjtu/CrowdPose: images, and "
        "crowdpose_{train,val,test}.json",
        licence="the repository states none; its photos come from COCO, MPII and AI Challenger, whose terms apply",
    ),
)
