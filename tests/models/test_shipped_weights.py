"""The rows of facts are true: every shipped net scores on the whole validation set what its row says."""

from functools import cache
from pathlib import Path

import pytest

from robustpose.data import open_dataset
from robustpose.data.rendered import RenderedPeople
from robustpose.errors import RobustPoseError
from robustpose.metrics import ALL
from robustpose.models import MODELS, build, open_model
from robustpose.models.weights import load_facts, load_weights, shipped_architectures, shipped_weights
from robustpose.train import evaluate
from robustpose.types import Batch

MEGABYTE = 1_000_000


@cache
def validation_people() -> Batch:
    people = open_dataset("synthpose:val")
    assert isinstance(people, RenderedPeople)
    people.prepare(len(people), input_size=(128, 128))
    return people.load(range(len(people)), input_size=(128, 128))


@pytest.mark.slow
@pytest.mark.parametrize("name", shipped_architectures())
def test_the_score_is_what_the_row_says(name: str) -> None:
    facts = load_facts(shipped_weights(name))
    net = build(name, size=facts.size)
    load_weights(net, shipped_weights(name))
    scored = evaluate(net.eval(), validation_people())[ALL]
    assert facts.n == scored.n == 1000
    assert facts.data_fingerprint == open_dataset("synthpose:train").fingerprint
    # Threads and processors round differently, which may move a few keypoints over the threshold.
    assert scored.value == pytest.approx(facts.score, abs=0.1)
    assert (scored.low, scored.high) == pytest.approx((facts.low, facts.high), abs=0.2)


@pytest.mark.parametrize("name", shipped_architectures())
def test_weights_are_small_and_complete(name: str) -> None:
    weights: Path = shipped_weights(name)
    assert weights.stat().st_size <= 3 * MEGABYTE
    opened = open_model(name)
    assert opened.fingerprint == load_facts(weights).sha256
    assert opened.net.skeleton.name == "mpii_16"


def test_an_architecture_without_weights_says_how_to_make_them() -> None:
    shipped = shipped_architectures()
    assert set(shipped) <= set(MODELS)
    for name in set(MODELS) - set(shipped):
        with pytest.raises(RobustPoseError, match=f"{name} has no weights in the package yet.*train {name}"):
            open_model(name)
