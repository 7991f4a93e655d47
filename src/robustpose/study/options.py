"""Options of studies: frozen dataclasses whose fields define the command-line options.

A study with options of its own defines such a dataclass next to its definition, from scratch or as a subclass of
one of these. The command line builds `robustpose study NAME` from it.
"""

from dataclasses import dataclass, field
from typing import Any

from robustpose.fields import MOST


def option(
    default: Any,
    text: str,
    *,
    least: float | None = None,
    most: float | None = None,
    names: str = "",
    several: bool = False,
) -> Any:
    """Make a field of an options dataclass.

    text     the help text
    least    the smallest number accepted; most, the largest
    names    the kind of `robustpose list` whose names are its values, for shell completion
    several  whether it accepts several names, comma-separated
    """
    about = {"help": text, "min": least, "max": most, "names": names, "several": several}
    return field(default=default, metadata=about)


@dataclass(frozen=True)
class PeopleOptions:
    """The models, and the people to score them on."""

    models: str = option(
        "", "Models, comma-separated: shg2,movenet-thunder,tfjs:PATH", names="models", several=True
    )
    data: str = option(
        "",
        "synthpose | synthpose:test | NAME:PATH, with NAME one of coco, mpii, lsp, lspet, crowdpose, ochuman; "
        "NAME:PATH[1-100] selects a range of people, A+B joins two data sets",
        names="datasets",
    )
    n: int | None = option(None, "Number of people, from the start of the data set; default: the study's own")
    seed: int = option(0, "Random seed", least=0, most=MOST)
    min_keypoints: int = option(
        0, "Minimum number of labelled, non-face keypoints per person; photos only", least=0
    )
    min_box: float = option(0, "Minimum longer side of a person's box, in photo pixels; photos only", least=0)


@dataclass(frozen=True)
class RunOptions(PeopleOptions):
    """PeopleOptions, and the files to read and where to compute."""

    defence: str = option(
        "",
        "Defence added to every model: median3 turns shg2 into median3:shg2; see `robustpose list defences`",
        names="defences",
    )
    images: str = option("", "Photo folder, if the photos are not next to the annotation file")
    spec: str = option("", "Model spec file of a third-party model that robustpose does not know")
    people_per_cell: int | None = option(None, "Number of people in one batch; use hundreds on a GPU", least=1)
    engine: str = option("local", "local (this process) or ray (many processes; needs the extra `ray`)")
    device: str = option("cpu", "Where models compute: cpu | cuda | cuda:1 | mps (local engine only)")
    address: str = option("", "Address of a running Ray cluster, or auto; if empty, start one on this machine")
    workers: int = option(0, "Number of Ray workers; 0: one per processor", least=0)
    threads: int | None = option(
        None, "Number of torch threads; default: 1 per Ray worker, all with the local engine", least=1
    )
    gpus: float = option(0.0, "Number of GPUs per Ray worker; with 0.5, two workers share a GPU", least=0)
    shard: str = option("", "Compute one share of the study, for job arrays: 2/8 is the second of eight")
    force: bool = option(False, "Write over the tables and pages of another study in --out")
    reuse: bool = option(False, "Also reuse results in --out from other versions of the code or of torch")


@dataclass(frozen=True)
class MeasuringOptions(RunOptions):
    """RunOptions, and the score."""

    metric: str = option(
        "",
        "The main score, a mean over keypoints: pckh, pck, ks, ...; the default depends on data and models, see "
        "docs/scores.md",
        names="metrics",
    )


@dataclass(frozen=True)
class FaultOptions(MeasuringOptions):
    """MeasuringOptions, and which faults."""

    faults: str = option(
        "",
        "Faults to measure, comma-separated; default: all of `robustpose list faults`",
        names="faults",
        several=True,
    )


@dataclass(frozen=True)
class JitterOptions(MeasuringOptions):
    """MeasuringOptions, and how much is drawn."""

    copies: int = option(8, "Number of copies of each image, each with a change of its own", least=2)
    clips: int = option(30, "Number of rendered clips of 30 frames; 0: none", least=0)


@dataclass(frozen=True)
class FactorOptions(MeasuringOptions):
    """MeasuringOptions, and which factors."""

    factors: str = option(
        "",
        "Factors to change, comma-separated; default: all of `robustpose list factors`",
        names="factors",
        several=True,
    )


@dataclass(frozen=True)
class ComputedOptions(RunOptions):
    """RunOptions, and the budgets of attacks."""

    eps: str = option("", "Budgets, comma-separated: 1,2,8 (in 1/255) or 1/255,8/255; default: the study's own")


@dataclass(frozen=True)
class GridOptions(ComputedOptions):
    """ComputedOptions, and for studies of findings: which findings, on which grid."""

    findings: str = option(
        "",
        "Findings to test: fig2a,table1 | all | none; see `robustpose list findings`",
        names="findings",
        several=True,
    )
    tasks: str = option(
        "", "Models of other tasks to compare with: action,parts:PATH | none", names="tasks", several=True
    )
    other: str = option("", "Second data set, to test universal perturbations on", names="datasets")
    training: str = option(
        "",
        "Data set to learn universal perturbations from, as in --data, or none; synthpose:train for synthpose",
        names="datasets",
    )
    steps_walk: str = option("", "Numbers of IGSM steps after which models are scored: 1,5,10,20")
    long: int | None = option(None, "Steps of the strongest attacks; figures 2e and 2f need more than 20")
    universal_samples: int | None = option(
        None, "Number of samples to learn a universal perturbation from, including repeats", least=16
    )
    universal_people: int | None = option(
        None, "Number of training people to learn a universal perturbation from", least=16
    )
    detections: str = option("", "Detector boxes to use instead of the true boxes: a COCO results JSON file")
    metric: str = option(
        "",
        "The main score, a mean over keypoints: pckh, pck, ks, ...; the default depends on data and models, see "
        "docs/scores.md",
        names="metrics",
    )
