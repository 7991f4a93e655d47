"""A study's definition, saved beside its cells, so that its report can be made again by name.

Models and data are opened again by the names they had, so relative paths count from where the command runs.
"""

import json
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

from robustpose.errors import RobustPoseError
from robustpose.study.cell import Setting
from robustpose.study.plan import Study
from robustpose.study.store import write_atomically
from robustpose.study.view import Grid

FILE = "study.json"


def _tuple(value: object) -> Any:
    """Return lists as the tuples that they were."""
    return tuple(value) if isinstance(value, list) else value


def save_study(study: Study, folder: Path) -> None:
    """Write a study's definition, in one atomic act."""
    write_atomically(folder / FILE, (json.dumps(asdict(study), indent=2) + "\n").encode())


def load_study(folder: Path) -> Study:
    """Read the definition back; RobustPoseError where the folder holds none or a damaged one."""
    path = folder / FILE
    try:
        content = json.loads(path.read_text())
        settings = tuple(Setting(**setting) for setting in content.pop("settings"))
        grid = Grid(**{name: _tuple(value) for name, value in content.pop("grid").items()})
        known = {field.name for field in fields(Study)}
        if unknown := set(content) - known:
            raise KeyError(*sorted(unknown))
        return Study(**{name: _tuple(value) for name, value in content.items()}, settings=settings, grid=grid)
    except (FileNotFoundError, NotADirectoryError):
        raise RobustPoseError(
            f"{folder} holds no study ({FILE} is missing); make one with `robustpose study`"
        ) from None
    except (json.JSONDecodeError, UnicodeDecodeError, KeyError, TypeError, AttributeError) as error:
        raise RobustPoseError(f"{path} is no study definition of this version ({error})") from None
