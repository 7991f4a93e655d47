"""Puts the results of several folders into one: shards that were computed apart, runs of several machines."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from robustpose.errors import RobustPoseError
from robustpose.jobs.journal import FOLDER as JOURNAL
from robustpose.jobs.places import Place
from robustpose.jobs.sealed import unseal
from robustpose.jobs.store import CELLS, PICTURES, Store
from robustpose.study.saved import FILE, load_study
from robustpose.upkeep.verify import verify


@dataclass
class Merged:
    """What was done.

    new, there  results that were copied, and those that the target had already
    other       those among the latter whose bytes differ: computed on machines that round differently
    """

    new: int = 0
    there: int = 0
    other: int = 0


def merge(sources: Sequence[Path], into: Path) -> Merged:
    """Copy what `into` lacks; a result that it has stays. Sources are left as they are.

    RobustPoseError for damaged sources, before anything is copied, and for folders of different studies.
    """
    _check_studies([*sources, into])
    places = [Store(source).place for source in sources]
    for source, place in zip(sources, places, strict=True):
        damaged = verify(place).damaged
        if damaged:
            name, what = next(iter(damaged.items()))
            raise RobustPoseError(
                f"{source}: {len(damaged)} results are damaged; the first: {name} ({what}); run its study again "
                "to replace them, then merge"
            )
    target, done = Store(into), Merged()
    for source, place in zip(sources, places, strict=True):
        _copy_pictures(place, target.place)  # before results, as a study writes them
        if place.names(CELLS):
            target.begin()
        for name in reversed(place.names(CELLS)):
            content = place.read(name)
            if target.place.create(name, content):
                done.new += 1
            else:
                done.there += 1
                done.other += target.place.read(name) != content
        for name in place.names(JOURNAL):
            target.place.create(name, place.read(name))
        if (source / FILE).exists():
            target.place.create(FILE, (source / FILE).read_bytes())
    return done


def _copy_pictures(source: Place, target: Place) -> None:
    for name in source.names(PICTURES):
        content = source.read(name)
        if not target.create(name, content) and _count(content) > _count(target.read(name)):
            target.replace(name, content)


def _count(content: bytes) -> int:
    return len(unseal(content)[1]["clean"])


def _check_studies(folders: Sequence[Path]) -> None:
    """RobustPoseError where folders hold different studies."""
    held = {folder: replace(load_study(folder), title="") for folder in folders if (folder / FILE).exists()}
    first = next(iter(held), None)
    for folder, study in held.items():
        if first is not None and study != held[first]:
            raise RobustPoseError(f"{folder} holds another study than {first}; merge folders of one study")
    missing = [folder for folder in folders[:-1] if not Store(folder).names()]
    if missing:
        raise RobustPoseError(f"{missing[0]} holds no results to merge")
