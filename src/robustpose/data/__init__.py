"""Data sets: people with true keypoints. A new one is one file and one line of DATASETS."""

from dataclasses import replace
from pathlib import Path

from robustpose.data.coco import COCO_DATA
from robustpose.data.crowdpose import CROWDPOSE_DATA
from robustpose.data.dataset import DataSpec
from robustpose.data.detections import open_detected
from robustpose.data.joined import SlicedPeople, joined, parts_of
from robustpose.data.lsp import LSP_DATA, LSPET_DATA
from robustpose.data.mpii import MPII_DATA
from robustpose.data.ochuman import OCHUMAN_DATA
from robustpose.data.people import PhotoPeople
from robustpose.data.rendered import SYNTHPOSE_DATA
from robustpose.errors import RobustPoseError, refuse_url, unknown_name
from robustpose.types import PoseDataset

DATASETS: dict[str, DataSpec] = {
    "synthpose": SYNTHPOSE_DATA,
    "coco": COCO_DATA,
    "mpii": MPII_DATA,
    "lsp": LSP_DATA,
    "lspet": LSPET_DATA,
    "crowdpose": CROWDPOSE_DATA,
    "ochuman": OCHUMAN_DATA,
}


def open_dataset(
    spec: str,
    *,
    images: Path | None = None,
    min_keypoints: int = 0,
    min_box: float = 0,
    detections: Path | None = None,
    to_learn: bool = False,
) -> PoseDataset:
    """Open a data set by its spec: synthpose, synthpose:test, or NAME:PATH for photos.

    NAME:PATH[1001-1500] selects people by number, counted from 1. A+B joins data sets in one skeleton; 3*A+B draws
    people of A three times as often in training: see data.joined. min_keypoints and min_box (photo pixels) exclude
    people in photos with fewer labelled keypoints or a smaller box. `detections` is a detector's results JSON in
    COCO's format; its boxes replace the true ones. If at least 90% of the people have a head size, the others are
    excluded, except for training (`to_learn`). RobustPoseError for an unknown name or an invalid file.
    """
    if detections is not None and spec.partition(":")[0] != "coco":
        name = spec.partition(":")[0]
        raise RobustPoseError(f"--detections works with coco:PATH only, got {name}")
    parts = parts_of(spec, names=tuple(DATASETS))
    if detections is not None and len(parts) > 1:
        raise RobustPoseError("--detections works with a single coco:PATH, not with joined data sets")
    opened = []
    for part in parts:
        name, _, rest = part.spec.partition(":")
        refuse_url("data set", part.spec)
        if name not in DATASETS:
            raise _a_path(part.spec) or unknown_name("data set", name, DATASETS)
        dataset = (
            DATASETS[name].open(rest, images if name != "synthpose" or len(parts) == 1 else None)
            if detections is None
            else open_detected(rest, detections, images)
        )
        if isinstance(dataset, PhotoPeople):
            dataset = replace(dataset, version=DATASETS[name].version)
        dataset = part.chosen(dataset)
        if isinstance(dataset, PhotoPeople) and not to_learn:
            dataset = dataset.with_head_sizes()
        if min_keypoints or min_box:
            if not isinstance(dataset, PhotoPeople):
                raise RobustPoseError(
                    f"--min-keypoints and --min-box select people in photos; {dataset.name} has none"
                )
            dataset = dataset.at_least(keypoints=min_keypoints, box_side=min_box)
        opened.append(dataset)
    if len(parts) == 1 and isinstance(opened[0], SlicedPeople):
        raise RobustPoseError(f"{spec}: choose the number of rendered people with --n; ranges are for joined sets")
    return joined(opened, weights=[part.weight for part in parts])


def _a_path(spec: str) -> RobustPoseError | None:
    """Return the error for a path without its format, with how to name it; None for another name."""
    path, suffix = Path(spec), Path(spec).suffix.lower()
    if not spec or (not path.exists() and (":" in spec or suffix not in (".json", ".mat"))):
        return None
    likely = {".json": f"coco:{spec}", ".mat": f"mpii:{spec}"}.get(suffix, f"lsp:{spec}")
    others = ", ".join(name for name in DATASETS if name != "synthpose")
    return RobustPoseError(f"data set {spec!r} is a path; did you mean {likely}? Name its format: {others}")
