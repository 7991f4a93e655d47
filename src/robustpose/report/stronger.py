"""The sentence that marks results of a weaker attack as upper bounds, with the command of the stronger attack."""

import shlex
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from robustpose.analysis.headline import main_settings
from robustpose.attacks import ATTACKS, default_attack
from robustpose.jobs.setting import Setting
from robustpose.study.definition import Study
from robustpose.threats import write_eps

FROM_PYTHON = "rp.attack"
"""The name of a study made from Python, whose models and data may have no name on the command line."""

_USUAL_DATA = ("synthpose", "synthpose:val")


def stronger_than(setting: Setting) -> str:
    """Return the name of the attack to run instead of a setting; empty if the setting is the strongest.

    Of attacks that move the image or lay a patch the package has no stronger one to name. autopose with fewer
    gradients than its own number is weaker than autopose.
    """
    strongest = default_attack(setting.threat)
    if ATTACKS[strongest].kind != "ensemble":
        return ""
    enough = setting.attack == strongest and setting.gradients >= int(ATTACKS[strongest].numbers()["gradients"])
    return "" if enough else strongest


def weakness(study: Study, model: str) -> str:
    """Say in one sentence that a study's attacks are weaker than autopose, with the command of autopose.

    model  the model of the command. Empty if a setting of the headline is autopose, and without settings.
    """
    settings = main_settings(study.settings)
    return _sentence(settings, lambda setting: stronger_command(study, model, setting))


def photo_weakness(setting: Setting, *, model: str, photo: Path, options: Mapping[str, str]) -> str:
    """Say the same of an attack on a photo, or on a folder of photos; `options` are others of the command."""

    def command(setting: Setting) -> str:
        words = ["robustpose", "attack", str(photo), "--model", model, "--attack", stronger_than(setting)]
        words += ["--threat", setting.threat] if setting.threat != "linf" else []
        words += ["--eps", _eps(setting), *(["--targeted"] if setting.targeted else [])]
        words += [word for name, value in options.items() if value for word in (name, value)]
        return shlex.join(words)

    return _sentence((setting,), command)


def _sentence(settings: Sequence[Setting], command: Callable[[Setting], str]) -> str:
    if not settings or not all(map(stronger_than, settings)):
        return ""
    first = settings[0]
    stronger = stronger_than(first)
    bound = "the target scores are lower bounds" if first.targeted else "the relative scores are upper bounds"
    if first.attack == stronger:
        what = f"{first.title} ran with {first.gradients} gradients per person, fewer than its own number"
    elif len(settings) == 1:
        what = f"{first.title} is weaker than {stronger}"
    else:
        what = f"The attacks of this study are weaker than {stronger}"
    return f"{what}, so {bound}; the stronger attack: {command(first)}"


def stronger_command(study: Study, model: str, setting: Setting) -> str:
    """Write the command, or the call from Python, of the stronger attack at the same budget."""
    stronger = stronger_than(setting)
    if study.name == FROM_PYTHON:
        aimed = ", targeted=True" if setting.targeted else ""
        threat = "" if setting.threat == "linf" else f", threat={setting.threat!r}"
        return f"rp.attack(model, data, attack={stronger!r}, eps={_eps(setting)!r}{threat}{aimed})"
    return attack_command(study, model, setting, attack=stronger)


def attack_command(study: Study, model: str, setting: Setting, *, attack: str, eps: str = "") -> str:
    """Write the command that attacks one model of a study with another attack; eps defaults to the same budget."""
    words = ["robustpose", "attack", "--model", model, "--attack", attack]
    words += ["--threat", setting.threat] if setting.threat != "linf" else []
    words += ["--eps", eps or _eps(setting)]
    words += ["--targeted"] if setting.targeted else []
    words += ["--data", study.data] if study.data not in _USUAL_DATA else []
    words += ["--spec", study.spec] if study.spec else []
    for name in ("images", "detections", "metric", "min_keypoints", "min_box", "n", "seed"):
        if value := getattr(study, name):
            words += [f"--{name.replace('_', '-')}", str(value)]
    return shlex.join(words)


def _eps(setting: Setting) -> str:
    return write_eps(setting.eps, setting.threat)
