"""A watch on catastrophic overfitting: the model becomes robust to its own attack, and no other.

Wong, Rice and Kolter 2020 (arXiv 2001.03994, section 5.4) found it in training with one step: the score under FGSM
stays high while that under PGD falls to 0.
"""

from dataclasses import dataclass

from torch import nn

from robustpose.attacks import FGSM, PGD, run
from robustpose.metrics import ALL, KeypointMetric, score
from robustpose.objectives import TrainingLoss
from robustpose.threats import Linf
from robustpose.train.tasks import as_table
from robustpose.types import Batch, PoseModel

WATCHED = 64
"""Number of validation people who are attacked during training."""

_STEPS = 10
_GAP = 15.0
"""Points by which the score under FGSM must exceed that under PGD before a warning."""


@dataclass(frozen=True)
class Watch:
    """Scores of a model under FGSM and under PGD with ten steps, in percent."""

    fgsm: float
    pgd: float

    def warning(self, best: float) -> str:
        """Return a sentence if the model overfits to its attack; `best` is the highest score under PGD so far."""
        if self.fgsm - self.pgd <= _GAP or self.pgd >= best / 2:
            return ""
        return (
            f"catastrophic overfitting: the score is {self.fgsm:.1f} under FGSM and {self.pgd:.1f} under "
            f"PGD-{_STEPS}, where it was {best:.1f} before. Train with more steps (pgd:N), "
            "a smaller eps or a lower lr"
        )


def watched(model: nn.Module, people: Batch, *, eps: float, measure: KeypointMetric) -> Watch:
    """Score a pose model under FGSM and under PGD with 10 steps, on people that are loaded already."""
    assert isinstance(model, PoseModel)
    fgsm, strong = (
        run(attack, model, people, threat=Linf(eps), objective=TrainingLoss(), round_to_8bit=False)
        for attack in (FGSM(), PGD(steps=_STEPS, step_size=1 / 4))
    )
    return Watch(
        fgsm=score(as_table(people, fgsm.output.keypoints), measure)[ALL].value,
        pgd=score(as_table(people, strong.output.keypoints), measure)[ALL].value,
    )
