"""The contenders that need no other library walk the same way; those that need one find what it lacks at home."""

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest
import torch

from robustpose.objectives import Margin, TrainingLoss
from robustpose.threats import Linf
from tests.conftest import LinearPose, TinyHeatmaps, tiny_batch


@pytest.fixture(scope="module")
def contenders() -> ModuleType:
    path = Path(__file__).parents[2] / "benchmarks" / "contenders.py"
    spec = importlib.util.spec_from_file_location("contenders", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["contenders"] = module  # where its dataclasses look for their types
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("make", [LinearPose, TinyHeatmaps])
def test_the_walk_by_hand_is_ours(contenders: ModuleType, make: type[LinearPose] | type[TinyHeatmaps]) -> None:
    job = contenders.Job(make().eval(), tiny_batch(), TrainingLoss("last"), 8 / 255, 6, 1 / 8)
    by_hand, tutorial = contenders.bare(job), contenders.tutorial(job)
    ours = contenders.ours(contenders.igsm)(job)
    rounded = Linf(8 / 255).round_to_8bit(job.batch.images, by_hand)
    assert (rounded == ours).float().mean() > 0.97
    assert (by_hand - tutorial).abs().max() < 1e-6
    assert not torch.equal(ours, job.batch.images)


def test_logits_whose_cross_entropy_rises_with_the_objective(contenders: ModuleType) -> None:
    job = contenders.Job(TinyHeatmaps().eval(), tiny_batch(), Margin(), 8 / 255, 1, 1 / 8)
    labels = torch.zeros(4, dtype=torch.long)
    losses = contenders.PerPerson(job)(job.batch.images)
    for ahead, wins in ((4.0, 0), (-4.0, 1)):
        logits = contenders.TwoClasses(job, ahead=ahead)(job.batch.images)
        assert (logits.argmax(dim=1) == wins).all()
        entropy = torch.nn.functional.cross_entropy(logits, labels, reduction="none")
        assert torch.equal(entropy.argsort(), losses.argsort())


def test_cross_entropy_is_back_afterwards(contenders: ModuleType) -> None:
    kept = torch.nn.CrossEntropyLoss
    with pytest.raises(KeyError), contenders.no_cross_entropy():
        assert torch.nn.CrossEntropyLoss()(torch.tensor([1.0, 2.0]), None) == 3.0
        raise KeyError
    assert torch.nn.CrossEntropyLoss is kept
