"""What cells keep of people in photos leads back to the photo."""

from pathlib import Path

import numpy as np

from robustpose.data import open_dataset
from robustpose.geometry import uncrop_points
from robustpose.jobs.store import Store
from robustpose.metrics import join
from robustpose.models import OpenedModel
from robustpose.skeletons import COCO_17
from robustpose.study.definition import Study
from robustpose.study.plan import make_plan, run_cells
from tests.conftest import LinearPose
from tests.data.files import coco_annotation, coco_content, noise, write_json, write_photo


def test_stored_truth_goes_back_to_the_annotations_pixels(tmp_path: Path) -> None:
    for name, seed in (("000007.png", 7), ("000003.png", 3)):
        write_photo(tmp_path / "images" / name, noise(seed=seed))
    annotations = [
        coco_annotation(1, 7, area=500.25),
        coco_annotation(2, 3, area=90.5, bbox=[3.5, 1.25, 31.0, 17.0]),
        coco_annotation(3, 3, area=7.0, bbox=[0.0, 0.0, 63.0, 47.0]),
    ]
    write_json(tmp_path / "people.json", coco_content(annotations))
    model = LinearPose().eval()
    model.skeleton = COCO_17
    model.W = type(model.W)(model.W[:1].repeat(34, 1))
    model.b = type(model.b)(model.b[:1].repeat(34))
    dataset = open_dataset(f"coco:{tmp_path / 'people.json'}")
    study = Study(name="t", title="T", models=("linear",), data="coco", settings=(), n=None)
    plan = make_plan(study, models=[OpenedModel(name="linear", module=model, fingerprint="l")], dataset=dataset)
    store = Store(tmp_path / "store")
    run_cells(plan, store)
    table = join([store.read(cell).table for cell in plan.cells(plan.models[0], None)])
    assert table.ids == ("coco:000003:2", "coco:000003:3", "coco:000007:1")
    assert table.photo is not None and table.crops is not None and table.area is not None
    assert table.photo.tolist() == ["000003.png", "000003.png", "000007.png"]
    assert table.area.tolist() == [90.5, 7.0, 500.25]
    back = uncrop_points(table.keypoints, table.crops)
    np.testing.assert_allclose(back[:, :2], np.array([[[10, 12], [14, 9]]] * 3), atol=1e-4)
