"""MATLAB files are read in a process of their own: the same values, and no crash of ours."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.io import loadmat, savemat

from robustpose.data import mat_file
from robustpose.data.mat_file import read_mat
from robustpose.data.mpii_release import load_mat
from robustpose.errors import RobustPoseError


def written(path: Path) -> Path:
    joints = np.arange(84.0).reshape(3, 14, 2)
    joints[0, 0, 0] = np.nan
    points = np.array([({"id": 3, "x": 1.5},), ({"id": 4, "x": np.inf},)], dtype=[("point", object)])
    content: dict[str, Any] = {
        "joints": joints,
        "numbers": np.array([[1, 2], [3, 4]], np.uint8),
        "one": 7,
        "name": "im0001.jpg",
        "nothing": np.zeros((0, 0)),
        "words": np.array(["left", "right"], dtype=object),
        "points": points,
        "flags": np.array([True, False]),
    }
    savemat(path, content)
    return path


@pytest.mark.parametrize("squeeze", [True, False])
def test_the_values_are_scipys(squeeze: bool, tmp_path: Path) -> None:
    path = written(tmp_path / "a.mat")
    ours = read_mat(path, squeeze=squeeze)
    theirs = loadmat(str(path), struct_as_record=False, squeeze_me=squeeze)
    assert {*ours} == {name for name in theirs if not name.startswith("__")}
    for name, value in ours.items():
        same(value, theirs[name])


def same(ours: Any, theirs: Any) -> None:
    if hasattr(theirs, "_fieldnames"):
        assert {*vars(ours)} == {*theirs._fieldnames}
        for name in theirs._fieldnames:
            same(getattr(ours, name), getattr(theirs, name))
    elif isinstance(theirs, np.ndarray) and theirs.dtype.kind in "OU":
        assert ours.shape == theirs.shape
        for one, other in zip(ours.flat, theirs.flat, strict=True):
            same(one, other)
    else:
        np.testing.assert_array_equal(ours, theirs)
        if isinstance(theirs, np.ndarray):
            assert ours.dtype == theirs.dtype
            assert ours.shape == theirs.shape


@pytest.mark.parametrize(
    ("reader", "line"),
    [
        ("import ctypes; ctypes.string_at(0)", "it ended the process (segmentation fault)"),
        ("x = bytearray(10**11)", "not a MATLAB file that can be read"),
        ("raise KeyError('odd')", "not a MATLAB file that can be read, or truncated: 'odd'"),
    ],
)
def test_a_reader_that_crashes_or_fills_memory_is_one_line(
    reader: str, line: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Scipy's reader is replaced by a module that does what damage made it do."""
    package = tmp_path / "scipy" / "io"
    package.mkdir(parents=True)
    (tmp_path / "scipy" / "__init__.py").touch()
    (package / "__init__.py").write_text(f"def loadmat(*given, **how):\n    {reader}\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    path = written(tmp_path / "a.mat")
    with pytest.raises(RobustPoseError) as caught:
        load_mat(path, squeeze=True)
    assert line.replace("it ended", "reading it ended") in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_reader_that_never_ends_is_stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "scipy" / "io"
    package.mkdir(parents=True)
    (tmp_path / "scipy" / "__init__.py").touch()
    (package / "__init__.py").write_text("def loadmat(*given, **how):\n    while True: pass\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setattr(mat_file, "SECONDS", 1)
    with pytest.raises(RobustPoseError, match=r"more than 1 seconds|more than 2 seconds|\(killed\)"):
        load_mat(written(tmp_path / "a.mat"), squeeze=True)
