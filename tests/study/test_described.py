"""What a study stores of its models: all that a report asks of them, and nothing that could be run."""

import json
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from robustpose.errors import RobustPoseError
from robustpose.models import MODELS, OpenedModel, OpenedTask, build
from robustpose.objectives import Margin
from robustpose.study.described import (
    StoredHead,
    StoredPose,
    classes_of,
    describe,
    describe_plan,
    is_imported,
    runs_code,
    stages_of,
    stored_model,
    stored_task,
)
from robustpose.types import DescribedHead, PoseModel
from tests.conftest import TRIO, LinearPose
from tests.study.study_fakes import plan


class OwnHead:
    def encode(self, keypoints: Tensor, /) -> Tensor:
        return keypoints / 12 - 0.5

    def decode(self, raw: Tensor, /) -> tuple[Tensor, Tensor]:
        return (raw + 0.5) * 12, raw[..., 0] * 0 + 1

    def loss(self, raw: Tensor, target: Tensor, visible: Tensor, /) -> Tensor:
        return (raw - target).square().sum((1, 2))


@pytest.mark.slow
@pytest.mark.parametrize("name", MODELS)
def test_what_is_stored_of_a_model_answers_as_the_model_does(name: str) -> None:
    module = build(name).eval()
    assert isinstance(module, PoseModel)
    assert isinstance(module.head, DescribedHead)
    model = OpenedModel(name=name, module=module, fingerprint="f00d")
    stored = stored_model(json.loads(json.dumps(describe(model))))
    assert isinstance(stored.module, StoredPose)
    assert (stored.name, stored.fingerprint) == (name, "f00d")
    assert (stored.module.skeleton, stored.module.input_size) == (module.skeleton, module.input_size)
    assert stages_of(stored.module) == stages_of(model.module)
    assert isinstance(stored.module.head, DescribedHead)
    assert (stored.module.head.kind, stored.module.head.loss_name) == (module.head.kind, module.head.loss_name)
    assert Margin.serves(stored.module.head) == Margin.serves(module.head)
    with pytest.raises(RobustPoseError, match="was not opened, so it cannot be run"):
        stored.module(torch.zeros(1, 3, 8, 8))


def test_a_head_of_the_user_is_none_that_has_margins() -> None:
    model = LinearPose()
    model.head = OwnHead()  # type: ignore[assignment]
    stored = stored_model(json.loads(json.dumps(describe(OpenedModel(name="own", module=model, fingerprint="")))))
    assert not Margin.serves(stored.module.head)
    assert stored.module.head == StoredHead()


def test_a_model_that_others_trained_stays_one() -> None:
    model = StoredPose(TRIO, (8, 12), imported=True)
    assert is_imported(stored_model(describe(OpenedModel("theirs", model, ""))).module)
    assert not is_imported(LinearPose())


def test_a_model_of_another_task_says_its_classes() -> None:
    task = OpenedTask("action", build("action").eval(), "f00d")
    described = json.loads(json.dumps(describe_plan(replace(plan(n=4), models=(), tasks=(task,)))))
    stored = stored_task(described["tasks"][0])
    assert classes_of(stored.module) == classes_of(task.module) > 1


@pytest.mark.parametrize(
    ("spec", "runs"),
    [
        ("shg2", False),
        ("shg2:mine.safetensors", False),
        ("onnx:torch.onnx", False),
        ("torch:mine.py:make", True),
        ("flip:torch:mine.py:make", True),
        ("flip:callable:mine:find", True),
        ("torchscript:net.pt", True),
    ],
)
def test_which_specs_run_code(spec: str, runs: bool) -> None:
    assert runs_code(spec) is runs
