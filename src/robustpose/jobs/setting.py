"""An attack with all its parameters, as used by studies and jobs."""

import math
from dataclasses import asdict, dataclass, fields, replace
from typing import Any

from robustpose.attack_types import TrajectoryAttack
from robustpose.attacks import ATTACKS, SEARCHES, AnyAttack, AttackSpec, check_attack, make_attack
from robustpose.errors import RobustPoseError, unknown_name
from robustpose.objectives import OBJECTIVES
from robustpose.threats import THREATS, format_eps, known_threat, make_threat, norm_of

Changed = tuple[tuple[str, int | float | bool], ...]
"""Hyper-parameters by name, with their values."""


@dataclass(frozen=True)
class Setting:
    """An attack with all its parameters.

    eps     budget of the threat model: in [0, 1] units for linf, in degrees for spatial
    steps   None uses the attack's default
    search  precision of the attack's passes, 'fp32' or 'bf16'; scores are always computed in fp32
    changed  hyper-parameters that differ from those of the named attack, by name, in the order of its fields
    """

    attack: str
    eps: float
    steps: int | None = None
    targeted: bool = False
    objective: str = "training_loss"
    threat: str = "linf"
    search: str = "fp32"
    changed: Changed = ()

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
        """The attack's entry in the registry."""
        return ATTACKS[self.attack]

    def make(self) -> AnyAttack:
        """Return the attack; RobustPoseError for an unknown name, invalid steps, or unsupported targets."""
        made: Any = make_attack(self.attack, targeted=self.targeted, steps=self.steps)
        return replace(made, **dict(self.changed)) if self.changed else made  # type: ignore[no-any-return]

    @property
    def round_to_8bit(self) -> bool:
        """Whether images are rounded to 8 bits; not if eps is below one level, which rounding would undo."""
        return self.spec.moves_truth or self.eps == 0 or make_threat(self.threat, self.eps).holds_8bit

    @property
    def budget(self) -> str:
        """The budget for display: 8/255, 2 in L2, 100 pixels."""
        return format_eps(self.eps, self.threat)

    @property
    def numbers(self) -> dict[str, float | int]:
        """The attack's hyper-parameters."""
        return {**self.spec.numbers(targeted=self.targeted, steps=self.steps), **dict(self.changed)}

    def fields(self) -> dict[str, object]:
        """Everything that defines it, with defaults resolved: steps None equals the default number."""
        fields = asdict(self)
        del fields["steps"], fields["changed"]
        return {**fields, "numbers": self.numbers}

    def versions(self) -> dict[str, object]:
        """Return the versions of its attack, objective and threat."""
        return {
            f"attack {self.attack}": self.spec.version,
            f"objective {self.objective}": OBJECTIVES[self.objective].version,
            f"threat {self.threat}": THREATS[self.threat].version,
        }

    def trajectory(self) -> dict[str, object] | None:
        """Return the fields shared by the settings on one trajectory; None if the attack has no trajectory.

        The k-th iterate of such an attack is what the attack of k steps returns.
        """
        if not isinstance(self.make(), TrajectoryAttack):
            return None
        numbers = {name: number for name, number in self.numbers.items() if name != "steps"}
        return {**self.fields(), "numbers": numbers}

    def cost(self, keypoints: int) -> int:
        """Return the largest number of gradients per person, or of queries, for a model with so many keypoints."""
        numbers = self.numbers
        return self.gradients * int(numbers.get("draws", 1)) * (keypoints if numbers.get("each") else 1)

    def unused_budget(self) -> str:
        """Say if the steps are too few and too small to reach the budget's edge; empty if they reach it."""
        numbers = self.numbers
        size, steps = numbers.get("step_size"), int(numbers.get("steps", 0))
        if (
            self.spec.kind != "perturbation"
            or norm_of(self.threat) is None
            or not size
            or steps * size >= 1 - 1e-9
        ):
            return ""
        enough = math.ceil(1 / size - 1e-9)
        used = f"{100 * steps * size:.0f}% of the budget {self.budget}"
        return (
            f"{self.label} moves by {size:.3g} eps a step, so {steps} steps use at most {used}; "
            f"--steps {enough} or more can use all of it"
        )

    @property
    def gradients(self) -> int:
        """Maximum number of gradients per person; for gradient-free attacks, of queries."""
        numbers = self.numbers
        return int(numbers.get("gradients", numbers.get("steps", 1)) * numbers.get("restarts", 1))

    @property
    def label(self) -> str:
        """The paper's name: FGSM-U, IGSM-T-20, IGSM-U-10-ALL; other objectives are appended: APGD-U-100-margin."""
        parts = [self.attack.upper(), "T" if self.targeted else "U"]
        if "steps" in self.numbers:
            parts.append(str(self.numbers["steps"]))
        parts += [f"{name}{number:g}" for name, number in self.changed]
        if self.objective == "training_loss_all":
            parts.append("ALL")
        elif self.objective != "training_loss":
            parts.append(self.objective)
        if self.search != "fp32":
            parts.append(self.search)
        return "-".join(parts)

    @property
    def title(self) -> str:
        """The label with the budget, for display."""
        return f"{self.label} at {self.budget}"


def setting_of(attack: object, *, targeted: bool) -> tuple[str, int | None, Changed]:
    """Return name, steps and changed hyper-parameters of the Setting that makes an attack of the package.

    RobustPoseError for an object of another kind.
    """
    fits = [
        (name, *_read(attack, spec, targeted=targeted))
        for name, spec in ATTACKS.items()
        if type(spec.make(targeted=targeted)) is type(attack)
    ]
    if fits:
        return min(fits, key=lambda fit: len(fit[2]))
    known = ", ".join(sorted({type(spec.make(targeted=False)).__name__ for spec in ATTACKS.values()}))
    raise RobustPoseError(f"attack must be a name, or an object of {known}; got {attack!r:.80}")


def _read(given: Any, spec: AttackSpec, *, targeted: bool) -> tuple[int | None, Changed]:
    """Return the steps and the changed hyper-parameters with which a spec makes an attack."""
    usual: Any = spec.make(targeted=targeted)
    number = "steps" if hasattr(usual, "steps") else "gradients"
    steps = getattr(given, number, None)
    if steps is None or steps == getattr(usual, number):
        steps = None
    else:
        usual = spec.make(targeted=targeted, steps=steps)
    each = [(field.name, getattr(given, field.name), getattr(usual, field.name)) for field in fields(usual)]
    return steps, tuple((name, value) for name, value, known in each if value != known)
