"""rp.attack_photo: the attack of the command line, and what it gives back."""

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

import robustpose as rp
from robustpose.attacks import IGSM
from robustpose.data.photos import read_photo
from robustpose.geometry import box_crop
from robustpose.models import open_model
from robustpose.objectives import TrainingLoss
from robustpose.ownphoto import attack_people, see
from robustpose.threats import Linf
from tests.data.files import noise, write_photo

BOX = (60.0, 40.0, 110.0, 150.0)


def a_photo() -> np.ndarray[Any, np.dtype[np.uint8]]:
    return np.asarray(cv2.resize(noise(), (320, 240), interpolation=cv2.INTER_CUBIC), np.uint8)


def test_it_is_the_attack_of_the_command_line(tmp_path: Path) -> None:
    photo = a_photo()
    found = rp.attack_photo(photo, "resreg", box=BOX, attack="igsm", steps=3)
    model = open_model("resreg").module
    (expected,) = attack_people(
        IGSM(steps=3), model, photo, boxes=[BOX], threat=Linf(8 / 255), objective=TrainingLoss()
    )
    assert (found.adversarial == expected.photo).all()
    assert np.abs(found.adversarial.astype(int) - photo).max() == 8
    crop = box_crop(BOX, input_size=model.input_size)
    assert np.array_equal(found.keypoints[0], see(model, found.adversarial, crop).keypoints)
    assert found.kept == 100 * expected.kept
    assert f"resreg on a photo of 1 person, IGSM-U-3 at 8/255: {found.kept:.0f}% of the" in str(found)
    assert (read_photo(found.save(tmp_path / "new" / "adv.png")) == found.adversarial).all()
    path = write_photo(tmp_path / "me.png", photo)
    assert (rp.attack_photo(path, "resreg", box=BOX, attack="igsm", steps=3).adversarial == expected.photo).all()


def test_several_people_and_a_box_found_by_the_model() -> None:
    boxes = [BOX, (150.0, 30.0, 90.0, 180.0)]
    found = rp.attack_photo(a_photo(), "resreg", box=boxes, attack=rp.PGD(steps=2), eps="4/255", jitter=0.1)
    assert [person.box for person in found.people] == boxes
    assert found.keypoints.shape == (2, 16, 2)
    assert np.abs(found.adversarial.astype(int) - a_photo()).max() <= 4
    alone = rp.attack_photo(a_photo(), "resreg", attack="fgsm")
    assert len(alone.people) == 1
    figure = found.plot()
    assert [axes.get_title() for axes in figure.axes][:2] == ["clean", "attacked"]
    assert "data:image/png;base64," in found._repr_html_()


@pytest.mark.parametrize(
    ("asked", "line"),
    [
        ({"photo": 3}, "photo must be a path or an array (H, W, 3) of uint8, got int"),
        (
            {"photo": np.zeros((4, 4, 3))},
            "an array (H, W, 3) of uint8, got float64 (4, 4, 3)",
        ),
        ({"photo": "none.jpg"}, "none.jpg"),
        ({"box": (1, 2, 3)}, "box must be 'auto', (x, y, w, h) in photo pixels with w and h above 0"),
        ({"box": (1, 2, 3, 0)}, "box must be 'auto', (x, y, w, h) in photo pixels with w and h above 0"),
        ({"box": "me"}, "box must be 'auto'"),
        ({"box": (900, 900, 5, 5)}, "lies outside the photo, which is 320 x 240 pixels"),
        ({"attack": "spatial", "eps": "30"}, "attack 'spatial' moves labels with the image, and a photo has none"),
        ({"eps": "0.5/255"}, "eps 0.5/255 is less than one 8-bit level"),
        ({"jitter": 2}, "the jitter of a box must be in [0, 0.5]"),
        ({"jitter": "much"}, "jitter must be a number, got 'much'"),
        ({"seed": -1}, "seed must be an integer of at least 0, got -1"),
        ({"model": "resregg"}, "unknown model 'resregg'; did you mean 'resreg'?"),
    ],
)
def test_wrong_calls_are_one_line(asked: dict[str, Any], line: str) -> None:
    usual = {"photo": a_photo(), "model": "resreg", "box": BOX, "attack": "fgsm"}
    with pytest.raises(rp.RobustPoseError) as caught:
        rp.attack_photo(**{**usual, **asked})
    assert line in str(caught.value)
    assert "\n" not in str(caught.value)


def test_other_formats_would_change_the_photo(tmp_path: Path) -> None:
    found = rp.attack_photo(a_photo(), "resreg", box=BOX, attack="fgsm")
    with pytest.raises(rp.RobustPoseError, match=r"adv\.jpg: an adversarial photo must be saved as \.png"):
        found.save(tmp_path / "adv.jpg")
