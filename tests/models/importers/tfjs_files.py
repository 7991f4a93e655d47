"""Tiny TF.js graph models made in the tests, and the outputs of TF.js for any model, if it is installed."""

import base64
import json
import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

Array = NDArray[Any]
Files = dict[str, bytes]
HOME = "ROBUSTPOSE_TFJS"
"""Names the folder in which `npm install @tensorflow/tfjs @tensorflow/tfjs-backend-wasm` ran."""

_TYPES = {"float32": "DT_FLOAT", "int32": "DT_INT32", "bool": "DT_BOOL"}


def text(value: str) -> dict[str, Any]:
    return {"s": base64.b64encode(value.encode()).decode()}


def texts(*values: str) -> dict[str, Any]:
    return {"list": {"s": [text(value)["s"] for value in values]}}


def number(value: int) -> dict[str, Any]:
    return {"i": str(value)}


def numbers(*values: int) -> dict[str, Any]:
    return {"list": {"i": [str(value) for value in values]}}


def real(value: float) -> dict[str, Any]:
    return {"f": value}


def flag(value: bool) -> dict[str, Any]:
    return {"b": value}


def kind(value: str) -> dict[str, Any]:
    return {"type": value}


@dataclass(frozen=True)
class Op:
    """One node: its inputs are names of others ('name:1' for a second output) or constants."""

    op: str
    inputs: Sequence[str | Array]
    name: str = "out"
    attributes: Mapping[str, Any] = field(default_factory=dict)


def tfjs_files(
    *ops: Op,
    picture: tuple[int, ...],
    outputs: Sequence[str] = ("out",),
    stored: str = "",
    shards: int = 1,
    dtype: str = "DT_FLOAT",
) -> Files:
    """Write a model that takes `image`: its files by name.

    stored  how float weights are kept: '' as they are, or 'float16', 'uint8', 'uint16'
    """
    dims = {"dim": [{"size": str(size)} for size in picture]}
    nodes: list[dict[str, Any]] = [
        {"name": "picture", "op": "Placeholder", "attr": {"dtype": kind(dtype), "shape": {"shape": dims}}}
    ]
    weights: list[dict[str, Any]] = []
    content = b""
    for op in ops:
        taken = []
        for given in op.inputs:
            if not isinstance(given, str):
                name = f"constant_{len(weights)}"
                entry, data = _weight(name, given, stored)
                weights.append(entry)
                content += data
                nodes.append({"name": name, "op": "Const", "attr": {"dtype": kind(_TYPES[str(given.dtype)])}})
                given = name
            taken.append(given)
        nodes.append({"name": op.name, "op": op.op, "input": taken, "attr": dict(op.attributes)})
    cuts = [round(len(content) * part / shards) for part in range(shards + 1)]
    names = [f"group1-shard{part + 1}of{shards}.bin" for part in range(shards)]
    model = {
        "format": "graph-model",
        "modelTopology": {"node": nodes, "library": {}, "versions": {}},
        "signature": {
            "inputs": {"picture": {"name": "picture:0", "dtype": dtype, "tensorShape": dims}},
            "outputs": {name: {"name": f"{name}:0"} for name in outputs},
        },
        "weightsManifest": [{"paths": names, "weights": weights}],
    }
    made = {name: content[cuts[part] : cuts[part + 1]] for part, name in enumerate(names)}
    return {"model.json": json.dumps(model).encode(), **made}


def _weight(name: str, value: Array, stored: str) -> tuple[dict[str, Any], bytes]:
    entry: dict[str, Any] = {"name": name, "shape": list(value.shape), "dtype": str(value.dtype)}
    if not stored or value.dtype != np.float32:
        return entry, value.tobytes()
    if stored == "float16":
        return entry | {"quantization": {"dtype": stored}}, value.astype(np.float16).tobytes()
    low, levels = float(value.min(initial=0)), np.iinfo(stored).max
    scale = (float(value.max(initial=0)) - low) / levels or 1.0
    quantisation = {"dtype": stored, "scale": scale, "min": low}
    return entry | {"quantization": quantisation}, np.round((value - low) / scale).astype(stored).tobytes()


def write(folder: Path, files: Files) -> Path:
    """Write a model's files and return model.json."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (folder / name).write_bytes(content)
    return folder / "model.json"


def tfjs_at_hand() -> str:
    """Return the folder with TF.js, or an empty string."""
    home = os.environ.get(HOME, "")
    found = shutil.which("node") and home and (Path(home) / "node_modules" / "@tensorflow" / "tfjs").is_dir()
    return home if found else ""


def tfjs_or_skip() -> str:
    """Return the folder with TF.js; skip the test where there is none."""
    home = tfjs_at_hand()
    if not home:
        pytest.skip(f"TF.js is not at hand: npm install it somewhere and name the folder as {HOME}")
    return home


@dataclass(frozen=True)
class Job:
    """A job for TF.js: a model.json, images of one shape (1, ...), and the names of outputs."""

    model: Path
    pictures: Sequence[Array]
    outputs: Sequence[str]


def run_tfjs(home: str, jobs: Sequence[Job], folder: Path, *, backend: str = "cpu") -> list[list[list[Array]]]:
    """Run models in TF.js, in one process: for each job and image, its outputs."""
    folder.mkdir(parents=True, exist_ok=True)
    rows = []
    for j, job in enumerate(jobs):
        inputs, to = [], []
        for p, picture in enumerate(job.pictures):
            path = folder / f"{j}-{p}.in"
            path.write_bytes(np.ascontiguousarray(picture, np.float32).tobytes())
            inputs.append(str(path))
            to.append([str(folder / f"{j}-{p}-{o}.out") for o in range(len(job.outputs))])
        row = {"model": str(job.model), "inputs": inputs, "shape": list(job.pictures[0].shape)}
        rows.append(row | {"outputs": list(job.outputs), "to": to})
    listed = folder / "jobs.json"
    listed.write_text(json.dumps(rows))
    script = Path(__file__).with_name("tfjs_run.js")
    command = ["node", str(script), home, backend, str(listed)]
    ran = subprocess.run(command, capture_output=True, text=True, check=False, timeout=600)
    assert ran.returncode == 0, ran.stderr[-2000:]
    return [[[_output(Path(file)) for file in files] for files in row["to"]] for row in rows]


def _output(path: Path) -> Array:
    shape = json.loads(path.with_name(path.name + ".json").read_text())
    return np.frombuffer(path.read_bytes(), np.float32).reshape(shape)
