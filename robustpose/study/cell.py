"""A cell: one job, one model under one attack on one block of people. Its key is the hash of its fields.

The same command run again finds its cells by their keys, two studies share cells, and a changed weight file,
data set or version is a new cell.
"""

import hashlib
import json
from dataclasses import asdict, dataclass, field

import robustpose
from robustpose.attacks import make_attack
from robustpose.errors import RobustPoseError, unknown_name
from robustpose.objectives import OBJECTIVES
from robustpose.threats import THREATS, check_eps, format_eps
from robustpose.types import Attack


@dataclass(frozen=True)
class Setting:
    """An attack with all its numbers.

    eps            in [0, 1] units
    steps          None is the attack's own number
    round_to_8bit  off only where eps is under one level: an 8-bit picture cannot hold such a perturbation
    """

    attack: str
    eps: float
    steps: int | None = None
    targeted: bool = False
    objective: str = "training_loss"
    threat: str = "linf"

    def __post_init__(self) -> None:
        check_eps(self.eps)
        if self.objective not in OBJECTIVES:
            raise unknown_name("objective", self.objective, OBJECTIVES)
        if self.threat not in THREATS:
            raise unknown_name("threat", self.threat, THREATS)
        self.make()

    def make(self) -> Attack:
        """Make the attack; RobustPoseError for an unknown name or wrong steps."""
        return make_attack(self.attack, targeted=self.targeted, steps=self.steps)

    @property
    def round_to_8bit(self) -> bool:
        """Whether pictures are rounded to 8 bits before they are scored."""
        return self.eps == 0 or self.eps * 255 >= 1 - 1e-9

    @property
    def numbers(self) -> dict[str, float | int]:
        """The attack's hyper-parameters."""
        return asdict(self.make())  # type: ignore[call-overload, no-any-return]

    @property
    def label(self) -> str:
        """The paper's name: FGSM-U, IGSM-T-20, IGSM-U-10-ALL."""
        parts = [self.attack.upper(), "T" if self.targeted else "U"]
        if "steps" in self.numbers:
            parts.append(str(self.numbers["steps"]))
        if self.objective == "training_loss_all":
            parts.append("ALL")
        return "-".join(parts)

    @property
    def title(self) -> str:
        """The label with the budget, for people."""
        return f"{self.label} at {format_eps(self.eps)}"


@dataclass(frozen=True)
class Cell:
    """One model, one block of people, clean or under one attack.

    start, stop  rows of the data set
    pool         for targeted attacks: target poses are drawn from the first `pool` people
    metric       for targeted attacks: what an accidental hit of the target is
    keep_images  how many people at the block's start keep their adversarial picture
    """

    model: str
    model_fingerprint: str
    data: str
    data_fingerprint: str
    start: int
    stop: int
    setting: Setting | None = None
    pool: int = 0
    metric: str = ""
    keep_images: int = 0
    seed: int = 0
    version: str = field(default=robustpose.__version__)

    def __post_init__(self) -> None:
        if not 0 <= self.start < self.stop:
            raise RobustPoseError(f"a cell needs rows 0 <= start < stop, got {self.start} to {self.stop}")

    def as_dict(self) -> dict[str, object]:
        """Every field that defines the cell, the attack's hyper-parameters spelled out."""
        fields = asdict(self)
        if self.setting is not None:
            fields["setting"]["numbers"] = self.setting.numbers
        return fields

    @property
    def key(self) -> str:
        """The hash of the fields (32 hex digits)."""
        text = json.dumps(self.as_dict(), sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()[:32]
