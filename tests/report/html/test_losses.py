"""What the pages say of the loss that is attacked, of models that others trained."""

from pathlib import Path

import numpy as np

from robustpose.models import OpenedModel
from robustpose.report.html import words, write_findings
from robustpose.study.definition import Study
from robustpose.study.plan import make_plan
from tests.models.importers.test_imported import CENTRE, HEATMAPS, OFFSETS, POINTS, colours, opened, parts, points
from tests.study.study_fakes import NoisePeople, tiny_models
from tests.study.study_fakes import plan as tiny_plan


def test_what_stands_for_the_loss_of_imported_models_is_said(tmp_path: Path) -> None:
    for name in "abcd":
        (tmp_path / name).mkdir()
    imported = (
        opened(tmp_path / "a", colours(), HEATMAPS),
        opened(tmp_path / "b", points(np.zeros((1, 2, 2))), POINTS),
        opened(tmp_path / "c", parts(2, 4), OFFSETS.replace('"parts"', '"disks"')),
        opened(tmp_path / "d", parts(2, 4, 4, 1), CENTRE.replace('"parts"', '"centred"')),
    )
    others = [OpenedModel(name=model.name, module=model, fingerprint=model.fingerprint) for model in imported]
    study = Study(name="i", title="I", models=("a", "b", "c", "d"), data="noise", settings=(), n=3)
    plan = make_plan(study, models=[*others, *tiny_models()], dataset=NoisePeople())
    assert words.guessed_losses(plan) == (
        "The training loss of imported models is unknown; the attacks use the mean squared error of its heatmaps "
        "for colours, the squared distance of its coordinates for points, the logistic loss of its heatmaps with "
        "the Huber loss of its offsets for disks and the focal loss of its heatmaps with the L1 distance of its "
        "offsets and of its rough pose for centred instead."
    )
    assert "the mean squared error of its heatmaps" in write_findings(plan, {}, tmp_path / "report").read_text()
    assert words.guessed_losses(tiny_plan()) == ""
