"""Draws the trials of a user study: balanced over budgets, people and sides, with controls and catch trials.

Within each kind, the numbers of trials of any two budgets differ by at most one, and so do those of left and
right, in total and within a budget. Half of the participants see all trials with left and right exchanged.
"""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

from robustpose.errors import RobustPoseError
from robustpose.jobs.results import Pixels
from robustpose.threats import format_eps
from robustpose.userstudy.stimuli import Pair, Stimuli, sign_noise

Kind = Literal["attack", "noise", "catch"]
Side = Literal["left", "right"]

CATCH_EPS = 64 / 255
"""The budget of catch trials, whose noise is obvious."""
SIGN_NOISE = "sign noise"
FORMAT = "robustpose userstudy 1"


@dataclass(frozen=True)
class Design:
    """The numbers of trials, and how they are shown.

    trials    number of attack trials and noise controls, without catch trials
    controls  share of noise controls among them
    catch     number of trials with noise of CATCH_EPS
    seconds   display time of a trial; 0 for no limit
    scale     CSS pixels per image pixel
    """

    trials: int = 40
    controls: float = 1 / 3
    catch: int = 6
    seconds: float = 0
    scale: int = 3
    seed: int = 0

    def __post_init__(self) -> None:
        for name, value, low, high in (
            ("--trials", self.trials, 1, 2000),
            ("--catch", self.catch, 3, 200),
            ("--scale", self.scale, 1, 20),
            ("--seed", self.seed, 0, 2**63),
            ("--seconds", self.seconds, 0, 3600),
        ):
            if not low <= value <= high:
                raise RobustPoseError(f"{name} must be between {low} and {high}, got {value:g}")
        if not 0 <= self.controls < 1:
            raise RobustPoseError(f"--controls is a share, at least 0 and less than 1, got {self.controls:g}")

    @property
    def noise(self) -> int:
        """Number of trials with noise of the attack's budget."""
        return round(self.trials * self.controls)


@dataclass(frozen=True)
class Trial:
    """A clean and an altered image of one person.

    eps       in [0, 1] units
    attack    IGSM-U-10, or sign noise
    tampered  side of the altered image for participants whose sides are not exchanged
    """

    id: str
    kind: Kind
    eps: float
    attack: str
    person: str
    tampered: Side
    clean: Pixels = field(compare=False, repr=False)
    altered: Pixels = field(compare=False, repr=False)

    @property
    def rms(self) -> float:
        """The root mean square of the change, in levels of 255."""
        change = self.altered.astype(float) - self.clean.astype(float)
        return float(np.sqrt((change**2).mean()))

    def as_dict(self) -> dict[str, Any]:
        """Return the trial as in trials.json and the page."""
        return {
            "trial": self.id,
            "kind": self.kind,
            "eps": format_eps(self.eps),
            "attack": self.attack,
            "person": self.person,
            "tampered": self.tampered,
        }


@dataclass(frozen=True)
class UserStudy:
    """The trials, their source and design, and an example with obvious noise."""

    stimuli: Stimuli
    design: Design
    trials: tuple[Trial, ...]
    example: Pair

    @property
    def fingerprint(self) -> str:
        """A hash of every trial with its images, and of how they are shown (16 hex digits)."""
        shown = [FORMAT, self.stimuli.model, float(self.design.seconds), self.design.scale]
        digest = hashlib.sha256(json.dumps(shown).encode())
        for trial in self.trials:
            digest.update(json.dumps(trial.as_dict(), sort_keys=True).encode())
            digest.update(trial.clean.tobytes() + trial.altered.tobytes())
        return digest.hexdigest()[:16]


def draw_trials(stimuli: Stimuli, design: Design) -> UserStudy:
    """Draw a study's trials by its seed; RobustPoseError for fewer trials than budgets."""
    attacked = design.trials - design.noise
    if not stimuli.pairs:
        raise RobustPoseError(f"{stimuli.attack} changed none of the stored images of {stimuli.model}")
    budgets = len(stimuli.budgets)
    if attacked < budgets or (design.controls > 0 and design.noise < budgets):
        raise RobustPoseError(
            f"{budgets} budgets need at least {budgets} attack trials and {budgets} controls, but {design.trials} "
            f"trials give {attacked} and {design.noise}: raise --trials"
        )
    generator = np.random.default_rng(design.seed)
    drawn = [
        *_of_a_kind(stimuli, "attack", attacked, generator),
        *_of_a_kind(stimuli, "noise", design.noise, generator),
        *_catch(stimuli, design.catch, generator),
    ]
    order = generator.permutation(len(drawn))  # so that a trial's number does not reveal its kind
    trials = tuple(_trial(f"t{number:03d}", *drawn[row]) for number, row in enumerate(order, start=1))
    someone = stimuli.pairs[int(generator.integers(len(stimuli.pairs)))]
    return UserStudy(
        stimuli=stimuli, design=design, trials=trials, example=_with_noise(someone, CATCH_EPS, generator)
    )


Drawn = tuple[Kind, str, Pair, Side]


def _trial(name: str, kind: Kind, attack: str, pair: Pair, side: Side) -> Trial:
    return Trial(
        id=name,
        kind=kind,
        eps=pair.eps,
        attack=attack,
        person=pair.person,
        tampered=side,
        clean=pair.clean,
        altered=pair.altered,
    )


def _of_a_kind(stimuli: Stimuli, kind: Kind, count: int, generator: np.random.Generator) -> Iterator[Drawn]:
    """Draw trials at every budget, in equal numbers up to one."""
    budgets = stimuli.budgets
    numbers = np.full(len(budgets), count // len(budgets))
    numbers[generator.permutation(len(budgets))[: count % len(budgets)]] += 1
    sides = _sides(generator)
    for eps, number in zip(budgets, numbers, strict=True):
        pairs = [pair for pair in stimuli.pairs if pair.eps == eps]
        for pair in _in_turns(pairs, int(number), generator):
            if kind == "attack":
                yield kind, stimuli.attack, pair, next(sides)
            else:
                yield kind, SIGN_NOISE, _with_noise(pair, eps, generator), next(sides)


def _catch(stimuli: Stimuli, count: int, generator: np.random.Generator) -> Iterator[Drawn]:
    people = list({pair.person: pair for pair in stimuli.pairs}.values())
    sides = _sides(generator)
    for pair in _in_turns(people, count, generator):
        yield "catch", SIGN_NOISE, _with_noise(pair, CATCH_EPS, generator), next(sides)


def _with_noise(pair: Pair, eps: float, generator: np.random.Generator) -> Pair:
    noisy = sign_noise(pair.clean, eps=eps, generator=generator)
    return Pair(eps=eps, person=pair.person, clean=pair.clean, altered=noisy)


def _in_turns(pairs: list[Pair], count: int, generator: np.random.Generator) -> list[Pair]:
    """Draw pairs without repetition until all have been drawn, then again."""
    rounds = -(-count // len(pairs))
    return [pairs[row] for _ in range(rounds) for row in generator.permutation(len(pairs))][:count]


def _sides(generator: np.random.Generator) -> Iterator[Side]:
    """Yield left and right alternately, from a random start."""
    sides: tuple[Side, Side] = ("left", "right")
    start = int(generator.integers(2))
    while True:
        yield sides[start % 2]
        start += 1
