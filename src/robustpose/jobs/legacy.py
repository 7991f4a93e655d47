"""The keys of results in stores of format 3: one hash of the fields and of a version of the code.

Such results are read but never written.
"""

import hashlib
import json
from typing import Any

from robustpose.jobs.job import Job

_AUTOPOSE = 3
"""The version of autopose in these keys."""

_CHANGES = {"mirrored": "flip", "flip": "flip test"}
"""Changes of replayed images that had another name, or, of the flip test, none."""


def legacy_key(job: Job[Any], version: str) -> str:
    """Return the name under which a version of the code stored a job (32 hex digits)."""
    text = json.dumps(_fields(job, version), sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def _fields(job: Job[Any], version: str) -> dict[str, object]:
    fields = dict(job.fields())
    if fields["kind"] == "replay":
        people, source = fields["people"], fields["source"]
        key = None if source is None else legacy_key(source, version)  # type: ignore[arg-type]
        change = _CHANGES.get(str(fields["change"]), fields["change"])
        return {**fields, "change": change, "people": _fields(people, version), "source": key}  # type: ignore[arg-type]
    if fields["kind"] == "attack":
        del fields["kind"]
    if isinstance(setting := fields.get("setting"), dict) and setting["attack"] == "autopose":
        fields["setting"] = {**setting, "numbers": {**setting["numbers"], "version": _AUTOPOSE}}
    return {**fields, "version": version}
