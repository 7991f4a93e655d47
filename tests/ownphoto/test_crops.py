"""A window of a photo as one image with the keypoints of all its crops."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from robustpose.attacks import make_attack
from robustpose.errors import RobustPoseError
from robustpose.geometry import box_crop
from robustpose.models import open_model
from robustpose.objectives import OBJECTIVES, Aim
from robustpose.ownphoto import PhotoSurface, attack_people, hit, jittered, kept_with_fresh_boxes
from robustpose.ownphoto.boxes import boxes_from, names_boxes
from robustpose.ownphoto.crops import PhotoCrops
from robustpose.threats import Linf

from ..conftest import TINY, LinearPose, TinyHeatmaps
from .test_surface import a_photo

PHOTO = a_photo(48, 64)
BOXES = [(2.0, 4.0, 26.0, 30.0), (33.0, 8.0, 28.0, 36.0)]
CROPS = [box_crop(box, input_size=TINY) for box in BOXES]
MODELS = pytest.mark.parametrize("model", [LinearPose(), TinyHeatmaps()], ids=["coordinates", "heatmaps"])


def of_both(model: LinearPose | TinyHeatmaps) -> tuple[PhotoCrops, PhotoSurface]:
    surface = PhotoSurface(np.stack(CROPS), photo_size=(48, 64), input_size=TINY)
    return PhotoCrops(model.eval(), surface, crops=2), surface


@MODELS
def test_it_answers_as_the_model_does_for_each_crop(model: LinearPose | TinyHeatmaps) -> None:
    both, surface = of_both(model)
    found = both(surface.cut(PHOTO))
    k = len(model.skeleton)
    assert both.skeleton.keypoints[k] == f"{model.skeleton.keypoints[0]}@1"
    for number, crop in enumerate(CROPS):
        alone = PhotoSurface(crop, photo_size=(48, 64), input_size=TINY)
        expected = model(alone.see(alone.cut(PHOTO)))
        mine = slice(number * k, (number + 1) * k)
        torch.testing.assert_close(found.keypoints[:, mine], expected.keypoints, atol=1e-4, rtol=1e-5)
        torch.testing.assert_close(found.scores[:, mine], expected.scores, atol=1e-5, rtol=1e-5)


@MODELS
@pytest.mark.parametrize("objective", ["training_loss", "margin", "soft_margin", "keypoints"])
def test_a_loss_is_the_mean_over_the_crops(model: LinearPose | TinyHeatmaps, objective: str) -> None:
    both, surface = of_both(model)
    k = len(model.skeleton)
    truth = 10 + 20 * torch.rand((1, 2 * k, 2), generator=torch.Generator().manual_seed(0))
    everything, radius = torch.ones((1, 2 * k), dtype=torch.bool), torch.full((1, 2 * k), 4.0)
    rows = torch.zeros(1, dtype=torch.long)
    loss = OBJECTIVES[objective].bind(both, Aim(truth, everything, radius), targeted=False)
    alone = []
    for number, crop in enumerate(CROPS):
        one = PhotoSurface(crop, photo_size=(48, 64), input_size=TINY)
        mine = slice(number * k, (number + 1) * k)
        aim = Aim(truth[:, mine], everything[:, mine], radius[:, mine])
        alone.append(OBJECTIVES[objective].bind(model, aim, targeted=False)(one.see(one.cut(PHOTO)), rows))
    torch.testing.assert_close(
        loss(surface.cut(PHOTO), rows), torch.stack(alone).mean(dim=0), atol=1e-5, rtol=1e-4
    )


@pytest.mark.parametrize("name", ["fgsm", "apgd", "square", "autopose"])
def test_one_perturbation_moves_everybody_inside_the_budget(name: str) -> None:
    steps = {"fgsm": None, "autopose": 40, "square": 200}.get(name, 20)
    found = attack_people(
        make_attack(name, targeted=False, steps=steps),
        TinyHeatmaps().eval(),
        PHOTO,
        boxes=BOXES,
        threat=Linf(8 / 255),
        objective=None if name == "autopose" else OBJECTIVES["margin"],
    )
    assert len(found) == 2
    assert found[0].photo is found[1].photo
    assert np.abs(found[0].photo.astype(int) - PHOTO).max() == 8
    moved = [bool((each.moved > 0).any()) for each in found]
    assert all(moved) or (name == "square" and any(moved))  # few queries may move one person alone


def test_a_targeted_attack_comes_nearer_to_its_target() -> None:
    found = attack_people(
        make_attack("igsm", targeted=True, steps=30),
        open_model("deeppose").module,
        PHOTO,
        boxes=BOXES[:1],
        threat=Linf(64 / 255),
        objective=OBJECTIVES["training_loss"],
        targeted=True,
    )
    (each,) = found
    assert each.target is not None
    asked = np.isfinite(each.target).all(axis=1) & np.asarray(each.skeleton.counted)
    assert asked.any()
    before, after = (
        np.linalg.norm(seen.keypoints - each.target, axis=1)[asked].mean() for seen in (each.before, each.after)
    )
    assert after < before
    assert hit(each.target, each.after, box=each.box, skeleton=each.skeleton)[1] == asked.sum()


def test_boxes_near_a_box() -> None:
    box = (10.0, 20.0, 40.0, 80.0)
    drawn = jittered(box, 0.1, number=50, seed=3)
    assert drawn[0] == box and len(set(drawn)) == 50
    centres = np.array([(x + w / 2 - 30, y + h / 2 - 60) for x, y, w, h in drawn])
    assert (np.abs(centres) <= (4.0, 8.0)).all() and (np.abs(centres).max(axis=0) > (3.0, 6.0)).all()
    sides = np.array([(w / 40, h / 80) for *_, w, h in drawn])
    assert (np.abs(sides - 1) <= 0.1 + 1e-9).all() and np.ptp(sides) > 0.15
    assert jittered(box, 0.1, number=50, seed=3) == drawn != jittered(box, 0.1, number=50, seed=4)
    with pytest.raises(RobustPoseError, match=r"must be in \[0, 0.5\]"):
        jittered(box, 0.9, number=2, seed=0)


def test_an_attack_over_boxes_survives_a_fresh_box_better() -> None:
    model, kept = TinyHeatmaps().eval(), []
    for jitter in (0.0, 0.1):
        (found,) = attack_people(
            make_attack("apgd", targeted=False, steps=40),
            model,
            PHOTO,
            boxes=BOXES[1:],
            threat=Linf(24 / 255),
            objective=OBJECTIVES["soft_margin"],
            jitter=jitter,
        )
        kept.append(kept_with_fresh_boxes(model, found.photo, found, jitter=0.1, number=60, padding=1.25, seed=99))
    assert kept[1] < kept[0]


def test_boxes_of_a_coco_file_of_people(tmp_path: Path) -> None:
    content = {
        "images": [{"id": 3, "file_name": "train/a.jpg"}, {"id": 4, "file_name": "b.jpg"}],
        "categories": [{"id": 1, "name": "person"}, {"id": 2, "name": "dog"}],
        "annotations": [
            {"image_id": 3, "category_id": 1, "bbox": [1, 2, 3, 4]},
            {"image_id": 3, "category_id": 1, "bbox": [5, 6, 7, 8], "iscrowd": 1},
            {"image_id": 3, "category_id": 2, "bbox": [9, 9, 9, 9]},
        ],
    }
    path = tmp_path / "people.json"
    path.write_text(json.dumps(content))
    find = boxes_from(str(path))
    assert find(Path("photos/a.jpg"), PHOTO) == [(1, 2, 3, 4)]
    assert find(Path("b.jpg"), PHOTO) == find(Path("c.jpg"), PHOTO) == []


def test_boxes_of_a_detector_that_is_a_function(tmp_path: Path) -> None:
    (tmp_path / "detector.py").write_text(
        "def sure(photo):\n    return [[0, 0, photo.shape[1], 5, .9], [0, 0, 1, 1, .2]]\n"
        "def nobody(photo):\n    return []\n"
        "def wrong(photo):\n    return [1, 2, 3]\n"
        "def broken(photo):\n    raise OSError('no camera')\n"
    )
    place = f"callable:{tmp_path / 'detector.py'}"
    assert boxes_from(f"{place}:sure")(Path("a.jpg"), PHOTO) == [(0, 0, 64, 5)]
    assert boxes_from(f"{place}:nobody")(Path("a.jpg"), PHOTO) == []
    with pytest.raises(RobustPoseError, match=r"wrong on a\.jpg: expected finite rows of x, y, w, h"):
        boxes_from(f"{place}:wrong")(Path("a.jpg"), PHOTO)
    with pytest.raises(RobustPoseError, match=r"broken on a\.jpg: OSError: no camera"):
        boxes_from(f"{place}:broken")(Path("a.jpg"), PHOTO)


@pytest.mark.parametrize(
    ("content", "line"),
    [
        ('{"images": []}', "neither a COCO file of people nor a list of detections"),
        ('[{"bbox": [1, 2, 3, 4]}]', "a detection must have image_id and bbox"),
        ('[{"image_id": 1, "bbox": [1, 2, 3, -4]}]', "bbox must be x, y, w, h with w and h > 0"),
        ('[{"image_id": 1}]', "bbox must be x, y, w, h with w and h > 0, got None"),
        ("[", "not JSON"),
    ],
)
def test_a_file_without_boxes_is_one_line(content: str, line: str, tmp_path: Path) -> None:
    path = tmp_path / "boxes.json"
    path.write_text(content)
    assert names_boxes(str(path))
    with pytest.raises(RobustPoseError, match=line):
        boxes_from(str(path))
