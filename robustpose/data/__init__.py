"""Data sets: people with truth, whatever they come from. A new one is one file and one line of DATASETS."""

from collections.abc import Callable
from pathlib import Path

from robustpose.data.coco import open_coco
from robustpose.data.mpii import open_mpii
from robustpose.data.rendered import open_rendered
from robustpose.errors import unknown_name
from robustpose.types import PoseDataset

DATASETS: dict[str, Callable[[str, Path | None], PoseDataset]] = {
    "synthpose": open_rendered,
    "coco": open_coco,
    "mpii": open_mpii,
}
"""Openers by name; each takes what follows the name's colon, and the photo folder the user named."""


def open_dataset(spec: str, *, images: Path | None = None) -> PoseDataset:
    """Open a data set by its spec: synthpose, synthpose:test, coco:PATH or mpii:PATH.

    Raises RobustPoseError for an unknown name and for whatever is wrong with the file.
    """
    name, _, rest = spec.partition(":")
    if name not in DATASETS:
        raise unknown_name("data set", name, DATASETS)
    return DATASETS[name](rest, images)
