"""Cells of deployment faults: a model that finds the truth finds it however the crop is cut."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from robustpose import attacks
from robustpose.data.joined import joined
from robustpose.data.rendered import AROUND, FINER, RenderedPeople
from robustpose.errors import RobustPoseError
from robustpose.faults import FAULTS, Level, OnCut
from robustpose.faults.photographed import check_photographed, photographed
from robustpose.jobs.fault import IOU, FaultCell
from robustpose.jobs.job import key_of
from robustpose.jobs.ray import RayEngine
from robustpose.jobs.results import CellResult
from robustpose.jobs.run import run_all
from robustpose.jobs.store import Store
from robustpose.jobs.workbench import Workbench
from robustpose.models import OpenedModel
from robustpose.types import PoseDataset
from tests.faults.spots import SIZE, finder, people
from tests.study.study_fakes import files

CUTS = [(name, level) for name, spec in FAULTS.items() for level in spec.levels if isinstance(spec.act, OnCut)] + [
    ("sub-pixel", 0.5)
]


def cell(dataset: PoseDataset, model: OpenedModel, fault: str = "", level: Level = "", **more: Any) -> FaultCell:
    fields = {"start": 0, "stop": len(dataset), **more}
    return FaultCell(
        model.name, model.fingerprint, dataset.name, dataset.fingerprint, fault=fault, level=level, **fields
    )


def bench(dataset: PoseDataset, model: OpenedModel) -> Workbench:
    return Workbench(models={model.fingerprint: model}, datasets={dataset.fingerprint: dataset})


def computed(dataset: PoseDataset, model: OpenedModel, *cells: FaultCell) -> list[CellResult]:
    found = cells[0].compute(cells, bench(dataset, model), None)  # type: ignore[arg-type]
    return [result for _, result, _ in found]  # type: ignore[misc]


def test_deployed_rightly_it_is_the_clean_model_on_the_people_of_the_data_set(tmp_path: Path) -> None:
    dataset, model = people(tmp_path), finder()
    (found,) = computed(dataset, model, cell(dataset, model))
    batch = dataset.load(range(4), input_size=SIZE)
    answer = attacks.predict(model.module, batch.images, ids=batch.ids)
    assert np.array_equal(found.table.predicted, answer.keypoints.double().numpy())
    for name in ("keypoints", "visible", "head_size", "box_side", "crops"):
        assert np.array_equal(getattr(found.table, name), getattr(batch, name).double().numpy()), name
    assert found.table.ids == batch.ids
    error = np.linalg.norm(found.table.predicted - found.table.keypoints, axis=2)
    assert error[found.table.visible].max() < 0.2


@pytest.mark.parametrize(("fault", "level"), CUTS)
def test_predictions_come_back_into_the_right_crop(fault: str, level: Level, tmp_path: Path) -> None:
    """A finder of colours is right in every crop that shows the spots, so every error is one of mapping."""
    dataset, model = people(tmp_path), finder()
    clean, found = computed(dataset, model, cell(dataset, model), cell(dataset, model, fault, level))
    assert np.array_equal(found.table.keypoints, clean.table.keypoints), "the truth is that of the right crop"
    apart = np.linalg.norm(found.table.predicted - found.table.keypoints, axis=2)[found.table.visible]
    assert np.median(apart) < 0.6
    if not (fault == "box-shift" and level == 0.3) and not (fault == "box-jitter" and level in (0.5, 0.6)):
        assert apart.max() < 0.6, "only boxes that are far off cut a spot away"
    moved = found.signals[IOU][:, 0]
    if fault == "box-jitter":
        assert moved == pytest.approx([level] * 4, abs=1e-6)
    elif fault in ("aspect", "border", "orientation", "resize-filter"):
        assert moved == pytest.approx([1.0] * 4)


def test_a_swapped_colour_order_swaps_what_is_known_by_colour(tmp_path: Path) -> None:
    dataset, model = people(tmp_path), finder()
    clean, found = computed(dataset, model, cell(dataset, model), cell(dataset, model, "colour-order", "BGR"))
    assert found.table.predicted == pytest.approx(clean.table.predicted[:, [2, 1, 0]], abs=1e-6)


def test_draws_depend_on_person_copy_and_seed_but_not_on_blocks(tmp_path: Path) -> None:
    dataset, model = people(tmp_path), finder()
    make: dict[str, Any] = {"fault": "noise", "level": 1.0}
    whole, other, seeded = computed(
        dataset,
        model,
        cell(dataset, model, **make),
        cell(dataset, model, **make, copy=1),
        cell(dataset, model, **make, seed=1),
    )
    parts = [
        computed(dataset, model, cell(dataset, model, **make, start=start, stop=stop))[0].table.predicted
        for start, stop in ((0, 1), (1, 4))
    ]
    assert np.array_equal(np.concatenate(parts), whole.table.predicted)
    assert not np.array_equal(other.table.predicted, whole.table.predicted)
    assert not np.array_equal(seeded.table.predicted, whole.table.predicted)


def test_everyone_is_in_the_chunks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    dataset, model = people(tmp_path, missing=(2,)), finder()
    whole, shifted = computed(dataset, model, cell(dataset, model), cell(dataset, model, "box-shift", 0.2))
    monkeypatch.setattr("robustpose.jobs.fault._AT_ONCE", 1)
    again, again_shifted = computed(dataset, model, cell(dataset, model), cell(dataset, model, "box-shift", 0.2))
    for one, two in ((whole, again), (shifted, again_shifted)):
        assert one.table.ids == two.table.ids == ("p0", "p1", "p3")
        assert np.array_equal(one.table.predicted, two.table.predicted)
        assert one.unreadable == two.unreadable
        assert one.unreadable[0].startswith("p2: ")
    nobody = cell(dataset, model, "box-shift", 0.2, start=2, stop=3)
    (empty,) = computed(dataset, model, nobody)
    assert len(empty) == 0
    assert len(empty.unreadable) == 1


def test_an_answer_that_is_not_finite_counts_as_wrong(tmp_path: Path) -> None:
    """A model may break under a fault; that is a result, not an error."""

    class Breaking(type(finder().module)):  # type: ignore[misc]
        def forward(self, images: torch.Tensor) -> Any:
            output = super().forward(images)
            return replace(output, keypoints=output.keypoints * (float("nan") if images.max() > 1 else 1.0))

    dataset, model = people(tmp_path), OpenedModel("breaking", Breaking().eval(), "breaking-1")
    (found,) = computed(dataset, model, cell(dataset, model, "value-range", "[0, 255]"))
    assert np.isnan(found.table.predicted).all()


def test_the_store_resumes_and_tells_cells_apart(tmp_path: Path) -> None:
    dataset, model = people(tmp_path / "photos"), finder()
    cells = [cell(dataset, model), cell(dataset, model, "box-shift", 0.1), cell(dataset, model, "box-shift", 0.2)]
    assert len({key_of(each) for each in [*cells, replace(cells[1], copy=1), replace(cells[1], photos="x")]}) == 5
    store = Store(tmp_path / "out")
    assert run_all(cells[:2], bench(dataset, model), store) == 2
    assert run_all(cells, bench(dataset, model), store) == 1
    assert run_all(cells, bench(dataset, model), store) == 0
    alone = Store(tmp_path / "alone")
    run_all(list(reversed(cells)), bench(dataset, model), alone)
    assert files(tmp_path / "out" / "cells") == files(tmp_path / "alone" / "cells")
    kept = store.read(cells[1])
    assert kept.signals[IOU].shape == (4, 1)


@pytest.mark.slow
def test_two_workers_store_the_same_bytes(tmp_path: Path) -> None:
    pytest.importorskip("ray", reason="the ray engine needs ray")
    dataset = people(tmp_path / "photos")
    model = finder()
    cells = [
        cell(dataset, model, fault, level, start=start, stop=start + 2)
        for start in (0, 2)
        for fault, level in (("", ""), ("box-jitter", 0.8), ("camera-jpeg", 50.0))
    ]
    here, there = Store(tmp_path / "here"), Store(tmp_path / "there")
    run_all(cells, bench(dataset, model), here)
    run_all(cells, bench(dataset, model), there, engine=RayEngine(workers=2))
    assert files(tmp_path / "here" / "cells") == files(tmp_path / "there" / "cells")


def test_a_changed_version_is_another_cell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    dataset, model = people(tmp_path), finder()
    made = cell(dataset, model, "box-shift", 0.1)
    before = key_of(made)
    monkeypatch.setitem(FAULTS, "box-shift", replace(FAULTS["box-shift"], version=2))
    assert key_of(made) != before


def test_cells_that_cannot_be(tmp_path: Path) -> None:
    dataset, model = people(tmp_path), finder()
    with pytest.raises(RobustPoseError, match="fault box-shift has the levels"):
        cell(dataset, model, "box-shift", 7.0)
    with pytest.raises(RobustPoseError, match="0 <= start < stop"):
        cell(dataset, model, start=3, stop=3)
    both = joined([dataset, replace(dataset, name="others")], weights=[1, 1])
    with pytest.raises(RobustPoseError, match="crops cannot be cut again; expected one data set of photos"):
        check_photographed(both)


def test_rendered_people_have_photos_of_their_own() -> None:
    """The crop that is cut shows the same person at the same place as the rendered one."""
    dataset = RenderedPeople("val")
    size = {"input_size": (32, 32), "padding": 1.25}
    held = list(photographed(dataset, range(2), **size))  # type: ignore[arg-type]
    crops = dataset.load(range(2), input_size=(32, 32))
    for row, (person, photo) in enumerate(held):
        assert not isinstance(photo, str)
        assert photo.shape == (round(AROUND * FINER * 32),) * 2 + (3,)
        assert person.id == crops.ids[row]
        mapped = person.keypoints / FINER
        shift = (crops.keypoints[row].double().numpy() - mapped)[person.visible]
        assert shift == pytest.approx(np.broadcast_to(shift[0], shift.shape), abs=0.02)
        assert person.head_size / FINER == pytest.approx(float(crops.head_size[row]), rel=0.01)
