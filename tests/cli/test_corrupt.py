"""`robustpose corrupt`, `rp.corrupt`, and a corruption from outside the package."""

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

import robustpose as rp
from robustpose.corruptions import CORRUPTIONS, corrupt_image, generator_for
from robustpose.corruptions.people import truth_of
from robustpose.errors import RobustPoseError
from robustpose.geometry import Pixels
from robustpose.skeletons import MPII_16
from robustpose.types import Batch
from tests.cli.adding import in_a_new_folder as in_a_new_folder
from tests.cli.adding import module_of
from tests.cli.test_errors import run
from tests.corruptions.sample import person, sample


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    path = tmp_path / "photo.png"
    cv2.imwrite(str(path), sample(64, 48)[..., ::-1])
    return path


def read(path: Path) -> Pixels:
    return np.asarray(cv2.imread(str(path)), np.uint8)[..., ::-1]


def people(n: int = 2) -> Batch:
    """Make n people of the same image, with names of their own."""
    truth = person(64, 64)
    image = torch.from_numpy(sample(64, 64)).permute(2, 0, 1).float() / 255
    return Batch(
        images=image.repeat(n, 1, 1, 1),
        keypoints=torch.from_numpy(truth.keypoints).float().repeat(n, 1, 1),
        visible=torch.from_numpy(truth.visible).repeat(n, 1),
        head_size=torch.full((n,), 8.0),
        box_side=torch.full((n,), truth.box_side),
        crops=torch.eye(2, 3, dtype=torch.float64).repeat(n, 1, 1),
        ids=tuple(f"p{i}" for i in range(n)),
        skeleton=MPII_16,
    )


def test_one_corruption_at_one_severity(photo: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The file holds what corrupt_image returns, keyed by the photo's pixels; twice the same bytes."""
    command = ("corrupt", str(photo), "--name", "fog,pixelate", "--severity", "2", "--seed", "4", "--out", "out")
    assert run(monkeypatch, *command) == 0
    files = {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir()}
    assert set(files) == {"photo-fog-2.png", "photo-pixelate-2.png", "sheet.jpg"}
    image = sample(64, 48)
    expected = corrupt_image(image, "fog", severity=2, generator=generator_for(image, "fog", severity=2, seed=4))
    assert np.array_equal(read(tmp_path / "out/photo-fog-2.png"), expected)
    assert run(monkeypatch, *command) == 0
    assert files == {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir()}


def test_all_of_a_photo(photo: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert run(monkeypatch, "corrupt", str(photo)) == 0
    (sheet,) = (tmp_path / "runs/corrupt-photo").iterdir()
    shown = read(sheet)
    rows = sum(not spec.needs_truth for spec in CORRUPTIONS.values())
    assert shown.shape == (rows * (160 + 4 + 20), 5 * (120 + 4), 3)


def test_the_list(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(monkeypatch, "corrupt", "--list") == 0
    shown = capsys.readouterr().out
    assert all(f"  {name} " in shown for name in CORRUPTIONS)
    assert "quality: 25; 18; 15; 10; 7" in shown


@pytest.mark.parametrize(
    ("options", "line"),
    [
        (["--name", "motion_blurr"], "unknown corruption 'motion_blurr'; did you mean 'motion_blur'?"),
        (["--severity", "0"], "severity must be an integer from 1 to 5, got 0"),
        (["--name", "occluder"], "occluder: needs the keypoints of the person"),
    ],
)
def test_wrong_options(
    photo: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    options: list[str],
    line: str,
    tmp_path: Path,
) -> None:
    assert run(monkeypatch, "corrupt", str(photo), *options) == 2
    shown = capsys.readouterr()
    assert shown.err.startswith(f"error: {line}") and shown.err.count("\n") == 1
    assert not (tmp_path / "runs").exists()


def test_a_photo_of_one_pixel_or_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    cv2.imwrite(str(tmp_path / "dot.png"), np.zeros((1, 1, 3), np.uint8))
    assert run(monkeypatch, "corrupt", "dot.png") == 2
    assert (
        "error: dot.png: an image to corrupt must be at least 32 x 32 pixels, got 1 x 1" in capsys.readouterr().err
    )
    assert run(monkeypatch, "corrupt", "none.png") == 2
    assert "error: none.png: missing" in capsys.readouterr().err
    assert run(monkeypatch, "corrupt") == 2
    assert "error: name a photo" in capsys.readouterr().err


def test_people_of_a_batch_have_random_numbers_of_their_own() -> None:
    batch = people()
    noisy = rp.corrupt(batch, "gaussian_noise", severity=1)
    assert not torch.equal(noisy.images[0], noisy.images[1])
    alone = rp.corrupt(batch.take([1]), "gaussian_noise", severity=1)
    assert torch.equal(alone.images[0], noisy.images[1]), "whoever stands beside them"
    assert torch.equal(batch.images[0], people().images[0]), "the argument is not written to"
    levels = noisy.images * 255
    assert torch.equal(levels, levels.round())
    hidden = rp.corrupt(batch, "occluder", severity=5)
    assert not torch.equal(hidden.images[0], batch.images[0])
    assert torch.equal(rp.corrupt(people(0), "fog").images, people(0).images)


def test_an_image_as_an_array() -> None:
    image = sample(64, 48)
    expected = corrupt_image(image, "snow", severity=3, generator=generator_for(image, "snow", severity=3, seed=2))
    assert np.array_equal(rp.corrupt(image, "snow", severity=3, seed=2), expected)
    for wrong, line in (
        (np.zeros((64, 48), np.uint8), r"\(H, W, 3\)"),
        ("photo.png", "a Batch or an array, got str"),
    ):
        with pytest.raises(RobustPoseError, match=line):
            rp.corrupt(wrong, "snow")  # type: ignore[arg-type]
    with pytest.raises(RobustPoseError, match="seed must be an integer of at least 0"):
        rp.corrupt(image, "snow", seed=-1)
    small = replace(people(1), images=torch.zeros(1, 3, 8, 12))
    with pytest.raises(RobustPoseError, match="person p0: an image to corrupt must be at least 32 x 32 pixels"):
        rp.corrupt(small, "snow")
    assert truth_of(people(1), 0).box_side == person(64, 64).box_side


MINE = '''
"""Upside down."""

from robustpose.corruptions import CorruptionSpec


def turned(image, share, generator):
    out = image.copy()
    rows = round(share * len(image))
    out[:rows] = image[:rows][::-1]
    return out


SPEC = CorruptionSpec(
    family="digital",
    summary="Upside down",
    source="mine",
    levels=(0.2, 0.4, 0.6, 0.8, 1.0),
    unit="share",
    change=turned,
)
'''


def test_a_corruption_from_outside(
    photo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(CORRUPTIONS, "turned", module_of(MINE, tmp_path).SPEC)
    assert run(monkeypatch, "corrupt", "--list") == 0
    assert "Upside down" in capsys.readouterr().out
    assert run(monkeypatch, "list", "corruptions") == 0
    assert "turned" in capsys.readouterr().out
    assert run(monkeypatch, "corrupt", str(photo), "--name", "turned", "--severity", "5", "--out", "out") == 0
    written = read(tmp_path / "out/photo-turned-5.png")
    assert np.array_equal(written, sample(64, 48)[::-1])
