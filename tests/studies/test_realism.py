"""The realism study on models that hardly learn: what is trained, scored, kept, and refused."""

import csv
import math
from dataclasses import replace
from pathlib import Path

import pytest

from robustpose.errors import RobustPoseError
from robustpose.metrics import PCK, score
from robustpose.models import open_model
from robustpose.models.weights import load_facts
from robustpose.studies.realism import VARIANTS, Realism, _datasets, _predictions, compute_realism
from robustpose.train import Recipe

TINY = Realism(recipe=Recipe(architecture="deeppose", people=16, samples=32), n=30, processes=2)


@pytest.mark.slow
def test_every_variant_is_trained_on_its_own_people_and_scored_on_the_same(tmp_path: Path) -> None:
    told: list[tuple[int, int]] = []
    lines = compute_realism(TINY, tmp_path, on_progress=lambda done, total, name: told.append((done, total)))
    assert told[0] == (0, len(VARIANTS))
    assert told[-1] == (len(VARIANTS), len(VARIANTS))
    facts = {name: load_facts(tmp_path / "nets" / name / "deeppose.safetensors") for name in VARIANTS}
    assert len({fact.data_fingerprint for fact in facts.values()}) == len(VARIANTS)
    assert len({fact.sha256 for fact in facts.values()}) == len(VARIANTS)
    assert facts["without-clutter"].data == "synthpose:train,without-clutter"

    assert [(line.model, line.metric) for line in lines] == [
        (n, m) for m in ("PCK@0.1", "PCKh@0.5") for n in VARIANTS
    ]
    by_model = {line.model: line for line in lines if line.metric == "PCK@0.1"}
    for name in ("everything", "without-garments"):
        model = open_model(f"deeppose:{tmp_path / 'nets' / name / 'deeppose.safetensors'}")
        expected = score(_predictions(model, _datasets(TINY)[0], 30), PCK)["all"]
        found = by_model[name]
        assert (found.value, found.low, found.high, found.n) == (expected.value, expected.low, expected.high, 30)
    assert math.isnan(by_model["everything"].difference)
    change = by_model["without-garments"].value - by_model["everything"].value
    assert by_model["without-garments"].difference == pytest.approx(change)

    told.clear()
    again = compute_realism(TINY, tmp_path, on_progress=lambda done, total, name: told.append((done, total)))
    assert told == [(len(VARIANTS), len(VARIANTS))]
    assert repr(again) == repr(lines)  # NaN equals nothing
    with (tmp_path / "realism.csv").open() as file:
        assert [row["model"] for row in csv.DictReader(file)] == [line.model for line in lines]
    other = replace(TINY, recipe=replace(TINY.recipe, lr=0.1))
    with pytest.raises(RobustPoseError, match="was trained with another recipe; choose another --out"):
        compute_realism(other, tmp_path)


def test_photos_must_be_photos(tmp_path: Path) -> None:
    with pytest.raises(
        RobustPoseError,
        match="compares rendered people with photos, so --data must be photos; got --data synthpose:test",
    ):
        compute_realism(replace(TINY, photos="synthpose:test"), tmp_path)
