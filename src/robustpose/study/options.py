"""Options of studies: frozen dataclasses whose fields say how people set them on the command line.

A study that has options of its own writes such a dataclass beside its definition, alone or with the fields of one
of these; the command line makes `robustpose study NAME` of it.
"""

from dataclasses import dataclass, field
from typing import Any

MAIN_METRICS = ("pckh", "pck", "ks")
"""What --metric takes: metrics.main_metrics(), whose import would wait for torch."""


def option(
    default: Any,
    text: str,
    *,
    least: float | None = None,
    names: str = "",
    only: tuple[str, ...] = (),
    several: bool = False,
) -> Any:
    """Make a field of an options dataclass.

    text     what the help says
    least    the smallest number that is taken
    names    the kind of `robustpose list` that its values are of, which the shell completes
    only     those of them that it takes; empty for all
    several  whether it takes several of these, between commas
    """
    about = {"help": text, "min": least, "names": names, "only": only, "several": several}
    return field(default=default, metadata=about)


@dataclass(frozen=True)
class PeopleOptions:
    """Which models, on which people."""

    models: str = option(
        "", "Models, comma-separated: shg2,movenet-thunder,tfjs:PATH", names="models", several=True
    )
    data: str = option(
        "",
        "synthpose | synthpose:test | NAME:PATH of coco, mpii, lsp, lspet, crowdpose, ochuman; "
        "NAME:PATH[1-100] takes some of its people, A+B joins two",
        names="datasets",
    )
    n: int | None = option(None, "People, from the first")
    seed: int = option(0, "Of every random draw", least=0)
    min_keypoints: int = option(
        0, "People in photos: minimum number of labelled, non-face keypoints per person", least=0
    )
    min_box: float = option(0, "People in photos: minimum box side, in pixels of the photo", least=0)


@dataclass(frozen=True)
class ComputedOptions(PeopleOptions):
    """And under which budgets, from which files, computed where."""

    eps: str = option("", "Budgets: 1,2,8 of 255, or 1/255,8/255; the study's own by default")
    defence: str = option(
        "",
        "Put in front of every model: median3 makes median3:shg2 of shg2; see `robustpose list defences`",
        names="defences",
    )
    images: str = option("", "Photo folder, where it is not beside the annotations")
    spec: str = option("", "Model spec of a model that others trained and that is not among the known ones")
    people_per_cell: int | None = option(None, "Attacked together; a GPU wants hundreds", least=1)
    engine: str = option("local", "local, this process; ray, many (extra `ray`)")
    device: str = option("cpu", "cpu or cuda, of the local engine")
    address: str = option("", "Of a running Ray cluster, or auto; one is started here where empty")
    workers: int = option(0, "Of ray; 0: as many as there are processors", least=0)
    threads: int | None = option(None, "Of torch; of each ray worker, 1 by default; of this process, all", least=1)
    gpus: float = option(0.0, "Of each ray worker; 0.5: two workers share a GPU", least=0)
    shard: str = option("", "2/8: compute the second of eight shares, for job arrays")
    reuse: bool = option(False, "Take what other versions of the code or of torch computed in --out, too")


@dataclass(frozen=True)
class GridOptions(ComputedOptions):
    """And of studies of findings: which of these, on which grid."""

    findings: str = option(
        "",
        "What to decide: fig2a,table1 | all | none; see `robustpose list findings`",
        names="findings",
        several=True,
    )
    tasks: str = option(
        "", "Models of other tasks, to compare: action,parts:PATH | none", names="tasks", several=True
    )
    other: str = option("", "A second data set, to carry universal perturbations to", names="datasets")
    training: str = option(
        "",
        "Data set to learn universal perturbations on: SPEC | none; synthpose:train for synthpose",
        names="datasets",
    )
    steps_walk: str = option("", "Numbers of IGSM's steps at which models are scored: 1,5,10,20")
    long: int | None = option(None, "Steps of the strongest attacks; 20 or fewer leave figures 2e, 2f out")
    universal_samples: int | None = option(
        None, "Samples that a universal perturbation is learned from, repeats counted", least=16
    )
    universal_people: int | None = option(None, "Training people that it is learned from", least=16)
    detections: str = option("", "A detector's boxes instead of the true ones: COCO's results JSON")
    metric: str = option(
        "",
        f"{' | '.join(MAIN_METRICS)}; by default what suits data and models, see docs/scores.md",
        names="metrics",
        only=MAIN_METRICS,
    )
