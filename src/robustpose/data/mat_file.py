"""Reads a MATLAB file in a process of its own, with limits: scipy's reader can crash on a damaged file.

This file is also what that process runs, by its path, so that it imports scipy and nothing of this package. What
was read comes back as JSON: numbers, texts, arrays, cells and structs.
"""

import base64
import json
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np

SECONDS = 300
"""Of processor time; waiting may take twice as long."""
MEMORY = 2_000_000_000
"""Bytes of address space beside what scipy's own libraries take, and beside fifty times the file."""


def read_mat(file: Path, *, squeeze: bool) -> dict[str, Any]:
    """Return the variables of a .mat file, structs as namespaces; ValueError in one line if it cannot be read."""
    limit = MEMORY + 50 * file.stat().st_size
    command = [sys.executable, "-P", __file__, str(file), str(int(squeeze)), str(SECONDS), str(limit)]
    environment = os.environ | {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "PYTHONWARNINGS": "ignore"}
    try:
        done = subprocess.run(command, capture_output=True, env=environment, timeout=2 * SECONDS, check=False)
    except subprocess.TimeoutExpired:
        raise ValueError(f"reading it took more than {2 * SECONDS} seconds") from None
    if done.returncode == 1:
        raise ValueError(done.stdout.decode(errors="replace").strip()[:300] or "no reason was given")
    if done.returncode:
        raise ValueError(f"reading it ended the process ({_ending(done.returncode)})")
    return {name: _decoded(value) for name, value in json.loads(done.stdout).items()}


def _decoded(told: Any) -> Any:
    """Make of JSON what _encoded made JSON of."""
    if not isinstance(told, dict):
        return told
    if "struct" in told:
        return SimpleNamespace(**{name: _decoded(value) for name, value in told["struct"].items()})
    if "bytes" in told:
        return np.frombuffer(base64.b64decode(told["bytes"]), told["dtype"]).reshape(told["shape"]).copy()
    found = np.empty(len(told["cells"]), dtype=object)
    for place, value in enumerate(told["cells"]):
        found[place] = _decoded(value)
    return found.reshape(told["shape"])


def _encoded(value: Any) -> Any:
    """Make JSON of what loadmat returns."""
    if isinstance(value, np.generic):
        value = value.item()
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if hasattr(value, "_fieldnames"):
        return {"struct": {name: _encoded(getattr(value, name)) for name in value._fieldnames}}
    if isinstance(value, np.ndarray) and value.dtype.kind in "biuf":
        flat = np.ascontiguousarray(value)
        content = base64.b64encode(flat.tobytes()).decode()
        return {"bytes": content, "dtype": flat.dtype.str, "shape": value.shape}
    if isinstance(value, np.ndarray) and value.dtype.kind in "OU":
        return {"cells": [_encoded(each) for each in value.flat], "shape": value.shape}
    return None  # functions, complex numbers, sparse matrices: no annotation has them


def _ending(code: int) -> str:
    endings = {-24: f"more than {SECONDS} seconds of processor time", -9: "killed", -11: "segmentation fault"}
    return endings.get(code, f"signal {-code}" if code < 0 else f"code {code}")


def main() -> None:
    """Read a .mat file and write its variables to the standard output."""
    path, squeeze, seconds, memory = sys.argv[1:]
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    from scipy.io import loadmat

    _limit(int(seconds), int(memory))
    try:
        content = loadmat(path, struct_as_record=False, squeeze_me=squeeze == "1")
        told = {name: _encoded(held) for name, held in content.items() if not name.startswith("__")}
        answers.write(json.dumps(told).encode())
        code = 0
    except Exception as error:  # the reader raises many types for a damaged file
        lines = str(error).splitlines() or [type(error).__name__]
        answers.write(lines[0].encode(errors="replace"))
        code = 1
    answers.flush()
    os._exit(code)


def _limit(seconds: int, memory: int) -> None:
    try:
        import resource
    except ImportError:  # not on Windows: there the waiting time alone is limited
        return
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    statm = Path("/proc/self/statm")
    if statm.exists():
        taken = int(statm.read_text().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (taken + memory, taken + memory))


if __name__ == "__main__":
    main()
