"""Data sets joined and sliced by their spec."""

from pathlib import Path

import numpy as np
import pytest
import torch

from robustpose.data import open_dataset
from robustpose.data.augment import training_people
from robustpose.data.joined import Part, parts_of, people_named
from robustpose.errors import RobustPoseError
from robustpose.skeletons import MPII_16
from robustpose.train.recipe import rows_of_step
from tests.data.files import write_coco_people
from tests.data.test_lsp import standing, write_lsp, write_lspet

NAMES = ("lsp", "lspet", "mpii", "synthpose")


@pytest.mark.parametrize(
    ("spec", "parts"),
    [
        ("synthpose", [Part("synthpose")]),
        ("lsp:a+b/c[2-3]", [Part("lsp:a+b/c", first=2, last=3)]),
        (
            "lsp:a+lspet:b+synthpose:train[1-9]",
            [Part("lsp:a"), Part("lspet:b"), Part("synthpose:train", 1.0, 1, 9)],
        ),
        ("0.5*lsp:a+2*mpii:b+synthpose", [Part("lsp:a", 0.5), Part("mpii:b", 2.0), Part("synthpose")]),
        ("lsp:my+lspetite", [Part("lsp:my+lspetite")]),
    ],
)
def test_a_spec_is_split_where_a_data_set_begins(spec: str, parts: list[Part]) -> None:
    assert parts_of(spec, names=NAMES) == parts


@pytest.mark.parametrize("wrong", ["lsp:a[0-3]", "lsp:a[3-2]", "lsp:a[-2]", "0*lsp:a"])
def test_ranges_and_weights_that_cannot_be(wrong: str) -> None:
    with pytest.raises(RobustPoseError, match=r"expected a range such as|weight of a data set must be > 0"):
        parts_of(wrong, names=NAMES)


@pytest.fixture
def lsp(tmp_path: Path) -> Path:
    return write_lsp(tmp_path / "lsp", [standing(x=20 + n) for n in range(5)])


def test_a_range_takes_these_people_and_no_others(lsp: Path) -> None:
    some = open_dataset(f"lsp:{lsp}[2-4]")
    assert some.name == "lsp[2-4]"
    assert some.load(range(3), input_size=(16, 16)).ids == ("lsp:im0002", "lsp:im0003", "lsp:im0004")
    with pytest.raises(RobustPoseError, match=r"lsp\[4-6\]: lsp has people 1 to 5"):
        open_dataset(f"lsp:{lsp}[4-6]")
    assert some.fingerprint != open_dataset(f"lsp:{lsp}").fingerprint


def test_joined_people_are_the_parts_people_in_the_largest_skeleton(lsp: Path, tmp_path: Path) -> None:
    lspet = write_lspet(tmp_path / "lspet", [standing()] * 2, unlabelled=[0])
    joined = open_dataset(f"lsp:{lsp}[1-2]+lspet:{lspet}+synthpose:val[11-12]")
    assert joined.name == "lsp[1-2]+lspet+synthpose:val[11-12]"
    assert joined.skeleton == MPII_16
    assert len(joined) == 6
    batch = joined.load([3, 0, 5, 4], input_size=(32, 32))
    assert batch.ids[:2] == ("lspet:im00002", "lsp:im0001"), "in the order that was asked for"
    alone = open_dataset("synthpose:val").load([11, 10], input_size=(32, 32))
    assert batch.ids[2:] == alone.ids
    assert torch.equal(batch.images[2:], alone.images)
    pelvis, ankle = MPII_16.index("pelvis"), MPII_16.index("right_ankle")
    assert batch.visible[:, pelvis].tolist() == [False, False, *alone.visible[:, pelvis].tolist()]
    assert batch.visible[:2, ankle].tolist() == [False, True], "what a part lacks or did not label is masked"
    assert batch.photos[1] == "im0001.jpg"


def test_what_cannot_be_joined(lsp: Path, tmp_path: Path) -> None:
    with pytest.raises(RobustPoseError, match=r"lsp is named twice; give it a weight instead, 2\*lsp"):
        open_dataset(f"lsp:{lsp}+lsp:{lsp}")
    with pytest.raises(RobustPoseError, match="choose the number of rendered people"):
        open_dataset("synthpose:val[1-3]")
    coco = write_coco_people(tmp_path / "coco", area=1e6)
    with pytest.raises(RobustPoseError, match="not with joined data sets"):
        open_dataset(f"coco:{coco}+lsp:{lsp}", detections=coco)


def test_weights_reach_the_training(lsp: Path, tmp_path: Path) -> None:
    lspet = write_lspet(tmp_path / "lspet", [standing()] * 3)
    joined = open_dataset(f"3*lsp:{lsp}[1-2]+lspet:{lspet}")
    assert joined.name == "3*lsp[1-2]+lspet"
    assert joined.fingerprint != open_dataset(f"lsp:{lsp}[1-2]+lspet:{lspet}").fingerprint
    people = training_people(joined, rows=range(4), input_size=(16, 16))
    assert people.weights is not None
    assert people.weights.tolist() == [3, 3, 1, 1]
    drawn = [rows_of_step(step, people=4, batch=1, seed=0, weights=people.weights)[0] for step in range(4000)]
    share = np.bincount(drawn, minlength=4) / 4000
    assert share == pytest.approx([0.375, 0.375, 0.125, 0.125], abs=0.03)
    two = rows_of_step(7, people=4, batch=2, seed=0, weights=people.weights)
    assert len(set(two.tolist())) == 2, "nobody twice in a step"


def test_equal_weights_are_epochs_as_before() -> None:
    plain = rows_of_step(5, people=12, batch=4, seed=3)
    assert rows_of_step(5, people=12, batch=4, seed=3, weights=np.full(12, 2.0)).tolist() == plain.tolist()


def test_whoever_is_in_a_joined_set_is_named(lsp: Path, tmp_path: Path) -> None:
    lspet = write_lspet(tmp_path / "lspet", [standing()])
    joined = open_dataset(f"lsp:{lsp}[1-2]+lspet:{lspet}+synthpose:val[1-2]")
    assert people_named(joined) == {"lsp:im0001", "lsp:im0002", "lspet:im00001", "synthpose:val"}


def test_a_photo_folder_is_for_the_photos_of_a_joined_set(lsp: Path, tmp_path: Path) -> None:
    moved = (lsp / "images").rename(tmp_path / "elsewhere")
    joined = open_dataset(f"lsp:{lsp}+synthpose:val[1-2]", images=moved)
    assert len(joined.load(range(1), input_size=(32, 32)).ids) == 1
    with pytest.raises(RobustPoseError, match="takes no photo folder"):
        open_dataset("synthpose:val", images=moved)
