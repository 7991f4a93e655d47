"""DataSpec and Source: how a data set is opened and read, where it comes from, and its licence."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from robustpose.data.annotations import Annotations
from robustpose.types import PoseDataset


@dataclass(frozen=True)
class Source:
    """The source of an official data set. Nothing is downloaded, because the authors' terms may have changed.

    title    the authors' name for it
    files    glob patterns of the published annotation files
    get      how to get it
    licence  its terms, or a statement that none are known
    photos   number of photos in official files, by file name; people likewise
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

    open     opens the data set, given the text after the colon and the user's photo folder
    summary  one line for lists
    read     reads a whole annotation file, for `data check`; None for rendered people
    source   of official files; None likewise
    version  of what a person becomes (box, keypoints, head size): another version makes other results;
             of rendered people the renderer's own version says it
    """

    open: Callable[[str, Path | None], PoseDataset]
    summary: str
    read: Callable[..., Annotations] | None = None
    source: Source | None = None
    version: int = 1
