"""Where cells lie: a folder with one file a cell, each committed in one atomic act. No server, no lock.

Killing anything at any moment loses the cells under way and nothing else. The same cell is the same bytes: a file
holds no time and no place.
"""

import io
import json
import os
import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

import robustpose
from robustpose.errors import RobustPoseError
from robustpose.metrics import Table
from robustpose.skeletons import SKELETONS, Skeleton
from robustpose.study.cell import Cell

_VERSION = {"format": 1, "robustpose": robustpose.__version__}
_VERSION_FILE = "store.json"
_TABLE_ARRAYS = ("predicted", "keypoints", "visible", "head_size", "box_side")


@dataclass(frozen=True)
class CellResult:
    """What a cell found.

    table               the predictions beside the truth
    clean_images        (M, H, W, 3) uint8, the first M people's crops, kept for pictures
    adversarial_images  (M, H, W, 3) uint8
    unreadable          one line for each person whose photo could not be read
    """

    table: Table
    clean_images: np.ndarray[tuple[int, ...], np.dtype[np.uint8]]
    adversarial_images: np.ndarray[tuple[int, ...], np.dtype[np.uint8]]
    forwards: int = 0
    backwards: int = 0
    unreadable: tuple[str, ...] = ()


class Store:
    """A study's folder; opening it checks that this version wrote it, the first cell makes it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._cells = folder / "cells"
        self._check_version()

    def __contains__(self, cell: Cell) -> bool:
        return self._path(cell).exists()

    def put(self, cell: Cell, result: CellResult) -> None:
        """Commit a cell: written aside, then renamed."""
        self._cells.mkdir(parents=True, exist_ok=True)
        if not (self.folder / _VERSION_FILE).exists():
            write_atomically(self.folder / _VERSION_FILE, (json.dumps(_VERSION) + "\n").encode())
        write_atomically(self._path(cell), _to_bytes(cell, result))

    def get(self, cell: Cell) -> CellResult:
        """Read a cell; RobustPoseError where its file is damaged or lacking."""
        path = self._path(cell)
        try:
            return _from_bytes(path.read_bytes())
        except FileNotFoundError:
            raise RobustPoseError(f"{path}: this cell has not been computed") from None
        except (zipfile.BadZipFile, ValueError, KeyError, EOFError, OSError) as error:
            raise RobustPoseError(f"{path} is damaged ({error}); delete it and run the study again") from None

    def _path(self, cell: Cell) -> Path:
        return self._cells / f"{cell.key}.npz"

    def _check_version(self) -> None:
        path = self.folder / _VERSION_FILE
        if not path.exists():
            return
        try:
            theirs = json.loads(path.read_text())
        except (json.JSONDecodeError, UnicodeDecodeError):
            theirs = None
        if theirs != _VERSION:
            raise RobustPoseError(
                f"{self.folder} was written by another version ({theirs}), this is {_VERSION}: "
                "choose another --out, or remove the folder"
            )


def write_atomically(path: Path, content: bytes) -> None:
    """Write a file so that whoever looks sees all of it or nothing."""
    aside = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        aside.write_bytes(content)
        aside.replace(path)
    except BaseException:
        aside.unlink(missing_ok=True)
        raise


def _to_bytes(cell: Cell, result: CellResult) -> bytes:
    table = result.table
    arrays = {name: getattr(table, name) for name in _TABLE_ARRAYS}
    if table.target is not None and table.target_visible is not None:
        arrays |= {"target": table.target, "target_visible": table.target_visible}
    about = {
        "cell": cell.as_dict(),
        "ids": table.ids,
        "skeleton": {"name": table.skeleton.name, "keypoints": table.skeleton.keypoints},
        "uncounted": table.skeleton.uncounted,
        "forwards": result.forwards,
        "backwards": result.backwards,
        "unreadable": result.unreadable,
    }
    arrays["about"] = np.frombuffer(json.dumps(about, sort_keys=True).encode(), dtype=np.uint8)
    arrays["clean_images"] = result.clean_images
    arrays["adversarial_images"] = result.adversarial_images
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)
    return buffer.getvalue()


def _from_bytes(content: bytes) -> CellResult:
    with np.load(io.BytesIO(content), allow_pickle=False) as file:
        arrays = {name: file[name] for name in file.files}
    about = json.loads(arrays["about"].tobytes())
    name, keypoints = about["skeleton"]["name"], tuple(about["skeleton"]["keypoints"])
    skeleton = SKELETONS.get(name)
    if skeleton is None or skeleton.keypoints != keypoints:
        skeleton = Skeleton(name=name, keypoints=keypoints, limbs=(), uncounted=tuple(about["uncounted"]))
    table = Table(
        ids=tuple(about["ids"]),
        skeleton=skeleton,
        target=arrays.get("target"),
        target_visible=arrays.get("target_visible"),
        **{array: arrays[array] for array in _TABLE_ARRAYS},
    )
    return CellResult(
        table=table,
        clean_images=arrays["clean_images"],
        adversarial_images=arrays["adversarial_images"],
        forwards=about["forwards"],
        backwards=about["backwards"],
        unreadable=tuple(about["unreadable"]),
    )
