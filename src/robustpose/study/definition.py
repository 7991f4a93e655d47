"""What a study is: models, people, attacks, findings; plan.py makes cells of it."""

from dataclasses import dataclass, field

from robustpose.jobs.setting import Setting
from robustpose.study.view import Grid


@dataclass(frozen=True)
class Study:
    """What to compute: every model under every setting on the first n people (None: all) of a data set.

    models, data  as on the command line: 'shg2', 'tflite:PATH'; 'synthpose', 'coco:PATH'
    spec, images  the spec of imported models and the photo folder, where they are not found by themselves
    min_keypoints, min_box  of people in photos, who takes part: labelled keypoints, longer side in photo pixels
    detections    a detector's boxes in the photos, instead of the true ones: COCO's results JSON
    keep_images   how many people keep their adversarial pictures, for the report
    findings      of findings.FINDINGS, by name: what the study decides beside its settings
    grid          how much of the paper's grid the findings cover
    tasks         models of other tasks, 'action' and 'parts', to compare; left out where the data lack their
                  labels
    training      the data set that universal perturbations are learned on; empty for none
    other         a second data set, to which universal perturbations are carried over; empty for none
    per_cell      people that are attacked together; a GPU wants hundreds
    metric        of metrics.METRICS; empty for the one that suits data and models
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
