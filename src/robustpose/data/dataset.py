"""What is known of each data set: how it opens, what its files say, where they come from and on which terms."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from robustpose.data.annotations import Annotations
from robustpose.types import PoseDataset


@dataclass(frozen=True)
class Source:
    """Where an official data set comes from. Nothing is downloaded: its authors' terms may have changed.

    title    as its authors call it
    files    annotation files, as published, by glob pattern
    get      how to come by it
    licence  its terms; where none is known to be stated, that is said
    photos   how many photos an official file names, by file name; people likewise
    """

    title: str
    files: tuple[str, ...]
    get: str
    licence: str
    photos: Mapping[str, int] = field(default_factory=dict)
    people: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class DataSpec:
    """One entry of DATASETS.

    open     takes what follows the name's colon, and the photo folder that the user named
    summary  one line for lists
    read     reads an annotation file whole, for `data check`; None for people who are made on this machine
    source   of official files; None likewise
    version  of what a person becomes (box, keypoints, head size): another version makes other results;
             of rendered people the renderer's own version says it
    """

    open: Callable[[str, Path | None], PoseDataset]
    summary: str
    read: Callable[..., Annotations] | None = None
    source: Source | None = None
    version: int = 1
