"""A study's definition, saved with its results, so that its report can be recreated.

Data are reopened by name, so relative paths refer to the current directory. Models are not opened, because their
descriptions are saved, too (described.py).
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, fields, replace
from pathlib import Path
from typing import Any

from robustpose.errors import RobustPoseError
from robustpose.fields import wrong_field
from robustpose.folders import write_atomically
from robustpose.jobs.job import Job
from robustpose.jobs.places import open_place
from robustpose.jobs.setting import Setting
from robustpose.jobs.store import Store
from robustpose.study.definition import Grid, Study
from robustpose.study.described import described_by_results, runs_code, stored_model, stored_task
from robustpose.study.plan import Plan, open_models, open_plan

FILE = "study.json"
_SHOWN = 5

_TOLD = ("models", "data", "n", "settings", "seed", "detections", "metric", "images", "findings")
"""Fields that the message about another study lists if they differ."""


def _tuple(value: object) -> Any:
    """Convert lists back to tuples."""
    return tuple(value) if isinstance(value, list) else value


def _setting(content: Mapping[str, Any]) -> Setting:
    """Restore a setting; older studies have no changed hyper-parameters."""
    changed = tuple((str(name), number) for name, number in content.get("changed", ()))
    return Setting(**{**content, "changed": changed})


def save_study(study: Study, folder: Path, *, described: Mapping[str, object] | None = None) -> None:
    """Write a study's definition atomically; the versions that stored results under old keys are preserved.

    described  description of its models by describe_plan
    """
    old = legacy_versions(folder)
    folder.mkdir(parents=True, exist_ok=True)  # a shard without work has no folder yet
    content = {**({"versions": old} if old else {}), **asdict(study), "described": described}
    written = (json.dumps(content, indent=2) + "\n").encode()
    write_atomically(folder / FILE, written)
    place = open_place(folder)
    if not place.local:  # other machines read it there
        place.replace(FILE, written)


def refuse_other(study: Study, folder: Path, *, described: Mapping[str, object]) -> None:
    """Raise RobustPoseError if a folder contains results of another study or of other weights.

    Titles may differ. The message describes the other study.
    """
    if not (folder / FILE).exists():
        return
    held, _, models = _read(folder)
    if replace(held, title=study.title) != study:
        differs = [name for name in _TOLD if getattr(held, name) != getattr(study, name)]
        there = "; ".join(f"{name.replace('_', ' ')} {_told(getattr(held, name))}" for name in differs)
        what = f"another study ({there or 'of other options'})"
    elif models is not None and _weights(models) != _weights(described):
        what = "the same study of other weights"
    else:
        return
    raise RobustPoseError(
        f"{folder} holds {what}; take another --out, or write over its tables and pages with --force"
    )


def _weights(described: Mapping[str, Any]) -> list[str]:
    """Return the fingerprints of the models of describe_plan, sorted."""
    return sorted(str(each.get("fingerprint")) for each in described.get("models", ()))


def _told(value: object) -> str:
    """Write a field of a study briefly."""
    if value is None:
        return "all"
    if not isinstance(value, tuple):
        return str(value)
    names = [each.title if isinstance(each, Setting) else str(each) for each in value]
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "") if names else "none"


def load_study(folder: Path) -> Study:
    """Read the definition; RobustPoseError if it is missing or damaged."""
    return _read(folder)[0]


def reopen(folder: Path) -> tuple[Plan, Store]:
    """Open a study and its results for reading, without opening models that are described or that run code.

    RobustPoseError as load_study, and if a model that runs code cannot be identified from the results of an older
    version, which stored no descriptions.
    """
    study, _, described = _read(folder)
    if described is None:
        opened = [described_by_results(folder, spec) if runs_code(spec) else spec for spec in study.models]
        models = open_models(study, opened)
        return open_plan(study, models=models), open_store(folder)
    try:
        models = [stored_model(facts) for facts in described["models"]]
        tasks = [stored_task(facts) for facts in described["tasks"]]
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise RobustPoseError(f"{folder / FILE}: the description of its models is damaged ({error!r})") from None
    return open_plan(study, models=models, tasks=tasks), open_store(folder)


def check_cells(store: Store, jobs: Sequence[Job[Any]]) -> None:
    """RobustPoseError that names all stored results of the jobs that are damaged."""
    damaged = store.damaged(jobs)
    if damaged:
        shown = [*damaged.values()][:_SHOWN]
        more = f"; and {len(damaged) - _SHOWN} more" if len(damaged) > _SHOWN else ""
        raise RobustPoseError(f"{len(damaged)} stored results are damaged: {'; '.join(shown)}{more}")


def open_store(folder: Path) -> Store:
    """Open the results of a study, computed by any version."""
    return Store(folder, any_version=True, legacy=legacy_versions(folder))


def legacy_versions(folder: Path) -> tuple[str, ...]:
    """Return the versions of the code that stored results here under the keys of format 3, the newest first."""
    return _read(folder)[1] if (folder / FILE).exists() else ()


def _read(folder: Path) -> tuple[Study, tuple[str, ...], dict[str, Any] | None]:
    path = folder / FILE
    try:
        content = json.loads(path.read_text())
        versions = tuple(map(str, content.pop("versions", ())))
        described = content.pop("described", None)
        settings = tuple(_setting(setting) for setting in content.pop("settings"))
        grid = Grid(**{name: _tuple(value) for name, value in content.pop("grid").items()})
        if "card" in content:  # the name of this field in older files
            content["spec"] = content.pop("card")
        known = {field.name for field in fields(Study)}
        if unknown := set(content) - known:
            raise KeyError(*sorted(unknown))
        held = {name: _tuple(value) for name, value in content.items()}
        study = Study(**held, settings=settings, grid=grid)
        for part in (*settings, grid, study):
            if wrong := wrong_field(part):
                raise TypeError(wrong)
        return study, versions, described
    except (FileNotFoundError, NotADirectoryError):
        raise RobustPoseError(
            f"{folder} contains no study ({FILE} is missing); make one with `robustpose study`"
        ) from None
    except RobustPoseError:
        raise
    except (ValueError, RecursionError, KeyError, TypeError, AttributeError) as error:
        raise RobustPoseError(f"{path} is not a study definition of this version ({error})") from None
