"""Checks whether a downloaded data set is complete: annotation file, photos, and whether they fit together.

Findings are `missing` (must be downloaded), `wrong` (must be repaired or downloaded again) or a `note` (may be
intended or occurs in official files, such as a keypoint outside the photo or a subset of the data).
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from robustpose.data import DATASETS
from robustpose.data.annotations import Annotations, Person, Wrong, counted
from robustpose.data.dataset import Source
from robustpose.data.names import wrong_name
from robustpose.data.photos import UnreadablePhoto, photo_folder, read_photo
from robustpose.errors import RobustPoseError, unknown_name
from robustpose.geometry import inside

_SHOWN = 3
_SLACK = 1.0
"""Photo pixels by which a box may reach beyond its photo, because official files are rounded."""


@dataclass(frozen=True)
class Finding:
    """One observation about a data set, the number of cases, and the first examples."""

    kind: Literal["missing", "wrong", "note"]
    what: str
    number: int
    examples: tuple[str, ...] = ()


@dataclass(frozen=True)
class Checked:
    """The findings for one annotation file.

    photos    the folder with its photos; empty if none was found
    counts    number of photos named and found, of people named and used
    left_out  excluded people by reason
    """

    data: str
    file: str
    photos: str
    counts: dict[str, int]
    left_out: tuple[str, ...]
    findings: tuple[Finding, ...]
    source: Source

    @property
    def whole(self) -> bool:
        """Whether nothing is missing or wrong."""
        return all(finding.kind == "note" for finding in self.findings)


def files_to_check(spec: str) -> tuple[str, list[Path]]:
    """Return the data set's name and the annotation files of NAME:FILE or NAME:FOLDER.

    RobustPoseError for an unknown data set; without an official file, it says where to get one.
    """
    name, _, path = spec.partition(":")
    if name not in DATASETS:
        raise unknown_name("data set", name, DATASETS)
    if DATASETS[name].read is None:
        raise RobustPoseError(f"{name} is rendered on this machine: there is nothing to check")
    return name, annotation_files(name, path)


def check_data(
    name: str,
    files: Sequence[Path],
    *,
    images: Path | None = None,
    open_photos: bool = True,
    on_photo: Callable[[int, int], None] = lambda done, total: None,
) -> list[Checked]:
    """Check annotation files of a data set and the photos that they name.

    open_photos  decode each photo to find damaged ones and wrong sizes; otherwise only check that it exists
    """
    return [_check_file(name, file, images, open_photos, on_photo) for file in files]


def annotation_files(name: str, path: str) -> list[Path]:
    """Return the file, or the official files in a folder; RobustPoseError where there is none."""
    source = _official(name)[1]
    where = f"get {source.title} {source.get}. Licence: {source.licence}"
    if not path:
        raise RobustPoseError(f"which file? {name}:FILE or {name}:FOLDER; {where}")
    given = Path(path)
    if given.is_file():
        return [given]
    if not given.is_dir():
        raise RobustPoseError(f"{given}: no such file or folder; {where}")
    found = sorted({file for pattern in source.files for file in given.rglob(pattern) if file.is_file()})
    if not found:
        raise RobustPoseError(f"{given}: contains none of {', '.join(source.files)}; {where}")
    return found


def _official(name: str) -> tuple[Callable[..., Annotations], Source]:
    """Return the reader and the source of a data set of photos."""
    read, source = DATASETS[name].read, DATASETS[name].source
    assert read is not None
    assert source is not None
    return read, source


def _check_file(
    name: str, file: Path, images: Path | None, open_photos: bool, on_photo: Callable[[int, int], None]
) -> Checked:
    faults: list[str] = []
    wrong: Wrong = lambda error: faults.append(str(error).removeprefix(f"{file}: "))  # noqa: E731
    read, source = _official(name)
    try:
        annotations = read(file, wrong=wrong)
    except RobustPoseError as error:
        what = str(error).removeprefix(f"{file}: ")
        return Checked(name, str(file), "", {}, (), (Finding("wrong", what, 1),), source)
    findings = list(_gathered("wrong", "of the file's entries", faults))
    folder, sizes, of_photos = _photos(annotations, file, images, open_photos, on_photo)
    findings += of_photos
    findings += _of_people(annotations, sizes)
    counts = {
        "photos named": len(annotations.photos),
        "photos there": len(sizes),
        "people named": annotations.named,
        "people who take part": len(annotations.people),
    }
    findings += _of_counts(file, counts, source)
    if not annotations.people:
        findings.append(Finding("wrong", "nobody takes part", 1))
    return Checked(name, str(file), folder, counts, counted(annotations.left_out), tuple(findings), source)


def _photos(
    annotations: Annotations,
    file: Path,
    images: Path | None,
    open_photos: bool,
    on_photo: Callable[[int, int], None],
) -> tuple[str, dict[str, tuple[int, int] | None], list[Finding]]:
    """Check the photos: return their folder, the sizes of those that exist, and the findings."""
    wrong = [f"{name[:100]!a} {what}" for name in annotations.photos if (what := wrong_name(name))]
    names = [name for name in annotations.photos if not wrong_name(name)]
    if not names:
        return (
            "",
            {},
            [*_gathered("wrong", "photos have a wrong name", wrong), Finding("wrong", "no photo is named", 1)],
        )
    try:
        folder = photo_folder(file, names, images=images, guesses=annotations.guesses)
    except RobustPoseError as error:
        return "", {}, [Finding("missing", str(error).removeprefix(f"{file}: "), len(names))]
    sizes: dict[str, tuple[int, int] | None] = {}
    missing: list[str] = []
    damaged: list[str] = []
    other_size: list[str] = []
    for done, name in enumerate(names, start=1):
        if not (folder / name).is_file():
            missing.append(name)
            continue
        said = annotations.photos[name]
        sizes[name] = said
        if open_photos:
            try:
                photo = read_photo(folder / name, folder=None if images is not None else folder)
            except UnreadablePhoto as error:
                damaged.append(str(error).removeprefix(f"{folder}/"))
            else:
                sizes[name] = photo.shape[0], photo.shape[1]
                if said is not None and said != sizes[name]:
                    other_size.append(f"{name} is {photo.shape[1]} x {photo.shape[0]}, not {said[1]} x {said[0]}")
        on_photo(done, len(names))
    findings = [
        *_gathered("wrong", "photos have a wrong name", wrong),
        *_gathered("missing", f"of {len(names)} photos are not in {folder}", missing),
        *_gathered("wrong", "photos cannot be read", damaged),
        *_gathered("wrong", "photos are of another size than the file says", other_size),
    ]
    return str(folder), sizes, findings


def _of_people(annotations: Annotations, sizes: dict[str, tuple[int, int] | None]) -> Iterator[Finding]:
    """Check keypoints and boxes against the sizes of their photos."""
    there = [(person, size) for person in annotations.people if (size := sizes.get(person.photo)) is not None]
    keypoints = [person.id for person, size in there if not inside(person.keypoints[person.visible], size).all()]
    outside = [person.id for person, size in there if _beyond(person, size) == "wholly"]
    partly = [person.id for person, size in there if _beyond(person, size) == "partly"]
    yield from _gathered("wrong", "people's boxes lie outside their photo", outside)
    if annotations.boxes == "given":
        yield from _gathered("note", "people's boxes reach beyond their photo", partly)
    yield from _gathered("note", "people have labelled keypoints beyond their photo", keypoints)
    twice, seen = [], set()
    for person in annotations.people:
        same = person.photo, person.box, person.keypoints.tobytes()
        if same in seen:
            twice.append(person.id)
        seen.add(same)
    yield from _gathered("note", "people are in the file twice, with the same box and keypoints", twice)


def _beyond(person: Person, size: tuple[int, int]) -> Literal["", "partly", "wholly"]:
    """Say whether a box reaches beyond its photo (H, W)."""
    x, y, w, h = person.box
    height, width = size
    if x >= width or y >= height or x + w <= 0 or y + h <= 0:
        return "wholly"
    corners = np.array([x, y, width - x - w, height - y - h])
    return "partly" if (corners < -_SLACK).any() else ""


def _of_counts(file: Path, counts: dict[str, int], source: Source) -> Iterator[Finding]:
    """Compare the counts of a file with an official name with the official counts."""
    for what, known in (("photos", source.photos), ("people", source.people)):
        number = counts[f"{what} named"]
        if file.name in known and number != known[file.name]:
            official = f"{what} are named, where the official {file.name} has {known[file.name]}"
            yield Finding("note", official, number)


def _gathered(kind: Literal["missing", "wrong", "note"], what: str, found: Sequence[str]) -> Iterator[Finding]:
    """Yield one finding for all cases of a kind, if there are any."""
    if found:
        yield Finding(kind, what, len(found), tuple(found[:_SHOWN]))
