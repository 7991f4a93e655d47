"""A cell: one job, one model under one attack on one block of people. Its key is the hash of its fields.

The same command run again finds its cells by their keys, two studies share cells, and a changed weight file,
data set or version is a new cell.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Protocol

import torch

import robustpose
from robustpose.attacks import (
    ATTACKS,
    ENSEMBLES,
    SEARCHES,
    SPATIAL,
    Autopose,
    SpatialAttack,
    check_attack,
    make_attack,
    make_ensemble,
    make_spatial,
)
from robustpose.attacks.autopose import VERSION as AUTOPOSE_VERSION
from robustpose.errors import RobustPoseError, unknown_name
from robustpose.objectives import OBJECTIVES
from robustpose.threats import MOTIONS, format_eps, make_motion, make_threat
from robustpose.types import Attack

_COMPUTES = (
    *("skeletons.py", "types.py", "geometry.py"),
    *("study/compute.py", "study/signals.py", "study/tasks.py", "study/workbench.py"),
)
_COMPUTING_ROOMS = ("data", "models", "metrics", "threats", "objectives", "attacks", "defences")


@cache
def code_version() -> str:
    """Name what computes a cell: this version, a hash of the code of the rooms that do, and torch's version."""
    package = Path(__file__).parents[1]
    files = [package / name for name in _COMPUTES]
    files += [file for room in _COMPUTING_ROOMS for file in sorted((package / room).rglob("*.py"))]
    digest = hashlib.sha256()
    for file in files:
        digest.update(str(file.relative_to(package)).encode() + b"\0" + file.read_bytes())
    return f"{robustpose.__version__}+{digest.hexdigest()[:12]}+torch{torch.__version__}"


class Job(Protocol):
    """One piece of work whose result the store keeps: a cell, or what other cells stand on."""

    @property
    def key(self) -> str:
        """The hash of what defines it (32 hex digits)."""
        ...

    def as_dict(self) -> dict[str, object]:
        """Every field that defines it."""
        ...

    def of_version(self, version: str, /) -> "Job":
        """Return the same job as another version of the code defines it."""
        ...


def key_of(fields: Mapping[str, object]) -> str:
    """Hash the fields that define a job (32 hex digits)."""
    text = json.dumps(fields, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:32]


@dataclass(frozen=True)
class Setting:
    """An attack with all its numbers.

    eps     the threat's budget: of linf in [0, 1] units, of spatial in degrees
    steps   None is the attack's own number
    search  precision of the attack's passes, 'fp32' or 'bf16'; scores are fp32 whatever it says
    """

    attack: str
    eps: float
    steps: int | None = None
    targeted: bool = False
    objective: str = "training_loss"
    threat: str = "linf"
    search: str = "fp32"

    def __post_init__(self) -> None:
        if self.threat in MOTIONS:
            make_motion(self.threat, self.eps)
        else:
            make_threat(self.threat, self.eps)
        if self.objective not in OBJECTIVES:
            raise unknown_name("objective", self.objective, OBJECTIVES)
        if self.search not in SEARCHES:
            raise unknown_name("search", self.search, SEARCHES)
        if self.attack not in (*ATTACKS, *ENSEMBLES, *SPATIAL):
            raise unknown_name("attack", self.attack, (*ATTACKS, *ENSEMBLES, *SPATIAL))
        if self.has_own_objective and self.objective != "training_loss":
            raise RobustPoseError(f"{self.attack} has objectives of its own: leave {self.objective!r} out")
        if self.is_spatial or self.threat in MOTIONS:
            self._check_spatial()
        elif self.is_ensemble:
            self.ensemble()
        else:
            check_attack(self.attack, self.make(), threat=self.threat, objective=self.objective)

    def _check_spatial(self) -> None:
        if not self.is_spatial:
            raise RobustPoseError(
                f"attack {self.attack!r} changes pixel values, threat {self.threat!r} moves the picture: "
                f"that do {', '.join(SPATIAL)}"
            )
        if self.threat not in MOTIONS:
            raise RobustPoseError(f"attack {self.attack!r} serves {', '.join(MOTIONS)}, got {self.threat}")
        if self.search != "fp32":
            raise RobustPoseError(
                f"attack {self.attack!r} looks through the net as it is: leave {self.search!r} out"
            )
        self.spatial()

    @property
    def is_spatial(self) -> bool:
        """Whether it moves the picture, and the truth with it."""
        return self.attack in SPATIAL

    @property
    def has_own_objective(self) -> bool:
        """Whether what it raises is its own affair."""
        return self.is_ensemble or self.is_spatial

    @property
    def is_ensemble(self) -> bool:
        """Whether it is an ensemble of attacks, which raises objectives of its own."""
        return self.attack in ENSEMBLES

    def make(self) -> Attack:
        """Make the attack; RobustPoseError for an unknown name, an ensemble's too, or wrong steps."""
        return make_attack(self.attack, targeted=self.targeted, steps=self.steps)

    def ensemble(self) -> Autopose:
        """Make the ensemble; RobustPoseError for an unknown name or wrong steps."""
        return make_ensemble(self.attack, targeted=self.targeted, steps=self.steps)

    def spatial(self) -> SpatialAttack:
        """Make the spatial attack; RobustPoseError for an unknown name, wrong steps or targets."""
        return make_spatial(self.attack, targeted=self.targeted, steps=self.steps)

    @property
    def round_to_8bit(self) -> bool:
        """Whether pictures are rounded to 8 bits: not under one level, where none could hold the perturbation."""
        return self.is_spatial or self.eps == 0 or make_threat(self.threat, self.eps).holds_8bit

    @property
    def budget(self) -> str:
        """The budget as people read it: 8/255, 2 in L2, 100 pixels."""
        return format_eps(self.eps, self.threat)

    @property
    def numbers(self) -> dict[str, float | int]:
        """The attack's hyper-parameters."""
        if self.is_ensemble:
            return {**asdict(self.ensemble()), "version": AUTOPOSE_VERSION}
        if self.is_spatial:
            return asdict(self.spatial())  # type: ignore[call-overload, no-any-return]
        return asdict(self.make())  # type: ignore[call-overload, no-any-return]

    @property
    def gradients(self) -> int:
        """How many gradients of one person's picture it may take; queries, of an attack that takes none."""
        numbers = self.numbers
        return int(numbers.get("gradients", numbers.get("steps", 1)))

    @property
    def label(self) -> str:
        """The paper's name: FGSM-U, IGSM-T-20, IGSM-U-10-ALL; an objective of ours is named: APGD-U-100-margin."""
        parts = [self.attack.upper(), "T" if self.targeted else "U"]
        if "steps" in self.numbers:
            parts.append(str(self.numbers["steps"]))
        if self.objective == "training_loss_all":
            parts.append("ALL")
        elif self.objective != "training_loss":
            parts.append(self.objective)
        if self.search != "fp32":
            parts.append(self.search)
        return "-".join(parts)

    @property
    def title(self) -> str:
        """The label with the budget, for people."""
        return f"{self.label} at {self.budget}"


@dataclass(frozen=True)
class Cell:
    """One model, one block of people, clean or under one attack.

    start, stop  rows of the data set
    photos       a hash of the pictures that the cell reads
    pool         for targeted attacks: target poses are drawn from the first `pool` people
    metric       for targeted attacks: what an accidental hit of the target is; for objectives that ask: the radius
    keep_images  how many people at the block's start keep their adversarial picture; no part of the key, for the
                 result does not depend on it
    """

    model: str
    model_fingerprint: str
    data: str
    data_fingerprint: str
    start: int
    stop: int
    photos: str = ""
    setting: Setting | None = None
    pool: int = 0
    metric: str = ""
    keep_images: int = field(default=0, compare=False)
    seed: int = 0
    version: str = field(default_factory=code_version)

    def __post_init__(self) -> None:
        if not 0 <= self.start < self.stop:
            raise RobustPoseError(f"a cell needs rows 0 <= start < stop, got {self.start} to {self.stop}")

    @property
    def title(self) -> str:
        """What it is, for people."""
        return f"{self.model}: {'clean' if self.setting is None else self.setting.title}"

    def of_version(self, version: str, /) -> "Cell":
        """Return the same cell as another version of the code defines it."""
        return replace(self, version=version)

    def as_dict(self) -> dict[str, object]:
        """Every field that defines the cell, the attack's hyper-parameters spelled out."""
        fields = asdict(self)
        del fields["keep_images"]
        if self.setting is not None:
            del fields["setting"]["steps"]  # None and the attack's own number are one job
            fields["setting"]["numbers"] = self.setting.numbers
        return fields

    @property
    def key(self) -> str:
        """The hash of the fields (32 hex digits)."""
        return key_of(self.as_dict())
