"""From a COCO file to its official scores, held to pycocotools reading the same file."""

import csv
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval
from torch import nn

from robustpose.analysis.scores import all_rows, beside_rows, remarks, result_rows, write_results
from robustpose.attacks import predict
from robustpose.data import open_dataset
from robustpose.geometry import uncrop_points
from robustpose.jobs.setting import Setting
from robustpose.jobs.store import Store
from robustpose.metrics import ALL, METRICS, number_name
from robustpose.metrics.average_precision import AP, AR
from robustpose.models import OpenedModel, open_model
from robustpose.report.html.scores import models
from robustpose.skeletons import COCO_17
from robustpose.study.definition import Study
from robustpose.study.plan import Plan, make_plan, run_cells
from robustpose.types import PoseDataset, PoseModel
from tests.conftest import TINY, LinearPose, TinyHeatmaps
from tests.data.files import real_file, write_coco_people, write_json
from tests.study.study_fakes import plan as noise_plan

UNSURE = "has equal scores for everyone, so OKS AP ranks its predictions by the order of the file"
FGSM = Setting("fgsm", 16 / 255)


def opened(model: nn.Module, name: str) -> OpenedModel:
    """Give a model of the tests COCO's keypoints: random weights for all 17."""
    generator = torch.Generator().manual_seed(1)
    if isinstance(model, LinearPose):
        size = 3 * TINY[0] * TINY[1]
        model.W = nn.Parameter(torch.randn(34, size, generator=generator) / size)
        model.b = nn.Parameter(torch.randn(34, generator=generator) / 10)
    else:
        assert isinstance(model, TinyHeatmaps)
        model.first, model.second = nn.Conv2d(6, 17, 3, padding=1), nn.Conv2d(23, 17, 3, padding=1)
        for layer in (model.first, model.second):
            for parameter in layer.parameters():
                parameter.data = torch.randn(parameter.shape, generator=generator) / 3
    model.skeleton = COCO_17
    assert isinstance(model, PoseModel)
    return OpenedModel(name=name, module=model, fingerprint=f"{name}-coco")


def coco_plan(dataset: PoseDataset, *models: OpenedModel) -> Plan:
    study = Study(
        name="coco", title="COCO", models=tuple(m.name for m in models), data="coco", settings=(FGSM,), n=None
    )
    return make_plan(study, models=models, dataset=dataset)


def pycocotools_scores(file: Path, model: OpenedModel, dataset: PoseDataset, folder: Path) -> list[float]:
    """The ten scores in percent, the official way: a result file of photo pixels, read beside the annotations."""
    batch = dataset.load(range(len(dataset)), input_size=TINY)
    output = predict(model.module, batch.images, ids=batch.ids)
    points = uncrop_points(output.keypoints.double().numpy(), batch.crops.numpy())
    ids = [int(name.split(":")[2]) for name in batch.ids]
    content = json.loads(file.read_text())
    of = {each["id"]: each["image_id"] for each in content["annotations"]}
    answers = [
        {
            "image_id": of[number],
            "category_id": 1,
            "keypoints": np.column_stack([points[i], np.ones(17)]).ravel().tolist(),
            "score": float(output.scores[i].double().mean()),
        }
        for i, number in enumerate(ids)
    ]
    asked = content | {"annotations": [each for each in content["annotations"] if each["id"] in ids]}
    truth = COCO(str(write_json(folder / "asked.json", asked)))
    evaluator = COCOeval(truth, truth.loadRes(str(write_json(folder / "answers.json", answers))), "keypoints")
    evaluator.evaluate()
    evaluator.accumulate()
    evaluator.summarize()
    return [float("nan") if each < 0 else 100 * float(each) for each in evaluator.stats]


@pytest.mark.parametrize("area", [1000.0, 4000.0])
def test_rows_are_what_pycocotools_finds_in_the_file(tmp_path: Path, area: float) -> None:
    file = write_coco_people(tmp_path, area=area)
    dataset = open_dataset(f"coco:{file}")
    model = opened(TinyHeatmaps().eval(), "heatmaps")
    plan, store = coco_plan(dataset, model), Store(tmp_path / "store")
    run_cells(plan, store)
    rows = {(row.measure, row.metric): row for row in beside_rows(plan, store)}
    theirs = pycocotools_scores(file, model, dataset, tmp_path)
    ours = [rows["clean", number_name(METRICS["oks"], name)].value for name in (*AP, *AR)]
    np.testing.assert_allclose(ours, theirs, rtol=1e-6)
    assert 1 < ours[0] < 99
    clean = rows["clean", "OKS AP"]
    assert (clean.n, clean.part, clean.attack, clean.data) == (10, ALL, "clean", "coco")
    assert clean.low <= clean.value <= clean.high
    for name in ("OKS AR", "mean OKS"):
        before, after, relative = (rows[measure, name] for measure in ("clean", "attacked", "relative"))
        assert relative.value == pytest.approx(100 * after.value / before.value)
        assert (after.attack, after.eps, after.n) == ("FGSM-U", "16/255", 10)
    assert remarks(plan, store) == ()


def test_they_stand_beside_the_studys_metric_and_not_in_its_place(tmp_path: Path) -> None:
    dataset = open_dataset(f"coco:{write_coco_people(tmp_path, area=500.0)}")
    linear, heatmaps = opened(LinearPose().eval(), "linear"), opened(TinyHeatmaps().eval(), "heatmaps")
    plan, store = coco_plan(dataset, linear, heatmaps), Store(tmp_path / "store")
    run_cells(plan, store)
    assert remarks(plan, store) == (f"linear {UNSURE}",)
    write_results(all_rows(plan, store), tmp_path / "results.csv")
    rows = list(csv.DictReader((tmp_path / "results.csv").read_text().splitlines()))
    for measure in ("clean", "attacked", "relative"):
        totals = [row for row in rows if row["part"] == "all" and row["measure"] == measure]
        for model in ("linear", "heatmaps"):
            names = [row["metric"] for row in totals if row["model"] == model]
            assert names == ["PCK@0.1", *(f"OKS {name}" for name in (*AP, *AR)), "mean OKS"]
    own = result_rows(plan, store)
    for shown in models(plan, store):
        expected = next(row for row in own if (row.model, row.measure, row.part) == (shown.name, "clean", ALL))
        assert shown.value(None, "clean") == expected.value


def test_people_without_areas_have_no_official_scores(tmp_path: Path) -> None:
    plan, store = noise_plan(n=3), Store(tmp_path)
    run_cells(plan, store)
    assert beside_rows(plan, store) == []
    assert repr(all_rows(plan, store)) == repr(result_rows(plan, store))
    assert remarks(plan, store) == ()


@pytest.mark.slow
def test_real_people(tmp_path: Path) -> None:
    dataset = open_dataset(f"coco:{real_file('coco_dev/person_keypoints_coco_dev.json')}")
    plan = coco_plan(dataset, open_model("deeppose"), open_model("shg2"))
    plan = replace(plan, study=replace(plan.study, n=12))
    store = Store(tmp_path)
    run_cells(plan, store)
    rows = beside_rows(plan, store)
    assert remarks(plan, store) == (f"deeppose {UNSURE}",)
    assert {row.metric for row in rows if row.measure == "clean"} >= {"OKS AP", "OKS AR", "mean OKS"}
    by_model = {(row.model, row.measure): row for row in rows if row.metric == "mean OKS"}
    for model in ("deeppose", "shg2"):
        assert 0 < by_model[model, "attacked"].value < by_model[model, "clean"].value < 100
        assert by_model[model, "clean"].n <= 12
