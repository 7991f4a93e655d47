"""MPII: single people in the release's .mat, or in the JSON lists made from it.

Andriluka, Pishchulin, Gehler, Schiele 2014, "2D Human Pose Estimation: New Benchmark and State of the Art
Analysis". The crop is the usual top-down one (Newell et al. 2016, arXiv 1603.06937; Xiao et al. 2018, arXiv
1804.06208): the person's centre moved down by 15 * scale, a square of 200 * scale photo pixels, times 1.25.
Both forms count pixels from 1, MATLAB's way (Xiao et al. subtract 1 too); we subtract 1. The head size is 0.6 x
the diagonal of the head box, as in the official PCKh. A joint counts where the release has it, seen or occluded:
the official PCKh does not read is_visible, so neither do we.
"""

from collections import Counter
from pathlib import Path

from robustpose.data.annotations import Annotations, Wrong, annotation_file, refuse
from robustpose.data.dataset import DataSpec, Source
from robustpose.data.mpii_list import read_list
from robustpose.data.mpii_release import read_release
from robustpose.data.people import PhotoPeople, opened
from robustpose.skeletons import MPII_16


def open_mpii(path: str | Path, images: Path | None = None) -> PhotoPeople:
    """Read the release's .mat, or a JSON list of {image, joints, joints_vis, center, scale}.

    Of the release, the people of training images take part that stand apart from others (its `single_person`).
    A JSON's head sizes come from its people's "head_size" or "headbox" (x1, y1, x2, y2), or from gt_valid.mat
    or mpii_gt_val.mat beside it where that holds as many people; else they are NaN.
    Raises RobustPoseError that names the file and the thing that is wrong with it.
    """
    file = annotation_file(path, "mpii")
    return opened(read_mpii(file), file, images)


def read_mpii(file: Path, *, wrong: Wrong = refuse) -> Annotations:
    """Read what the file says, in its order; what is wrong with one person goes to `wrong`. See open_mpii."""
    left_out: Counter[str] = Counter()
    read = read_release if file.suffix == ".mat" else read_list
    people, photos, named = read(file, left_out, wrong)
    names: dict[str, tuple[int, int] | None] = dict.fromkeys(photos)  # neither form says how large they are
    guesses = (file.parent.parent / "images",)
    return Annotations("mpii", MPII_16, tuple(people), left_out, names, named, guesses, boxes="derived")


MPII_DATA = DataSpec(
    open=open_mpii,
    summary="MPII: mpii:PATH of the release's .mat or of a JSON list made from it",
    read=read_mpii,
    source=Source(
        title="MPII Human Pose",
        files=("mpii_human_pose_v1_u12_*.mat", "valid.json", "train.json", "trainval.json"),
        get="from the MPII Human Pose site of the Max Planck Institute for Informatics: images "
        "(mpii_human_pose_v1.tar.gz) and annotations (mpii_human_pose_v1_u12_2.zip); the JSON lists valid.json "
        "and train.json, with gt_valid.mat, come with SimpleBaseline's and HRNet's code",
        licence="annotations under the Simplified BSD licence that lies in their archive; frames of videos, for "
        "research",
        people={"valid.json": 2958, "train.json": 22_246, "trainval.json": 25_204},
    ),
)
