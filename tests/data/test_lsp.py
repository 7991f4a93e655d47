"""LSP and LSP Extended: hand-made joints.mat files of both forms, and the real ones if present."""

import math
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.io import savemat

from robustpose.data import open_dataset
from robustpose.data.annotations import Person
from robustpose.data.check import check_data, files_to_check
from robustpose.data.people import PhotoPeople
from robustpose.errors import RobustPoseError
from robustpose.skeletons import LSP_14
from tests.data.files import real_file, write_photo

Joints = NDArray[np.float64]


def standing(*, x: float = 20.0) -> Joints:
    """One person (14, 2), counted from 1: feet at y = 41, head top at y = 1, neck at y = 9."""
    rows = dict.fromkeys(range(14), (x, 21.0)) | {0: (x - 4, 41.0), 5: (x + 4, 41.0), 12: (x, 9.0), 13: (x, 1.0)}
    return np.array([rows[k] for k in range(14)])


def write_lsp(folder: Path, people: list[Joints], occluded: list[int] | None = None) -> Path:
    """LSP's form, (3, 14, N), the third row 1 where occluded."""
    array = np.zeros((3, 14, len(people)))
    for n, joints in enumerate(people):
        array[:2, :, n] = joints.T
        array[2, occluded or [], n] = 1
        write_photo(folder / "images" / f"im{n + 1:04d}.jpg")
    savemat(folder / "joints.mat", {"joints": array})
    return folder


def write_lspet(folder: Path, people: list[Joints], unlabelled: list[int] | None = None) -> Path:
    """LSP Extended's form, (14, 3, N), the third column 1 where labelled; what is not labelled is (0, 0)."""
    array = np.zeros((14, 3, len(people)))
    for n, joints in enumerate(people):
        array[:, :2, n], array[:, 2, n] = joints, 1
        array[unlabelled or [], :, n] = 0
        write_photo(folder / "images" / f"im{n + 1:05d}.jpg")
    savemat(folder / "joints.mat", {"joints": array})
    return folder


def people_of(spec: str) -> tuple[Person, ...]:
    opened = open_dataset(spec)
    assert isinstance(opened, PhotoPeople)
    return opened.people


def test_lsp_counts_from_1_and_occluded_joints_count(tmp_path: Path) -> None:
    (person,) = people_of(f"lsp:{write_lsp(tmp_path, [standing()], occluded=[0, 13])}")
    assert person.id == "lsp:im0001"
    assert person.photo == "im0001.jpg"
    assert person.visible.all(), "the third row says occluded, not unlabelled"
    assert person.keypoints[LSP_14.index("right_ankle")].tolist() == [15.0, 40.0]
    assert person.keypoints[LSP_14.index("left_ankle")].tolist() == [23.0, 40.0]
    assert person.head_size == pytest.approx(0.75 * 8)
    # joints from y = 0 to 40 and x = 15 to 23: a square of side 46 around (19, 20), between pixel edges
    assert person.box == pytest.approx((19.5 - 23, 20.5 - 23, 46.0, 46.0))


def test_lspet_counts_labelled_joints_alone(tmp_path: Path) -> None:
    (person,) = people_of(f"lspet:{write_lspet(tmp_path, [standing()], unlabelled=[13])}")
    assert person.id == "lspet:im00001"
    assert [LSP_14.keypoints[k] for k in np.flatnonzero(~person.visible)] == ["head_top"]
    assert math.isnan(person.head_size), "without a head top there is no head size"
    assert person.box[3] == pytest.approx(1.15 * 32), "from neck to ankle: what is not labelled is no place"


def test_a_file_of_the_other_form_says_which(tmp_path: Path) -> None:
    lsp, lspet = write_lsp(tmp_path / "a", [standing()] * 2), write_lspet(tmp_path / "b", [standing()] * 2)
    for spec, told in [
        (f"lspet:{lsp}", rf"\(14, 3, N\), got \(3, 14, 2\); that is LSP's format: open it as lsp:{lsp}$"),
        (
            f"lsp:{lspet}",
            rf"\(3, 14, N\), got \(14, 3, 2\); that is LSP Extended's format: open it as lspet:{lspet}$",
        ),
    ]:
        with pytest.raises(RobustPoseError, match=told):
            open_dataset(spec)


def test_what_else_is_wrong_is_one_line(tmp_path: Path) -> None:
    from_zero = write_lsp(tmp_path / "zero", [standing() - 1])
    with pytest.raises(RobustPoseError, match=r"of LSP count from 1, but person 1 has 0"):
        open_dataset(f"lsp:{from_zero}")
    renumbered = write_lspet(tmp_path / "few", [standing()] * 3)
    (renumbered / "images" / "im00003.jpg").unlink()
    with pytest.raises(
        RobustPoseError,
        match=r"photos 1 to 2, but joints\.mat has 3 people: photos are missing, or were renumbered",
    ):
        open_dataset(f"lspet:{renumbered}")
    savemat(tmp_path / "joints.mat", {"release": np.zeros(3)})
    with pytest.raises(RobustPoseError, match=r"has no array 'joints' of numbers; is it LSP's joints\.mat"):
        open_dataset(f"lsp:{tmp_path}")
    (tmp_path / "joints.mat").write_bytes(b"no mat")
    with pytest.raises(RobustPoseError, match="not a MATLAB file"):
        open_dataset(f"lsp:{tmp_path}")
    with pytest.raises(RobustPoseError, match="data set 'lsp' needs its folder: lsp:FOLDER"):
        open_dataset("lsp")
    infinite = standing()
    infinite[3, 0] = np.inf
    with pytest.raises(RobustPoseError, match="person 1: coordinates must be finite numbers"):
        open_dataset(f"lspet:{write_lspet(tmp_path / 'inf', [infinite])}")


def test_data_check_reads_both(tmp_path: Path) -> None:
    folder = write_lsp(tmp_path, [standing(), standing(x=30)])
    name, files = files_to_check(f"lsp:{folder}")
    (checked,) = check_data(name, files)
    assert checked.whole
    assert checked.counts["people who take part"] == checked.counts["photos there"] == 2
    (folder / "images" / "im0002.jpg").unlink()
    (checked,) = check_data(name, files)
    assert [(each.kind, each.examples) for each in checked.findings] == [("missing", ("im0002.jpg",))]


def test_the_real_files() -> None:
    lsp, lspet = real_file("lsp/joints.mat").parent, real_file("lspet/joints.mat").parent
    test = open_dataset(f"lsp:{lsp}[1001-1500]")
    assert (len(test), test.has_head_sizes, test.name) == (500, True, "lsp[1001-1500]")
    batch = test.load([0, 499], input_size=(64, 64))
    assert batch.ids == ("lsp:im1001", "lsp:im1500")
    noisy = open_dataset(f"lspet:{lspet}")
    assert len(noisy) == 7091
    assert not noisy.has_head_sizes


def test_the_few_people_without_a_head_size_take_no_part_in_scores_but_are_learned_from(tmp_path: Path) -> None:
    many = write_lspet(tmp_path / "many", [standing()] * 10)
    array = np.stack([np.column_stack([standing(), np.ones(14)])] * 10, axis=-1)
    array[13, :, 4] = 0  # one of ten has no head top
    savemat(many / "joints.mat", {"joints": array})
    scored = open_dataset(f"lspet:{many}")
    assert len(scored) == 9
    assert scored.has_head_sizes
    assert scored.left_out == ("without a head size, which PCKh needs: 1",)
    assert len(open_dataset(f"lspet:{many}", to_learn=True)) == 10
    array[13, :, 5] = 0
    savemat(many / "joints.mat", {"joints": array})
    assert len(open_dataset(f"lspet:{many}")) == 10, "two of ten are not few: the set has no head sizes"
