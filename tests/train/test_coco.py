"""Models have the keypoints of their training data: a model trained on COCO predicts COCO's 17."""

import json
from pathlib import Path

import pytest
import torch

from robustpose.data import open_dataset
from robustpose.errors import RobustPoseError
from robustpose.models import MODELS, build, open_model
from robustpose.models.architectures.chained import FROM_THE_NOSE, Chained
from robustpose.models.weights import facts_path, load_facts
from robustpose.skeletons import AIC_14, COCO_17, EFFICIENTPOSE_16, MPII_16
from robustpose.train import Recipe, train
from robustpose.types import PoseDataset, PoseModel
from tests.data.files import coco_annotation, coco_content, write_json, write_photo


def coco(folder: Path, *, people: int = 2) -> PoseDataset:
    write_photo(folder / "images" / "000007.png")
    file = write_json(
        folder / f"{people}.json", coco_content([coco_annotation(number, 7) for number in range(1, people + 1)])
    )
    return open_dataset(f"coco:{file}")


@pytest.mark.slow
@pytest.mark.parametrize("name", ["shg2", "deeppose", "chained"])
def test_a_step_on_coco(name: str, tmp_path: Path) -> None:
    recipe = Recipe(architecture=name, people=2, samples=2, batch=2)
    facts = train(recipe, training=coco(tmp_path), validation=coco(tmp_path, people=3), out=tmp_path / "run")
    assert (facts.skeleton, facts.recipe["skeleton"]) == ("coco_17", "coco_17")
    assert (facts.metric, facts.n) == ("PCK@0.1", 3), "COCO has no head sizes"
    assert 0 <= facts.score <= 100
    opened = open_model(f"{name}:{tmp_path / 'run' / name}.safetensors").module
    assert opened.skeleton == COCO_17
    with torch.no_grad():
        assert opened(torch.zeros(1, 3, 128, 128)).keypoints.shape == (1, 17, 2)
    # and the run goes on as what it is
    again = train(recipe, training=coco(tmp_path), validation=coco(tmp_path, people=3), out=tmp_path / "run")
    assert again == facts


@pytest.mark.parametrize("name", [name for name in MODELS if name != "dlcm"])
def test_every_design_can_have_cocos_keypoints(name: str) -> None:
    model = build(name, skeleton=COCO_17).eval()
    assert isinstance(model, PoseModel)
    assert model.skeleton == COCO_17
    with torch.no_grad():
        output = model(torch.rand(1, 3, 128, 128))
    assert output.keypoints.shape == (1, 17, 2)
    assert output.stages[-1].shape == model.head.encode(output.keypoints).shape


def test_the_compositional_model_is_of_mpiis_body(tmp_path: Path) -> None:
    with pytest.raises(RobustPoseError, match="dlcm's hierarchy of bones and limbs is mpii_16's, not coco_17's"):
        train(
            Recipe(architecture="dlcm", people=2, samples=2, batch=2),
            training=coco(tmp_path),
            validation=coco(tmp_path, people=3),
            out=tmp_path / "run",
        )
    assert not (tmp_path / "run").exists()


def test_a_chain_goes_from_the_nose_outwards_in_coco() -> None:
    model = build("chained", skeleton=COCO_17)
    assert isinstance(model, Chained)
    assert model.order == FROM_THE_NOSE
    place = {name: i for i, name in enumerate(model.order)}
    for side in ("left", "right"):
        limbs = [f"{side}_{part}" for part in ("shoulder", "elbow", "wrist")]
        legs = [f"{side}_{part}" for part in ("hip", "knee", "ankle")]
        for outwards in (limbs, legs):
            assert [place[name] for name in outwards] == sorted(place[name] for name in outwards)
    same_names = build("chained", skeleton=EFFICIENTPOSE_16)
    assert isinstance(same_names, Chained)
    assert set(same_names.order) == set(MPII_16.keypoints)
    with pytest.raises(RobustPoseError, match="is known for mpii_16 and coco_17, not for aic_14"):
        build("chained", skeleton=AIC_14)


def test_data_of_two_skeletons_do_not_make_a_training(tmp_path: Path) -> None:
    with pytest.raises(RobustPoseError, match="synthpose:val uses skeleton mpii_16, the model uses coco_17"):
        train(
            Recipe(architecture="deeppose", people=2, samples=2, batch=2),
            training=coco(tmp_path),
            validation=open_dataset("synthpose:val"),
            out=tmp_path / "run",
        )


def test_facts_of_an_unknown_skeleton_are_one_line(tmp_path: Path) -> None:
    data = coco(tmp_path)
    recipe = Recipe(architecture="deeppose", people=2, samples=2, batch=2)
    train(recipe, training=data, validation=data, out=tmp_path)
    weights = tmp_path / "deeppose.safetensors"
    facts = json.loads(facts_path(weights).read_text())
    facts_path(weights).write_text(json.dumps({**facts, "skeleton": "coco_71"}))
    with pytest.raises(RobustPoseError, match="unknown skeleton 'coco_71'; did you mean 'coco_17'"):
        open_model(f"deeppose:{weights}")
    del facts["skeleton"]
    facts_path(weights).write_text(json.dumps(facts))
    assert load_facts(weights).skeleton == "mpii_16", "rows from before other skeletons were trained"
