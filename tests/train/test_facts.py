"""The files beside trained weights: facts, rounding, the log."""

import json
import math
from dataclasses import asdict, replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from robustpose.metrics import ALL, Estimate
from robustpose.models.weights import load_facts, load_weights
from robustpose.train import evaluate, tasks
from robustpose.train import run as module
from robustpose.types import PoseDataset, PoseOutput
from tests.conftest import TINY
from tests.train.dots import RECIPE, Dots, Normed, start

pytestmark = pytest.mark.usefixtures("tiny_models")


def test_facts_say_what_was_done(undisturbed: Path) -> None:
    facts = load_facts(undisturbed / "tiny.safetensors")
    assert (facts.architecture, facts.size, facts.device) == ("tiny", "compact", "cpu")
    assert (facts.data, facts.data_fingerprint) == ("dots", "dots 8")
    assert (facts.validation, facts.validation_fingerprint) == ("dots", "dots 5")
    assert facts.recipe == asdict(replace(RECIPE, skeleton="trio"))
    assert facts.skeleton == "trio"
    assert facts.samples == 32
    assert facts.n == 5
    assert facts.low <= facts.score <= facts.high
    model = Normed()
    load_weights(model, undisturbed / "tiny.safetensors")
    measured = evaluate(model, Dots(5).load(range(5), input_size=TINY))[ALL]
    assert facts.score == round(measured.value, 2), "the score is that of the file, rounded weights and all"
    model.load_state_dict(torch.load(undisturbed / "checkpoint.pt", weights_only=True)["average"])
    exact = evaluate(model, Dots(5).load(range(5), input_size=TINY))[ALL]
    assert facts.stored == "float16"
    assert facts.rounding_cost == round(exact.value - measured.value, 2)
    assert facts.precision == ("bfloat16" if torch.ops.mkldnn._is_mkldnn_bf16_supported() else "float32")


@pytest.mark.parametrize("has_it", [True, False])
def test_facts_say_what_the_passes_computed_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, has_it: bool
) -> None:
    computed: list[torch.dtype] = []

    class Watched(Normed):
        def forward(self, images: Tensor) -> PoseOutput:
            found = super().forward(images)
            if self.training:
                computed.append(found.stages[0].dtype)
            return found

    monkeypatch.setattr(module, "build", lambda architecture, *, size, skeleton: Watched())
    monkeypatch.setattr(module, "_has_bfloat16", lambda device: has_it)
    facts = start(tmp_path)
    assert facts.precision == ("bfloat16" if has_it else "float32")
    assert set(computed) == {torch.bfloat16 if has_it else torch.float32}


@pytest.mark.parametrize(
    ("cost", "stored"),
    [(0.15, "float16"), (0.0, "float16"), (-3.0, "float16"), (0.25, "float32"), (math.nan, "float32")],
)
def test_weights_are_rounded_only_where_that_costs_little(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cost: float, stored: str
) -> None:
    def score(task: object, model: nn.Module, validation: PoseDataset, *, n: int) -> Estimate:
        rounded = all(torch.equal(p, p.half().float()) for p in model.parameters())
        value = 80.0 - cost if rounded else 80.0
        return Estimate(value=value, low=value - 1, high=value + 1, n=n)

    monkeypatch.setattr(tasks.PoseTask, "score", score)
    facts = start(tmp_path)
    assert facts == load_facts(tmp_path / "tiny.safetensors")
    kept = stored == "float32"
    assert (facts.stored, facts.rounding_cost) == (stored, 0.0 if kept else cost)
    assert (facts.score, facts.low, facts.high) == ((80, 79, 81) if kept else (80 - cost, 79 - cost, 81 - cost))
    average = torch.load(tmp_path / "checkpoint.pt", weights_only=True)["average"]
    model = Normed()
    assert load_weights(model, tmp_path / "tiny.safetensors") == facts.sha256
    held = load_file(tmp_path / "tiny.safetensors")
    for name, ours in model.state_dict().items():
        exact = average[name]
        floating = exact.is_floating_point()
        assert held[name].dtype == (getattr(torch, stored) if floating else exact.dtype)
        assert ours.dtype == exact.dtype
        assert torch.equal(ours, exact if kept or not floating else exact.half().float())
    exact_at_half = [torch.equal(p, p.half().float()) for p in model.parameters()]
    assert all(exact_at_half) == (not kept)


def test_the_log_has_a_line_for_each_validation(undisturbed: Path) -> None:
    lines = [json.loads(line) for line in (undisturbed / "log.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines] == [3, 6, 8]
    assert all(math.isfinite(line["loss"]) and 0 <= line["PCKh@0.5"] <= 100 for line in lines)
    assert sorted(p.name for p in undisturbed.iterdir()) == [
        *("checkpoint.pt", "log.jsonl", "tiny.json", "tiny.safetensors")
    ]
