"""PhotoPeople: people in photos as a data set, and how they become a Batch."""

import json
import math
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from hashlib import sha256
from pathlib import Path

import numpy as np
import torch

from robustpose.data.annotations import Annotations, Detected, Person, counted
from robustpose.data.names import open_photo, wrong_name
from robustpose.data.photos import UnreadablePhoto, photo_folder, read_photo
from robustpose.errors import RobustPoseError
from robustpose.geometry import Floats, Pixels, box_crop, crop_image, crop_points
from robustpose.skeletons import FACE, Skeleton
from robustpose.types import Batch, versioned

PhotoOf = Callable[[Person], Pixels]
"""Returns the photo that a person is in, (H, W, 3) uint8; UnreadablePhoto if it cannot be read."""


@dataclass(frozen=True, eq=False)
class PhotoPeople:
    """A data set of people in photos; satisfies PoseDataset.

    detected  for a detector's boxes: what the official scores need beside the predictions
    version   of the reader: see DataSpec
    sizes     (H, W) of the photos, where the file gives them
    links     whether links in the photo folder may lead out of it: where the user named the folder
    """

    name: str
    skeleton: Skeleton
    people: tuple[Person, ...]
    folder: Path
    left_out: tuple[str, ...] = ()
    detected: Detected | None = None
    version: int = 1
    sizes: Mapping[str, tuple[int, int] | None] = field(default_factory=dict)
    links: bool = False

    def __len__(self) -> int:
        return len(self.people)

    @cached_property
    def fingerprint(self) -> str:
        """A hash of the people and their truth, independent of the files' location."""
        digest = sha256(f"{self.name} {self.skeleton.name}\n".encode())
        for person in self.people:
            sizes = float(person.head_size), float(person.area)
            truth = person.keypoints.tolist(), person.visible.tolist(), *sizes
            digest.update(json.dumps([person.id, person.photo, list(map(float, person.box)), *truth]).encode())
        return versioned(digest.hexdigest(), self.version)

    @property
    def has_head_sizes(self) -> bool:
        """Whether every person has a head size."""
        return all(math.isfinite(person.head_size) for person in self.people)

    @property
    def has_areas(self) -> bool:
        """Whether every person has an area."""
        return all(math.isfinite(person.area) for person in self.people)

    def content(self, rows: Sequence[int]) -> str:
        """Return a hash of the photos of `rows`, because changed photos change results."""
        digest = sha256()
        for name in dict.fromkeys(self.people[row].photo for row in rows):
            try:
                content = open_photo(self.folder / name, folder=None if self.links else self.folder)
            except (OSError, ValueError):
                content = b""
            digest.update(sha256(content).digest())
        return digest.hexdigest()

    def factors(self, rows: Sequence[int], /, *, input_size: tuple[int, int]) -> dict[str, list[float | str]]:
        """Return what is known of the people of `rows` beside their keypoints: see photo_factors."""
        from robustpose.data.photo_factors import photo_factors  # it reads detections, which read people

        return photo_factors(self.people, rows, skeleton=self.skeleton, sizes=self.sizes)

    def with_head_sizes(self) -> "PhotoPeople":
        """Exclude people without a head size if at least 90% have one, so that PCKh is defined."""
        few = [person for person in self.people if not math.isfinite(person.head_size)]
        if not 0 < len(few) <= 0.1 * len(self.people):
            return self
        people = tuple(person for person in self.people if math.isfinite(person.head_size))
        reason = counted(Counter({"without a head size, which PCKh needs": len(few)}))
        return replace(self, people=people, left_out=(*self.left_out, *reason))

    def at_least(self, *, keypoints: int, box_side: float) -> "PhotoPeople":
        """Return the people with at least `keypoints` labelled keypoints and `box_side` photo pixels.

        Face keypoints do not count, because many people are only a face. Excluded people are counted in left_out.
        RobustPoseError where nobody remains.
        """
        if self.detected is not None:
            raise RobustPoseError("--min-keypoints and --min-box select annotated people, not detections")
        body = np.array([name not in FACE for name in self.skeleton.keypoints])
        few = [person for person in self.people if (person.visible & body).sum() < keypoints]
        small = [person for person in self.people if max(person.box[2:]) < box_side]
        gone = {person.id for person in few + small}
        people = tuple(person for person in self.people if person.id not in gone)
        reasons = Counter(
            {
                f"with fewer than {keypoints} labelled keypoints of the body": len(few),
                f"with a box smaller than {box_side:g} pixels": len({p.id for p in small} - {p.id for p in few}),
            }
        )
        if not people:
            raise RobustPoseError(f"{self.name}: no person remains: {'; '.join(counted(reasons))}")
        return replace(self, people=people, left_out=(*self.left_out, *counted(reasons)))

    def load(
        self,
        rows: Sequence[int],
        *,
        input_size: tuple[int, int],
        padding: float = 1.25,
        photo_of: PhotoOf | None = None,
    ) -> Batch:
        """Crop the people of `rows`, box x `padding`; people in unreadable photos are excluded and listed.

        photo_of  returns a person's photo, changed or not; None: as it is in its file
        """
        return load_crops(
            [self.people[row] for row in rows],
            photo_of or read_each_once(self.folder, links=self.links),
            skeleton=self.skeleton,
            input_size=input_size,
            padding=padding,
        )


def read_each_once(folder: Path, *, links: bool = False) -> PhotoOf:
    """Return a function that reads people's photos; consecutive people of one photo decode it once.

    links  whether links in the folder may lead out of it
    """
    last: dict[str, Pixels] = {}

    def photo_of(person: Person) -> Pixels:
        if person.photo not in last:
            photo = read_photo(folder / person.photo, folder=None if links else folder)
            last.clear()
            last[person.photo] = photo
        return last[person.photo]

    return photo_of


def load_crops(
    people: Sequence[Person],
    photo_of: PhotoOf,
    *,
    skeleton: Skeleton,
    input_size: tuple[int, int],
    padding: float,
) -> Batch:
    """Crop each person and map their truth into the crop.

    Invisible keypoints become (0, 0). People whose photo cannot be read are excluded and listed in
    Batch.unreadable.
    """
    read: list[Person] = []
    crops: list[Floats] = []
    images: list[Pixels] = []
    unreadable: list[str] = []
    for person, photo in with_photos(people, photo_of):
        if isinstance(photo, str):
            unreadable.append(photo)
            continue
        crop = box_crop(person.box, input_size=input_size, padding=padding)
        read.append(person)
        crops.append(crop)
        images.append(crop_image(photo, crop, input_size=input_size))
    return batch_of(read, crops, images, skeleton=skeleton, input_size=input_size, unreadable=unreadable)


def with_photos(people: Sequence[Person], photo_of: PhotoOf) -> Iterator[tuple[Person, Pixels | str]]:
    """Yield each person with their photo, or with a line that says why it cannot be read."""
    for person in people:
        try:
            photo = photo_of(person)
        except UnreadablePhoto as error:
            yield person, f"{person.id}: {error}"
            continue
        yield person, photo


def batch_of(
    people: Sequence[Person],
    crops: Sequence[Floats],
    images: Sequence[Pixels],
    *,
    skeleton: Skeleton,
    input_size: tuple[int, int],
    unreadable: Sequence[str] = (),
) -> Batch:
    """Make a Batch of people, the maps (2, 3) of their crops and the crops themselves (H, W, 3)."""
    n, k = len(people), len(skeleton)
    visible = np.array([person.visible for person in people], dtype=np.bool_).reshape(n, k)
    keypoints = np.zeros((n, k, 2))
    for row, (person, crop) in enumerate(zip(people, crops, strict=True)):
        keypoints[row] = np.where(visible[row, :, None], crop_points(person.keypoints, crop), 0.0)
    zooms = np.array([crop[0, 0] for crop in crops])
    head_sizes = np.array([person.head_size for person in people]) * zooms
    box_sides = np.array([max(person.box[2:]) for person in people]) * zooms
    stacked = np.array(images, dtype=np.uint8).reshape(n, *input_size, 3).transpose(0, 3, 1, 2)
    return Batch(
        images=torch.from_numpy(np.ascontiguousarray(stacked)).to(torch.float32) / 255,
        keypoints=torch.from_numpy(keypoints).to(torch.float32),
        visible=torch.from_numpy(visible),
        head_size=torch.from_numpy(head_sizes).to(torch.float32),
        box_side=torch.from_numpy(box_sides).to(torch.float32),
        crops=torch.from_numpy(np.array(crops, dtype=np.float64).reshape(n, 2, 3)),
        ids=tuple(person.id for person in people),
        skeleton=skeleton,
        unreadable=tuple(unreadable),
        area=torch.tensor([person.area for person in people], dtype=torch.float64),
        photos=tuple(person.photo for person in people),
    )


def opened(annotations: Annotations, file: Path, images: Path | None) -> PhotoPeople:
    """Make a data set from annotations; RobustPoseError where there is nobody or the photos are not found."""
    left_out = counted(annotations.left_out)
    if not annotations.people:
        raise RobustPoseError(f"{file}: no person can be used: {'; '.join(left_out) or 'it has none'}")
    for name in annotations.photos:
        if wrong := wrong_name(name):
            raise RobustPoseError(f"{file}: the photo {name[:100]!a} {wrong}")
    names = [person.photo for person in annotations.people]
    folder = photo_folder(file, names, images=images, guesses=annotations.guesses)
    return PhotoPeople(
        annotations.name,
        annotations.skeleton,
        annotations.people,
        folder,
        left_out,
        sizes=annotations.photos,
        links=images is not None,
    )
