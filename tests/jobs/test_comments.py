"""A comment changes no key: results are not computed again for how their code is written."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import robustpose

pytestmark = pytest.mark.slow

PACKAGE = Path(robustpose.__file__).parent

PRINT_KEYS = """
import pytest

import robustpose
from robustpose.data import open_dataset
from robustpose.jobs.attack import Cell
from robustpose.jobs.job import key_of
from robustpose.jobs.setting import Setting
people = open_dataset("synthpose:val")
for setting in (None, Setting("igsm", 8 / 255)):
    print(key_of(Cell("shg2", "f", people.name, people.fingerprint, 0, 25, setting=setting)))
print(robustpose.__file__)
"""


def keys_of(folder: Path) -> list[str]:
    """The keys of two cells by the package in a folder."""
    here = {**os.environ, "PYTHONPATH": str(folder)}
    command = [sys.executable, "-c", PRINT_KEYS]
    found = subprocess.run(command, env=here, capture_output=True, text=True, check=True).stdout.split()
    assert found.pop() == str(folder / "robustpose" / "__init__.py")
    return found


def test_a_comment_in_any_file_changes_no_key(tmp_path: Path) -> None:
    copy = tmp_path / "robustpose"
    shutil.copytree(PACKAGE, copy, ignore=shutil.ignore_patterns("__pycache__", "*.safetensors", "*.npz"))
    before = keys_of(tmp_path)
    for file in copy.rglob("*.py"):
        file.write_text(file.read_text() + "\n# A comment.\n")
    assert (copy / "data/synthpose/gait.py").read_text().endswith("# A comment.\n")
    assert keys_of(tmp_path) == before
    assert len(set(before)) == 2
    renderer = copy / "data/synthpose/assets.py"
    renderer.write_text(renderer.read_text().replace('RENDERER_VERSION = "', 'RENDERER_VERSION = "f'))
    assert not set(keys_of(tmp_path)) & set(before)
