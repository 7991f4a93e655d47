"""AttackSpec: all that is known of an attack without running it."""

from dataclasses import asdict, dataclass
from typing import Literal, Protocol

from robustpose.attacks.runner import AnyAttack
from robustpose.threats import threats_of

Needs = Literal["gradients", "scores", "decisions"]
Kind = Literal["perturbation", "ensemble", "spatial"]


class Make(Protocol):
    """Makes an attack with the numbers of its publication; RobustPoseError for steps that it cannot take."""

    def __call__(self, *, targeted: bool, steps: int | None = None) -> AnyAttack:
        """Return the attack; steps None is its own number."""
        ...


@dataclass(frozen=True)
class AttackSpec:
    """How an attack is made, what it needs, and what it serves. Its name is its key in ATTACKS.

    make         makes it; steps None is its own number
    summary      one line, for `robustpose list attacks`
    kind         how it runs. 'perturbation': raises one loss by changing pixel values (attack_types.Attack);
                 'ensemble': runs several of those (ensemble.Ensemble); 'spatial': moves the image, and the truth
                 along (spatial.SpatialAttack)
    needs        of the model: its gradients, its scores (raw output), or its decisions (right or wrong)
    threats      that it serves, the default first; empty: every threat of its kind
    objective    the default; None: it raises objectives of its own
    needs_parts  it serves only objectives that tell of each keypoint whether it is lost
    sentence     what it does, for the page: a format string of its numbers and of `way`, which is away from the
                 true pose or towards a target; empty: its steps, by its objective
    version      raised when the attack computes something else; part of the keys of stored results
    """

    make: Make
    summary: str
    kind: Kind = "perturbation"
    needs: Needs = "gradients"
    threats: tuple[str, ...] = ()
    objective: str | None = "training_loss"
    needs_parts: bool = False
    sentence: str = ""
    version: int = 1

    @property
    def moves_truth(self) -> bool:
        """Whether it moves the image, and the truth with it."""
        return self.kind == "spatial"

    @property
    def served(self) -> tuple[str, ...]:
        """The threats that it serves, the default first."""
        return self.threats or threats_of("motion" if self.moves_truth else "values")

    @property
    def default_threat(self) -> str:
        """The threat that it serves unless told."""
        return self.served[0]

    @property
    def default_objective(self) -> str:
        """The objective that it raises unless told; 'training_loss' stands for objectives of its own."""
        return self.objective or "training_loss"

    def serves(self, threat: str) -> bool:
        """Whether it serves a threat."""
        return threat in self.served

    def numbers(self, *, targeted: bool = False, steps: int | None = None) -> dict[str, float | int]:
        """Return the hyper-parameters of the attack as made."""
        return asdict(self.make(targeted=targeted, steps=steps))  # type: ignore[call-overload, no-any-return]

    def facts(self) -> dict[str, object]:
        """Return what `robustpose list attacks --json` says; no threats: every threat to pixel values."""
        numbers = self.numbers()
        return {
            "needs": self.needs,
            "threats": list(self.served if self.moves_truth else self.threats),
            "objective": self.objective or "its own",
            "steps": numbers.get("gradients", numbers.get("steps", 1)),
            "version": self.version,
            "summary": self.summary,
        }
