"""Stimuli of noise pictures, and simulated observers whose psychometric curve is known: no person's answers."""

import json
from pathlib import Path

import numpy as np

from robustpose.threats import format_eps, parse_eps
from robustpose.userstudy import Pair, Stimuli
from robustpose.userstudy.answers import ANSWERS_FORMAT

EPS = tuple(level / 255 for level in (1, 2, 4, 8, 16, 32))


def stimuli(*, people: int = 6, eps: tuple[float, ...] = EPS) -> Stimuli:
    generator = np.random.default_rng(1)
    pictures = generator.integers(60, 190, size=(people, 8, 12, 3)).astype(np.uint8)
    pairs = [
        Pair(eps=each, person=f"p{row}", clean=clean, altered=clean + np.uint8(round(each * 255)))
        for each in eps
        for row, clean in enumerate(pictures)
    ]
    return Stimuli(model="net", data="noise", attack="IGSM-U-10", pairs=tuple(pairs))


def chance(eps: float, *, threshold: float, slope: float) -> float:
    """The share right of an observer without lapses: 75% at the threshold."""
    return float(0.5 + 0.5 / (1 + np.exp(-slope * np.log(eps / threshold))))


def answers(
    trials: list[dict[str, str]],
    number: int,
    *,
    thresholds: dict[str, float],
    slope: float = 2.0,
    study: str = "s1",
    looks: bool = True,
) -> dict[str, object]:
    """What the page would write for one simulated observer of trials.json's trials."""
    generator = np.random.default_rng([7, number])
    mirrored = number % 2 == 1
    rows = []
    for trial in trials:
        kind, eps = trial["kind"], parse_eps(trial["eps"])
        knows = (
            (1.0 if looks else 0.0) if kind == "catch" else chance(eps, threshold=thresholds[kind], slope=slope)
        )
        correct = bool(generator.random() < knows)
        on_the_right = (trial["tampered"] == "right") != mirrored
        side = "right" if on_the_right == correct else "left"
        shown = {name: trial[name] for name in ("trial", "kind", "eps", "attack", "person")}
        rows.append({**shown, "side": side, "correct": correct, "reaction_ms": 900, "zoom": 3})
    return {
        "format": ANSWERS_FORMAT,
        "study": study,
        "participant": f"{number:016x}",
        "mirrored": mirrored,
        "seconds": 0,
        "trials": len(trials),
        "screen": {"width": 1920, "height": 1080, "device_pixel_ratio": 1},
        "answers": rows,
    }


def made_up_trials(*, each: int, kinds: tuple[str, ...] = ("attack", "noise")) -> list[dict[str, str]]:
    """As many trials of each kind and budget, by turns left and right, and six catch trials."""
    facts = [(kind, format_eps(eps)) for kind in kinds for eps in EPS for _ in range(each)] + [
        ("catch", "64/255")
    ] * 6
    return [
        {
            "trial": f"t{row:03d}",
            "kind": kind,
            "eps": eps,
            "attack": "IGSM-U-10" if kind == "attack" else "sign noise",
            "person": "p0",
            "tampered": ("left", "right")[row % 2],
        }
        for row, (kind, eps) in enumerate(facts, start=1)
    ]


def write(folder: Path, content: dict[str, object], *, name: str = "") -> Path:
    path = folder / (name or f"answers-{content['participant']}.json")
    path.write_text(json.dumps(content))
    return path
