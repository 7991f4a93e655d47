"""The definition of a study: models, people, attacks, findings; plan.py turns it into cells."""

from dataclasses import dataclass, field

from robustpose.jobs.setting import Setting
from robustpose.study.view import Grid


@dataclass(frozen=True)
class Study:
    """What to compute: every model under every setting on the first n people (None: all) of a data set.

    models, data  as on the command line: 'shg2', 'tflite:PATH'; 'synthpose', 'coco:PATH'
    card, images  path of the spec of imported models, and the photo folder, if they are not found automatically
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
    card: str = ""
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
