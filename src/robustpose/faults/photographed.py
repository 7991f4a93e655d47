"""People with the photos that they are in, of every data set out of whose photos a crop can be cut again."""

from collections.abc import Iterator, Sequence

from robustpose.data.annotations import Person
from robustpose.data.joined import SlicedPeople
from robustpose.data.people import PhotoPeople, read_each_once, with_photos
from robustpose.data.rendered import RenderedPeople
from robustpose.errors import RobustPoseError
from robustpose.geometry import Pixels
from robustpose.types import PoseDataset


def check_photographed(dataset: PoseDataset) -> None:
    """Raise RobustPoseError for a data set without photos out of which crops can be cut."""
    whole = dataset.whole if isinstance(dataset, SlicedPeople) else dataset
    if not isinstance(whole, PhotoPeople | RenderedPeople):
        raise RobustPoseError(
            f"{dataset.name}: crops cannot be cut again; expected one data set of photos or of rendered people"
        )


def photographed(
    dataset: PoseDataset, rows: Sequence[int], *, input_size: tuple[int, int], padding: float
) -> Iterator[tuple[Person, Pixels | str]]:
    """Yield the people of `rows`, each with the photo or with a line that says why it cannot be read.

    Of rendered people, photos are rendered for crops of this size and padding. RobustPoseError for a data set
    without photos.
    """
    check_photographed(dataset)
    if isinstance(dataset, SlicedPeople):
        own = [dataset.first - 1 + row for row in rows]
        yield from photographed(dataset.whole, own, input_size=input_size, padding=padding)
    elif isinstance(dataset, RenderedPeople):
        yield from dataset.in_photos(rows, input_size=input_size, padding=padding)
    elif isinstance(dataset, PhotoPeople):
        yield from with_photos([dataset.people[row] for row in rows], read_each_once(dataset.folder))
