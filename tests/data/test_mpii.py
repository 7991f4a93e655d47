import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from scipy.io import savemat

from robustpose.data.mpii import open_mpii
from robustpose.data.people import PhotoPeople
from robustpose.errors import RobustPoseError
from robustpose.geometry import inside
from robustpose.skeletons import MPII_16
from robustpose.types import PoseDataset

from .files import annorect, mpii_person, noise, real_file, write_json, write_photo, write_release

ANKLE: dict[str, Any] = {"id": 0, "x": 11.0, "y": 31.0}
WRIST: dict[str, Any] = {"id": 15, "x": 21.0, "y": 13.0}
Image = tuple[str, int, Sequence[Mapping[str, Any]], Sequence[int]]


def _list(folder: Path, *people: dict[str, Any]) -> Path:
    write_photo(folder / "images" / "a.png", noise())
    return write_json(folder / "valid.json", list(people))


def _release(folder: Path, *images: Image) -> Path:
    write_photo(folder / "images" / "a.png", noise())
    return write_release(folder / "release.mat", images)


def _truth(path: Path, n: int, *, joints: tuple[float, float] = (11, 31), missing: tuple[int, ...] = ()) -> None:
    """Write a gt_valid.mat of n people, person i with a 3-4-5 head box of side 30 * (i + 1)."""
    boxes = np.zeros((2, 2, n))
    boxes[0], boxes[1, 0], boxes[1, 1] = 1, 1 + 30 * np.arange(1, n + 1), 1 + 40 * np.arange(1, n + 1)
    places, gone = np.full((16, 2, n), -1.0), np.ones((16, n), np.uint8)
    places[0], places[15] = np.array(joints)[:, None], np.array([[21.0], [13.0]])
    gone[[0, 15]] = 0
    for row in missing:
        gone[row] = 1
    savemat(path, {"headboxes_src": boxes, "jnt_missing": gone, "pos_gt_src": places})


# The JSON lists


def test_coordinates_are_counted_from_1_and_the_crop_is_newells(tmp_path: Path) -> None:
    people: PoseDataset = open_mpii(_list(tmp_path, mpii_person()))
    assert (len(people), people.name, people.skeleton, people.left_out) == (1, "mpii", MPII_16, ())
    batch = people.load([0], input_size=(100, 100))  # side 1.25 * 200 * 0.2 = 50 photo pixels: a zoom of 2
    assert batch.ids == ("mpii:a:000000",)
    assert torch.allclose(batch.crops[0, :, :2], torch.eye(2, dtype=torch.float64) * 2)
    # centre (17, 20) from 1 is (16, 19) from 0; moved down by 15 * 0.2 = 3 it is (16, 22), the crop's 49.5, 49.5
    assert batch.keypoints[0, 0].tolist() == pytest.approx([49.5 + 2 * (10 - 16), 49.5 + 2 * (30 - 22)])
    assert batch.keypoints[0, 15].tolist() == pytest.approx([49.5 + 2 * (20 - 16), 49.5 + 2 * (12 - 22)])
    assert batch.box_side.tolist() == pytest.approx([80.0])
    assert batch.visible[0].nonzero().flatten().tolist() == [0, 15]
    assert batch.head_size.isnan().all()


def test_the_crop_holds_the_photos_pixels(tmp_path: Path) -> None:
    person = mpii_person(
        center=[21.5, 21.5], scale=0.1
    )  # 20.5 from 0, moved to y 22: pixels 11 to 30 and 12.5 to 31.5
    batch = open_mpii(_list(tmp_path, person)).load([0], input_size=(20, 20), padding=1.0)
    rows = noise().astype(np.float32)
    between = (rows[12:32, 11:31] + rows[13:33, 11:31]) / 2
    expected = torch.from_numpy(between / 255).permute(2, 0, 1)
    assert (batch.images[0] - expected).abs().max() <= 1.01 / 255


@pytest.mark.parametrize("nowhere", [[-1.0, -1.0], [0.0, 0.0]])
def test_a_joint_without_place_or_flag_does_not_count(tmp_path: Path, nowhere: list[float]) -> None:
    person = mpii_person()
    person["joints"][1:4] = [nowhere, [30.0, 20.0], [0.0, 20.0]]
    person["joints_vis"][1:4] = [1, 0, 1]
    batch = open_mpii(_list(tmp_path, person)).load([0], input_size=(64, 64))
    assert batch.visible[0].nonzero().flatten().tolist() == [0, 3, 15]
    assert not batch.keypoints[0, 1:3].any()


def test_people_without_joints_or_place_are_counted(tmp_path: Path) -> None:
    nobody = mpii_person(joints_vis=[0] * 16)
    people = open_mpii(
        _list(tmp_path, nobody, mpii_person(), nobody, mpii_person(center=[-1.0, -1.0], scale=-1.0))
    )
    assert people.left_out == ("no centre or scale > 0: 1", "no labelled joint: 2")
    assert [person.id for person in people.people] == ["mpii:a:000001"]  # numbered by its place in the list


def test_head_sizes_come_from_the_person(tmp_path: Path) -> None:
    file = _list(tmp_path, mpii_person(head_size=12.5), mpii_person(headbox=[5, 2, 35, 42]), mpii_person())
    people = open_mpii(file)
    assert [p.head_size for p in people.people[:2]] == pytest.approx([12.5, 0.6 * 50])
    assert math.isnan(people.people[2].head_size)
    assert people.load([0], input_size=(100, 100)).head_size.tolist() == pytest.approx([25.0])  # a zoom of 2


@pytest.mark.parametrize("name", ["gt_valid.mat", "mpii_gt_val.mat"])
def test_head_sizes_come_from_the_truth_beside(tmp_path: Path, name: str) -> None:
    file = _list(
        tmp_path, mpii_person(), mpii_person(joints_vis=[0] * 16), mpii_person(), mpii_person(head_size=7.0)
    )
    _truth(tmp_path / name, 4, missing=(15,))
    people = open_mpii(file)
    assert [p.head_size for p in people.people] == pytest.approx([30.0, 90.0, 7.0])  # the person's own comes first
    assert [p.visible.nonzero()[0].tolist() for p in people.people] == [[0]] * 3  # 15 is missing in the truth


def test_one_person_alone_has_a_truth_too(tmp_path: Path) -> None:
    file = _list(tmp_path, mpii_person())
    _truth(tmp_path / "gt_valid.mat", 1)
    assert open_mpii(file).people[0].head_size == pytest.approx(30.0)


def test_a_truth_of_another_number_of_people_is_not_this_lists(tmp_path: Path) -> None:
    file = _list(tmp_path, mpii_person())
    _truth(tmp_path / "gt_valid.mat", 3)
    assert math.isnan(open_mpii(file).people[0].head_size)


def test_a_truth_of_other_people_or_damaged_is_an_error(tmp_path: Path) -> None:
    file = _list(tmp_path, mpii_person(), mpii_person())
    truth = tmp_path / "gt_valid.mat"
    _truth(truth, 2, joints=(111, 31), missing=(15,))
    with pytest.raises(
        RobustPoseError, match=r"gt_valid.mat: holds other people than valid.json.* differ by 100 pixels"
    ):
        open_mpii(file)
    truth.write_bytes(truth.read_bytes()[:300])
    with pytest.raises(RobustPoseError, match=r"gt_valid.mat: not a MATLAB file that can be read, or truncated"):
        open_mpii(file)
    savemat(truth, {"headboxes_src": np.zeros((2, 2, 2)), "jnt_missing": np.zeros((16, 2))})
    with pytest.raises(RobustPoseError, match=r"gt_valid.mat: has no 'pos_gt_src'"):
        open_mpii(file)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"head_size": 0.0}, "person 000001: head size must be > 0, got 0.0"),
        ({"head_size": -3}, "person 000001: head size must be > 0, got -3.0"),
        ({"head_size": "big"}, "person 000001: head size must be a number, got 'big'"),
        ({"headbox": [4, 4, 4, 4]}, "person 000001: head size must be > 0, got 0.0"),
        ({"headbox": [1, 2]}, r"person 000001: headbox must be 4 numbers, got \[1, 2\]"),
        ({"joints": [[1, 1]] * 15}, "person 000001: joints must be 16 x 2 numbers, got a list of 15"),
        ({"joints": [[1, 1, 1]] * 16}, "person 000001: joints must be 16 x 2 numbers"),
        ({"joints": [[1, "1"]] * 16}, "person 000001: joints must be 16 x 2 numbers"),
        ({"joints": 3}, "person 000001: joints must be 16 x 2 numbers, got 3"),
        ({"joints_vis": [1] * 17}, "person 000001: joints_vis must be 16 numbers, got a list of 17"),
        ({"center": [1, None]}, r"person 000001: center must be 2 numbers, got \[1, None\]"),
        ({"scale": None}, "person 000001: scale must be a number, got None"),
        ({"image": 5}, "person 000001: image must be a file name, got 5"),
    ],
)
@pytest.mark.parametrize("truth", [False, True])
def test_a_wrong_person_is_named(tmp_path: Path, change: dict[str, Any], message: str, truth: bool) -> None:
    file = _list(tmp_path, mpii_person(), mpii_person(**change))
    if truth:
        _truth(tmp_path / "gt_valid.mat", 2)
    with pytest.raises(RobustPoseError, match=message) as caught:
        open_mpii(file)
    assert str(caught.value).startswith(f"{file}: ")


def test_a_wrong_list_is_named(tmp_path: Path) -> None:
    file = _list(tmp_path, mpii_person())
    lacking = {key: value for key, value in mpii_person().items() if key != "joints"}
    for content, message in [
        ({"images": []}, r"expected a list of people, got an object; is it a COCO file\?"),
        ([], "no person can be used: it has none"),
        ([3], "person 000000: expected an object, got 3"),
        ([mpii_person(), lacking], "person 000001: has no 'joints'"),
        ([mpii_person(joints_vis=[0] * 16)], "no person can be used: no labelled joint: 1"),
    ]:
        write_json(file, content)
        with pytest.raises(RobustPoseError, match=message):
            open_mpii(file)
    file.write_text('[{"image": "a.png", "joi')
    with pytest.raises(RobustPoseError, match=r"valid.json: not JSON, or truncated"):
        open_mpii(file)


def test_a_missing_photo_folder_is_named_with_a_file_expected_in_it(tmp_path: Path) -> None:
    file = write_json(tmp_path / "valid.json", [mpii_person(image="060111501.jpg")])
    with pytest.raises(RobustPoseError, match=r"'060111501.jpg'.*images \(no such folder\).*--images DIR"):
        open_mpii(file)
    write_photo(tmp_path / "photos" / "060111501.jpg")
    assert len(open_mpii(file, tmp_path / "photos").load([0], input_size=(16, 16))) == 1


# The release's .mat


def test_the_release_is_read_with_all_its_irregularities(tmp_path: Path) -> None:
    seen = [WRIST | {"is_visible": "1"}, ANKLE | {"is_visible": 0}]  # in any order, as text and as number
    unsaid = [ANKLE | {"is_visible": np.zeros((0, 0))}, WRIST | {"is_visible": "0"}]
    file = _release(
        tmp_path,
        ("a.png", 1, [annorect(seen), annorect([ANKLE]), annorect(unsaid)], [1, 3]),
        ("test.png", 0, [annorect(None), annorect(None, x1=None)], [1, 2]),
        ("empty.png", 1, [], []),
        ("bare.png", 1, [annorect(None)], [1]),  # somebody without annopoints
        ("hollow.png", 1, [annorect(None, annopoints=np.zeros((0, 0)))], [1]),
        ("lost.png", 1, [annorect([ANKLE], objpos=None, scale=None)], [1]),
        ("headless.png", 1, [annorect([ANKLE, {"id": 4, "x": -1, "y": -1}], x1=None)], [1]),
    )
    people = open_mpii(file)
    assert [person.id for person in people.people] == ["mpii:a:1", "mpii:a:3", "mpii:headless:1"]
    assert people.left_out == (
        "in a test image, without published truth: 2",
        "no centre or scale > 0: 1",
        "no labelled joint: 2",
        "too close to other people: 1",
    )
    for person in people.people[:2]:  # seen or occluded, both are labelled
        assert person.visible.nonzero()[0].tolist() == [0, 15]
        assert person.keypoints[[0, 15]].tolist() == [[10, 30], [20, 12]]
        assert person.head_size == pytest.approx(0.6 * 50)
    headless = people.people[2]
    assert headless.visible.nonzero()[0].tolist() == [0]  # a lone joint, the other being nowhere
    assert math.isnan(headless.head_size)


def test_a_release_of_one_image_and_one_person_is_read(tmp_path: Path) -> None:
    people = open_mpii(_release(tmp_path, ("a.png", 1, [annorect([ANKLE])], [1])))
    assert [person.id for person in people.people] == ["mpii:a:1"]


def test_the_release_and_the_list_give_the_same_people(tmp_path: Path) -> None:
    rects = [annorect([ANKLE, WRIST]), annorect([WRIST, ANKLE])]
    release = open_mpii(_release(tmp_path, ("a.png", 1, rects, [1, 2]), ("b.png", 0, [], [])))
    listed = open_mpii(_list(tmp_path, mpii_person(headbox=[5, 2, 35, 42])))
    ours, theirs = release.load([0], input_size=(96, 64)), listed.load([0], input_size=(96, 64))
    for field in ("images", "keypoints", "visible", "head_size", "box_side", "crops"):
        assert torch.equal(getattr(ours, field), getattr(theirs, field)), field
    assert release.fingerprint != listed.fingerprint  # the ids differ


@pytest.mark.parametrize(
    ("rect", "message"),
    [
        (annorect([ANKLE], x1=5, x2=5, y1=7, y2=7), "person a:1: head size must be > 0, got 0.0"),
        (annorect([ANKLE | {"id": 16}]), "person a:1: a joint's id must be 0 to 15, got 16"),
        (annorect([{"id": 3, "x": 4.0}]), "person a:1: a joint must have id, x and y"),
        (annorect(None), "no person can be used: no labelled joint: 1"),
    ],
)
def test_a_wrong_person_of_the_release_is_named(tmp_path: Path, rect: dict[str, Any], message: str) -> None:
    file = _release(tmp_path, ("a.png", 1, [rect], [1]), ("b.png", 1, [], []))
    with pytest.raises(RobustPoseError, match=message) as caught:
        open_mpii(file)
    assert str(caught.value).startswith(f"{file}: ")


def test_a_wrong_release_is_named(tmp_path: Path) -> None:
    file = _release(tmp_path, ("a.png", 1, [annorect([ANKLE])], [2]), ("b.png", 1, [], []))
    with pytest.raises(RobustPoseError, match=r"image a.png: single_person \[2\] is not among its 1 people"):
        open_mpii(file)
    whole = file.read_bytes()
    for length in (0, 60, 200, len(whole) // 2, len(whole) - 20):
        file.write_bytes(whole[:length])
        with pytest.raises(RobustPoseError, match="not a MATLAB file that can be read, or truncated"):
            open_mpii(file)
    savemat(file, {"annot": 3})
    with pytest.raises(RobustPoseError, match="has no 'RELEASE'"):
        open_mpii(file)
    savemat(file, {"RELEASE": {"annolist": 3, "img_train": 1}})
    with pytest.raises(RobustPoseError, match="RELEASE has no field 'single_person'"):
        open_mpii(file)
    savemat(file, {"RELEASE": {"annolist": [3, 4], "img_train": [1], "single_person": [1, 2]}})
    with pytest.raises(RobustPoseError, match="must be of one length; got 2, 1 and 2"):
        open_mpii(file)


# The real list


def _real() -> PhotoPeople:
    return open_mpii(real_file("mpii_format/test_mpii.json"))


def test_real_people_are_all_there() -> None:
    people = _real()
    assert (len(people), people.left_out) == (5, ())
    # two people's feet are outside the image
    assert [int(person.visible.sum()) for person in people.people] == [16, 16, 14, 14, 16]
    first = people.people[0]
    assert first.id == "mpii:005808361:000000"
    assert first.keypoints[MPII_16.index("left_wrist")].tolist() == [1141, 477]
    assert first.box[2] == pytest.approx(943.6976)
    assert all(math.isnan(person.head_size) for person in people.people)


def test_real_people_are_within_their_crops_upright_and_face_us() -> None:
    people = _real()
    batch = people.load(range(5), input_size=(128, 128))
    assert batch.unreadable == ()
    assert inside(batch.keypoints.double().numpy(), (128, 128))[batch.visible.numpy()].all()
    x, y = batch.keypoints.unbind(dim=-1)
    assert (y[:, MPII_16.index("head_top")] < y[:, MPII_16.index("pelvis")]).all()
    facing = [0, 1, 3, 4]  # seen in the photos; person 2 shows us his back
    apart = x[:, MPII_16.index("left_shoulder")] - x[:, MPII_16.index("right_shoulder")]
    assert (apart[facing] > 0).all()
    assert apart[2] < 0
