"""Provenance of results: provenance.json, next to results.csv, with what is needed to reproduce and compare them.

cells       the number of cells behind the results, and a hash over their keys: the same hash, the same study
runs        each run that computed some of them, killed ones included: command, versions, device, threads, engine

A run is noted in the store's journal while it computes (jobs/journal.py); the file is made of that.
"""

import hashlib
import json
import platform
import shlex
import sys
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import torch

import robustpose
from robustpose.folders import write_atomically
from robustpose.jobs.journal import Ran
from robustpose.jobs.ray import RayEngine
from robustpose.jobs.run import Engine, LocalEngine, Shard


def write_provenance(
    folder: Path, keys: Iterable[str], *, journaled: Iterable[Ran], shard: Shard, computed: int
) -> None:
    """Write a study's provenance: its cells, and the runs of its journal and of the file that was there.

    A run that computed nothing changes nothing. Each shard writes its own file: shards run at the same time.
    """
    part = f"-{shard.index}-of-{shard.count}" if shard.count > 1 else ""
    path = folder / f"provenance{part}.json"
    before = _read(path)
    keys = sorted(set(keys))
    about = {"number": len(keys), "sha256": hashlib.sha256("\n".join(keys).encode()).hexdigest()}
    if before.get("cells") == about and not computed:
        return
    runs = before.get("runs")
    older = [run for run in runs if isinstance(run, dict) and "run" not in run] if isinstance(runs, list) else []
    told = [ran for ran in journaled if ran.about.get("shard") == _name(shard)]
    content = {"cells": about, "runs": [*older, *({**ran.about, "computed": ran.computed} for ran in told)]}
    folder.mkdir(parents=True, exist_ok=True)  # missing if the shard had no work
    write_atomically(path, (json.dumps(content, indent=2) + "\n").encode())


def _name(shard: Shard) -> str:
    return f"{shard.index}/{shard.count}" if shard.count > 1 else ""


def _read(path: Path) -> dict[str, object]:
    try:
        content = json.loads(path.read_text())
    except (OSError, ValueError, RecursionError):
        return {}
    return content if isinstance(content, dict) else {}


def about_run(engine: Engine, device: str, shard: Shard) -> dict[str, object]:
    """Return what is noted of a run: its command, versions, device, threads and engine."""
    ray = engine if isinstance(engine, RayEngine) else None
    local = engine.threads if isinstance(engine, LocalEngine) else 0
    on_gpu = device.startswith("cuda") or (ray is not None and ray.gpus > 0)
    there = on_gpu and torch.cuda.is_available()
    return {
        "command": shlex.join(["robustpose", *sys.argv[1:]]),
        "shard": _name(shard),
        "robustpose": robustpose.__version__,
        "python": platform.python_version(),
        "torch": torch.__version__,
        "numpy": np.__version__,
        "machine": platform.machine(),
        "device": torch.cuda.get_device_name() if there else ("cuda" if on_gpu else "cpu"),
        "threads": ray.threads if ray is not None else local or torch.get_num_threads(),
        "engine": "ray" if ray is not None else "local",
    }
