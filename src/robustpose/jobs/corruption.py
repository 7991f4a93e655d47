"""A model on one block of people whose images are corrupted.

The images are corrupted once for all models of a block: their jobs form one trajectory. Two surfaces: the crop, as
the model sees it, or the whole photo before it is cropped. People keep their true boxes.
"""

import hashlib
import io
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, ClassVar, Self

import numpy as np
from PIL import Image

from robustpose import attacks
from robustpose.corruptions import Surface, Truth, corrupt_image, corruption_named, generator_for
from robustpose.corruptions.axes import axis_named
from robustpose.corruptions.people import images_of, pixels_of, truth_of
from robustpose.data.annotations import Person
from robustpose.data.people import PhotoPeople, read_each_once
from robustpose.errors import RobustPoseError, at_work
from robustpose.geometry import Pixels
from robustpose.jobs.job import Computed, Job, Sources
from robustpose.jobs.results import Arrays, CellResult
from robustpose.jobs.workbench import Workbench, as_table, input_size_of, padding_of
from robustpose.types import Batch

VERSION = 1
"""Must be increased when corrupting people or reading predictions changes."""

JPEG_QUALITY = 75
"""Pillow's default, at which AdvMix wrote its corrupted photos."""


@dataclass(frozen=True)
class CorruptedResult:
    """The predictions of a model for corrupted images.

    inputs  hash of the corrupted images, uint8, in the order of the people
    """

    answers: CellResult
    inputs: str

    def __len__(self) -> int:
        return len(self.answers)

    @property
    def asked(self) -> int:
        """Number of people that were to be predicted, those without a readable photo included."""
        return self.answers.asked

    def to_arrays(self) -> tuple[dict[str, object], Arrays]:
        """Return metadata for JSON, and arrays."""
        about, arrays = self.answers.to_arrays()
        return {**about, "inputs": self.inputs}, arrays

    @classmethod
    def from_arrays(cls, about: dict[str, Any], arrays: Arrays) -> "CorruptedResult":
        """Restore a result; KeyError, TypeError or ValueError if it is not one."""
        if not isinstance(about["inputs"], str):
            raise ValueError("the hash of its images is no text")
        return cls(answers=CellResult.from_arrays(about, arrays), inputs=about["inputs"])


@dataclass(frozen=True)
class Corrupted:
    """What is done to images: a corruption at a severity, or an axis at a level (severity 0).

    surface  what is corrupted: the crop, or the photo before it is cropped
    jpeg     whether the corrupted photo is written as a JPEG and read again, as AdvMix did
    seed     of the random numbers, which also depend on the person's id, or on the photo's name
    """

    name: str
    severity: int = 0
    level: float = 0.0
    surface: Surface = "crop"
    jpeg: bool = False
    seed: int = 0

    def __post_init__(self) -> None:
        if self.jpeg and self.surface != "photo":
            raise RobustPoseError("the protocol advmix corrupts photos, not crops")

    @property
    def title(self) -> str:
        """A short title."""
        return f"{self.name} {self.severity}" if self.severity else f"{self.name} at {self.level:g}"

    @property
    def needs_truth(self) -> bool:
        """Whether it must know where the person is."""
        return not self.severity or corruption_named(self.name).needs_truth

    @property
    def versions(self) -> dict[str, object]:
        """The version of what it computes."""
        if self.severity:
            return {f"corruption {self.name}": corruption_named(self.name).version}
        return {f"axis {self.name}": axis_named(self.name).version}

    def apply(self, image: Pixels, *, key: str, truth: Truth | None) -> Pixels:
        """Return a corrupted copy of one image."""
        generator = generator_for(key, self.name, severity=self.severity, seed=self.seed)
        if self.severity:
            corrupted = corrupt_image(image, self.name, severity=self.severity, generator=generator, truth=truth)
        else:
            assert truth is not None
            corrupted = axis_named(self.name).change(image, self.level, generator, truth)
        return _as_jpeg(corrupted) if self.jpeg else corrupted


@dataclass(frozen=True)
class CorruptedCell:
    """One model on one block of people, corrupted.

    start, stop  rows of the data set
    photos       hash of the images that the cell reads
    """

    model: str
    model_fingerprint: str
    data: str
    data_fingerprint: str
    start: int
    stop: int
    corrupted: Corrupted
    photos: str = ""
    keep_images: ClassVar[int] = 0
    result: ClassVar[type[CorruptedResult]] = CorruptedResult

    @property
    def title(self) -> str:
        """A short title."""
        return f"{self.model}: {self.corrupted.title}"

    def fields(self) -> dict[str, object]:
        """Everything that defines what is computed."""
        return {"kind": "corruption", **asdict(self)}

    def versions(self) -> dict[str, object]:
        """The versions of what computes it."""
        return {"job corruption": VERSION, **self.corrupted.versions}

    @property
    def passes(self) -> int:
        """One pass per person."""
        return self.stop - self.start

    def sources(self) -> Sequence[Job[Any]]:
        """None."""
        return ()

    def trajectory(self) -> dict[str, object] | None:
        """The fields shared by the models that see the same images."""
        fields = self.fields()
        del fields["model"], fields["model_fingerprint"]
        return fields

    def compute(self, together: Sequence[Self], bench: Workbench, sources: Sources, /) -> list[Computed]:
        """Corrupt its people once for each size of crop, and return each model's predictions."""
        made: dict[tuple[tuple[int, int], float], tuple[Batch, str]] = {}
        found: list[Computed] = []
        for cell in together:
            model = bench.model(cell.model_fingerprint).module
            size = input_size_of(model), padding_of(model)
            with at_work(cell.title):
                if size not in made:
                    batch = corrupted_people(bench, cell, input_size=size[0], padding=size[1])
                    made[size] = batch, inputs_of(batch)
                batch, inputs = made[size]
                found.append((cell, CorruptedResult(_answers(cell, batch, bench), inputs), None))
        return found


def _answers(cell: CorruptedCell, batch: Batch, bench: Workbench) -> CellResult:
    model = bench.model(cell.model_fingerprint).module
    seen = batch.in_skeleton(model.skeleton).to(bench.device)
    if len(seen) == 0:
        return CellResult(table=as_table(seen, seen.keypoints), unreadable=batch.unreadable)
    output = attacks.predict(model, seen.images, ids=seen.ids)
    return CellResult(table=as_table(seen, output.keypoints, scores=output.scores), unreadable=batch.unreadable)


def inputs_of(batch: Batch) -> str:
    """Return the hash of the images of a batch."""
    digest = hashlib.sha256()
    for image in pixels_of(batch):
        digest.update(image.tobytes())
    return digest.hexdigest()


def corrupted_people(
    bench: Workbench, cell: CorruptedCell, *, input_size: tuple[int, int], padding: float
) -> Batch:
    """Load the people of a cell with corrupted images, in the skeleton of the data.

    RobustPoseError for people that are no crops of photos, where the photo is to be corrupted.
    """
    dataset, rows, what = bench.datasets[cell.data_fingerprint], range(cell.start, cell.stop), cell.corrupted
    block = (cell.data_fingerprint, cell.start, cell.stop)
    if what.surface == "crop":
        size = (input_size, padding)
        clean = bench.last(
            ("people", size), block, lambda: dataset.load(rows, input_size=input_size, padding=padding)
        )
        pixels = [
            what.apply(image, key=person, truth=truth_of(clean, row))
            for row, (image, person) in enumerate(zip(pixels_of(clean), clean.ids, strict=True))
        ]
        return replace(clean, images=images_of(pixels, like=clean))
    photos = photos_only(dataset)
    read = bench.last("photos", block, lambda: _remembered(read_each_once(photos.folder, links=photos.links)))
    changed = bench.last("corrupted photos", (block, what), lambda: _changed(photos, what, read))
    return photos.load(rows, input_size=input_size, padding=padding, photo_of=changed)


def photos_only(dataset: object) -> PhotoPeople:
    """Return people in photos; RobustPoseError for others."""
    if not isinstance(dataset, PhotoPeople):
        name = getattr(dataset, "name", type(dataset).__name__)
        raise RobustPoseError(
            f"whole photos can be corrupted where people are crops of photos; {name} is not: corrupt its crops"
        )
    return dataset


def _remembered(read: Callable[[Person], Pixels]) -> Callable[[Person], Pixels]:
    """Read each photo once, as long as the function lives."""
    known: dict[str, Pixels] = {}

    def photo_of(person: Person) -> Pixels:
        if person.photo not in known:
            known[person.photo] = read(person)
        return known[person.photo]

    return photo_of


def _changed(photos: PhotoPeople, what: Corrupted, read: Callable[[Person], Pixels]) -> Callable[[Person], Pixels]:
    """Corrupt each photo once; where the truth is needed, once for each person in it."""
    known: dict[str, Pixels] = {}

    def photo_of(person: Person) -> Pixels:
        key = person.id if what.needs_truth else person.photo
        if key not in known:
            truth = Truth(
                keypoints=np.asarray(person.keypoints, np.float64),
                visible=np.asarray(person.visible, bool),
                skeleton=photos.skeleton,
                box_side=float(max(person.box[2:])),
            )
            photo = read(person)
            with at_work(f"person {person.id}"):
                known[key] = what.apply(photo, key=key, truth=truth)
        return known[key]

    return photo_of


def _as_jpeg(image: Pixels) -> Pixels:
    with io.BytesIO() as file:
        Image.fromarray(image).save(file, "JPEG", quality=JPEG_QUALITY)
        return np.array(Image.open(file))
