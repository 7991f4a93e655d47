"""robustpose: how robust is a human pose estimator?

From Python, `import robustpose as rp`: rp.perturb, rp.attack, rp.attack_photo, rp.load_model, rp.load_data,
rp.corrupt and rp.check_spec; see robustpose.api.
Importing robustpose imports nothing else until one of them is asked for.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from robustpose.api import (
        APGD,
        FGSM,
        FMN,
        IGSM,
        PGD,
        AttackResult,
        Autopose,
        Batch,
        PhotoResult,
        RayS,
        RobustPoseError,
        Square,
        attack,
        attack_photo,
        check_card,
        check_spec,
        corrupt,
        load_data,
        load_model,
        perturb,
    )

__version__ = "0.1.0"

__all__ = [
    "APGD",
    "FGSM",
    "FMN",
    "IGSM",
    "PGD",
    "AttackResult",
    "Autopose",
    "Batch",
    "PhotoResult",
    "RayS",
    "RobustPoseError",
    "Square",
    "__version__",
    "attack",
    "attack_photo",
    "check_card",
    "check_spec",
    "corrupt",
    "load_data",
    "load_model",
    "perturb",
]


def __getattr__(name: str) -> object:
    if name in __all__:
        return getattr(import_module("robustpose.api"), name)
    raise AttributeError(f"module 'robustpose' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
