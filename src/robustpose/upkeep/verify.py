"""Whether stored results are whole: each object's checksum, what it means, and whether it fits the others.

No study is needed: an object says which job it is of. Results of one model on one block of people must have the
same people and truth; where most agree, those that differ are named.
"""

from collections import Counter
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import PurePosixPath
from typing import Any

from robustpose.jobs.certificate import SampledResult
from robustpose.jobs.corruption import CorruptedResult
from robustpose.jobs.places import Place
from robustpose.jobs.results import Arrays, CellResult, Pictures, Stored
from robustpose.jobs.sealed import DAMAGE, is_sealed, unseal
from robustpose.jobs.store import CELLS, PICTURES, check_is
from robustpose.jobs.task import TaskResult
from robustpose.jobs.universal import UniversalResult
from robustpose.threats import THREATS

RESULTS: dict[str, type[Stored]] = {
    "attack": CellResult,
    "replay": CellResult,
    "task": TaskResult,
    "universal": UniversalResult,
    "certificate": SampledResult,
    "corruption": CorruptedResult,
    "fault": CellResult,
}
"""The results of the kinds of jobs; of other kinds only checksum and name are looked at."""


@dataclass
class Verified:
    """What was found.

    objects, unsealed  objects read, and those among them without a checksum: of formats 3 and 4
    damaged            what is wrong, by the object's name
    """

    objects: int = 0
    unsealed: int = 0
    damaged: dict[str, str] = field(default_factory=dict)


def verify(place: Place) -> Verified:
    """Read every object of a store."""
    found = Verified()
    truths: dict[tuple[object, ...], dict[str, str]] = {}
    for name in place.names(CELLS):
        read = _read(place, name, found)
        if read is not None:
            about, arrays = read
            try:
                truth = _check_cell(PurePosixPath(name).stem, about, arrays)
            except DAMAGE as error:
                found.damaged[name] = _line(error)
            else:
                if truth is not None:
                    truths.setdefault(_block(about["job"]), {})[name] = truth
    for name in place.names(PICTURES):
        read = _read(place, name, found)
        if read is not None:
            about, arrays = read
            try:
                stem = PurePosixPath(name).stem
                if about.get("of", stem) != stem:
                    raise ValueError(f"it holds the images of {about['of']}")
                Pictures.from_arrays(arrays, most=10**9)
            except DAMAGE as error:
                found.damaged[name] = _line(error)
    for block in truths.values():
        found.damaged.update(_outsiders(block))
    return found


def _read(place: Place, name: str, found: Verified) -> tuple[dict[str, Any], Arrays] | None:
    if not name.endswith(".npz"):
        found.damaged[name] = "no stored result has such a name"
        return None
    content = place.read(name)
    found.objects += 1
    found.unsealed += not is_sealed(content)
    try:
        return unseal(content)
    except DAMAGE as error:
        found.damaged[name] = _line(error)
        return None


def _check_cell(key: str, about: dict[str, Any], arrays: Arrays) -> str | None:
    """Check an object against what it says of itself; return a hash of its people and truth, if it has any."""
    check_is(about, key)
    job = about["job"]
    result = RESULTS.get(job.get("kind", "attack"))
    if result is None:
        return None
    truth = sha256()
    for name in ("visible", "head_size", "box_side"):
        truth.update(arrays[name].tobytes() if name in arrays else b"")
    if not _moves(job) and "keypoints" in arrays:
        truth.update(arrays["keypoints"].tobytes())
    made = result.from_arrays(about, dict(arrays))
    people = job.get("people", job)
    asked = getattr(made, "asked", None)
    if asked is not None and asked != people["stop"] - people["start"]:
        raise ValueError(f"it holds {asked} people, its job has {people['stop'] - people['start']}")
    truth.update("\n".join(about["ids"]).encode() if "ids" in about else b"")
    return truth.hexdigest() if isinstance(made, CellResult) and not _moves(job) else None


def _moves(job: dict[str, Any]) -> bool:
    """Say whether a job moves the truth with the image, or cuts crops of its own."""
    if job.get("kind") == "fault":
        return True
    source = job.get("source")
    settings = [each.get("setting") for each in (job, source) if isinstance(each, dict)]
    threats = [setting.get("threat", "linf") for setting in settings if isinstance(setting, dict)]
    return any(threat not in THREATS or THREATS[threat].kind == "motion" for threat in threats)


def _block(job: dict[str, Any]) -> tuple[object, ...]:
    people = job.get("people", job)
    names = ("model_fingerprint", "data_fingerprint", "start", "stop", "photos")
    photos = str(people.get("photos", ""))[:64]  # of targeted attacks it holds those of the targets, too
    return (*(people.get(name) for name in names[:-1]), photos)


def _outsiders(block: dict[str, str]) -> dict[str, str]:
    """Name the results of a block whose people or truth are not those of most."""
    (most, number), *others = Counter(block.values()).most_common()
    if not others:
        return {}
    if others[0][1] == number:
        what = "its people or truth differ from those of another result of the same model and people"
        return dict.fromkeys(block, what)
    what = f"its people or truth differ from those of {number} other results of the same model and people"
    return {name: what for name, truth in block.items() if truth != most}


def _line(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__
