"""The commands as a person runs them, on few people."""

import csv
import json
import math
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from robustpose.data.synthpose import ACTIONS, render_person
from robustpose.defences import DEFENCES
from robustpose.models import MODELS, TASKS, model_specs
from robustpose.models.weights import shipped_architectures, shipped_models
from robustpose.skeletons import COCO_17, MPII_16
from robustpose.threats import THREATS
from tests.cli.test_errors import run
from tests.data.files import write_coco_people


@pytest.fixture(autouse=True)
def in_a_new_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def attack_json(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *args: str) -> dict[str, Any]:
    assert run(monkeypatch, "attack", *args, "--json") == 0
    content: dict[str, Any] = json.loads(capsys.readouterr().out)  # stdout holds nothing else
    return content


@pytest.mark.slow
def test_attack_says_what_is_left(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    args = ("--model", "deeppose", "--attack", "igsm", "--n", "10", "--steps", "4", "--eps", "4/255")
    found = attack_json(monkeypatch, capsys, *args)
    assert found["model"] == "deeppose"
    assert found["data"] == "synthpose:val"
    assert found["metric"] == "PCKh@0.5"
    assert (found["n"], found["eps"], found["steps"], found["attack"]) == (10, "4/255", 4, "IGSM-U-4")
    assert (found["forwards"], found["backwards"]) == (40, 40)
    for name in ("clean", "attacked", "relative"):
        assert set(found[name]) == {"value", "low", "high", "n"}
        assert found[name]["low"] <= found[name]["value"] <= found[name]["high"]
        assert found[name]["n"] == 10
    ratio = 100 * found["attacked"]["value"] / found["clean"]["value"]
    assert found["relative"]["value"] == pytest.approx(ratio, abs=0.01)
    assert set(found["per_joint"]) >= {
        "ankle",
        "knee",
        "hip",
        "wrist",
        "elbow",
        "shoulder",
        "head_top",
        "upper_neck",
    }
    assert set(found["per_joint"]) & {"pelvis", "thorax"} == set()
    assert "oks" not in found  # rendered people have no area
    stored = {
        path.stem for path in tmp_path.glob("runs/attack-deeppose-synthpose-n10-igsm-u-4-at-4-255-*/cells/*.npz")
    }
    assert set(found["cells"]) == stored
    again = attack_json(monkeypatch, capsys, *args)
    assert {**again, "seconds": 0} == {**found, "seconds": 0}


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in MODELS if name in shipped_architectures()])
def test_every_shipped_model_can_be_attacked(
    name: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    found = attack_json(monkeypatch, capsys, "--model", name, "--attack", "igsm", "--steps", "2", "--n", "2")
    assert (found["model"], found["attack"], found["n"], found["backwards"]) == (name, "IGSM-U-2", 2, 4)
    assert found["clean"]["n"] == found["attacked"]["n"] == 2


@pytest.mark.slow
@pytest.mark.parametrize(("threat", "eps", "written"), [("l2", "1.0", "1 in L2"), ("l0", "50", "50 pixels")])
def test_attacks_of_other_threats(
    threat: str, eps: str, written: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    args = ("--model", "deeppose", "--n", "4", "--attack", "fgsm", "--threat", threat, "--eps", eps)
    found = attack_json(monkeypatch, capsys, *args)
    assert (found["threat"], found["eps"], found["rounded_to_8bit"]) == (threat, written, True)
    assert found["attacked"]["value"] < found["clean"]["value"]
    page = next(
        Path("runs").glob(f"attack-deeppose-*-{threat if threat == 'l2' else 'pixels'}-*/report/index.html")
    )
    assert f"at eps {written}" in page.read_text()


@pytest.mark.slow
def test_minimum_norm_attacks_print_their_curve(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    args = ("--model", "deeppose", "--n", "4", "--attack", "fmn", "--steps", "12", "--eps", "8/255")
    found = attack_json(monkeypatch, capsys, *args)
    assert found["objective"] == "margin"
    curve = found["smallest"]
    assert curve["eps"] == pytest.approx([0, *(8 / 255 / 2**k for k in (5, 4, 3, 2, 1, 0))])
    left = curve["by_part"]["all"]["left"]
    assert left[0] == pytest.approx(found["clean"]["value"], abs=0.01)  # lost at 0 is wrong without an attack
    assert left == sorted(left, reverse=True)
    assert left[-1] <= found["attacked"]["value"] + 5  # the picture is one of those that were seen, rounded
    assert run(monkeypatch, "attack", *args) == 0
    table = capsys.readouterr().out
    assert "PCKh@0.5 under perturbations up to eps" in table
    assert "upper_neck" in table


@pytest.mark.slow
def test_a_targeted_attack_reports_its_target_score(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    found = attack_json(
        monkeypatch, capsys, "--model", "deeppose", "--attack", "igsm", "--n", "10", "--steps", "5", "--targeted"
    )
    assert found["attack"] == "IGSM-T-5"
    assert found["target"]["n"] > 0
    assert found["target"]["value"] > 0  # at 0 steps it is 0 by the draw of the targets


@pytest.mark.slow
def test_autopose_reports_the_worst_picture_and_the_worst_of_each_keypoint(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    args = ("--model", "deeppose", "--attack", "autopose", "--steps", "20", "--n", "4", "--eps", "1/255")
    found = attack_json(monkeypatch, capsys, *args)
    assert (found["attack"], found["search"]) == ("AUTOPOSE-U", "fp32")
    assert (found["steps"], found["objective"]) == (20, None)
    assert 0 < found["backwards"] <= 4 * 20
    assert found["joints"]["value"] <= found["relative"]["value"]
    assert found["joints"]["n"] == 4
    page = next(tmp_path.glob("runs/*/report/index.html")).read_text()
    assert "AUTOPOSE-U" in page
    lines = next(tmp_path.glob("runs/*/results.csv")).read_text().splitlines()
    assert sum(",joints," in line and ",all," in line for line in lines) == 1


@pytest.mark.slow
def test_a_study_writes_its_table_and_page_and_the_report_is_made_again(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert run(monkeypatch, "study", "quick", "--models", "deeppose", "--n", "3") == 0
    shown = capsys.readouterr().out
    (folder,) = (tmp_path / "runs").glob("quick-deeppose-n3-*")
    assert f"runs/{folder.name}/report/index.html" in shown
    rows = list(csv.DictReader((folder / "results.csv").read_text().splitlines()))
    total = [row for row in rows if row["part"] == "all" and row["measure"] == "relative"]
    assert {row["eps"] for row in total if row["attack"] == "FGSM-U"} == {
        f"{level}/255" for level in (1, 2, 8, 32)
    }
    assert all(row["rounded"] == "true" for row in total)
    assert "The paper's claims" in shown and (folder / "report/findings.html").exists()
    written = ("results.csv", "report/index.html", "report/findings.html")
    before = {name: (folder / name).read_bytes() for name in written}
    for name in before:
        (folder / name).unlink()
    assert run(monkeypatch, "report", str(folder)) == 0
    assert {name: (folder / name).read_bytes() for name in before} == before


@pytest.mark.slow
def test_rendered_people_written_to_a_folder_read_back_as_mpii(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    from robustpose.data import open_dataset

    assert run(monkeypatch, "data", "render", "synthpose", "--out", "people", "--n", "3", "--size", "128") == 0
    original = open_dataset("synthpose").load(range(3), input_size=(128, 128))
    read = open_dataset("mpii:people/annotations.json").load(range(3), input_size=(128, 128))
    np.testing.assert_array_equal(read.visible.numpy(), original.visible.numpy())
    np.testing.assert_allclose(read.keypoints.numpy(), original.keypoints.numpy(), atol=2e-3)
    np.testing.assert_allclose(read.head_size.numpy(), original.head_size.numpy(), atol=2e-3)
    np.testing.assert_allclose(read.images.numpy(), original.images.numpy(), atol=1.01 / 255)
    assert run(monkeypatch, "data", "render", "synthpose", "--out", "people", "--n", "3") == 2
    assert "exists already" in capsys.readouterr().err


def test_more_rendered_people_than_there_are_is_an_error(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert run(monkeypatch, "data", "render", "synthpose", "--out", "people", "--n", "5000") == 2
    assert "synthpose:val has 1000 people; got --n 5000" in capsys.readouterr().err
    assert not (tmp_path / "people").exists()


@pytest.mark.slow
def test_an_attack_on_coco_gives_official_scores(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    file = write_coco_people(tmp_path, area=2000.0)
    args = ("--model", "deeppose", "--data", f"coco:{file}", "--attack", "fgsm", "--out", "out")
    found = attack_json(monkeypatch, capsys, *args)
    assert (found["oks"]["keypoints"], found["oks"]["ranked"]) == (12, False)
    for name in ("AP", "AP50", "AP(L)", "AR", "mean"):
        assert set(found["oks"][name]) == {"clean", "attacked", "relative"}
    assert found["oks"]["mean"]["clean"]["value"] > 0
    assert found["oks"]["AP"]["clean"]["n"] == found["n"] == 10
    rows = list(csv.DictReader((tmp_path / "out/results.csv").read_text().splitlines()))
    (mean,) = [row for row in rows if (row["metric"], row["measure"]) == ("mean OKS", "attacked")]
    assert float(mean["value"]) == found["oks"]["mean"]["attacked"]["value"]
    assert run(monkeypatch, "attack", *args) == 0
    shown = capsys.readouterr()
    assert "PCK@0.1, 95% intervals over 10 people" in shown.out
    assert "OKS AP, 95% intervals over photos" in shown.out
    assert "deeppose has equal scores for everyone" in shown.err


def test_a_file_in_the_way_of_the_folder_is_an_error(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("")
    assert run(monkeypatch, "data", "render", "synthpose", "--out", "file/people", "--n", "2") == 2
    assert "file/people: Not a directory; give a writable folder" in capsys.readouterr().err


@pytest.mark.slow
def test_one_broken_photo_is_counted_and_the_run_goes_on(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert run(monkeypatch, "data", "render", "synthpose", "--out", "people", "--n", "4", "--size", "128") == 0
    capsys.readouterr()
    broken = sorted((tmp_path / "people/images").iterdir())[1]
    broken.write_bytes(broken.read_bytes()[:500])
    monkeypatch.setattr("sys.argv", ["robustpose"])
    args = ("--model", "deeppose", "--data", "mpii:people/annotations.json", "--attack", "fgsm")
    found = attack_json(monkeypatch, capsys, *args)
    assert found["n"] == found["clean"]["n"] == 3
    assert len(found["unreadable"]) == 1
    assert broken.name in found["unreadable"][0]


@pytest.mark.slow
def test_no_readable_photo_at_all_is_an_error(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert run(monkeypatch, "data", "render", "synthpose", "--out", "people", "--n", "2", "--size", "128") == 0
    for photo in (tmp_path / "people/images").iterdir():
        photo.write_bytes(b"")
    capsys.readouterr()
    args = ("--model", "deeppose", "--data", "mpii:people/annotations.json", "--attack", "fgsm", "--json")
    assert run(monkeypatch, "attack", *args) == 2
    shown = capsys.readouterr()
    assert shown.out == ""
    assert "none of the 2 photos could be read" in shown.err


@pytest.mark.slow
def test_rendered_people_are_the_same_for_any_number_of_processes(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    args = ("data", "render", "synthpose", "--n", "60", "--size", "48", "--json")
    found = {}
    for name, split, processes in (("one", "val", "1"), ("two", "val", "2"), ("test", "test", "2")):
        assert run(monkeypatch, *args, "--split", split, "--processes", processes, "--out", name) == 0
        found[name] = json.loads(capsys.readouterr().out)
    assert found["one"]["hash"] == found["two"]["hash"] != found["test"]["hash"]
    assert found["one"]["images_per_second"] > 0
    assert (found["two"]["data"], found["two"]["people"], found["two"]["processes"]) == ("synthpose:val", 60, 2)
    folder = tmp_path / "one"
    assert len(list((folder / "images").glob("*.png"))) == len(list((folder / "segmentation").glob("*.png"))) == 60
    assert {path.name for path in folder.iterdir()} == {"annotations.json", "images", "segmentation", "truth.csv"}
    with (folder / "truth.csv").open() as file:
        rows = list(csv.DictReader(file))
    person = render_person("val", 7, size=48)
    assert rows[7]["id"] == "synthpose:val:000007"
    assert rows[7]["action"] == ACTIONS[person.action]
    assert float(rows[7]["nose_x"]) == pytest.approx(float(person.coco[0, 0]), abs=1e-3)
    for row, index in zip(rows, range(60), strict=True):
        person = render_person("val", index, size=48)
        for names, prefix, points, seen in (
            (MPII_16.keypoints, "mpii_", person.mpii, person.mpii_visibility),
            (COCO_17.keypoints, "", person.coco, person.coco_visibility),
        ):
            for k, name in enumerate(names):  # beyond the photo as well
                written = [float(row[f"{prefix}{name}_{axis}"]) for axis in "xy"]
                assert written == pytest.approx(points[k].tolist(), abs=1e-3)
                assert int(row[f"{prefix}{name}_visibility"]) == seen[k]
        assert [float(row[f"box_{side}"]) for side in "xywh"] == pytest.approx(person.box.tolist(), abs=1e-3)
        assert float(row["muscle"]) == pytest.approx(person.factors["muscle"], abs=1e-3)
        assert sum(float(row[f"ancestry_{of}"]) for of in ("african", "asian", "caucasian")) == pytest.approx(
            1, abs=2e-3
        )
    person = render_person("val", 7, size=48)
    parts = cv2.imread(str(folder / "segmentation" / "synthpose_val_000007.png"), cv2.IMREAD_UNCHANGED)
    assert parts is not None
    assert (parts == person.segmentation).all()
    assert run(monkeypatch, *args, "--out", "one") == 2
    assert "exists already" in capsys.readouterr().err


@pytest.mark.slow
def test_a_contact_sheet_shows_as_many_people_as_asked(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert run(monkeypatch, "data", "show", "synthpose", "--out", "a/sheet.png", "--n", "9", "--size", "128") == 0
    sheet = cv2.imread(str(tmp_path / "a/sheet.png"))
    assert sheet is not None
    assert sheet.shape[0] // 384 == 2  # two rows of tiles
    assert sheet.shape[1] // 384 == 8
    assert not math.isclose(float(sheet[:384].std()), 0)


def test_list_names_everything(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(monkeypatch, "list") == 0
    lines = capsys.readouterr().out.splitlines()
    listed = {kind: names.split(", ") for kind, names in (line.split(": ", 1) for line in lines)}
    assert list(listed) == [
        *("models", "tasks", "datasets", "attacks", "corruptions", "threats", "defences"),
        *("adversarial_training", "faults", "factors", "objectives", "metrics", "studies", "findings"),
    ]
    assert all(names == sorted(names) for names in listed.values())
    assert listed["models"] == sorted([*model_specs(), *(f"{name}:MODEL" for name in DEFENCES)])
    assert listed["tasks"] == ["action", "parts"]
    assert listed["threats"] == sorted(THREATS)


def test_one_kind_is_listed_with_what_each_is(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(monkeypatch, "list", "threats") == 0
    lines = [line.split(maxsplit=1) for line in capsys.readouterr().out.splitlines()]
    assert [name for name, _ in lines] == sorted(THREATS)
    assert dict(lines)["rotation"].startswith("may rotate the image by eps degrees")


def test_listed_attacks_carry_what_they_need(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(monkeypatch, "list", "attacks", "--json") == 0
    attacks = json.loads(capsys.readouterr().out)["attacks"]
    assert attacks["fgsm"] == {
        "needs": "gradients",
        "threats": [],
        "objective": "training_loss",
        "steps": 1,
        "cost": "1 gradient",
        "version": 1,
        "summary": "One step along the sign of the gradient",
    }
    assert attacks["square"]["threats"] == ["linf", "l2"]
    assert attacks["rays"]["needs"] == "decisions"
    assert attacks["spatial"]["threats"] == ["spatial", "rotation", "translation", "scaling"]
    assert (attacks["spatial"]["objective"], attacks["spatial"]["steps"]) == ("its own", 99)
    assert (attacks["autopose"]["steps"], attacks["autopose"]["version"]) == (500, 3)
    assert attacks["spatial_gradient"]["needs"] == "gradients"


def test_listed_models_carry_the_facts_of_their_weights(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(monkeypatch, "list", "models", "--json") == 0
    models = json.loads(capsys.readouterr().out)["models"]
    assert set(models) == {*MODELS, *shipped_models()} - {*TASKS}
    shipped = {name for name, facts in models.items() if facts is not None}
    assert {"shg2", "deeppose"} <= shipped
    for name in shipped:
        architecture, _, tag = name.partition("@")
        assert models[name]["architecture"] == architecture
        assert models[name]["n"] == (448 if tag else 1000)


@pytest.mark.slow
def test_training_leaves_weights_that_can_be_attacked_and_keeps_to_its_recipe(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    args = ("train", "deeppose", "--people", "50", "--samples", "32", "--batch", "16", "--out", "run")
    assert run(monkeypatch, *args) == 0
    facts = json.loads((tmp_path / "run/deeppose.json").read_text())
    assert (facts["samples"], facts["recipe"]["people"], facts["n"]) == (32, 50, 1000)
    capsys.readouterr()
    found = attack_json(monkeypatch, capsys, "--model", "deeppose:run/deeppose.safetensors", "--n", "5")
    assert found["model"] == "deeppose:deeppose"
    assert run(monkeypatch, *args, "--lr", "0.5") == 2
    assert "is of another recipe" in capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.parametrize("args", [("--attack", "rays"), ("--attack", "square", "--objective", "keypoints")])
def test_attacks_on_answered_keypoints_have_a_page(
    args: tuple[str, ...], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    found = attack_json(monkeypatch, capsys, "--model", "deeppose", "--n", "2", "--steps", "5", *args)
    assert found["attack"].endswith("-keypoints")
    assert "the decoded keypoints" in next((tmp_path / "runs").rglob("index.html")).read_text()
