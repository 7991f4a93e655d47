"""Writes a user study: one self-contained page, and trials.json, which describes the trials.

Images are embedded as PNG, so that participants see exactly the model's input. The trials are encoded in base64,
so that a look at the source does not show the correct answers.
"""

import base64
import json
from pathlib import Path

import cv2
import numpy as np
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from robustpose.errors import RobustPoseError
from robustpose.folders import write_atomically
from robustpose.jobs.results import Pixels
from robustpose.userstudy.trials import FORMAT, UserStudy

_TEMPLATES = Path(__file__).parent / "templates"
PAGE, TRIALS = "index.html", "trials.json"


def write_page(study: UserStudy, folder: Path) -> Path:
    """Write index.html and trials.json into a folder and return the page's path.

    RobustPoseError if the folder contains another user study, whose answers would no longer match its page.
    """
    _check_free(study, folder)
    folder.mkdir(parents=True, exist_ok=True)
    write_atomically(folder / TRIALS, (json.dumps(key_of_trials(study), indent=1) + "\n").encode())
    write_atomically(folder / PAGE, render_page(study).encode())
    return folder / PAGE


def key_of_trials(study: UserStudy) -> dict[str, object]:
    """Return the content of trials.json."""
    return {
        "format": FORMAT,
        "study": study.fingerprint,
        "net": study.stimuli.model,
        "data": study.stimuli.data,
        "attack": study.stimuli.attack,
        "seed": study.design.seed,
        "seconds": study.design.seconds,
        "trials": [{**trial.as_dict(), "rms_levels": round(trial.rms, 3)} for trial in study.trials],
    }


def render_page(study: UserStudy) -> str:
    """Render the self-contained page."""
    height, width = study.example.clean.shape[:2]
    shown: dict[str, int] = {}
    trials = []
    for trial in study.trials:
        sides = (trial.clean, trial.altered) if trial.tampered == "right" else (trial.altered, trial.clean)
        left, right = (shown.setdefault(_data_url(each), len(shown)) for each in sides)
        trials.append({**trial.as_dict(), "left": left, "right": right})
    material = {
        "study": study.fingerprint,
        "seconds": study.design.seconds,
        "scale": study.design.scale,
        "width": width,
        "height": height,
        "trials": trials,
    }
    environment = Environment(
        loader=FileSystemLoader(_TEMPLATES), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    return environment.get_template("page.html.j2").render(
        count=len(trials),
        seconds=study.design.seconds,
        width=width,
        height=height,
        enlarged=2 if width <= 160 else 1,
        example=[_data_url(study.example.clean), _data_url(study.example.altered)],
        material=base64.b64encode(json.dumps(material).encode()).decode(),
        pictures=Markup(json.dumps(list(shown))),
        style=_source("style.css"),
        scripts=[_source("trials.js"), _source("page.js")],
    )


def _check_free(study: UserStudy, folder: Path) -> None:
    path = folder / TRIALS
    if not path.exists():
        return
    try:
        theirs = json.loads(path.read_text())["study"]
    except (ValueError, KeyError, TypeError):
        theirs = None
    if theirs != study.fingerprint:
        raise RobustPoseError(f"{folder} contains another user study ({theirs}); choose another --out")


def _source(name: str) -> Markup:
    return Markup((_TEMPLATES / name).read_text())


def _data_url(image: Pixels) -> str:
    done, encoded = cv2.imencode(".png", np.ascontiguousarray(image[..., ::-1]))
    if not done:
        raise RobustPoseError(f"an image of shape {image.shape} cannot be written as PNG")
    return f"data:image/png;base64,{base64.b64encode(encoded.tobytes()).decode()}"
