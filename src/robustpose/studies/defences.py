"""Defences under attackers who know them and who do not: every model with and without each defence."""

from dataclasses import dataclass, replace

from robustpose.attacks import attack_spec
from robustpose.defences import DEFENCES, defence_named
from robustpose.errors import RobustPoseError
from robustpose.jobs.setting import Setting
from robustpose.studies.grid import budgets_of, listed, run_grid
from robustpose.studies.spec import StudySpec
from robustpose.study.definition import Study
from robustpose.study.options import ComputedOptions, option


@dataclass(frozen=True)
class DefenceOptions(ComputedOptions):
    """ComputedOptions without --defence, and the defences and attacks to judge."""

    defences: str = option("", "Defences, comma-separated; default: all", names="defences", several=True)
    attacks: str = option(
        "igsm,autopose", "Untargeted attacks, comma-separated, at every --eps", names="attacks", several=True
    )


def _asked(options: DefenceOptions) -> Study:
    """Return the study with the options applied; RobustPoseError for an unknown defence."""
    if options.defence:
        raise RobustPoseError("study defences takes --defences, a list; --defence is for other studies")
    models = listed(options.models) or ("shg2", "resdec")
    defences = listed(options.defences) or tuple(DEFENCES)
    for name in defences:
        defence_named(name)
    budgets = budgets_of(options.eps or "2")
    return replace(
        DEFENCE_STUDY,
        models=tuple(name for model in models for name in (model, *(f"{each}:{model}" for each in defences))),
        data=options.data or DEFENCE_STUDY.data,
        n=DEFENCE_STUDY.n if options.n is None else options.n,
        settings=tuple(
            Setting(attack, eps, objective=attack_spec(attack).default_objective)
            for attack in listed(options.attacks)
            for eps in budgets
        ),
        seed=options.seed,
        spec=options.spec,
        images=options.images,
        min_keypoints=options.min_keypoints,
        min_box=options.min_box,
        per_cell=options.people_per_cell or DEFENCE_STUDY.per_cell,
    )


DEFENCE_STUDY = Study(
    name="defences",
    title="Defences under attackers who know them and who do not",
    models=(),
    data="synthpose:val",
    settings=(),
    n=50,
    findings=("adaptive_defences",),
)

DEFENCES_SPEC = StudySpec(options=DefenceOptions, make=_asked, run=run_grid)
