"""Every finding on every model that there is, untrained, from the attack to the page."""

from dataclasses import replace
from importlib import import_module
from pathlib import Path

import pytest
import torch
from torch import Tensor

from robustpose.attack_types import Loss
from robustpose.data import open_dataset
from robustpose.findings import FINDINGS, asked, found
from robustpose.jobs.run import run_all
from robustpose.jobs.store import Store
from robustpose.models import MODELS, TASKS, OpenedModel, OpenedTask, build
from robustpose.report import html
from robustpose.study.definition import Grid, Study
from robustpose.study.plan import make_plan, workbench
from robustpose.types import PoseModel

EIGHT = (8 / 255,)
TINY_GRID = Grid(
    eps=EIGHT,
    targeted_eps=EIGHT,
    walk=(1,),
    long=21,
    universal_eps=(),
    universal_people=4,
    universal_samples=4,
    universal_batch=4,
    shares=(1.0,),
)


def untrained(name: str) -> torch.nn.Module:
    torch.manual_seed(0)
    return build(name).eval().requires_grad_(False)


GROUPS = (
    ("deeppose", "shg2", "shg8", "dlcm"),
    ("attention_hg", "chained", "resreg", "resdec", "resdec_pre"),
    ("hrnet", "vitpose", "simcc", "integral"),
)
"""All models at once would be shown each other's pictures a hundred times over."""


def noise(loss: Loss, adv: Tensor) -> Tensor:
    """Walk anywhere: where to is other tests' concern, and a model's gradient takes three times as long as it."""
    return torch.randn_like(adv)


def test_no_model_is_forgotten() -> None:
    assert {name for group in GROUPS for name in group} == set(MODELS)


@pytest.mark.slow
@pytest.mark.parametrize("names", GROUPS, ids=lambda names: names[0])
def test_every_finding_is_made_of_every_model(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, names: tuple[str, ...]
) -> None:
    """Four people tell nothing; what counts is that no model's kind of answer stops a finding or the page."""
    monkeypatch.setattr(import_module("robustpose.attacks.igsm"), "input_gradient", noise)
    models = []
    for name in names:
        model = untrained(name)
        assert isinstance(model, PoseModel)
        models.append(OpenedModel(name=name, module=model, fingerprint=name))
    study = Study(
        name="every",
        title="Every model",
        models=names,
        data="synthpose",
        settings=(),
        n=4,
        findings=tuple(FINDINGS),
        grid=TINY_GRID,
    )
    plan = replace(
        make_plan(study, models=models, dataset=open_dataset("synthpose")),
        tasks=tuple(OpenedTask(name=name, module=untrained(name), fingerprint=name) for name in TASKS),
        training=open_dataset("synthpose:train"),
    )
    store = Store(tmp_path)
    run_all(asked(plan), workbench(plan), store)
    made = found(plan, store)
    page = html.write_findings(plan, made, tmp_path / "report").read_text()
    for name, each in made.items():
        assert each.exhibits or each.remarks, name
        assert f"finding-{name}" in page
