"""A study's definition, saved beside its cells, so that its report can be made again by name.

Models and data are opened again by the names they had, so relative paths count from where the command runs.
"""

import json
from dataclasses import asdict, fields
from pathlib import Path

from robustpose.errors import RobustPoseError
from robustpose.study.cell import Setting
from robustpose.study.plan import Study
from robustpose.study.store import write_atomically

FILE = "study.json"


def save_study(study: Study, folder: Path) -> None:
    """Write a study's definition, in one atomic act."""
    write_atomically(folder / FILE, (json.dumps(asdict(study), indent=2) + "\n").encode())


def load_study(folder: Path) -> Study:
    """Read the definition back; RobustPoseError where the folder holds none or a damaged one."""
    path = folder / FILE
    try:
        content = json.loads(path.read_text())
        settings = tuple(Setting(**setting) for setting in content.pop("settings"))
        known = {field.name for field in fields(Study)}
        if unknown := set(content) - known:
            raise KeyError(*sorted(unknown))
        return Study(**{**content, "models": tuple(content["models"]), "settings": settings})
    except (FileNotFoundError, NotADirectoryError):
        raise RobustPoseError(
            f"{folder} holds no study ({FILE} is missing); make one with `robustpose study`"
        ) from None
    except (json.JSONDecodeError, UnicodeDecodeError, KeyError, TypeError, AttributeError) as error:
        raise RobustPoseError(f"{path} is no study definition of this version ({error})") from None
