"""One's own photo from end to end: what lies in the folder, and that the photo in it does what is said."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from robustpose.cli import main
from robustpose.data.photos import read_photo
from robustpose.geometry import box_crop, crop_image, uncrop_points
from robustpose.models import open_model

from ..data.files import noise, write_photo

BOX = (60.0, 40.0, 110.0, 150.0)


def run(monkeypatch: pytest.MonkeyPatch, *args: str) -> int:
    monkeypatch.setattr("sys.argv", ["robustpose", "attack", *args])
    with pytest.raises(SystemExit) as stopped:
        main()
    assert isinstance(stopped.value.code, int)
    return stopped.value.code


def a_photo(folder: Path) -> Path:
    large = cv2.resize(noise(), (320, 240), interpolation=cv2.INTER_CUBIC)
    return write_photo(folder / "me.png", np.asarray(large, np.uint8))


def test_the_photo_in_the_folder_does_what_the_result_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path, out = a_photo(tmp_path), tmp_path / "out"
    args = [str(path), "--model", "resreg", "--steps", "3", "--out", str(out), "--json"]
    assert run(monkeypatch, *args, "--box", ",".join(map(str, BOX))) == 0
    result = json.loads(capsys.readouterr().out)
    assert sorted(each.name for each in out.iterdir()) == [
        *("adversarial.png", "after.png", "before.png", "index.html", "perturbation.png", "result.json")
    ]
    assert result == json.loads((out / "result.json").read_text())
    assert result["truth"] == "the clean prediction: the photo has no labels"
    assert (result["box"], result["box_from"], result["size"]) == (list(BOX), "given", [320, 240])

    clean, adversarial = read_photo(path), read_photo(out / "adversarial.png")
    assert np.abs(adversarial.astype(int) - clean).max() == result["largest_change"] == 8
    model = open_model("resreg").module
    crop = box_crop(BOX, input_size=model.input_size)
    for photo, name in ((clean, "before"), (adversarial, "after")):
        cut = crop_image(photo, crop, input_size=model.input_size)
        with torch.no_grad():
            output = model(torch.from_numpy(cut).permute(2, 0, 1)[None].float() / 255)
        expected = uncrop_points(output.keypoints[0].double().numpy(), crop)
        np.testing.assert_allclose([each[name] for each in result["keypoints"]], expected, atol=0.02)
    still = [each["correct"] for each in result["keypoints"] if each["counted"]]
    assert (result["correct"], result["counted"]) == (sum(still), 14)


def test_the_model_finds_the_box_itself_and_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path, out = a_photo(tmp_path), tmp_path / "out"
    assert run(monkeypatch, str(path), "--model", "deeppose", "--attack", "fgsm", "--out", str(out)) == 0
    shown = capsys.readouterr().out
    assert "keypoints are correct" in shown
    assert "with the box detected again" in shown
    result = json.loads((out / "result.json").read_text())
    assert result["box_from"] == "found by the model itself"
    assert set(result["box_found_anew"]) == {"box", "correct"}
    page = (out / "index.html").read_text()
    assert "prediction on the clean photo, right or wrong, is used as the ground truth" in page


def test_a_box_partly_outside_is_taken_and_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path = a_photo(tmp_path)
    args = [str(path), "--model", "deeppose", "--attack", "fgsm", "--out", str(tmp_path / "out")]
    assert run(monkeypatch, *args, "--box=-60,40,120,150") == 0
    assert "50% of the box lies outside the photo and is black in the model's input" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("args", "line"),
    [
        (["nowhere.jpg"], "nowhere.jpg: missing"),
        (["text.jpg"], "text.jpg: not an image that can be decoded"),
        (["me.png", "--box", "400,0,50,50"], "lies outside the photo, which is 320 x 240 pixels"),
        (["me.png", "--box", "1,2,3"], "a box must be auto or x,y,w,h in photo pixels"),
        (["me.png", "--targeted"], "an attack on one photo (me.png) does not take --targeted"),
        (
            ["me.png", "--data", "coco:x.json", "--n", "3"],
            "an attack on one photo (me.png) does not take --data, --n",
        ),
        (
            ["me.png", "--eps", "0.5/255"],
            "eps 0.5/255 is less than one 8-bit level, so no 8-bit photo can store it",
        ),
        (["--box", "1,2,3,4"], "--box is for attacks on one photo"),
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
    a_photo(tmp_path)
    (tmp_path / "text.jpg").write_text("not a photo")
    assert run(monkeypatch, *args, "--model", "deeppose") == 2
    shown = capsys.readouterr()
    assert shown.out == ""
    assert len(shown.err.splitlines()) == 1
    assert line in shown.err
    assert sorted(each.name for each in tmp_path.iterdir()) == ["me.png", "text.jpg"]


def test_the_crop_is_as_wide_as_the_model_takes_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "wide.py").write_text(
        "from robustpose.models import open_model\n\n\ndef model():\n"
        "    made = open_model('resreg').module\n    made.padding = 1.5\n    return made\n"
    )
    monkeypatch.chdir(tmp_path)
    args = [str(a_photo(tmp_path)), "--model", "torch:wide.py:model", "--attack", "fgsm", "--json"]
    assert run(monkeypatch, *args, "--box", ",".join(map(str, BOX)), "--out", "out") == 0
    result = json.loads(capsys.readouterr().out)
    assert result["padding"] == 1.5
    model = open_model("resreg").module
    crop = box_crop(BOX, input_size=model.input_size, padding=1.5)
    cut = crop_image(read_photo(tmp_path / "out" / "adversarial.png"), crop, input_size=model.input_size)
    with torch.no_grad():
        output = model(torch.from_numpy(cut).permute(2, 0, 1)[None].float() / 255)
    expected = uncrop_points(output.keypoints[0].double().numpy(), crop)
    np.testing.assert_allclose([each["after"] for each in result["keypoints"]], expected, atol=0.02)


def test_the_search_is_of_the_precision_that_the_result_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    photo, photos = a_photo(tmp_path), []
    for search in ("fp32", "bf16"):
        args = [str(photo), "--model", "shg2", "--attack", "apgd", "--steps", "5", "--search", search, "--json"]
        assert run(monkeypatch, *args, "--box", ",".join(map(str, BOX)), "--out", str(tmp_path / search)) == 0
        assert ("bf16" in json.loads(capsys.readouterr().out)["attack"]) == (search == "bf16")
        photos.append(read_photo(tmp_path / search / "adversarial.png"))
    assert not np.array_equal(photos[0], photos[1])
