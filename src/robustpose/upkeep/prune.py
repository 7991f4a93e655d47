"""Finds results that a study does not ask for: of other options, of versions that were replaced."""

from robustpose.jobs.store import CELLS, DAMAGED, PICTURES
from robustpose.upkeep.opened import OpenedRun


def unasked(run: OpenedRun) -> dict[str, int]:
    """Return the objects that the study does not ask for, and those set aside as damaged, with their bytes."""
    kept = {run.store.name(job) for job in run.jobs}
    place = run.store.place
    names = [
        *(name for folder in (CELLS, PICTURES) for name in place.names(folder) if _key(name) not in kept),
        *place.names(DAMAGED),
    ]
    return {name: len(place.read(name)) for name in names}


def prune(run: OpenedRun, names: dict[str, int]) -> None:
    """Remove objects."""
    for name in names:
        run.store.place.remove(name)


def _key(name: str) -> str:
    return name.rpartition("/")[2].removesuffix(".npz")
