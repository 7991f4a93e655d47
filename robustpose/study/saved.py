"""A study's definition, saved beside its cells, so that its report can be made again by name.

Models and data are opened again by the names they had, so relative paths count from where the command runs.
"""

import json
from dataclasses import asdict, fields, replace
from pathlib import Path
from typing import Any

from robustpose.errors import RobustPoseError
from robustpose.study.cell import Setting
from robustpose.study.plan import Plan, Study, open_plan
from robustpose.study.store import write_atomically
from robustpose.study.view import Grid

FILE = "study.json"


def _tuple(value: object) -> Any:
    """Return lists as the tuples that they were."""
    return tuple(value) if isinstance(value, list) else value


def save_plan(plan: Plan, folder: Path) -> None:
    """Write a study's definition, and the version of the code that computes its cells, in one atomic act."""
    content = {"version": plan.version, **asdict(plan.study)}
    folder.mkdir(parents=True, exist_ok=True)  # of a shard without work there is none yet
    write_atomically(folder / FILE, (json.dumps(content, indent=2) + "\n").encode())


def load_plan(folder: Path) -> Plan:
    """Open a study again, to read its cells whoever computed them; RobustPoseError where the folder holds none."""
    study, version = _read(folder)
    return replace(open_plan(study), version=version)


def _read(folder: Path) -> tuple[Study, str]:
    path = folder / FILE
    try:
        content = json.loads(path.read_text())
        version = str(content.pop("version"))
        settings = tuple(Setting(**setting) for setting in content.pop("settings"))
        grid = Grid(**{name: _tuple(value) for name, value in content.pop("grid").items()})
        known = {field.name for field in fields(Study)}
        if unknown := set(content) - known:
            raise KeyError(*sorted(unknown))
        held = {name: _tuple(value) for name, value in content.items()}
        return Study(**held, settings=settings, grid=grid), version
    except (FileNotFoundError, NotADirectoryError):
        raise RobustPoseError(
            f"{folder} holds no study ({FILE} is missing); make one with `robustpose study`"
        ) from None
    except (json.JSONDecodeError, UnicodeDecodeError, KeyError, TypeError, AttributeError) as error:
        raise RobustPoseError(f"{path} is no study definition of this version ({error})") from None
