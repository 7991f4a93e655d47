from pathlib import Path

import pytest

from robustpose.data import DATASETS, open_dataset
from robustpose.errors import RobustPoseError

from .files import coco_annotation, coco_content, mpii_person, real_file, write_json, write_photo


def test_the_registry_holds_what_the_documentation_names() -> None:
    assert set(DATASETS) == {"synthpose", "coco", "mpii", "lsp", "lspet", "crowdpose", "ochuman"}


@pytest.mark.parametrize(
    ("spec", "name"),
    [("synthpose", "synthpose:val"), ("synthpose:val", "synthpose:val"), ("synthpose:test", "synthpose:test")],
)
def test_synthpose_needs_no_file(spec: str, name: str) -> None:
    assert open_dataset(spec).name == name


def test_a_path_follows_the_first_colon(tmp_path: Path) -> None:
    folder = tmp_path / "a:b"
    write_photo(folder / "a.png")
    assert open_dataset(f"mpii:{write_json(folder / 'people.json', [mpii_person()])}").name == "mpii"


def test_the_photo_folder_may_be_named(tmp_path: Path) -> None:
    coco = write_json(tmp_path / "coco.json", coco_content([coco_annotation(1, 7)]))
    mpii = write_json(tmp_path / "mpii.json", [mpii_person(image="000007.png")])
    for spec in (f"coco:{coco}", f"mpii:{mpii}"):
        with pytest.raises(RobustPoseError, match=r"000007.png.*give their folder with --images DIR"):
            open_dataset(spec)
    write_photo(tmp_path / "photos" / "000007.png")
    for spec in (f"coco:{coco}", f"mpii:{mpii}"):
        assert len(open_dataset(spec, images=tmp_path / "photos").load([0], input_size=(8, 8))) == 1


def test_what_cannot_be_opened_is_said_in_a_line(tmp_path: Path) -> None:
    for spec, message in [
        (
            "coko:people.json",
            "unknown data set 'coko'; did you mean 'coco'[?] "
            "known: coco, crowdpose, lsp, lspet, mpii, ochuman, synthpose",
        ),
        ("", "unknown data set ''; known: coco, crowdpose, lsp, lspet, mpii, ochuman, synthpose"),
        ("synthpose:vall", "unknown split of synthpose 'vall'; did you mean 'val'[?] known: test, train, val"),
        ("synthpose:holdout", "unknown split of synthpose 'holdout'; known: test, train, val"),
        ("coco", "data set 'coco' needs an annotation file: coco:PATH"),
        ("mpii:", "data set 'mpii' needs an annotation file: mpii:PATH"),
        (f"coco:{tmp_path}/none.json", f"{tmp_path}/none.json: no such file"),
        (f"mpii:{tmp_path}", f"{tmp_path}: is a folder, expected an annotation file"),
    ]:
        with pytest.raises(RobustPoseError, match=f"^{message}$"):
            open_dataset(spec)
    with pytest.raises(RobustPoseError, match="synthpose renders its images and takes no photo folder"):
        open_dataset("synthpose", images=tmp_path)


def test_each_kind_says_when_it_is_given_the_others_file() -> None:
    coco, mpii = real_file("coco_format/test_coco.json"), real_file("mpii_format/test_mpii.json")
    with pytest.raises(RobustPoseError, match="is it a COCO file"):
        open_dataset(f"mpii:{coco}")
    with pytest.raises(RobustPoseError, match="got a list"):
        open_dataset(f"coco:{mpii}")
