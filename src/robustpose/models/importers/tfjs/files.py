"""Reads and checks the files of a TF.js graph model: model.json and its weight shards. Nothing is run.

model.json has the topology (a TensorFlow GraphDef as JSON) and the weights manifest: groups of shards, each with
its weights in the order of their bytes. Weights may be stored as float16, or as uint8 or uint16 with a scale and a
minimum (value x scale + minimum); they are converted to float32, as in TF.js. Activations are never quantised in
this format.
"""

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import torch
from torch import Tensor

from robustpose.errors import RobustPoseError
from robustpose.models.importers.graph import damage_named
from robustpose.models.importers.opening import read_file

_DTYPES = {"float32": "<f4", "int32": "<i4", "bool": "|b1", "uint8": "|u1"}
_STORED = {"float16": "<f2", "uint8": "|u1", "uint16": "<u2"}


@dataclass(frozen=True)
class TfjsFiles:
    """A graph model's files.

    nodes      by name: op, input, attr as in the file
    weights    by the name of their Const node; floating point ones as float32
    signature  names of the file's declared outputs, without ':0'; may be empty
    sha256     of model.json and its shards in the manifest's order
    """

    file: str
    nodes: Mapping[str, Mapping[str, Any]]
    weights: Mapping[str, Tensor]
    signature: tuple[str, ...]
    sha256: str


def read_files(path: Path) -> TfjsFiles:
    """Read model.json, given by its path or folder, and its shards; RobustPoseError says what is wrong."""
    path = path / "model.json" if path.is_dir() else path
    content, file = read_file(path), str(path)
    try:
        model = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise RobustPoseError(f"{file}: is not the model.json of a TF.js graph model: {error}") from None
    digest = hashlib.sha256(content)
    with damage_named(file):
        nodes = _nodes(model, file)
        weights: dict[str, Tensor] = {}
        for group in model.get("weightsManifest") or []:
            shards = [read_file(_shard(path, name, file)) for name in group["paths"]]
            for shard in shards:
                digest.update(shard)
            weights |= _weights(b"".join(shards), group["weights"], file)
        signature = model.get("signature") or (model.get("userDefinedMetadata") or {}).get("signature") or {}
        outputs = [str(tensor["name"]).split(":")[0] for tensor in (signature.get("outputs") or {}).values()]
    return TfjsFiles(file, nodes, weights, tuple(dict.fromkeys(outputs)), digest.hexdigest())


def _nodes(model: Any, file: str) -> dict[str, Mapping[str, Any]]:
    if not isinstance(model, dict) or "modelTopology" not in model:
        raise RobustPoseError(f"{file}: is not the model.json of a TF.js graph model (it has no modelTopology)")
    topology = model["modelTopology"]
    if model.get("format") == "layers-model" or not isinstance(topology, dict) or "node" not in topology:
        raise RobustPoseError(
            f"{file}: is not a graph model (a layers model, perhaps); convert it to one with "
            "tensorflowjs_converter --output_format=tfjs_graph_model"
        )
    nodes = {str(node["name"]): node for node in topology["node"]}
    if len(nodes) != len(topology["node"]):
        raise RobustPoseError(f"{file}: cannot be read, it is damaged (two nodes have one name)")
    return nodes


def _shard(path: Path, name: str, file: str) -> Path:
    """Return the path of a shard, which must be in model.json's folder or below it."""
    parts = PurePosixPath(str(name).replace("\\", "/"))
    if parts.is_absolute() or ".." in parts.parts or ":" in str(name):
        raise RobustPoseError(f"{file}: names weights outside its folder: {str(name)!r}")
    return path.parent / parts


def _weights(content: bytes, listed: Any, file: str) -> dict[str, Tensor]:
    """Split a group's bytes into its weights."""
    weights, start = {}, 0
    for weight in listed:
        name, shape = str(weight["name"]), tuple(int(size) for size in weight["shape"])
        dtype = _stored_as(weight, file)
        stop = start + math.prod(shape) * dtype.itemsize
        if min(shape, default=1) < 0 or stop > len(content):
            raise RobustPoseError(
                f"{file}: its shards have {len(content)} bytes, but weight {name!r} ends at {stop}: "
                "one is truncated or missing"
            )
        stored = np.frombuffer(content[start:stop], dtype).reshape(shape)
        weights[name] = torch.from_numpy(_widened(stored, weight))
        start = stop
    if start != len(content):
        raise RobustPoseError(f"{file}: its shards have {len(content)} bytes, its weights {start}")
    return weights


def _stored_as(weight: Mapping[str, Any], file: str) -> np.dtype[Any]:
    quantisation = weight.get("quantization")
    known, kind = (_STORED, quantisation["dtype"]) if quantisation else (_DTYPES, weight["dtype"])
    if kind not in known:
        raise RobustPoseError(
            f"{file}: weight {str(weight['name'])!r} is {'stored as ' if quantisation else ''}{kind}, expected "
            f"one of {', '.join(known)}"
        )
    return np.dtype(known[kind])


def _widened(stored: np.ndarray[Any, Any], weight: Mapping[str, Any]) -> np.ndarray[Any, Any]:
    """Return a weight in the precision of TF.js; the result owns its memory."""
    quantisation, is_float = weight.get("quantization"), weight["dtype"] == "float32"
    if not quantisation:
        return stored.astype(np.float32 if is_float else stored.dtype)
    if quantisation["dtype"] == "float16":
        return stored.astype(np.float32)
    values = stored.astype(np.float64) * float(quantisation["scale"]) + float(quantisation["min"])
    return values.astype(np.float32) if is_float else np.floor(values + 0.5).astype(np.int32)
