"""What the pages say of the loss that is attacked, of nets that others trained."""

from pathlib import Path

import numpy as np

from robustpose.models import OpenedModel
from robustpose.report import words, write_findings
from robustpose.study import Study, make_plan
from tests.models.test_imported import HEATMAPS, POINTS, colours, opened, points
from tests.study.study_fakes import NoisePeople, models
from tests.study.study_fakes import plan as tiny_plan


def test_what_stands_for_the_loss_of_imported_nets_is_said(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    imported = (
        opened(tmp_path / "a", colours(), HEATMAPS),
        opened(tmp_path / "b", points(np.zeros((1, 2, 2))), POINTS),
    )
    nets = [OpenedModel(name=net.name, net=net, fingerprint=net.fingerprint) for net in imported]
    study = Study(name="i", title="I", models=("a", "b"), data="noise", settings=(), n=3)
    plan = make_plan(study, models=[*nets, *models()], dataset=NoisePeople())
    assert words.guessed_losses(plan) == (
        "What others trained a net with is not known; of colours the mean squared error of its heatmaps and of "
        "points the squared distance of its coordinates is attacked in its place."
    )
    assert "the mean squared error of its heatmaps" in write_findings(plan, {}, tmp_path / "report").read_text()
    assert words.guessed_losses(tiny_plan()) == ""
