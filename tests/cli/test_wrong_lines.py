"""Forty-five command lines that new users got wrong: each one line, exit code 2, no number, nothing written.

tests/cli/test_errors.py has the wrong values of single options; here are wrong calls as people make them.
"""

import json
from pathlib import Path

import cv2
import pytest

from tests.cli.test_errors import run
from tests.data.files import noise, write_coco_people

SHG2 = ("attack", "--model", "shg2")

LINES: list[tuple[tuple[str, ...], str]] = [
    # files without their format, URLs, and things that are not there
    (("attack", "--model", "pose.onnx"), "model 'pose.onnx' is a file; did you mean onnx:pose.onnx?"),
    (("attack", "--model", "models/pose.tflite"), "did you mean tflite:models/pose.tflite?"),
    (("attack", "--model", "model.json"), "did you mean tfjs:model.json?"),
    (("attack", "--model", "net.pt"), "did you mean torchscript:net.pt?"),
    (("attack", "--model", "net.py"), "did you mean torch:net.py:FACTORY?"),
    (("attack", "--model", "shg2.safetensors"), "did you mean MODEL:shg2.safetensors?"),
    (("attack", "--model", "https://example.org/pose.onnx"), "is a URL; download the file and give its path"),
    (("attack", "--model", "onnx:https://example.org/pose.onnx"), "is a URL; download the file"),
    (("attack", "--model", "onnx:gone.onnx"), "gone.onnx: no such file"),
    (("attack", "--model", "onnx:/tmp/gone/pose.onnx"), "/tmp/gone/pose.onnx: no such file"),
    (("attack", "--model", "torch:gone:make"), "gone"),
    (("attack", "--model", "SHG2"), "did you mean 'shg2'?"),
    (("attack",), "Missing option '--model'"),
    (("attack", "--model", ""), "unknown model ''"),
    # data
    ((*SHG2, "--data", "people.json"), "data set 'people.json' is a path; did you mean coco:people.json?"),
    ((*SHG2, "--data", "joints.mat"), "did you mean mpii:joints.mat?"),
    ((*SHG2, "--data", "photos"), "data set 'photos' is a path; did you mean lsp:photos?"),
    ((*SHG2, "--data", "coco:https://example.org/a.json"), "is a URL; download the file and give its path"),
    ((*SHG2, "--data", "coco:"), "needs an annotation file: coco:PATH"),
    ((*SHG2, "--data", "coco:photos"), "is a folder, expected an annotation file"),
    ((*SHG2, "--data", "coco:people.json", "--images", "gone"), "gone"),
    ((*SHG2, "--data", "coco:people.json", "--min-box", "9999"), "no person remains"),
    ((*SHG2, "--data", "coco:people.json[9-2]"), "expected a range such as [1001-1500]"),
    ((*SHG2, "--detections", "found.json"), "--detections works with coco:PATH only, got synthpose"),
    ((*SHG2, "--min-keypoints", "5"), "select people in photos; synthpose:val has none"),
    # numbers
    ((*SHG2, "--n", "-3"), "--n must be at least 1, got -3"),
    ((*SHG2, "--n", "many"), "Invalid value for '--n'"),
    ((*SHG2, "--eps", "8/0"), "eps must be a number such as 8/255"),
    ((*SHG2, "--eps", "nan"), "eps must be in [0, 1], got nan"),
    ((*SHG2, "--eps", "0.5"), "write 0.5/255"),
    ((*SHG2, "--threat", "l2", "--eps", "8/255"), "did you mean 2?"),
    ((*SHG2, "--threat", "l1", "--eps", "8/255"), "did you mean 12?"),
    ((*SHG2, "--attack", "igsm", "--steps", "0"), "steps must be at least 1, got 0"),
    ((*SHG2, "--steps", "5"), "gradients must be at least 20, got 5"),
    ((*SHG2, "--fail-under", "130"), "Invalid value for '--fail-under'"),
    ((*SHG2, "--seed", "-1"), "Invalid value for '--seed'"),
    # options that do not go together
    ((*SHG2, "--quick", "--attack", "fgsm"), "omit --attack"),
    ((*SHG2, "--quick", "--steps", "50"), "omit --steps"),
    ((*SHG2, "--objective", "margin"), "autopose has objectives of its own"),
    ((*SHG2, "--box", "1,2,3,4"), "--box is for attacks on photos"),
    (("attack", "https://example.org/a.jpg", "--model", "shg2"), "is a URL; download the file"),
    (("attack", "photos", "--model", "shg2", "--n", "3"), "an attack on photos (photos) does not take --n"),
    (("attack", "empty", "--model", "shg2"), "empty: no photo in this folder"),
    (("attack", "photos/a.png", "--model", "shg2", "--attack", "spatial", "--eps", "9"), "a photo has none"),
    # studies and other commands
    (("study", "quick", "--model", "shg2"), "No such option: --model"),
]


def test_there_are_forty_five() -> None:
    assert len(LINES) == len({args for args, _ in LINES}) == 45


@pytest.mark.parametrize(("args", "line"), LINES, ids=[" ".join(args)[:60] for args, _ in LINES])
def test_a_wrong_command_line_is_one_line(
    args: tuple[str, ...],
    line: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    write_coco_people(tmp_path, area=500.0).rename(tmp_path / "people.json")
    (tmp_path / "photos").mkdir()
    cv2.imwrite(str(tmp_path / "photos" / "a.png"), noise())
    (tmp_path / "found.json").write_text(json.dumps([]))
    before = sorted(tmp_path.rglob("*"))
    assert run(monkeypatch, *args) == 2
    shown = capsys.readouterr()
    assert shown.out == ""
    assert len(shown.err.splitlines()) == 1, shown.err
    assert shown.err.startswith("error: ")
    assert line in shown.err
    assert sorted(tmp_path.rglob("*")) == before
