"""An attack with all its numbers, as studies and jobs name it."""

from dataclasses import asdict, dataclass

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
from robustpose.errors import RobustPoseError, unknown_name
from robustpose.objectives import OBJECTIVES
from robustpose.threats import THREATS, format_eps, known_threat, make_threat, threats_of
from robustpose.types import Attack, WalkingAttack


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
        THREATS[known_threat(self.threat)].make(self.eps)
        if self.objective not in OBJECTIVES:
            raise unknown_name("objective", self.objective, OBJECTIVES)
        if self.search not in SEARCHES:
            raise unknown_name("search", self.search, SEARCHES)
        if self.attack not in (*ATTACKS, *ENSEMBLES, *SPATIAL):
            raise unknown_name("attack", self.attack, (*ATTACKS, *ENSEMBLES, *SPATIAL))
        if self.has_own_objective and self.objective != "training_loss":
            raise RobustPoseError(f"{self.attack} has objectives of its own: leave {self.objective!r} out")
        if self.is_spatial or THREATS[self.threat].kind == "motion":
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
        if THREATS[self.threat].kind != "motion":
            served = ", ".join(threats_of("motion"))
            raise RobustPoseError(f"attack {self.attack!r} serves {served}, got {self.threat}")
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
            return asdict(self.ensemble())
        if self.is_spatial:
            return asdict(self.spatial())  # type: ignore[call-overload, no-any-return]
        return asdict(self.make())  # type: ignore[call-overload, no-any-return]

    def fields(self) -> dict[str, object]:
        """All that defines it, the attack's hyper-parameters spelled out: no steps and its own number are one."""
        fields = asdict(self)
        del fields["steps"]
        return {**fields, "numbers": self.numbers}

    def trajectory(self) -> dict[str, object] | None:
        """Return what it shares with settings whose pictures its own trajectory passes; None where it has none.

        The k-th iterate of such an attack is what the attack of k steps returns.
        """
        if self.has_own_objective or not isinstance(self.make(), WalkingAttack):
            return None
        numbers = {name: number for name, number in self.numbers.items() if name != "steps"}
        return {**self.fields(), "numbers": numbers}

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
