"""Names of default result folders: what was asked, and a short hash of it, so that two runs never share one.

The same command gives the same folder, so that it continues there. This module does not import torch.
"""

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, fields
from pathlib import Path
from typing import Any

RUNS = Path("runs")
_LONGEST = 60
"""Characters of one part of a name; file systems take 255 in all."""
_HOW = {
    *("engine", "device", "address", "workers", "threads", "gpus", "shard", "reuse", "force", "people_per_cell"),
}
"""Options that do not change what a study is."""


def folder_named(kind: str, parts: Sequence[str], *, of: Mapping[str, Any]) -> Path:
    """Return runs/KIND-PARTS-HASH, the hash of `of`.

    >>> folder_named("attack", ["shg2", "coco:a b.json"], of={"n": 10}).as_posix()
    'runs/attack-shg2-coco-a-b.json-1aadf80e'
    """
    said = [short for part in parts if (short := _short(part))]
    return RUNS / "-".join([kind, *said, _hash(of)])


def study_folder(name: str, options: Any) -> Path:
    """Return runs/NAME for a study as it is, and runs/NAME-PARTS-HASH for one with options."""
    given = {
        each.name: value
        for each in fields(options)
        if each.name not in _HOW and (value := getattr(options, each.name)) != _default(each)
    }
    if not given:
        return RUNS / name
    parts = [
        f"n{given['n']}" if each == "n" else str(given[each]) for each in ("models", "data", "n") if each in given
    ]
    return folder_named(name, parts, of=given)


def _default(field: Any) -> object:
    return field.default_factory() if field.default is MISSING else field.default


def _short(part: str) -> str:
    """Write a model, a data set or an attack for a file name: a path by its last part."""
    named = re.sub(r"[^:+,\[\]]*/(?=[^/]*$)", "", part) if not re.search(r"\d/\d", part) else part
    return re.sub(r"[^\w.-]+", "-", named).strip("-.").lower()[:_LONGEST]


def _hash(of: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(of, sort_keys=True, default=str).encode()).hexdigest()[:8]
