"""The definition of a study: its models, people and attacks, and the inputs that its findings may ask for.

plan.py turns a study into jobs.
"""

from dataclasses import dataclass, field
from typing import Literal

from robustpose.jobs.setting import Setting

PAPER_EPS = tuple(level / 255 for level in (0.25, 0.5, 1, 2, 4, 8, 16, 32))
"""The paper's budgets."""


@dataclass(frozen=True)
class Grid:
    """How much of the paper's grid the findings cover.

    eps, targeted_eps   budgets of FGSM-U and IGSM-U-10, and of IGSM-T-20
    walk                numbers of IGSM steps at which the models are scored, at 8/255
    long                number of steps of the strongest attacks
    universal_eps       budgets of the universal perturbations
    universal_people    training people that they may use; universal_samples with repeats, universal_batch per step
    shares              fractions of those people, for the sweep over the data that a perturbation needs
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
    share  fraction of the grid's training people
    """

    eps: float
    objective: str = "training_loss"
    share: float = 1.0


@dataclass(frozen=True)
class View:
    """The input of a model.

    setting    an image-specific attack; None for none
    universal  a universal perturbation instead
    source     the model that was attacked; empty for the model itself
    change     MIRRORED, or a defence placed before the model that the attacker does not know of
    on         the people: of the study's data, of its training set, or of its other data set
    pictures   number of people, from the first, whose images are stored
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
        """Whether the input is clean images, or images attacked on the model itself, unchanged."""
        return not (self.universal or self.source or self.change)


CLEAN = View()


@dataclass(frozen=True)
class Study:
    """What to compute: every model under every setting on the first n people (None: all) of a data set.

    models, data  as on the command line: 'shg2', 'tflite:PATH'; 'synthpose', 'coco:PATH'
    spec, images  path of the spec of imported models, and the photo folder, if they are not found automatically
    min_keypoints, min_box  minimum number of labelled keypoints, and of the box's longer side in photo pixels, for
                  people in photos
    detections    COCO results JSON with a detector's boxes, used instead of the annotated ones
    keep_images   number of people whose adversarial images are stored for the report
    findings      names in findings.FINDINGS that the study evaluates in addition to its settings
    grid          how much of the paper's grid the findings cover
    tasks         models of other tasks, 'action' and 'parts', to compare; skipped if the data lack their labels
    training      data set on which universal perturbations are learned; empty for none
    other         second data set, to which universal perturbations are transferred; empty for none
    per_cell      people attacked in one batch; hundreds suit a GPU
    metric        name in metrics.METRICS; empty chooses the one that suits data and models
    """

    name: str
    title: str
    models: tuple[str, ...]
    data: str
    settings: tuple[Setting, ...]
    n: int | None
    seed: int = 0
    spec: str = ""
    images: str = ""
    min_keypoints: int = 0
    min_box: float = 0
    detections: str = ""
    keep_images: int = 6
    findings: tuple[str, ...] = ()
    grid: Grid = field(default_factory=Grid)
    tasks: tuple[str, ...] = ()
    training: str = ""
    other: str = ""
    per_cell: int = 25
    metric: str = ""
