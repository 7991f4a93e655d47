"""What people type wrong: one readable line on stderr, exit code 2, nothing on stdout, nothing written."""

import json
from pathlib import Path

import pytest

from robustpose.cli import main


def run(monkeypatch: pytest.MonkeyPatch, *args: str) -> int:
    monkeypatch.setattr("sys.argv", ["robustpose", *args])
    with pytest.raises(SystemExit) as stopped:
        main()
    assert isinstance(stopped.value.code, int)
    return stopped.value.code


def coco_file(folder: Path, **change: object) -> Path:
    path = folder / "people.json"
    path.write_text(json.dumps({"images": [], "annotations": [], "categories": [], **change}))
    return path


@pytest.mark.parametrize(
    ("args", "line"),
    [
        (["study", "real"], "study real needs photos: name them with --data, such as coco:PATH"),
        (["attack", "--model", "deepose"], "unknown model 'deepose'; did you mean 'deeppose'?"),
        (["attack", "--model", "shg2", "--attack", "pdg"], "unknown attack 'pdg'"),
        (["attack", "--model", "shg2", "--defence", "box4"], "unknown defence 'box4'; did you mean 'box5'?"),
        (["study", "quick", "--defence", "bx"], "unknown defence 'bx'"),
        (["study", "realism", "--defence", "box3"], "study 'realism' does not take --defence"),
        (["attack", "--model", "shg2", "--attack", "igms"], "unknown attack 'igms'; did you mean 'igsm'?"),
        (
            ["attack", "--model", "shg2", "--data", "synthpos"],
            "unknown data set 'synthpos'; did you mean 'synthpose'?",
        ),
        (["attack", "--model", "shg2", "--data", "synthpose:vall"], "did you mean 'val'?"),
        (["attack", "--model", "shg2", "--objective", "trainingloss"], "did you mean 'training_loss'?"),
        (["attack", "--model", "shg2", "--eps", "8"], "eps must be in [0, 1], got 8; did you mean 8/255?"),
        (["attack", "--model", "shg2", "--eps", "-1/255"], "eps must be in [0, 1]"),
        (["attack", "--model", "shg2", "--eps", "eight"], "eps must be a number such as 8/255"),
        (["attack", "--model", "shg2", "--attack", "fmn", "--objective", "training_loss"], "margin or keypoints"),
        (
            ["attack", "--model", "shg2", "--attack", "square", "--threat", "l1", "--eps", "2"],
            "supports linf and l2",
        ),
        (["attack", "--model", "shg2", "--attack", "eot_patch"], "patch needs eps, such as 32 (side in pixels)"),
        (
            ["attack", "--model", "shg2", "--attack", "eot_patch", "--threat", "l2", "--eps", "2"],
            "'eot_patch' supports patch, got l2",
        ),
        (
            ["attack", "--model", "shg2", "--attack", "spatial"],
            "threat spatial needs eps, such as 30 (degrees)",
        ),
        (
            ["attack", "--model", "shg2", "--attack", "igsm", "--threat", "rotation", "--eps", "30"],
            "attack 'igsm' changes pixel values, threat 'rotation' moves the image",
        ),
        (
            ["attack", "--model", "shg2", "--attack", "spatial", "--threat", "l2", "--eps", "2"],
            "attack 'spatial' supports spatial, rotation, translation, scaling, got l2",
        ),
        (
            ["attack", "--model", "shg2", "--attack", "spatial", "--eps", "200"],
            "eps of spatial must be at most 180, got 200",
        ),
        (
            ["attack", "--model", "shg2", "--attack", "spatial", "--eps", "9", "--targeted"],
            "spatial is untargeted",
        ),
        (
            ["attack", "--model", "shg2", "--attack", "worst_of_k", "--eps", "9", "--objective", "margin"],
            "worst_of_k has objectives of its own",
        ),
        (
            ["attack", "--model", "shg2", "--attack", "spatial", "--eps", "9", "--search", "bf16"],
            "searches in fp32 only",
        ),
        (["attack", "a.png", "--model", "shg2", "--attack", "spatial", "--eps", "9"], "use a data set"),
        (["attack", "--model", "shg2", "--attack", "spatial", "--eps", "9", "--steps", "0"], "at least 1, got 0"),
        (["attack", "--model", "shg2", "--threat", "l3", "--eps", "2"], "unknown threat 'l3'; did you mean 'l2'?"),
        (["attack", "--model", "shg2", "--threat", "l2"], "threat l2 needs eps, such as 2 or 0.5"),
        (
            ["attack", "--model", "shg2", "--threat", "l2", "--eps", "-2"],
            "eps of l2 must be a number >= 0, got -2",
        ),
        (["attack", "--model", "shg2", "--threat", "l0", "--eps", "8/255"], "whole number of pixels"),
        (["attack", "--model", "shg2", "--attack", "fgsm", "--steps", "3"], "takes one step, got 3"),
        (["attack", "--model", "shg2", "--search", "fp61"], "unknown search 'fp61'; did you mean 'fp32'?"),
        (["attack", "--model", "shg2", "--attack", "autopos"], "did you mean 'autopose'?"),
        (["attack", "--model", "shg2", "--attack", "autopose", "--steps", "3"], "must be at least 20, got 3"),
        (
            ["attack", "--model", "shg2", "--attack", "autopose", "--objective", "margin"],
            "autopose has objectives of its own",
        ),
        (["attack", "--model", "shg2", "--eps", "0"], "eps must be above 0, got 0"),
        (["attack", "--model", "shg2", "--threat", "l0", "--eps", "0"], "eps must be above 0, got 0"),
        (["attack", "--model", "shg2", "--n", "0"], "--n must be at least 1, got 0"),
        (["attack", "--model", "shg2", "--steps", "ten"], "Invalid value for '--steps'"),
        (["attack", "--model", "shg2", "--epsilon", "8/255"], "No such option: --epsilon"),
        (["attack", "--model", "shg2", "--data", "coco:nowhere.json"], "nowhere.json"),
        (["attack", "--model", "tflite:nowhere.tflite"], "nowhere.tflite"),
        (["attack", "--model", "tflite"], "tflite:PATH"),
        (["attack", "--model", "shg2:nowhere.safetensors"], "nowhere.safetensors"),
        (["attack", "--model", "shg2", "--spec", "spec.toml"], "--spec needs a third-party model"),
        (["study", "quik"], "unknown study 'quik'; did you mean 'quick'?"),
        (["study", "quick", "--models", "shg2,shg2", "--n", "1"], "the same model is named twice"),
        (["study", "quick", "--metric", "pckk"], "unknown metric 'pckk'; did you mean 'pck'?"),
        (["study", "validity", "--models", "shg2,shg8"], "study validity needs photos: name them with --data"),
        (
            ["study", "validity", "--data", "synthpose:test"],
            "so --data must be photos; got --data",
        ),
        (
            ["study", "validity", "--data", "coco:x.json", "--models", "shg2"],
            "a ranking needs at least two models",
        ),
        (["study", "validity", "--data", "coco:x.json", "--models", "shg2,shg2"], "the same model is named twice"),
        (["study", "validity", "--data", "coco:no.json", "--models", "shg2,deeppose"], "no.json"),
        (
            ["study", "validity", "--data", "coco:x.json", "--findings", "fig2a"],
            "study 'validity' does not take --findings",
        ),
        (
            ["study", "validity", "--data", "coco:x.json", "--steps-walk", "banana", "--long", "0"],
            "study 'validity' does not take --steps-walk, --long",
        ),
        (
            ["study", "realism", "--engine", "ray", "--shard", "1/2", "--eps", "8", "--reuse"],
            "study 'realism' does not take --engine, --shard, --reuse, --eps",
        ),
        (["study", "quick", "--eps", "8,32,300"], "eps must be in [0, 1]"),
        (["study", "quick", "--eps", "0,8"], "eps must be above 0, got 0"),
        (
            ["study", "quick", "--steps-walk", "1,five"],
            "--steps-walk must be positive numbers of steps such as 1,5,20",
        ),
        (["study", "quick", "--long", "0"], "--long must be at least 1, got 0"),
        (["report", "nowhere"], "contains no study"),
        (["list", "nets"], "unknown kind 'nets'"),
        (["train", "resnet"], "unknown model 'resnet'"),
        (["train", "shg2", "--data", "synthpose:val"], "the training set contains people of the validation set"),
        (
            ["train", "shg2", "--validation", "synthpose:train"],
            "the training set contains people of the validation set",
        ),
        (["data", "show", "synthpose", "--images", "photos"], "takes no photo folder"),
        (["paint"], "No such command 'paint'"),
    ],
)
def test_one_line_and_exit_code_2(
    args: list[str],
    line: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run(monkeypatch, *args) == 2
    shown = capsys.readouterr()
    assert shown.out == ""
    assert len(shown.err.splitlines()) == 1
    assert shown.err.startswith("error: ")
    assert line in shown.err
    assert list(tmp_path.iterdir()) == []


def test_an_annotation_file_cut_short_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    whole = coco_file(tmp_path)
    whole.write_text(whole.read_text()[:20])
    assert run(monkeypatch, "attack", "--model", "shg2", "--data", f"coco:{whole}") == 2
    assert "people.json" in capsys.readouterr().err


def test_a_folder_of_another_version_is_left_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "store.json").write_text('{"format": 1, "robustpose": "0.0.1"}')
    assert run(monkeypatch, "study", "quick", "--n", "1", "--out", str(tmp_path)) == 2
    assert "was written by another version" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["store.json"]


def test_a_similarity_needs_areas(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(monkeypatch, "attack", "--model", "shg2", "--n", "2", "--metric", "ks") == 2
    shown = capsys.readouterr()
    assert shown.err == ("error: --metric ks: synthpose:val has no areas of people; omit --metric, or use pck\n")
