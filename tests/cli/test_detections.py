"""A detector's boxes from end to end: what is scored, and that it is said."""

import json
from pathlib import Path

import numpy as np
import pytest

from robustpose.cli import main

from ..data.files import write_coco_people, write_json

pytestmark = pytest.mark.slow


def test_detected_boxes_are_attacked_and_scored_officially(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    path = write_coco_people(tmp_path, area=4000.0)
    people = json.loads(path.read_text())["annotations"]
    generator = np.random.default_rng(0)
    detections = [
        {"image_id": each["image_id"], "category_id": 1, "bbox": each["bbox"], "score": float(generator.random())}
        for each in people[:8]
    ]
    found = write_json(tmp_path / "detector.json", detections)
    args = ["attack", "--model", "deeppose", "--attack", "fgsm", "--data", f"coco:{path}"]
    monkeypatch.setattr("sys.argv", ["robustpose", *args, "--detections", str(found), "--json"])
    with pytest.raises(SystemExit) as stopped:
        main()
    assert stopped.value.code == 0
    result = json.loads(capsys.readouterr().out)
    assert (result["data"], result["n"]) == ("coco-detections", 8)
    assert result["oks"]["boxes"] == "detected"
    # All ten people count, one of the twelve being a crowd and one without labels; the missed ones, too.
    assert result["oks"]["AR"]["clean"]["n"] == 10
    assert "mean" not in result["oks"]
    # The crowd and the person without labels are nobody's truth.
    assert result["left_out"] == ["detections of nobody, asked all the same: 2"]
    (folder,) = (tmp_path / "runs").iterdir()
    assert "-detector-" in folder.name
