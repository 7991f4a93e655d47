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
    args = [str(path), "--model", "resreg", "--attack", "igsm", "--steps", "3", "--out", str(out), "--json"]
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
        (
            ["me.png", "--data", "coco:x.json", "--n", "3"],
            "an attack on photos (me.png) does not take --data, --n",
        ),
        (
            ["me.png", "--eps", "0.5/255"],
            "eps 0.5/255 is less than one 8-bit level, so no 8-bit photo can store it",
        ),
        (["--box", "1,2,3,4"], "--box is for attacks on photos; data sets come with boxes"),
        (["--box-jitter", ".1"], "--box-jitter is for attacks on photos"),
        (["me.png", "--box-jitter", "2"], "--box-jitter must be in [0, 0.5], a fraction of the box, got 2"),
        (["me.png", "--box", "gone.json"], "gone.json: cannot be read"),
        (["me.png", "--box", "callable:gone.py:boxes"], "gone.py"),
        (["me.png", "--quick", "--attack", "igsm"], "omit --attack"),
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


def two_people(folder: Path) -> Path:
    """Write a detector's results: two people in photo 7, one unsure, nobody in photo 8."""
    rows = [
        (7, [20, 30, 90, 150], 0.9),
        (7, [180, 30, 90, 150], 0.8),
        (7, [0, 0, 9, 9], 0.1),
        (9, [0, 0, 9, 9], 1),
    ]
    found = [{"image_id": number, "category_id": 1, "bbox": box, "score": score} for number, box, score in rows]
    path = folder / "found.json"
    path.write_text(json.dumps(found))
    return path


def test_a_folder_of_photos_with_everybody_in_them_and_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    photos = tmp_path / "photos"
    for name in ("000000000007.png", "000000000008.png"):
        write_photo(photos / name, np.asarray(cv2.resize(noise(), (320, 240)), np.uint8))
    args = [str(photos), "--model", "deeppose", "--quick", "--box", str(two_people(tmp_path)), "--out", "out"]
    monkeypatch.chdir(tmp_path)
    assert run(monkeypatch, *args, "--json") == 0
    result = json.loads(capsys.readouterr().out)
    (photo,) = result["photos"]
    assert (photo["photo"], photo["people"], photo["counted"]) == ("000000000007.png", 2, 28)
    assert result["left_out"] == [f"000000000008.png: no box of a person in {tmp_path / 'found.json'}"]
    own = json.loads((tmp_path / "out" / photo["folder"] / "result.json").read_text())
    assert [each["box"] for each in own["people"]] == [[20, 30, 90, 150], [180, 30, 90, 150]]
    assert own["correct"] == sum(each["correct"] for each in own["people"]) == photo["correct"] < 28
    assert own["weakness"].startswith("APGD-U-20-soft_margin at 8/255 is weaker than autopose")
    page = (tmp_path / "out" / "index.html").read_text()
    assert f'href="{photo["folder"]}/index.html"' in page

    before = (tmp_path / "out" / photo["folder"] / "result.json").stat().st_mtime_ns
    assert run(monkeypatch, *args) == 0
    assert "photo 1 of 2" not in capsys.readouterr().err, "its result is stored"
    assert (tmp_path / "out" / photo["folder"] / "result.json").stat().st_mtime_ns == before
    assert run(monkeypatch, *args, "--seed", "1") == 0
    assert "photo 1 of 2" in capsys.readouterr().err, "another seed is another attack"


def test_a_targeted_attack_on_a_photo(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    args = [str(a_photo(tmp_path)), "--model", "deeppose", "--attack", "igsm", "--targeted", "--eps", "32/255"]
    assert run(monkeypatch, *args, "--box", ",".join(map(str, BOX)), "--out", str(tmp_path / "out"), "--json") == 0
    result = json.loads(capsys.readouterr().out)
    assert result["targeted"] is True
    assert 0 < result["target_hit"] <= result["target_asked"] <= 14
