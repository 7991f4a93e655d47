"""Training of other tasks, and training that begins with another model's weights."""

from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from robustpose.data import open_dataset
from robustpose.data.augment import augmented, augmented_with_labels, training_people
from robustpose.data.synthpose import PARTS, rendered_set
from robustpose.errors import RobustPoseError
from robustpose.metrics import accuracy, mean_iou, overlaps
from robustpose.models.weights import load_facts
from robustpose.train import Recipe, train
from robustpose.types import HasTaskLabels

pytestmark = pytest.mark.slow

PEOPLE = 16


def learn(name: str, out: Path, *, samples: int = 32, seed: int = 0, warm_start: Path | None = None) -> Path:
    recipe = Recipe(architecture=name, people=PEOPLE, samples=samples, seed=seed)
    validation = open_dataset("synthpose:test")
    train(recipe, training=open_dataset("synthpose:train"), validation=validation, out=out, warm_start=warm_start)
    return out / f"{name}.safetensors"


def test_accuracy_and_mean_iou_by_hand() -> None:
    assert accuracy(np.array([True, True, True, False])).value == 75.0
    truth = np.array([[[0, 0], [1, 1]], [[0, 0], [0, 2]]])
    found = np.array([[[0, 1], [1, 1]], [[0, 0], [0, 0]]])
    intersections, unions = overlaps(found, truth, classes=4)
    assert intersections.tolist() == [[1, 2, 0, 0], [3, 0, 0, 0]]
    assert unions.tolist() == [[2, 3, 0, 0], [4, 0, 1, 0]]
    # background 4/6, class one 2/3, class two 0/1; class three is nowhere
    assert mean_iou(intersections, unions).value == pytest.approx(100 * (4 / 6 + 2 / 3 + 0) / 3)
    assert mean_iou(intersections, unions).n == 2


def test_labels_are_those_of_the_images_and_turn_with_them() -> None:
    train_split = open_dataset("synthpose:train")
    assert isinstance(train_split, HasTaskLabels)
    people = training_people(train_split, rows=range(3), input_size=(64, 64), with_labels=True)
    labels = people.labels
    assert labels is not None
    held = rendered_set("train", 0, 3, size=80, padding=1.25 * 1.25, processes=1)
    assert (labels.parts == held.segmentation).all()
    assert (labels.actions == held.action).all()
    assert [PARTS[i] for i in labels.part_flip_order][3:5] == ["left_upper_arm", "right_upper_arm"]
    assert [labels.part_flip_order[i] for i in labels.part_flip_order] == list(range(len(PARTS)))
    # where the hand, foot or head of a person is found in the crop, its keypoint is near, flipped or not
    rows = np.zeros(40, np.int64)
    generator, again = np.random.default_rng(5), np.random.default_rng(5)
    images, _, parts = augmented_with_labels(people, rows, input_size=(64, 64), generator=generator)
    same, keypoints, visible = augmented(people, rows, input_size=(64, 64), generator=again)
    assert torch.equal(images, same)
    checked = 0
    for joint, part in ((0, "right_foot"), (5, "left_foot"), (9, "head")):
        for i in range(40):
            y, x = np.nonzero(parts[i].numpy() == PARTS.index(part))
            if len(x) > 4 and visible[i, joint]:
                away = np.hypot(x - float(keypoints[i, joint, 0]), y - float(keypoints[i, joint, 1])).min()
                assert away < 6, (part, i)
                checked += 1
    assert checked > 40


@pytest.mark.parametrize(("name", "metric"), [("action", "accuracy"), ("parts", "mIoU")])
def test_a_task_is_trained_and_scored(name: str, metric: str, tmp_path: Path) -> None:
    facts = load_facts(learn(name, tmp_path))
    assert (facts.metric, facts.n, facts.architecture) == (metric, 1000, name)
    assert 0 <= facts.low <= facts.score <= facts.high <= 100


def test_a_model_can_begin_with_the_backbone_of_another(tmp_path: Path) -> None:
    action = learn("action", tmp_path / "action", seed=1)
    begun = learn("resdec_pre", tmp_path / "pre", samples=16, warm_start=action)
    facts, source = load_facts(begun), load_facts(action)
    assert facts.recipe["warm_start"] == source.sha256
    with pytest.raises(RobustPoseError, match="resdec_pre is resdec with a pre-trained backbone"):
        learn("resdec_pre", tmp_path / "none", samples=16)
    cold = learn("resdec", tmp_path / "cold", samples=16)
    assert load_facts(cold).recipe["warm_start"] == ""
    first = "backbone.stem.0.weight"
    theirs, warm, ours = (load_file(path)[first].float() for path in (action, begun, cold))
    assert (warm - theirs).abs().max() < 0.02 < (ours - theirs).abs().max()


def test_what_does_not_fit_is_said(tmp_path: Path) -> None:
    action = learn("action", tmp_path / "action")
    with pytest.raises(RobustPoseError, match="only 0 of its weight tensors match the model"):
        learn("shg2", tmp_path / "shg2", warm_start=action)
    assert not (tmp_path / "shg2" / "checkpoint.pt").exists()
    with pytest.raises(RobustPoseError, match="is of another recipe"):
        learn("action", tmp_path / "action", samples=48)


def never() -> None:
    raise AssertionError("nobody is to be rendered")


@pytest.mark.parametrize(
    ("recipe", "message"),
    [
        (
            Recipe(architecture="action", people=PEOPLE, half_body=0.5),
            "half_body applies to pose models only",
        ),
        (
            Recipe(architecture="parts", people=PEOPLE, half_body=1.0),
            "half_body applies to pose models only",
        ),
        (Recipe(architecture="resdec_pre", people=PEOPLE), "name its weights with --warm-start"),
    ],
    ids=lambda value: value.architecture if isinstance(value, Recipe) else "",
)
def test_what_cannot_be_learned_is_said_before_anyone_is_rendered(
    recipe: Recipe, message: str, tmp_path: Path
) -> None:
    people = open_dataset("synthpose:train")
    with pytest.raises(RobustPoseError, match=message):
        train(recipe, training=people, validation=people, out=tmp_path, on_checked=never)
