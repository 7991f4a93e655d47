"""What a model is shown: clean pictures, its own attack's, another model's, a universal perturbation's."""

from dataclasses import dataclass
from typing import Literal

from robustpose.jobs.setting import Setting

PAPER_EPS = tuple(level / 255 for level in (0.25, 0.5, 1, 2, 4, 8, 16, 32))
"""The paper's budgets."""


@dataclass(frozen=True)
class Grid:
    """How much of the paper's grid the findings cover.

    eps, targeted_eps   budgets of FGSM-U and IGSM-U-10, and of IGSM-T-20
    walk                steps of IGSM at which the models are looked at, at 8/255
    long                steps of the strongest attacks
    universal_eps       budgets of the universal perturbations
    universal_people    of the training set that they may see; universal_samples with repeats, _batch a step
    shares              of those people, for the sweep over how much data a universal perturbation needs
    """

    eps: tuple[float, ...] = PAPER_EPS
    targeted_eps: tuple[float, ...] = PAPER_EPS
    walk: tuple[int, ...] = (1, 2, 5, 10, 20, 50, 100, 200)
    long: int = 100
    universal_eps: tuple[float, ...] = (8 / 255, 16 / 255)
    universal_people: int = 12_000
    universal_samples: int = 24_000
    universal_batch: int = 16
    shares: tuple[float, ...] = (0.01, 0.1, 1.0)


On = Literal["validation", "training", "other"]


@dataclass(frozen=True)
class Learn:
    """A universal perturbation to learn.

    eps    in [0, 1] units
    share  of the grid's training people
    """

    eps: float
    objective: str = "training_loss"
    share: float = 1.0


@dataclass(frozen=True)
class View:
    """What a model is shown.

    setting    an image-specific attack; None for none
    universal  a universal perturbation instead
    source     the model that it was made on; empty for the model itself
    change     MIRRORED, or a defence that the model is put behind, of which the attacker does not know
    on         which people: of the study's data, of its training set, or of its other data set
    pictures   how many people's pictures are kept, from the first, for those who look at them
    """

    setting: Setting | None = None
    universal: Learn | None = None
    source: str = ""
    change: str = ""
    on: On = "validation"
    pictures: int = 0

    def __post_init__(self) -> None:
        if self.on != "validation" and self.setting is not None:
            raise ValueError(f"the {self.on} people are shown clean or with a universal perturbation only")

    @property
    def is_plain(self) -> bool:
        """Whether the model sees clean pictures or its own attack's, unchanged."""
        return not (self.universal or self.source or self.change)


CLEAN = View()
