"""Adds the weights of finished training runs to the package: `python tools/ship_weights.py runs/train-shg8 ...`.

Weights trained on photographs get a tag: `--tag photos --validation mpii:valid.json` gives shg8@photos. Without a
run, it scores every shipped model of rendered people again and rewrites its facts, after the validation set has
changed.

Weights are rounded to 8 bits with one scale per channel or, if that costs more than 0.2 points of the score, to
float16, so that the repository remains small. The facts state the score of the rounded model and the cost of
rounding.
"""

import shutil
from argparse import ArgumentParser, RawDescriptionHelpFormatter
from dataclasses import replace
from pathlib import Path

import torch
from safetensors.torch import save
from torch import nn

from robustpose.data import open_dataset
from robustpose.metrics import Estimate
from robustpose.models import build_for
from robustpose.models.weights import (
    TAG,
    WeightFacts,
    load_facts,
    load_weights,
    packed,
    save_weights,
    shipped_architectures,
    shipped_weights,
    unpacked,
    write_facts,
)
from robustpose.train import ROUNDING_MAY_COST
from robustpose.train.tasks import training_task_of
from robustpose.types import PoseDataset

LARGEST = 3_000_000


def main() -> None:
    """Ship the weights of the given runs, or score the shipped weights again."""
    parser = ArgumentParser(description=__doc__, formatter_class=RawDescriptionHelpFormatter)
    parser.add_argument("runs", nargs="*", type=Path)
    parser.add_argument("--tag", default="", help="training data of the weights, if not rendered people")
    parser.add_argument("--validation", default="synthpose:val", help="data set to score them on")
    parser.add_argument("--data", default="", help="name of the training set in the facts, instead of the run's")
    parser.add_argument("--notes", default="", help="notes to add to the facts")
    given = parser.parse_args()
    validation = open_dataset(given.validation)
    for folder in given.runs:
        ship(folder, validation=validation, tag=given.tag, data=given.data, notes=given.notes)
    if not given.runs:
        for architecture in shipped_architectures():
            score_again(architecture)


def score_again(architecture: str) -> None:
    """Score a shipped model on the current validation set, without changing its weights."""
    weights = shipped_weights(architecture)
    model = build_for(architecture, weights)
    load_weights(model, weights)
    validation = open_dataset("synthpose:val")
    scored = measured(architecture, model, validation)
    before = load_facts(weights)
    facts = with_score(before, scored, validation)
    write_facts(weights, facts)
    print(f"{architecture}: {facts.metric} {before.score} before, {facts.score} [{facts.low}, {facts.high}] now")


def with_score(facts: WeightFacts, scored: Estimate, validation: PoseDataset) -> WeightFacts:
    """Return facts with a score on a data set."""
    return replace(
        facts,
        score=round(scored.value, 2),
        low=round(scored.low, 2),
        high=round(scored.high, 2),
        n=scored.n,
        validation=validation.name,
        validation_fingerprint=validation.fingerprint,
    )


def ship(folder: Path, *, validation: PoseDataset, tag: str, data: str, notes: str) -> None:
    """Ship the weights of one run; SystemExit if rounding costs too much."""
    state = torch.load(folder / "checkpoint.pt", map_location="cpu", weights_only=True)
    weights = next(iter(sorted(folder.glob("*.safetensors"))))
    facts = load_facts(weights)
    model = build_for(facts.architecture, weights)
    model.load_state_dict(state["average"])
    exact = measured(facts.architecture, model, validation)
    for stored in ("int8", "float16"):
        model.load_state_dict(unpacked(packed(state["average"], stored=stored)))
        scored = measured(facts.architecture, model, validation)
        cost = exact.value - scored.value
        if cost <= ROUNDING_MAY_COST:
            break
    else:
        raise SystemExit(f"{facts.architecture}: rounding costs {cost:.2f} points")
    if (size := size_of(model, stored=stored)) > LARGEST:
        raise SystemExit(f"{facts.architecture}: {size:,} bytes as {stored}, more than {LARGEST:,}")
    shipped = shipped_weights(facts.architecture + (f"{TAG}{tag}" if tag else ""))
    facts = replace(
        with_score(facts, scored, validation),
        data=data or facts.data,
        notes=notes or facts.notes,
        stored=stored,
        rounding_cost=round(cost, 2),
        trained_sha256=facts.sha256,
    )
    facts = save_weights(model, shipped, facts)
    shutil.copy(folder / "log.jsonl", shipped.with_suffix(".log.jsonl"))
    interval = f"{facts.score} [{facts.low}, {facts.high}]"
    print(f"{shipped.stem}: {facts.metric} {interval}, {stored}, which costs {cost:.2f}")


def measured(architecture: str, model: nn.Module, validation: PoseDataset) -> Estimate:
    """Score a model on all people of a data set."""
    return training_task_of(architecture, model).score(model.eval(), validation, n=len(validation))


def size_of(model: nn.Module, *, stored: str) -> int:
    """Return the bytes of a model's file."""
    return len(save(packed(model.state_dict(), stored=stored)))


if __name__ == "__main__":
    main()
