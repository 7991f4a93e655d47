"""An attack with all its numbers, as studies and jobs name it."""

from dataclasses import asdict, dataclass

from robustpose.attacks import ATTACKS, SEARCHES, AnyAttack, AttackSpec, check_attack, make_attack
from robustpose.errors import unknown_name
from robustpose.objectives import OBJECTIVES
from robustpose.threats import THREATS, format_eps, known_threat, make_threat
from robustpose.types import TrajectoryAttack


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
        check_attack(self.attack, threat=self.threat, objective=self.objective, search=self.search)
        self.make()

    @property
    def spec(self) -> AttackSpec:
        """What is known of the attack."""
        return ATTACKS[self.attack]

    def make(self) -> AnyAttack:
        """Make the attack; RobustPoseError for an unknown name, wrong steps, or targets that it cannot aim at."""
        return make_attack(self.attack, targeted=self.targeted, steps=self.steps)

    @property
    def round_to_8bit(self) -> bool:
        """Whether pictures are rounded to 8 bits: not under one level, where none could hold the perturbation."""
        return self.spec.moves_truth or self.eps == 0 or make_threat(self.threat, self.eps).holds_8bit

    @property
    def budget(self) -> str:
        """The budget as people read it: 8/255, 2 in L2, 100 pixels."""
        return format_eps(self.eps, self.threat)

    @property
    def numbers(self) -> dict[str, float | int]:
        """The attack's hyper-parameters."""
        return self.spec.numbers(targeted=self.targeted, steps=self.steps)

    def fields(self) -> dict[str, object]:
        """All that defines it, the attack's hyper-parameters spelled out: no steps and its own number are one."""
        fields = asdict(self)
        del fields["steps"]
        return {**fields, "numbers": self.numbers}

    def versions(self) -> dict[str, object]:
        """Return the versions of its attack, objective and threat."""
        return {
            f"attack {self.attack}": self.spec.version,
            f"objective {self.objective}": OBJECTIVES[self.objective].version,
            f"threat {self.threat}": THREATS[self.threat].version,
        }

    def trajectory(self) -> dict[str, object] | None:
        """Return what it shares with settings whose pictures its own trajectory passes; None where it has none.

        The k-th iterate of such an attack is what the attack of k steps returns.
        """
        if not isinstance(self.make(), TrajectoryAttack):
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
