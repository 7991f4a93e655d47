"""Where the official data sets come from: their names, files, sizes and terms. Data only.

Nothing is downloaded here: each is had from its authors, on their terms, which may have changed since this was
written. Where a licence is not known to be stated, that is said.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Source:
    """One data set.

    title    as its authors call it
    files    annotation files, as published, by glob pattern
    get      how to come by it
    licence  its terms
    photos   how many photos an official file names, by file name; people likewise
    """

    title: str
    files: tuple[str, ...]
    get: str
    licence: str
    photos: Mapping[str, int] = field(default_factory=dict)
    people: Mapping[str, int] = field(default_factory=dict)


SOURCES = {
    "coco": Source(
        title="COCO 2017 person keypoints",
        files=("person_keypoints_*.json",),
        get="from the COCO site's download page: 2017 Train/Val annotations (annotations_trainval2017.zip), and "
        "2017 Val images (val2017.zip); unpacked, annotations/ lies beside val2017/",
        licence="annotations CC BY 4.0; photos under Flickr's terms, each with the licence that the file names",
        photos={"person_keypoints_val2017.json": 5000, "person_keypoints_train2017.json": 118_287},
    ),
    "mpii": Source(
        title="MPII Human Pose",
        files=("mpii_human_pose_v1_u12_*.mat", "valid.json", "train.json", "trainval.json"),
        get="from the MPII Human Pose site of the Max Planck Institute for Informatics: images "
        "(mpii_human_pose_v1.tar.gz) and annotations (mpii_human_pose_v1_u12_2.zip); the JSON lists valid.json "
        "and train.json, with gt_valid.mat, come with SimpleBaseline's and HRNet's code",
        licence="annotations under the Simplified BSD licence that lies in their archive; frames of videos, for "
        "research",
        people={"valid.json": 2958, "train.json": 22_246, "trainval.json": 25_204},
    ),
    "crowdpose": Source(
        title="CrowdPose",
        files=("crowdpose_*.json",),
        get="from the links in the authors' repository, Jeff-sjtu/CrowdPose: images, and "
        "crowdpose_{train,val,test}.json",
        licence="the repository states none; its photos come from COCO, MPII and AI Challenger, whose terms hold",
    ),
    "ochuman": Source(
        title="OCHuman",
        files=("ochuman.json", "ochuman_coco_format_*.json"),
        get="through the form that the authors' repository, liruilong940607/OCHumanApi, links to: images and "
        "annotations, with the val and test files of COCO's form",
        licence="of photos and annotations none is stated in the repository, whose code is MIT; see the form",
        photos={"ochuman.json": 5081},
        people={"ochuman.json": 13_360},
    ),
}
