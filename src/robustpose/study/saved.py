"""A study's definition, saved beside its cells, so that its report can be made again by name.

Models and data are opened again by the names they had, so relative paths count from where the command runs.
"""

import json
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

from robustpose.errors import RobustPoseError
from robustpose.fields import wrong_field
from robustpose.jobs.setting import Setting
from robustpose.jobs.store import Store, write_atomically
from robustpose.study.definition import Study
from robustpose.study.view import Grid

FILE = "study.json"


def _tuple(value: object) -> Any:
    """Return lists as the tuples that they were."""
    return tuple(value) if isinstance(value, list) else value


def save_study(study: Study, folder: Path) -> None:
    """Write a study's definition in one atomic act; versions that stored results by old keys stay with it."""
    old = legacy_versions(folder)
    folder.mkdir(parents=True, exist_ok=True)  # of a shard without work there is none yet
    content = {**({"versions": old} if old else {}), **asdict(study)}
    write_atomically(folder / FILE, (json.dumps(content, indent=2) + "\n").encode())


def load_study(folder: Path) -> Study:
    """Read the definition back; RobustPoseError where the folder holds none or a damaged one."""
    return _read(folder)[0]


def open_store(folder: Path) -> Store:
    """Open the results of a study, whichever versions computed them."""
    return Store(folder, any_version=True, legacy=legacy_versions(folder))


def legacy_versions(folder: Path) -> tuple[str, ...]:
    """Return the versions of the code that stored results here by the keys of format 3, the last first."""
    return _read(folder)[1] if (folder / FILE).exists() else ()


def _read(folder: Path) -> tuple[Study, tuple[str, ...]]:
    path = folder / FILE
    try:
        content = json.loads(path.read_text())
        versions = tuple(map(str, content.pop("versions", ())))
        settings = tuple(Setting(**setting) for setting in content.pop("settings"))
        grid = Grid(**{name: _tuple(value) for name, value in content.pop("grid").items()})
        known = {field.name for field in fields(Study)}
        if unknown := set(content) - known:
            raise KeyError(*sorted(unknown))
        held = {name: _tuple(value) for name, value in content.items()}
        study = Study(**held, settings=settings, grid=grid)
        for part in (*settings, grid, study):
            if wrong := wrong_field(part):
                raise TypeError(wrong)
        return study, versions
    except (FileNotFoundError, NotADirectoryError):
        raise RobustPoseError(
            f"{folder} holds no study ({FILE} is missing); make one with `robustpose study`"
        ) from None
    except (json.JSONDecodeError, UnicodeDecodeError, KeyError, TypeError, AttributeError) as error:
        raise RobustPoseError(f"{path} is no study definition of this version ({error})") from None
