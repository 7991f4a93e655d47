"""Writes a data set's crops to a folder, with their truth in MPII's JSON form, so that others can read them.

MPII counts pixels from 1. Each picture is one person's crop, so centre and scale describe the picture's middle:
read again (robustpose.data.mpii), the crop is the picture itself.
"""

import json
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import torch

from robustpose.errors import RobustPoseError
from robustpose.skeletons import MPII_16
from robustpose.types import Batch, PoseDataset

_AT_ONCE = 50
_PADDING = 1.25


def export_people(
    dataset: PoseDataset,
    folder: Path,
    *,
    n: int,
    size: int,
    on_progress: Callable[[int], None] = lambda done: None,
) -> tuple[str, ...]:
    """Write the first n people as images/*.png and annotations.json; return a line for each unreadable photo.

    Joints that MPII does not have are left out, those that the data does not have are not visible. The annotations
    come last, in one atomic act: a folder that has them is complete. RobustPoseError where it exists already, or
    where no photo could be read.
    """
    annotations = folder / "annotations.json"
    if annotations.exists():
        raise RobustPoseError(f"{annotations} exists already; choose another folder")
    (folder / "images").mkdir(parents=True, exist_ok=True)
    entries: list[dict[str, object]] = []
    unreadable: tuple[str, ...] = ()
    for start in range(0, n, _AT_ONCE):
        rows = range(start, min(start + _AT_ONCE, n))
        batch = dataset.load(rows, input_size=(size, size), padding=_PADDING).in_skeleton(MPII_16)
        entries += [_write_person(batch, row, folder / "images") for row in range(len(batch))]
        unreadable += batch.unreadable
        on_progress(rows.stop)
    if not entries:
        raise RobustPoseError(f"none of the {n} photos could be read; the first: {unreadable[0]}")
    aside = annotations.with_suffix(".part")
    aside.write_text(json.dumps(entries, indent=1) + "\n")
    aside.replace(annotations)
    return unreadable


def _write_person(batch: Batch, row: int, folder: Path) -> dict[str, object]:
    name = batch.ids[row].replace(":", "_") + ".png"
    image = (batch.images[row].permute(1, 2, 0) * 255).round().to(torch.uint8).numpy()
    if not cv2.imwrite(str(folder / name), np.ascontiguousarray(image[..., ::-1])):
        raise RobustPoseError(f"{folder / name} cannot be written")
    size = batch.input_size[0]
    scale = size / _PADDING / 200
    entry: dict[str, object] = {
        "image": name,
        "joints": [[round(x + 1, 3), round(y + 1, 3)] for x, y in batch.keypoints[row].tolist()],
        "joints_vis": batch.visible[row].int().tolist(),
        "center": [size / 2 + 0.5, size / 2 + 0.5 - 15 * scale],
        "scale": scale,
    }
    head_size = float(batch.head_size[row])
    if np.isfinite(head_size):
        entry["head_size"] = round(head_size, 3)
    return entry
