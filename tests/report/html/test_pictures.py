import cv2
import numpy as np
import pytest

from robustpose.findings.drawing import LEFT, MIDDLE, RIGHT, Color, Pixels, limb_color
from robustpose.report.html.pictures import MID_GREY, amplify, draw_pose, enlargement, jpeg, png
from robustpose.skeletons import COCO_17, MPII_16, SKELETONS

GREY = np.full((128, 128, 3), 90, np.uint8)


def decode(encoded: bytes) -> Pixels:
    read = cv2.imdecode(np.frombuffer(encoded, np.uint8), cv2.IMREAD_COLOR)
    assert read is not None
    return np.asarray(read, np.uint8)[..., ::-1]


def pose(**points: tuple[float, float]) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    keypoints = np.full((16, 2), np.nan)
    for name, point in points.items():
        keypoints[MPII_16.index(name)] = point
    return keypoints


@pytest.mark.parametrize("eps, factor, reach", [(8, 8, 64), (16, 4, 64), (32, 2, 64), (3, 21, 63), (100, 1, 100)])
def test_a_perturbation_of_eps_is_drawn_at_the_stated_value(eps: int, factor: int, reach: int) -> None:
    change = np.array([-eps, 0, eps])
    clean = np.full((1, 3, 3), 120, np.int32)
    adversarial = (clean + change[None, :, None]).astype(np.uint8)

    drawn = amplify(clean.astype(np.uint8), adversarial, eps=eps / 255)

    assert drawn.factor == factor
    assert drawn.image[0, :, 0].tolist() == [MID_GREY - reach, MID_GREY, MID_GREY + reach]
    assert MID_GREY == 128


def test_no_perturbation_is_mid_grey_and_eps_under_one_level_is_drawn() -> None:
    assert (amplify(GREY, GREY, eps=8 / 255).image == 128).all()
    assert amplify(GREY, GREY + np.uint8(1), eps=0.25 / 255).image.max() == 192
    assert (amplify(GREY, GREY, eps=0.0).image == 128).all()


def test_a_large_perturbation_does_not_wrap_around() -> None:
    black, white = np.zeros((2, 2, 3), np.uint8), np.full((2, 2, 3), 255, np.uint8)
    assert (amplify(black, white, eps=1.0).image == 255).all()
    assert (amplify(white, black, eps=1.0).image == 0).all()


@pytest.mark.parametrize(
    "ends, color",
    [
        (("left_elbow", "left_wrist"), LEFT),
        (("right_hip", "right_knee"), RIGHT),
        (("upper_neck", "head_top"), MIDDLE),
        (("left_shoulder", "thorax"), LEFT),
    ],
)
def test_a_limb_has_its_sides_colour_at_its_midpoint(ends: tuple[str, str], color: Color) -> None:
    drawn = draw_pose(GREY, pose(**{ends[0]: (20.0, 30.0), ends[1]: (80.0, 70.0)}), MPII_16)

    assert drawn.shape == (384, 384, 3)
    x, y = (50 + 0.5) * 3 - 0.5, (50 + 0.5) * 3 - 0.5
    assert tuple(drawn[round(y), round(x)].tolist()) == color


def test_left_right_and_middle_limbs_have_three_colours() -> None:
    assert limb_color("left_hip", "left_knee") == LEFT
    assert limb_color("right_ankle", "right_knee") == RIGHT
    assert limb_color("left_shoulder", "right_shoulder") == MIDDLE
    assert limb_color("nose", "left_eye") == LEFT
    assert len({LEFT, RIGHT, MIDDLE}) == 3
    for skeleton in SKELETONS.values():
        assert {limb_color(a, b) for a, b in skeleton.limbs} == {LEFT, RIGHT, MIDDLE}


def test_a_keypoint_is_drawn_on_the_centre_of_its_pixel() -> None:
    black = np.zeros((128, 128, 3), np.uint8)
    drawn = draw_pose(black, pose(head_top=(0.0, 127.0)), MPII_16)
    rows, columns = np.nonzero((drawn == 245).all(axis=2))
    assert (round(columns.max()), round(rows.min())) == (1 + 5, 382 - 5)  # pixel 0 is enlarged to 0..2
    middle = draw_pose(black, pose(head_top=(64.0, 64.0)), MPII_16)
    rows, columns = np.nonzero(middle.any(axis=2))
    assert (columns.mean(), rows.mean()) == pytest.approx((193.0, 193.0), abs=0.1)


def test_what_is_not_shown_or_not_finite_is_not_drawn() -> None:
    keypoints = pose(left_elbow=(20.0, 30.0), left_wrist=(80.0, 70.0), head_top=(np.inf, 3.0))
    blank = draw_pose(GREY, pose(), MPII_16)

    assert (draw_pose(GREY, keypoints, MPII_16, shown=np.zeros(16, bool)) == blank).all()
    assert (blank == 90).all()
    assert (draw_pose(GREY, np.full((17, 2), np.nan), COCO_17) == 90).all()


def test_predictions_far_outside_the_picture_can_be_drawn() -> None:
    keypoints = pose(left_elbow=(64.0, 64.0), left_wrist=(1e12, 64.0))
    drawn = draw_pose(GREY, keypoints, MPII_16)
    assert tuple(drawn[193, 380].tolist()) == LEFT


def test_drawing_leaves_the_crop_alone() -> None:
    image, keypoints = GREY.copy(), pose(head_top=(5.0, 5.0))
    draw_pose(image, keypoints, MPII_16)
    assert (image == GREY).all()
    assert np.isnan(keypoints[0]).all()


@pytest.mark.parametrize("width, factor", [(128, 3), (192, 2), (256, 2), (368, 1), (1024, 1), (32, 12)])
def test_small_crops_are_enlarged_by_whole_numbers(width: int, factor: int) -> None:
    assert enlargement(width) == factor


def test_png_keeps_every_value_and_the_order_of_the_channels() -> None:
    image = np.random.default_rng(0).integers(0, 256, (5, 7, 3), dtype=np.uint8)
    assert (decode(png(image)) == image).all()

    flat = np.zeros((16, 16, 3), np.uint8)
    flat[..., 0] = 200
    assert np.abs(decode(jpeg(flat)).astype(int) - flat).max() <= 4
