"""Writes a data set's crops to a folder, with their truth as a JSON list in MPII's format.

MPII counts pixels from 1. Each image is one person's crop. Centre and scale are such that robustpose.data.mpii
reads the whole image as the crop.
"""

import json
import shutil
import tempfile
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
import polars as pl
import torch
from numpy.typing import NDArray

from robustpose.data.rendered import RenderedPeople, whole_shards
from robustpose.errors import RobustPoseError, writing_to
from robustpose.skeletons import COCO_17, MPII_16
from robustpose.types import Batch, PoseDataset

if TYPE_CHECKING:
    from robustpose.data.synthpose import RenderedSet

_AT_ONCE = 50
_PADDING = 1.25
_SHARDS = ".robustpose-shards-"
_OURS = ".made-by-robustpose"
"""A file that marks folders of shards as ours; folders without it are never removed."""


def export_people(
    dataset: PoseDataset,
    folder: Path,
    *,
    n: int,
    size: int,
    on_progress: Callable[[int], None] = lambda done: None,
) -> tuple[str, ...]:
    """Write the first n people as images/*.png and annotations.json; return a line for each unreadable photo.

    Keypoints that MPII lacks are dropped; those that the data lack are not visible. The annotations are written
    last and atomically, so a folder with annotations is complete. RobustPoseError where they already exist, or
    where no photo could be read.
    """
    with _writing(folder):
        return _export_people(dataset, folder, n=n, size=size, on_progress=on_progress)


def _export_people(
    dataset: PoseDataset, folder: Path, *, n: int, size: int, on_progress: Callable[[int], None]
) -> tuple[str, ...]:
    annotations = _begin(folder)
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
    _finish(annotations, entries)
    return unreadable


@dataclass(frozen=True)
class Rendering:
    """Statistics of a rendering: speed, and a hash of all pixels and truth.

    People are rendered fifty at a time, so a few more than requested may have been rendered. The time includes the
    start of the processes but not compilation.
    """

    people: int
    size: int
    processes: int
    images_per_second: float
    hash: str


def export_rendered(
    dataset: RenderedPeople,
    folder: Path,
    *,
    n: int,
    size: int,
    processes: int,
    on_progress: Callable[[int, int], None] = lambda done, total: None,
) -> Rendering:
    """Render the first n people and write them with all their truth.

    Beside the files of export_people: segmentation/*.png with indices of the renderer's PARTS, and truth.csv with
    the action, box, COCO's and MPII's keypoints with three-valued visibility, and the factors of the scene.
    RobustPoseError as in export_people.
    """
    with _writing(folder):
        return _export_rendered(dataset, folder, n=n, size=size, processes=processes, on_progress=on_progress)


def _export_rendered(
    dataset: RenderedPeople,
    folder: Path,
    *,
    n: int,
    size: int,
    processes: int,
    on_progress: Callable[[int, int], None],
) -> Rendering:
    annotations = _begin(folder)
    (folder / "segmentation").mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder, prefix=_SHARDS) as shards:
        (Path(shards) / _OURS).touch()
        dataset.warm_up(size=size)
        started = time.perf_counter()
        people = dataset.render(n, size=size, folder=Path(shards), processes=processes, on_progress=on_progress)
        seconds = time.perf_counter() - started
    entries: list[dict[str, object]] = []
    ids: tuple[str, ...] = ()
    for start in range(0, n, _AT_ONCE):
        rows = range(start, min(start + _AT_ONCE, n))
        taken = slice(rows.start, rows.stop)
        batch = dataset.batch(
            rows,
            images=people.images[taken],
            keypoints=people.mpii[taken],
            visibility=people.mpii_visibility[taken],
            head_size=people.head_size[taken],
            box=people.box[taken],
        )
        entries += [_write_person(batch, row, folder / "images") for row in range(len(rows))]
        ids += batch.ids
    for entry, parts in zip(entries, people.segmentation, strict=True):
        _write_png(folder / "segmentation" / str(entry["image"]), parts)
    _truth_frame(ids, people).write_csv(folder / "truth.csv", float_precision=3)
    _finish(annotations, entries)
    return Rendering(
        people=n,
        size=size,
        processes=processes,
        images_per_second=round(whole_shards(n) / seconds, 2),
        hash=people.digest(),
    )


def _truth_frame(ids: tuple[str, ...], people: "RenderedSet") -> pl.DataFrame:
    """Return one row per person: id, action, the scene's factors, head size, box, keypoints; in pixels.

    Every keypoint has x, y and visibility: 0 outside the image, 1 occluded, 2 visible. Names of MPII's keypoints
    start with 'mpii_'. Keypoints outside the image have their projected position.
    """
    from robustpose.data.synthpose import ACTIONS

    columns: dict[str, Any] = {
        "id": list(ids),
        "action": [ACTIONS[number] for number in people.action],
        **people.factors,
        "head_size": people.head_size,
    }
    for k, name in enumerate(("x", "y", "w", "h")):
        columns[f"box_{name}"] = people.box[:, k]
    for skeleton, prefix, points, visibility in (
        (COCO_17, "", people.coco, people.coco_visibility),
        (MPII_16, "mpii_", people.mpii, people.mpii_visibility),
    ):
        for k, name in enumerate(skeleton.keypoints):
            columns[f"{prefix}{name}_x"], columns[f"{prefix}{name}_y"] = points[:, k, 0], points[:, k, 1]
            columns[f"{prefix}{name}_visibility"] = visibility[:, k]
    return pl.DataFrame(columns)


def _writing(folder: Path) -> AbstractContextManager[None]:
    return writing_to(folder, "give a writable folder with free space as --out")


def _begin(folder: Path) -> Path:
    """Make the folder, remove the shards of a killed rendering, and return the path of the annotations."""
    annotations = folder / "annotations.json"
    if annotations.exists():
        raise RobustPoseError(f"{annotations} exists already; choose another folder")
    for left in folder.glob(_SHARDS + "*"):
        if (left / _OURS).is_file() and not left.is_symlink():
            shutil.rmtree(left)
    (folder / "images").mkdir(parents=True, exist_ok=True)
    return annotations


def _finish(annotations: Path, entries: list[dict[str, object]]) -> None:
    aside = annotations.with_suffix(".part")
    aside.write_text(json.dumps(entries, indent=1) + "\n")
    aside.replace(annotations)


def _write_png(path: Path, pixels: NDArray[np.uint8]) -> None:
    if not cv2.imwrite(str(path), np.ascontiguousarray(pixels)):
        raise RobustPoseError(f"{path} cannot be written; is the disk full, or the folder not yours?")


def _write_person(batch: Batch, row: int, folder: Path) -> dict[str, object]:
    name = batch.ids[row].replace(":", "_") + ".png"
    image = (batch.images[row].permute(1, 2, 0) * 255).round().to(torch.uint8).numpy()
    _write_png(folder / name, image[..., ::-1])
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
