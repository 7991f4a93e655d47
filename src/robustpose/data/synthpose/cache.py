"""A disk cache of rendered people: rendered once, by any number of processes, to the same bytes.

A shard is one file of 50 people. It is renamed into place, so it is complete or absent, and it starts with the
sha256 of its content. A damaged shard is logged and rendered again. Temporary files of killed processes are
removed when people are next rendered there.
"""

import hashlib
import io
import logging
import multiprocessing
import os
import tempfile
import threading
import time
from collections.abc import Callable, Collection, Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from robustpose.data.synthpose.assets import RENDERER_VERSION, Floats, Floats32, Ints, Pixels
from robustpose.data.synthpose.factors import edit_named, version_of
from robustpose.data.synthpose.ingredients import left_out
from robustpose.data.synthpose.render import RenderedPerson, check_request, render_person
from robustpose.data.synthpose.splits import split_named
from robustpose.errors import RobustPoseError, writing_to
from robustpose.folders import cache_folder

PEOPLE_PER_SHARD = 50

_WRITTEN_WITHIN = 600
"""Seconds after which a temporary file is considered left by a killed process."""

_MAGIC = b"robustpose people 1\n"
_DIGEST_BYTES = hashlib.sha256().digest_size
_FACTOR = "factor_"

_log = logging.getLogger(__name__)

Arrays = dict[str, NDArray[Any]]


@dataclass(frozen=True)
class RenderedSet:
    """Rendered people: the fields of RenderedPerson, stacked along the first axis."""

    images: Pixels  # (n, size, size, 3)
    mpii: Floats32  # (n, 16, 2)
    mpii_visibility: Pixels  # (n, 16)
    coco: Floats32  # (n, 17, 2)
    coco_visibility: Pixels  # (n, 17)
    head_size: Floats  # (n,)
    box: Floats32  # (n, 4)
    segmentation: Pixels  # (n, size, size); (n, 0, 0) if not requested
    action: Ints  # (n,)
    factors: dict[str, NDArray[Any]]  # each (n,)

    def digest(self) -> str:
        """Return a hash of all pixels and all truth."""
        hashed = hashlib.sha256()
        held = {name: getattr(self, name) for name in self.__dataclass_fields__ if name != "factors"}
        for name, values in sorted({**held, **self.factors}.items()):
            is_text = values.dtype.kind == "U"
            hashed.update(name.encode() + ("\n".join(values.tolist()).encode() if is_text else values.tobytes()))
        return hashed.hexdigest()


@dataclass(frozen=True)
class _Request:
    """The settings of a rendering, which name the folder of its shards."""

    split: str
    size: int
    padding: float
    nuisance: bool
    without: tuple[str, ...]
    change: str = ""

    @property
    def folder(self) -> str:
        camera = "camera" if self.nuisance else "plain"
        words = [f"{self.split}-{self.size}px-padding{float(self.padding)!r}-{camera}", *self.without]
        changed = f"-{self.change}-{version_of(self.change)}" if self.change else ""
        return "-without-".join(words) + changed

    def shard(self, number: int) -> range:
        """Return the people of a shard."""
        people = split_named(self.split).people
        start = number * PEOPLE_PER_SHARD
        stop = start + PEOPLE_PER_SHARD
        return range(start, stop if people is None else min(stop, people))


def rendered_set(
    split: str,
    start: int,
    stop: int,
    *,
    size: int = 128,
    padding: float = 1.25,
    nuisance: bool = True,
    without: Collection[str] = (),
    change: str = "",
    processes: int | None = None,
    progress: Callable[[int, int], None] | None = None,
    folder: Path | None = None,
    with_segmentation: bool = True,
) -> RenderedSet:
    """Return people start..stop (stop excluded) of a split, from the cache if they are there.

    processes is the number of rendering processes, by default one per processor; progress is called with (done,
    total). folder has the shards, by default default_folder(), in a subfolder named after the fingerprint. Without
    segmentation 20,000 people of 128 pixels take 1 GB of memory. RobustPoseError as in render_person, and where
    the folder is not writable. A script that renders with several processes needs `if __name__ == "__main__"`.
    """
    check_request(split, start, stop, size=size, padding=padding)
    if change:
        edit_named(change)
    request = _Request(split, size, padding, nuisance, tuple(sorted(left_out(without))), change)
    kept = (folder or default_folder()) / RENDERER_VERSION / request.folder
    with _keeping_in(kept):
        kept.mkdir(parents=True, exist_ok=True)
        _remove_leavings(kept)
    stacked: Arrays = {}
    done = 0
    for number, shard in _shards(request, kept, _shards_of(start, stop), processes, with_segmentation):
        people = request.shard(number)
        wanted = range(max(people.start, start), min(people.stop, stop))
        for name, values in shard.items():
            rows = values[wanted.start - people.start : wanted.stop - people.start]
            stacked[name] = _room(stacked.get(name), rows, stop - start)
            stacked[name][wanted.start - start : wanted.stop - start] = rows
        done += len(wanted)
        if progress is not None:
            progress(done, stop - start)
    return _as_set(stacked, request)


def default_folder() -> Path:
    """Return the default folder of shards, under ROBUSTPOSE_CACHE or in the user's cache."""
    return cache_folder("synthpose")


def _keeping_in(folder: Path) -> AbstractContextManager[None]:
    return writing_to(
        folder,
        "rendered people are stored there; set ROBUSTPOSE_CACHE to a writable folder with free space",
    )


def _remove_leavings(folder: Path) -> None:
    """Remove temporary files of killed processes; other processes may rename or remove files meanwhile."""
    for aside in folder.glob("*.part"):
        try:
            if time.time() - aside.stat().st_mtime > _WRITTEN_WITHIN:
                aside.unlink()
        except FileNotFoundError:
            continue


def _shards_of(start: int, stop: int) -> range:
    """Return the numbers of the shards with people start..stop."""
    return range(start // PEOPLE_PER_SHARD, -(-stop // PEOPLE_PER_SHARD) if stop > start else 0)


def _shards(
    request: _Request, folder: Path, numbers: range, processes: int | None, with_segmentation: bool
) -> Iterator[tuple[int, Arrays]]:
    """Yield shards by number: first those on disk, then the missing ones as they are rendered."""
    missing = []
    for number in numbers:
        path = _shard_path(folder, number)
        shard = _load_shard(path, with_segmentation) if path.exists() else None
        if shard is None:
            missing.append(number)
        else:
            yield number, shard
    for number in _make_shards(request, folder, missing, processes or os.cpu_count() or 1):
        yield number, _loaded(_shard_path(folder, number), with_segmentation)


def _room(held: NDArray[Any] | None, rows: NDArray[Any], count: int) -> NDArray[Any]:
    """Return an array for `count` rows like these, widened if text is longer."""
    if held is None:
        return np.empty((count, *rows.shape[1:]), dtype=rows.dtype)
    if rows.dtype.kind == "U" and rows.dtype.itemsize > held.dtype.itemsize:
        return held.astype(rows.dtype)
    return held


def _shard_path(folder: Path, number: int) -> Path:
    return folder / f"{number:05d}.shard"


def _make_shards(request: _Request, folder: Path, numbers: list[int], processes: int) -> Iterator[int]:
    """Render shards and yield their numbers once they are on disk."""
    if processes <= 1 or len(numbers) <= 1:
        for number in sorted(numbers):
            _make_shard(request, folder, number)
            yield number
        return
    render_person("train", 0, size=32)  # compile once here instead of in every process
    spawn = multiprocessing.get_context("spawn")  # a fork would copy locks held by other threads
    with ProcessPoolExecutor(min(processes, len(numbers)), spawn, initializer=end_with_parent) as pool:
        tasks = {pool.submit(_make_shard, request, folder, number): number for number in sorted(numbers)}
        try:
            for task in as_completed(tasks):
                task.result()
                yield tasks[task]
        except BrokenProcessPool:
            raise RobustPoseError(
                "a rendering process was killed, perhaps because memory ran out; finished people are stored, "
                "so try again with fewer --processes"
            ) from None
        finally:
            pool.shutdown(cancel_futures=True)


def end_with_parent() -> None:
    """Limit a worker process to one OpenCV thread, and end it when its parent is killed."""
    cv2.setNumThreads(1)
    parent = multiprocessing.parent_process()
    assert parent is not None

    def follow() -> None:
        parent.join()
        os._exit(1)

    threading.Thread(target=follow, daemon=True).start()


def _make_shard(request: _Request, folder: Path, number: int) -> None:
    """Render the people of a shard and store it atomically, unless another process just did."""
    if _content(_shard_path(folder, number)) is not None:
        return
    people = [
        render_person(
            request.split,
            index,
            size=request.size,
            padding=request.padding,
            nuisance=request.nuisance,
            without=request.without,
            change=request.change,
        )
        for index in request.shard(number)
    ]
    held = io.BytesIO()
    np.savez_compressed(held, allow_pickle=False, **_stack(people))
    content = held.getvalue()
    with _keeping_in(folder):
        handle, aside = tempfile.mkstemp(dir=folder, prefix=f"{number:05d}-", suffix=".part")
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(_MAGIC + hashlib.sha256(content).digest() + content)
            Path(aside).replace(_shard_path(folder, number))
        except BaseException:
            Path(aside).unlink(missing_ok=True)
            raise


def _content(path: Path) -> memoryview | None:
    """Return the content of a shard, or None where it is missing or damaged."""
    with _keeping_in(path.parent):
        try:
            written = memoryview(path.read_bytes())
        except FileNotFoundError:
            return None
    head = len(_MAGIC) + _DIGEST_BYTES
    content = written[head:]
    return content if written[:head] == _MAGIC + hashlib.sha256(content).digest() else None


def _load_shard(path: Path, with_segmentation: bool) -> Arrays | None:
    """Return the arrays of a shard; None, with a logged warning, where it is damaged."""
    content = _content(path)
    if content is None:
        _log.warning("%s: the shard is damaged (its checksum differs)", path)
        return None
    with np.load(io.BytesIO(content), allow_pickle=False) as held:
        return {name: held[name] for name in held.files if with_segmentation or name != "segmentation"}


def _loaded(path: Path, with_segmentation: bool) -> Arrays:
    """Return the arrays of a shard that was just rendered."""
    shard = _load_shard(path, with_segmentation)
    if shard is None:
        raise RobustPoseError(f"{path}: the shard was written but cannot be read; is the disk full?")
    return shard


def _stack(people: list[RenderedPerson]) -> Arrays:
    """Stack the fields of people along the first axis."""
    arrays: Arrays = {
        "images": np.stack([person.image for person in people]),
        "mpii": np.stack([person.mpii for person in people]),
        "mpii_visibility": np.stack([person.mpii_visibility for person in people]),
        "coco": np.stack([person.coco for person in people]),
        "coco_visibility": np.stack([person.coco_visibility for person in people]),
        "head_size": np.array([person.head_size for person in people]),
        "box": np.stack([person.box for person in people]),
        "segmentation": np.stack([person.segmentation for person in people]),
        "action": np.array([person.action for person in people], dtype=np.int64),
    }
    for name in people[0].factors:
        arrays[_FACTOR + name] = np.array([person.factors[name] for person in people])
    return arrays


def _as_set(stacked: Arrays, request: _Request) -> RenderedSet:
    """Return the arrays as a RenderedSet; an empty one without arrays."""
    if not stacked:
        one = _stack([render_person("train", 0, size=request.size, padding=request.padding)])
        stacked = {name: values[:0] for name, values in one.items()}
    factors = {name.removeprefix(_FACTOR): stacked[name] for name in stacked if name.startswith(_FACTOR)}
    fields = {name: values for name, values in stacked.items() if not name.startswith(_FACTOR)}
    fields.setdefault("segmentation", np.zeros((len(fields["images"]), 0, 0), dtype=np.uint8))
    return RenderedSet(**fields, factors=factors)
