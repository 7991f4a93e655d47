"""Jobs that corrupt people: what the models see, computed once for all of them, on crops and on photos."""

import io
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from robustpose.corruptions import CORRUPTIONS, Truth, corrupt_image, generator_for
from robustpose.corruptions.axes import AXES
from robustpose.corruptions.people import corrupt_batch, pixels_of
from robustpose.data.photos import read_photo
from robustpose.errors import RobustPoseError
from robustpose.geometry import box_crop, crop_image
from robustpose.jobs.corruption import Corrupted, CorruptedResult, corrupted_people, inputs_of
from robustpose.jobs.job import key_of, trajectories
from robustpose.jobs.ray import RayEngine
from robustpose.jobs.run import run_all
from robustpose.jobs.store import Store
from tests.jobs.small import MODELS, bench_of, cell, people
from tests.study.study_fakes import NoisePeople


def computed(dataset: Any, what: Corrupted, *models: int, store: Path) -> list[CorruptedResult]:
    cells = [cell(dataset, what, model=model) for model in models]
    held = Store(store)
    run_all(cells, bench_of(dataset), held)
    return [held.read(each) for each in cells]


@pytest.mark.parametrize("name", ["gaussian_noise", "occluder"])
def test_crops_are_corrupted_as_rp_corrupt_does(tmp_path: Path, name: str) -> None:
    dataset = people(tmp_path)
    for number, found in enumerate(computed(dataset, Corrupted(name, 3, seed=5), 0, 1, store=tmp_path / "s")):
        model = MODELS[number].module
        clean = dataset.load(range(3), input_size=(32, 40) if number == 0 else (40, 32))
        seen = corrupt_batch(clean, name, severity=3, seed=5)
        assert not torch.equal(seen.images, clean.images)
        with torch.no_grad():
            expected = model(seen.images).keypoints
        assert found.answers.table.predicted == pytest.approx(expected.double().numpy(), abs=1e-4)
        assert np.array_equal(found.answers.table.keypoints, clean.keypoints.double().numpy())
        assert found.inputs == inputs_of(seen)
        assert found.answers.table.ids == ("p0", "p1", "p2")


@pytest.mark.parametrize(("surface", "times"), [("crop", 2 * 3), ("photo", 2)])
def test_images_are_corrupted_once_for_all_models(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, surface: Any, times: int
) -> None:
    """Three models, two sizes of crops: once for each size and person, or once for each photo."""
    calls: list[tuple[int, ...]] = []
    spec = CORRUPTIONS["fog"]

    def counted(image: Any, level: Any, generator: Any) -> Any:
        calls.append(image.shape)
        assert spec.change is not None
        return spec.change(image, level, generator)

    monkeypatch.setitem(CORRUPTIONS, "fog", replace(spec, change=counted))
    dataset = people(tmp_path)
    found = computed(dataset, Corrupted("fog", 2, surface=surface), 0, 1, 2, store=tmp_path / "s")
    assert len(calls) == times
    assert found[0].inputs == found[2].inputs != found[1].inputs
    cells = [cell(dataset, Corrupted("fog", 2), model=model) for model in range(3)]
    assert [len(group) for group in trajectories(cells)] == [3]


def test_photos_are_corrupted_before_they_are_cropped(tmp_path: Path) -> None:
    """Noise by the photo's name, so that two people of one photo see the same; occluders by the person's id."""
    dataset = people(tmp_path)
    for name in ("gaussian_noise", "truncation"):
        made = corrupted_people(
            bench_of(dataset),
            cell(dataset, Corrupted(name, 4, surface="photo")),
            input_size=(32, 40),
            padding=1.25,
        )
        for image, person in zip(pixels_of(made), dataset.people, strict=True):
            key = person.id if name == "truncation" else person.photo
            truth = Truth(person.keypoints, person.visible, dataset.skeleton, box_side=40.0)
            photo = corrupt_image(
                read_photo(tmp_path / person.photo),
                name,
                severity=4,
                generator=generator_for(key, name, severity=4),
                truth=truth,
            )
            crop = box_crop(person.box, input_size=(32, 40), padding=1.25)
            assert np.array_equal(image, crop_image(photo, crop, input_size=(32, 40)))


def test_advmix_saves_corrupted_photos_as_jpeg() -> None:
    image = np.random.default_rng(0).integers(0, 256, (48, 64, 3), dtype=np.uint8)
    plain = Corrupted("contrast", 1, surface="photo").apply(image, key="a", truth=None)
    saved = Corrupted("contrast", 1, surface="photo", jpeg=True).apply(image, key="a", truth=None)
    file = io.BytesIO()
    Image.fromarray(plain).save(file, "JPEG")  # Pillow's default quality
    assert np.array_equal(saved, np.array(Image.open(file)))
    assert not np.array_equal(saved, plain)
    with pytest.raises(RobustPoseError, match="the protocol advmix corrupts photos, not crops"):
        Corrupted("contrast", 1, jpeg=True)


def test_what_the_key_depends_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    dataset = people(tmp_path)
    whats = [
        Corrupted("fog", 1),
        Corrupted("fog", 2),
        Corrupted("snow", 1),
        Corrupted("fog", 1, seed=1),
        Corrupted("fog", 1, surface="photo"),
        Corrupted("fog", 1, surface="photo", jpeg=True),
        Corrupted("light", level=0.5),
        Corrupted("light", level=0.25),
    ]
    cells = [cell(dataset, what) for what in whats]
    assert len({key_of(each) for each in cells}) == len(cells)
    before = key_of(cells[0])
    monkeypatch.setitem(CORRUPTIONS, "fog", replace(CORRUPTIONS["fog"], version=2))
    assert key_of(cells[0]) != before


def test_unreadable_photos_are_left_out_and_listed(tmp_path: Path) -> None:
    dataset = people(tmp_path, missing=True)
    for surface in ("crop", "photo"):
        what = Corrupted("pixelate", 3, surface=surface)
        (found,) = computed(dataset, what, 0, store=tmp_path / surface)
        assert found.answers.table.ids == ("p0", "p1", "p2")
        assert [line.partition(":")[0] for line in found.answers.unreadable] == ["gone"]
    only = replace(dataset, people=dataset.people[1:2])
    (found,) = computed(only, Corrupted("fog", 3), 0, store=tmp_path / "only")
    assert len(found) == 0 and found.answers.unreadable


def test_photos_of_people_who_have_none(tmp_path: Path) -> None:
    noise = NoisePeople()
    bench = bench_of(people(tmp_path))
    bench = replace(bench, datasets={noise.fingerprint: noise})
    asked = replace(
        cell(people(tmp_path), Corrupted("fog", 1, surface="photo")), data_fingerprint=noise.fingerprint
    )
    with pytest.raises(RobustPoseError, match="noise is not: corrupt its crops"):
        corrupted_people(bench, asked, input_size=(32, 40), padding=1.25)


@pytest.mark.parametrize("axis", [*AXES])
def test_an_axis_changes_more_and_more(axis: str) -> None:
    """The mean change rises with the level; the first level changes less than the last by far."""
    from tests.corruptions.sample import person, sample

    image, truth = sample(), person()
    changes = []
    for level in AXES[axis].levels:
        out = Corrupted(axis, level=level).apply(image, key="x", truth=truth)
        changes.append(float(np.abs(out.astype(int) - image).mean()))
    assert changes[0] < changes[len(changes) // 2] < changes[-1]
    rises = np.diff(changes)
    assert (rises >= -0.12 * changes[-1]).all(), "no level is much milder than the one before"


@pytest.mark.slow
def test_two_workers_make_the_same_inputs(tmp_path: Path) -> None:
    pytest.importorskip("ray", reason="the ray engine needs ray")
    dataset = people(tmp_path)
    cells = [
        cell(dataset, Corrupted(name, severity), model=model)
        for name in ("gaussian_noise", "glass_blur", "frost")
        for severity in (1, 5)
        for model in range(2)
    ]
    here, there = Store(tmp_path / "here"), Store(tmp_path / "there")
    run_all(cells, bench_of(dataset), here)
    run_all(cells, bench_of(dataset), there, engine=RayEngine(workers=2))
    inputs = [[store.read(each).inputs for each in cells] for store in (here, there)]
    assert inputs[0] == inputs[1]
    assert len(set(inputs[0])) == len(cells)
