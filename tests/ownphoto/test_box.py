import numpy as np
import pytest
import torch
from torch import Tensor

from robustpose.errors import RobustPoseError
from robustpose.geometry import Pixels, box_around
from robustpose.models.heads import CoordinateHead
from robustpose.ownphoto import beyond, find_box, parse_box
from robustpose.types import PoseOutput

from ..conftest import TRIO


class Colours:
    """Finds the centre of what is red, green and blue: where three patches are, in any crop that shows them."""

    skeleton, input_size, head = TRIO, (64, 48), CoordinateHead(input_size=(64, 48))

    def __call__(self, images: Tensor, /) -> PoseOutput:
        height, width = self.input_size
        y = torch.arange(height, dtype=torch.float32)[:, None]
        x = torch.arange(width, dtype=torch.float32)
        total = images.sum(dim=(2, 3)).clamp_min(1e-6)
        points = (
            torch.stack([(images * x).sum(dim=(2, 3)), (images * y).sum(dim=(2, 3))], dim=-1) / total[..., None]
        )
        return PoseOutput(points, torch.ones(points.shape[:2]), (self.head.encode(points),))


def patches(*corners: tuple[int, int]) -> Pixels:
    """Return a black photo with a 20 x 20 patch of red, green and blue, each at its corner (x, y)."""
    photo = np.zeros((300, 400, 3), np.uint8)
    for channel, (x, y) in enumerate(corners):
        photo[y : y + 20, x : x + 20, channel] = 255
    return photo


def test_a_box_as_people_write_it() -> None:
    assert parse_box("1,2.5,30,40") == (1.0, 2.5, 30.0, 40.0)
    assert parse_box("-5, 0, 30, 40") == (-5.0, 0.0, 30.0, 40.0)
    assert parse_box("auto") is None


@pytest.mark.parametrize(
    "text", ["", "1,2,3", "1,2,3,4,5", "a,b,c,d", "1,2,0,4", "1,2,3,-4", "nan,0,1,1", "automatic"]
)
def test_what_is_no_box_is_named(text: str) -> None:
    with pytest.raises(RobustPoseError) as caught:
        parse_box(text)
    assert str(caught.value) == f"a box must be auto or x,y,w,h in photo pixels with w and h > 0, got {text!r}"


def test_the_share_of_a_box_beyond_the_photo() -> None:
    assert beyond((0, 0, 40, 30), (30, 40)) == 0
    assert beyond((-10, 0, 20, 30), (30, 40)) == 0.5
    assert beyond((30, 20, 20, 20), (30, 40)) == 0.75
    with pytest.raises(
        RobustPoseError, match="the box 40,0,10,10 lies outside the photo, which is 40 x 30 pixels"
    ):
        beyond((40, 0, 10, 10), (30, 40))


def test_the_box_around_points_holds_their_pixels() -> None:
    assert box_around(np.array([[3.0, 4.0]]), margin=0.1) == (3.0, 4.0, 1.0, 1.0)
    points = np.array([[10.0, 20.0], [30.0, 60.0], [20.0, 40.0]])
    assert box_around(points, margin=0.1) == (6.0, 16.0, 29.0, 49.0)


def test_the_model_finds_the_box_by_looking_again() -> None:
    photo = patches((200, 60), (240, 60), (220, 180))
    truth = box_around(np.array([[209.5, 69.5], [249.5, 69.5], [229.5, 189.5]]), margin=0.1)
    assert find_box(Colours(), photo, padding=1.25) == pytest.approx(truth, abs=2)


def test_a_box_that_would_leave_the_photo_ends_at_its_edge() -> None:
    x, y, _, h = find_box(Colours(), patches((0, 0), (60, 0), (0, 280)), padding=1.25)
    assert (x, y) == (0.0, 0.0)
    assert y + h == 300


def test_where_the_keypoints_are_no_pose_the_box_is_the_whole_photo() -> None:
    class Nowhere(Colours):
        def __call__(self, images: Tensor, /) -> PoseOutput:
            output = super().__call__(images)
            return PoseOutput(output.keypoints * 0 - 500, output.scores, output.stages)

    assert find_box(Nowhere(), patches(), padding=1.25) == (0.0, 0.0, 400.0, 300.0)
