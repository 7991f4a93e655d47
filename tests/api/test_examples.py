"""Every example is short, runs as written, and says what it promises."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

import robustpose
from tests.models.importers.tflite_files import real_path

FOLDER = Path(robustpose.__file__).parents[2] / "examples"
EXAMPLES = sorted(FOLDER.glob("*.py"))
NEEDS = {"onnx_file": ("onnx", "onnxscript"), "huggingface": ("transformers",)}
SAYS = {
    "torch_module": "my_model on synthpose:val",
    "own_pose_model": "FGSM-U  8/255  attacked PCKh@0.5",
    "python_function": "centre has no gradient, which this attack needs",
    "onnx_file": "exported on synthpose:val",
    "torchscript_file": "scripted on synthpose:val",
    "huggingface": "vitpose on synthpose:val",
    "adversarial_training": "step 3: loss",
    "tflite_file": "efficientpose_rt_lite on coco",
}


def test_each_way_in_has_an_example() -> None:
    assert {path.stem for path in EXAMPLES} == {*SAYS}


@pytest.mark.parametrize("path", EXAMPLES, ids=[path.stem for path in EXAMPLES])
def test_it_is_short(path: Path) -> None:
    code = [line for line in path.read_text().splitlines() if line.strip()]
    assert len(code) <= 30


@pytest.mark.slow
@pytest.mark.parametrize("path", EXAMPLES, ids=[path.stem for path in EXAMPLES])
def test_it_runs(path: Path, tmp_path: Path) -> None:
    for package in NEEDS.get(path.stem, ()):
        pytest.importorskip(package, reason=f"{package} is not installed")
    arguments: list[str] = []
    if path.stem == "tflite_file":
        names = ("models/eff_RT_LITE.tflite", "coco_dev/person_keypoints_coco_dev.json")
        arguments = [str(real_path(name)) for name in names]
    here = {**os.environ, "PYTHONPATH": str(FOLDER.parent), "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"}
    done = subprocess.run(
        [sys.executable, str(path), *arguments],
        cwd=tmp_path,
        env=here,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert SAYS[path.stem] in done.stdout
