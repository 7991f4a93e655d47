"""AttackSpec: the facts about an attack that are known without running it."""

from dataclasses import asdict, dataclass
from typing import Literal, Protocol

from robustpose.attacks.runner import AnyAttack
from robustpose.threats import balls_of, threats_of

Needs = Literal["gradients", "scores", "decisions"]
Kind = Literal["perturbation", "ensemble", "spatial"]


class Make(Protocol):
    """Makes an attack with its published settings; RobustPoseError for a number of steps that it cannot take."""

    def __call__(self, *, targeted: bool, steps: int | None = None) -> AnyAttack:
        """Return the attack; steps=None uses its default."""
        ...


@dataclass(frozen=True)
class AttackSpec:
    """How an attack is made, what it needs, and what it supports. Its name is its key in ATTACKS.

    make         makes the attack; steps=None uses its default
    summary      one line, for `robustpose list attacks`
    kind         'perturbation': raises one loss by changing pixel values (attack_types.Attack);
                 'ensemble': runs several of those (ensemble.Ensemble);
                 'spatial': moves the image and its truth (spatial.SpatialAttack)
    needs        what the model must give: gradients, scores (raw output), or decisions (correct or not)
    threats      supported threats, the default first; empty means every threat of its kind
    norms        instead of threats: p of the Lp balls that it supports
    objective    the default; None where the attack has objectives of its own
    needs_parts  it needs an objective with a value per keypoint
    sentence     description for the page: a format string of its settings and of `way` (away from the true pose or
                 towards a target); empty for the standard sentence about steps and objective
    version      raised when the attack computes something else; part of the keys of stored results
    cost         per person with the default numbers, for `robustpose list attacks`, such as "10 gradients"
    """

    make: Make
    summary: str
    kind: Kind = "perturbation"
    needs: Needs = "gradients"
    threats: tuple[str, ...] = ()
    norms: tuple[float, ...] = ()
    objective: str | None = "training_loss"
    needs_parts: bool = False
    sentence: str = ""
    version: int = 1
    cost: str = ""

    @property
    def moves_truth(self) -> bool:
        """Whether the attack moves the image and its truth."""
        return self.kind == "spatial"

    @property
    def served(self) -> tuple[str, ...]:
        """The supported threats, the default first."""
        if self.norms:
            return balls_of(self.norms)
        return self.threats or threats_of("motion" if self.moves_truth else "values")

    @property
    def default_threat(self) -> str:
        """The threat if none is given."""
        return self.served[0]

    @property
    def default_objective(self) -> str:
        """The objective if none is given; 'training_loss' where the attack has objectives of its own."""
        return self.objective or "training_loss"

    def serves(self, threat: str) -> bool:
        """Say whether the attack supports a threat."""
        return threat in self.served

    def numbers(self, *, targeted: bool = False, steps: int | None = None) -> dict[str, float | int]:
        """Return the hyper-parameters of the attack."""
        return asdict(self.make(targeted=targeted, steps=steps))  # type: ignore[call-overload, no-any-return]

    def facts(self) -> dict[str, object]:
        """Return the facts for `robustpose list attacks --json`; no threats means every threat to pixel values."""
        numbers = self.numbers()
        return {
            "needs": self.needs,
            "threats": list(self.served if self.moves_truth or self.norms else self.threats),
            "objective": self.objective or "its own",
            "steps": numbers.get("gradients", numbers.get("steps", 1)),
            "cost": self.cost,
            "version": self.version,
            "summary": self.summary,
        }
