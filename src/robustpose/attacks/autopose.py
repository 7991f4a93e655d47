"""autopose: an ensemble of complementary attacks with no parameter but eps.

After AutoAttack: Croce, Hein, "Reliable Evaluation of Adversarial Robustness with an Ensemble of Diverse
Parameter-free Attacks", ICML 2020, arXiv 2003.01690. Pose is scored per keypoint, so there are two worst cases:
each person's worst image, and each keypoint's worst over all images. docs/autopose.md describes the protocol. Any
change of it needs a new version of AUTOPOSE_SPEC.
"""

from dataclasses import dataclass, replace

from robustpose.attack_types import Attack
from robustpose.attacks.apgd import APGD
from robustpose.attacks.ensemble import Move
from robustpose.attacks.fmn import FMN
from robustpose.attacks.spec import AttackSpec
from robustpose.attacks.square import NORMS, Square
from robustpose.errors import RobustPoseError
from robustpose.objectives import Keypoints, Margin, SoftMargin, TrainingLoss
from robustpose.types import Head


@dataclass(frozen=True)
class Autopose:
    """Runs its moves in turn, each on the people who still have a correct keypoint; returns the worst image.

    gradients  largest number per person over all moves; a forward pass alone counts as half a gradient
    """

    gradients: int = 500

    def __post_init__(self) -> None:
        if self.gradients < 20:
            raise RobustPoseError(f"autopose: gradients must be at least 20, got {self.gradients}")

    def moves(self, head: Head, /) -> tuple[Move, ...]:
        """Return the moves against models with such a head; without margins they raise the training loss."""
        if Margin.serves(head):
            return MOVES
        of_any_model = {"minimal": None, "square": Keypoints()}
        moves = ((move, of_any_model.get(move.name, TrainingLoss())) for move in MOVES)
        return tuple(replace(move, objective=objective) for move, objective in moves if objective is not None)


def _apgd(gradients: int) -> Attack:
    return APGD(steps=gradients)


def _apgd_at_random(gradients: int) -> Attack:
    """Two starts with half the steps each; the random one helps where the loss is flat around the image."""
    return APGD(steps=max(1, gradients // 2), restarts=2)


def _fmn(gradients: int) -> Attack:
    return FMN(steps=gradients)


def _square(gradients: int) -> Attack:
    """A query is a forward pass, which counts as half a gradient."""
    return Square(steps=2 * gradients)


MOVES: tuple[Move, ...] = (
    Move("margin", _apgd, SoftMargin(), 0.3),
    Move("training loss", _apgd, TrainingLoss(), 0.1),
    Move("elsewhere", _apgd, Margin(), 0.14, elsewhere=True),
    Move("unbeaten", _apgd_at_random, SoftMargin(), 0.2, unbeaten=True),
    Move("minimal", _fmn, Margin(), 0.12, unbeaten=True),
    Move("square", _square, Margin(), 0.14, norms=NORMS),
)
"""In the order in which they run: the strongest first, since people with no correct keypoint left are skipped."""


def autopose(*, targeted: bool, steps: int | None = None) -> Autopose:
    """Make autopose, by default with at most 500 gradients per person."""
    return Autopose() if steps is None else Autopose(gradients=steps)


AUTOPOSE_SPEC = AttackSpec(
    make=autopose,
    cost="at most 500 gradients",
    summary="The worst of six complementary attacks; no parameter but eps",
    kind="ensemble",
    objective=None,
    sentence=f"the worst image of {len(MOVES)} attacks {{way}}, at most {{gradients}} gradients per person",
    version=3,
)
