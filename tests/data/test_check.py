import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from robustpose.cli import main
from robustpose.data import DATASETS
from robustpose.data.check import Checked, Finding, check_data, files_to_check
from robustpose.errors import RobustPoseError

from .files import (
    HEIGHT,
    WIDTH,
    annorect,
    coco_annotation,
    coco_content,
    mpii_person,
    noise,
    write_json,
    write_photo,
    write_release,
)


def checked(path: Path, *, name: str = "coco", open_photos: bool = True) -> Checked:
    (found,) = check_data(*files_to_check(f"{name}:{path}"), open_photos=open_photos)
    return found


def of_coco(
    folder: Path, *annotations: dict[str, Any], photos: tuple[str, ...] = ("000007.png", "000003.png")
) -> Path:
    for name in photos:
        write_photo(folder / "images" / name, noise())
    content = coco_content(annotations)
    for image in content["images"]:
        image |= {"height": HEIGHT, "width": WIDTH}
    return write_json(folder / "people.json", content)


def test_a_whole_data_set_is_said_to_be_whole(tmp_path: Path) -> None:
    people = coco_annotation(1, 7), coco_annotation(2, 3), coco_annotation(3, 3, iscrowd=1)
    found = checked(of_coco(tmp_path, *people))
    assert found.whole
    assert found.findings == ()
    assert found.counts == {
        "photos named": 2,
        "photos there": 2,
        "people named": 3,
        "people who take part": 2,
    }
    assert found.left_out == ("a crowd: 1",)
    assert found.photos == str(tmp_path / "images")


def test_missing_photos_are_named(tmp_path: Path) -> None:
    found = checked(of_coco(tmp_path, coco_annotation(1, 7), photos=("000007.png",)))
    assert not found.whole
    where = tmp_path / "images"
    assert found.findings == (Finding("missing", f"of 2 photos are not in {where}", 1, ("000003.png",)),)


def test_without_any_photo_it_says_where_it_looked(tmp_path: Path) -> None:
    found = checked(of_coco(tmp_path, coco_annotation(1, 7), photos=()))
    (finding,) = found.findings
    assert (finding.kind, finding.number) == ("missing", 2)
    assert "none of its first 2 photos" in finding.what
    assert found.counts["photos there"] == 0


def test_damaged_photos_are_found_unless_they_are_not_opened(tmp_path: Path) -> None:
    path = of_coco(tmp_path, coco_annotation(1, 7))
    photo = tmp_path / "images" / "000007.png"
    photo.write_bytes(photo.read_bytes()[:-100])
    found = checked(path)
    assert found.findings == (Finding("wrong", "photos cannot be read", 1, ("000007.png: truncated",)),)
    assert checked(path, open_photos=False).whole


def test_a_photo_of_another_size_is_found(tmp_path: Path) -> None:
    path = of_coco(tmp_path, coco_annotation(1, 7))
    write_photo(tmp_path / "images" / "000007.png", noise()[:44])
    (finding,) = checked(path).findings
    assert finding.what == "photos are of another size than the file says"
    assert finding.examples == ("000007.png is 64 x 44, not 64 x 48",)


def test_every_wrong_entry_is_gathered(tmp_path: Path) -> None:
    path = of_coco(
        tmp_path,
        coco_annotation(1, 7),
        coco_annotation(1, 3),
        coco_annotation(2, 99),
        coco_annotation(3, 7, keypoints=[1]),
        coco_annotation(4, 7, bbox=None),
    )
    (finding,) = checked(path).findings
    assert (finding.kind, finding.what, finding.number) == ("wrong", "of the file's entries", 4)
    assert finding.examples[:2] == (
        "annotation 1: is there twice",
        "annotation 2: image_id 99 is not among the file's images",
    )


def test_an_image_that_is_there_twice_is_found(tmp_path: Path) -> None:
    path = of_coco(tmp_path, coco_annotation(1, 7))
    content = json.loads(path.read_text())
    content["images"].append(content["images"][0])
    write_json(path, content)
    (finding,) = checked(path).findings
    assert finding.examples == ("image 7: is there twice",)


def test_boxes_and_keypoints_are_held_against_the_photo(tmp_path: Path) -> None:
    far = [200, 12, 2] + [0, 0, 0] * 16
    path = of_coco(
        tmp_path,
        coco_annotation(1, 7, bbox=[70.0, 2.0, 20.0, 40.0]),  # the photo is 64 x 48
        coco_annotation(2, 7, bbox=[50.0, 2.0, 20.0, 40.0]),
        coco_annotation(3, 7, bbox=[44.5, 2.0, 20.0, 40.0]),  # half a pixel is rounding
        coco_annotation(4, 7, keypoints=far),
    )
    found = checked(path)
    assert found.findings == (
        Finding("wrong", "people's boxes lie outside their photo", 1, ("coco:000007:1",)),
        Finding("note", "people's boxes reach beyond their photo", 1, ("coco:000007:2",)),
        Finding("note", "people have labelled keypoints beyond their photo", 1, ("coco:000007:4",)),
    )


def test_the_same_person_under_two_ids_is_noted(tmp_path: Path) -> None:
    path = of_coco(tmp_path, coco_annotation(1, 7), coco_annotation(2, 7), coco_annotation(3, 3))
    (finding,) = checked(path).findings
    assert (finding.kind, finding.number, finding.examples) == ("note", 1, ("coco:000007:2",))
    assert checked(path).whole  # a note


def test_an_official_name_brings_the_official_number(tmp_path: Path) -> None:
    path = of_coco(tmp_path, coco_annotation(1, 7))
    official = path.rename(tmp_path / "person_keypoints_val2017.json")
    (finding,) = checked(official).findings
    assert finding == Finding(
        "note", "photos are named, where the official person_keypoints_val2017.json has 5000", 2
    )


def test_a_file_that_is_no_such_file_is_wrong_as_a_whole(tmp_path: Path) -> None:
    path = tmp_path / "people.json"
    for text, what in [("[", "not JSON, or truncated"), ("[]", "expected images, annotations and categories")]:
        path.write_text(text)
        found = checked(path)
        assert not found.whole
        assert what in found.findings[0].what


def test_official_files_are_found_in_a_folder(tmp_path: Path) -> None:
    for split in ("train2017", "val2017"):
        path = of_coco(tmp_path / "annotations", coco_annotation(1, 7))
        path.rename(path.with_name(f"person_keypoints_{split}.json"))
    write_json(tmp_path / "annotations" / "captions_val2017.json", {})
    _, files = files_to_check(f"coco:{tmp_path}")
    assert [file.name for file in files] == ["person_keypoints_train2017.json", "person_keypoints_val2017.json"]


@pytest.mark.parametrize("name", sorted(name for name, spec in DATASETS.items() if spec.source is not None))
def test_where_nothing_lies_the_error_says_where_to_get_it(tmp_path: Path, name: str) -> None:
    source = DATASETS[name].source
    assert source is not None
    for spec, what in [
        (f"{name}:{tmp_path}/none", "no such file or folder"),
        (f"{name}:{tmp_path}", f"contains none of {source.files[0]}"),
        (name, "which file?"),
    ]:
        with pytest.raises(RobustPoseError) as caught:
            files_to_check(spec)
        assert what in str(caught.value)
        assert f"get {source.title} {source.get}. Licence: {source.licence}" in str(caught.value)


def test_every_data_set_of_photos_has_a_source() -> None:
    assert all((spec.read is None) == (spec.source is None) for spec in DATASETS.values())
    with pytest.raises(RobustPoseError, match="synthpose is rendered on this machine: there is nothing to check"):
        files_to_check("synthpose")
    with pytest.raises(RobustPoseError, match="unknown data set 'mpi'; did you mean 'mpii'"):
        files_to_check("mpi:x")


def test_both_forms_of_mpii_are_checked(tmp_path: Path) -> None:
    write_photo(tmp_path / "images" / "a.png", noise())
    lacking = {key: value for key, value in mpii_person().items() if key != "joints"}
    path = write_json(tmp_path / "list.json", [mpii_person(), lacking, mpii_person("b.png")])
    found = checked(path, name="mpii")
    assert [(each.kind, each.number, each.examples) for each in found.findings] == [
        ("wrong", 1, ("person 000001: has no 'joints'",)),
        ("missing", 1, ("b.png",)),
    ]
    ankle = {"id": 0, "x": 11.0, "y": 31.0}
    people = [annorect([ankle]), annorect([{"id": 16, "x": 1.0, "y": 1.0}])]
    release = write_release(tmp_path / "release.mat", [("a.png", 1, people, [1, 2]), ("c.png", 0, people[:1], [])])
    found = checked(release, name="mpii")
    assert [each.examples for each in found.findings] == [("person a:2: a joint's id must be 0 to 15, got 16",)]
    assert found.counts["photos named"] == 1  # test images have no truth


def test_the_command_prints_what_it_found_and_says_it_by_its_exit_code(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path = of_coco(tmp_path, coco_annotation(1, 7), photos=("000007.png",))

    def run(*args: str) -> int:
        monkeypatch.setattr("sys.argv", ["robustpose", "data", "check", *args])
        with pytest.raises(SystemExit) as stopped:
            main()
        assert isinstance(stopped.value.code, int)
        return stopped.value.code

    assert run(f"coco:{path}") == 1
    shown = capsys.readouterr().out
    assert f"  missing: 1 of 2 photos are not in {tmp_path / 'images'}: 000003.png\n" in shown
    assert "  get it from the COCO site's download page" in shown
    assert run(f"coco:{path}", "--json") == 1
    (result,) = json.loads(capsys.readouterr().out)
    assert (result["whole"], result["counts"]["photos there"]) == (False, 1)
    write_photo(tmp_path / "images" / "000003.png")
    assert run(f"coco:{path}", "--fast") == 0
    assert "  complete\n" in capsys.readouterr().out
    assert run("coco:nowhere") == 2
    assert len(capsys.readouterr().err.splitlines()) == 1


def test_a_note_alone_is_whole(tmp_path: Path) -> None:
    found = checked(of_coco(tmp_path, coco_annotation(1, 7)))
    assert replace(found, findings=(Finding("note", "x", 1),)).whole
    assert not replace(found, findings=(Finding("wrong", "x", 1),)).whole
