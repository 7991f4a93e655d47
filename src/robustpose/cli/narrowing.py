"""Options that make a study smaller: fewer budgets, shorter walks, universal perturbations of fewer people."""

from dataclasses import replace
from typing import TYPE_CHECKING, Annotated

import typer

from robustpose.errors import RobustPoseError

if TYPE_CHECKING:
    from robustpose.jobs.setting import Setting
    from robustpose.study.definition import Study

EpsOption = Annotated[
    str, typer.Option("--eps", help="Budgets: 1,2,8 of 255, or 1/255,8/255; the study's own by default")
]
StepsWalkOption = Annotated[
    str, typer.Option("--steps-walk", help="Steps of IGSM at which nets are looked at: 1,5,10,20")
]
LongOption = Annotated[
    int | None, typer.Option("--long", help="Steps of the strongest attacks; 20 or fewer leave figures 2e, 2f out")
]
UniversalSamplesOption = Annotated[
    int | None, typer.Option("--universal-samples", help="A universal perturbation sees, repeats counted", min=16)
]
UniversalPeopleOption = Annotated[
    int | None, typer.Option("--universal-people", help="Training people that one may see", min=16)
]


def narrowed(
    study: "Study", *, eps: str, steps_walk: str, long: int | None, samples: int | None, people: int | None
) -> "Study":
    """Return a study with what the options say; RobustPoseError for a number that cannot be."""
    grid = study.grid
    if long is not None and long < 1:
        raise RobustPoseError(f"--long must be at least 1, got {long}")
    if steps_walk:
        grid = replace(grid, walk=tuple(sorted({_steps(each) for each in steps_walk.split(",")})))
    grid = replace(
        grid,
        long=grid.long if long is None else long,
        universal_samples=grid.universal_samples if samples is None else samples,
        universal_people=grid.universal_people if people is None else people,
    )
    if not eps:
        return replace(study, grid=grid)
    budgets = budgets_of(eps)
    grid = replace(grid, eps=budgets, targeted_eps=budgets)
    return replace(study, grid=grid, settings=over(study.settings, budgets))


def budgets_of(text: str) -> tuple[float, ...]:
    """Read --eps, rising; RobustPoseError for what is no budget."""
    return tuple(sorted({_budget(each.strip()) for each in text.split(",")}))


def over(settings: tuple["Setting", ...], budgets: tuple[float, ...]) -> tuple["Setting", ...]:
    """Draw the attacks that have several budgets over others; those that have one keep it."""
    gathered: dict[Setting, list[Setting]] = {}
    for setting in settings:
        gathered.setdefault(replace(setting, eps=0.0), []).append(setting)
    return tuple(
        each
        for family in gathered.values()
        for each in (family if len(family) == 1 else [replace(family[0], eps=eps) for eps in budgets])
    )


def _budget(text: str) -> float:
    from robustpose.threats import read_eps

    return read_eps(text if "/" in text else f"{text}/255")


def _steps(text: str) -> int:
    if not text.strip().isdecimal() or int(text) < 1:
        raise RobustPoseError(f"--steps-walk must be numbers of steps such as 1,5,20, got {text.strip()!r}")
    return int(text)
