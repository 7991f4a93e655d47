"""autopose: the worst of several attacks that fail in different ways, with nothing to tune but eps.

After AutoAttack: Croce, Hein, "Reliable Evaluation of Adversarial Robustness with an Ensemble of Diverse
Parameter-free Attacks", ICML 2020, arXiv 2003.01690. What counts in pose is each keypoint, so two worst cases are
kept: that of each person's one worst image, and that of each keypoint over all images. The protocol is on
docs/autopose.md; a change of what stands here is a new version of AUTOPOSE_SPEC.
"""

from dataclasses import dataclass, replace

from robustpose.attack_types import Attack
from robustpose.attacks.apgd import APGD
from robustpose.attacks.ensemble import Move
from robustpose.attacks.fmn import FMN
from robustpose.attacks.spec import AttackSpec
from robustpose.attacks.square import SERVES, Square
from robustpose.errors import RobustPoseError
from robustpose.objectives import Keypoints, Margin, SoftMargin, TrainingLoss
from robustpose.types import Head


@dataclass(frozen=True)
class Autopose:
    """Moves in turn, each on the people who are not lost altogether; a person's answer is the worst picture.

    gradients  of a person at most, over all moves; a pass without a gradient counts half of one
    """

    gradients: int = 500

    def __post_init__(self) -> None:
        if self.gradients < 20:
            raise RobustPoseError(f"autopose: gradients must be at least 20, got {self.gradients}")

    def moves(self, head: Head, /) -> tuple[Move, ...]:
        """Return the moves against models with such a head: where it has no margins, on what it was trained on."""
        if Margin.serves(head):
            return MOVES
        of_any_model = {"minimal": None, "square": Keypoints()}
        moves = ((move, of_any_model.get(move.name, TrainingLoss())) for move in MOVES)
        return tuple(replace(move, objective=objective) for move, objective in moves if objective is not None)


def _apgd(gradients: int) -> Attack:
    return APGD(steps=gradients)


def _apgd_at_random(gradients: int) -> Attack:
    """Two tries of half the steps: the second starts at random, where a flat place around the picture ends."""
    return APGD(steps=max(1, gradients // 2), restarts=2)


def _fmn(gradients: int) -> Attack:
    return FMN(steps=gradients)


def _square(gradients: int) -> Attack:
    """A query is a pass, which is half a gradient."""
    return Square(steps=2 * gradients)


MOVES: tuple[Move, ...] = (
    Move("margin", _apgd, SoftMargin(), 0.3),
    Move("training loss", _apgd, TrainingLoss(), 0.1),
    Move("elsewhere", _apgd, Margin(), 0.14, elsewhere=True),
    Move("unbeaten", _apgd_at_random, SoftMargin(), 0.2, unbeaten=True),
    Move("minimal", _fmn, Margin(), 0.12, unbeaten=True),
    Move("square", _square, Margin(), 0.14, threats=SERVES),
)
"""In the order in which they are made: the strongest first, for who is lost altogether costs no more."""


def autopose(*, targeted: bool, steps: int | None = None) -> Autopose:
    """Make autopose: 500 gradients a person at most, unless `steps` says otherwise."""
    return Autopose() if steps is None else Autopose(gradients=steps)


AUTOPOSE_SPEC = AttackSpec(
    make=autopose,
    summary="The worst of six attacks that fail in different ways; nothing to tune but eps",
    kind="ensemble",
    objective=None,
    sentence=f"the worst picture of {len(MOVES)} attacks {{way}}, {{gradients}} gradients a person at most",
    version=3,
)
