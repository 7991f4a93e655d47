"""Data sets: people with truth, whatever they come from. A new one is one file and one line of DATASETS."""

from collections.abc import Callable
from pathlib import Path

from robustpose.data.coco import open_coco
from robustpose.data.crowdpose import open_crowdpose
from robustpose.data.detections import open_detected
from robustpose.data.mpii import open_mpii
from robustpose.data.ochuman import open_ochuman
from robustpose.data.people import PhotoPeople
from robustpose.data.rendered import open_rendered
from robustpose.errors import RobustPoseError, unknown_name
from robustpose.types import PoseDataset

DATASETS: dict[str, Callable[[str, Path | None], PoseDataset]] = {
    "synthpose": open_rendered,
    "coco": open_coco,
    "mpii": open_mpii,
    "crowdpose": open_crowdpose,
    "ochuman": open_ochuman,
}
"""Openers by name; each takes what follows the name's colon, and the photo folder the user named."""


def open_dataset(
    spec: str,
    *,
    images: Path | None = None,
    min_keypoints: int = 0,
    min_box: float = 0,
    detections: Path | None = None,
) -> PoseDataset:
    """Open a data set by its spec: synthpose, synthpose:test, coco:PATH, mpii:PATH, crowdpose:PATH or
    ochuman:PATH.

    Of people in photos, only those with min_keypoints labelled keypoints and a box of min_box photo pixels take
    part. `detections` is COCO's results JSON of a detector, whose boxes are then shown. Raises RobustPoseError for
    an unknown name and for whatever is wrong with the file.
    """
    name, _, rest = spec.partition(":")
    if name not in DATASETS:
        raise unknown_name("data set", name, DATASETS)
    if detections is not None and name != "coco":
        raise RobustPoseError(f"--detections: boxes of a detector are for coco:PATH, not {name}")
    dataset = DATASETS[name](rest, images) if detections is None else open_detected(rest, detections, images)
    if not (min_keypoints or min_box):
        return dataset
    if not isinstance(dataset, PhotoPeople):
        raise RobustPoseError(f"--min-keypoints and --min-box choose people in photos; {dataset.name} has none")
    return dataset.at_least(keypoints=min_keypoints, box_side=min_box)
