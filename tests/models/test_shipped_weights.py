"""The facts of the weight files: every shipped model has the stated scores on the whole validation set."""

import json
from functools import cache
from pathlib import Path

import pytest
from torch import nn

from robustpose.data import open_dataset
from robustpose.data.rendered import SAME_TRAINING_PEOPLE, RenderedPeople
from robustpose.errors import RobustPoseError
from robustpose.models import MODELS, TASKS, build, open_model, open_task
from robustpose.models.weights import (
    facts_path,
    load_facts,
    load_weights,
    shipped_architectures,
    shipped_models,
    shipped_weights,
)
from robustpose.train.tasks import training_task_of
from tests.data.files import real_file
from tools.zoo_page import AIMS

MEGABYTE = 1_000_000


@cache
def validation_people() -> RenderedPeople:
    people = open_dataset("synthpose:val")
    assert isinstance(people, RenderedPeople)
    people.prepare(len(people), input_size=(128, 128))
    return people


PHOTOS = [name for name in shipped_models() if name.endswith("@photos")]


@pytest.mark.slow
@pytest.mark.parametrize("name", shipped_architectures())
def test_the_score_is_what_the_row_says(name: str) -> None:
    facts = load_facts(shipped_weights(name))
    model = build(name, size=facts.size)
    load_weights(model, shipped_weights(name))
    task = training_task_of(name, model)
    scored = task.score(model.eval(), validation_people(), n=1000)
    assert facts.metric == task.metric
    assert facts.n == scored.n == 1000
    assert facts.data_fingerprint in {open_dataset("synthpose:train").fingerprint, *SAME_TRAINING_PEOPLE}
    # Threads and processors round differently, which may move a few keypoints over the threshold.
    assert scored.value == pytest.approx(facts.score, abs=0.1)
    assert (scored.low, scored.high) == pytest.approx((facts.low, facts.high), abs=0.2)


@pytest.mark.slow
@pytest.mark.parametrize("name", PHOTOS)
def test_the_score_on_photographs_is_what_the_row_says(name: str) -> None:
    valid = open_dataset(f"mpii:{real_file('mpii_part/valid.json')}")
    opened, facts = open_model(name), load_facts(shipped_weights(name))
    assert isinstance(opened.module, nn.Module)
    scored = training_task_of(facts.architecture, opened.module).score(opened.module, valid, n=len(valid))
    assert (facts.n, facts.metric) == (448, "PCKh@0.5")
    assert scored.value == pytest.approx(facts.score, abs=0.1)
    assert opened.name == name


@pytest.mark.parametrize("name", PHOTOS)
def test_weights_of_photographs_say_whom_they_learned_from(name: str) -> None:
    facts = load_facts(shipped_weights(name))
    assert name == f"{facts.architecture}@photos"
    assert "lsp" in facts.data
    assert "research" in facts.notes, "the terms of the photographs"


def test_a_tag_that_is_not_there_and_a_path_beside_a_tag() -> None:
    with pytest.raises(RobustPoseError, match="unknown model 'shg2@fotos'"):
        open_model("shg2@fotos")
    for name in PHOTOS[:1]:
        with pytest.raises(RobustPoseError, match=f"{name} means weights of the package"):
            open_model(f"{name}:mine.safetensors")


@pytest.mark.parametrize("name", shipped_models())
def test_weights_are_small_and_complete(name: str) -> None:
    weights: Path = shipped_weights(name)
    assert weights.stat().st_size <= 3 * MEGABYTE
    assert facts_path(weights).exists()
    log = [json.loads(line) for line in weights.with_suffix(".log.jsonl").read_text().splitlines()]
    facts = load_facts(weights)
    assert log[-1]["step"] * facts.recipe["batch"] == facts.samples
    if name in TASKS:
        task = open_task(name)
        assert (task.name, task.fingerprint) == (name, facts.sha256)
        return
    opened = open_model(name)
    assert opened.fingerprint == facts.sha256
    assert opened.module.skeleton.name == "mpii_16"


def test_all_weights_together_are_small() -> None:
    assert sum(shipped_weights(name).stat().st_size for name in shipped_models()) <= 40 * MEGABYTE


def test_an_architecture_without_weights_says_how_to_make_them() -> None:
    shipped = shipped_architectures()
    assert set(shipped) <= {*MODELS, *TASKS}
    for name in set(MODELS) - set(shipped):
        with pytest.raises(RobustPoseError, match=f"{name} has no weights in the package.*train {name}"):
            open_model(name)
    for name in set(TASKS) - set(shipped):
        with pytest.raises(RobustPoseError, match=f"{name} has no weights in the package.*train {name}"):
            open_task(name)


def test_a_task_is_no_model_and_a_model_no_task() -> None:
    with pytest.raises(RobustPoseError, match="unknown model 'action'"):
        open_model("action")
    with pytest.raises(RobustPoseError, match="unknown task 'shg2'"):
        open_task("shg2")


@pytest.mark.parametrize("name", AIMS)
def test_every_model_of_the_study_is_shipped_and_scores_its_floor(name: str) -> None:
    facts = load_facts(shipped_weights(name))
    _, floor = AIMS[name]
    assert facts.n == 1000
    assert facts.score >= floor


def test_every_model_of_the_study_is_there() -> None:
    assert set(AIMS) == set(shipped_architectures())


def test_the_models_of_the_study_are_nine_for_poses_and_two_for_other_tasks() -> None:
    assert sum(name in MODELS for name in AIMS) == 9
    assert {name for name in AIMS if name in TASKS} == set(TASKS)
