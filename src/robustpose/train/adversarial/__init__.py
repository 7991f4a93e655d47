"""Adversarial training: the model learns from images that are attacked while it learns."""

from robustpose.errors import RobustPoseError
from robustpose.train.adversarial.method import AdversarialTraining, MethodSpec, free, one_step, pgd, trades
from robustpose.train.adversarial.watch import Watch, watched

ADVERSARIAL_TRAINING: dict[str, MethodSpec] = {
    "pgd": MethodSpec(pgd, summary="PGD on every batch", number="steps of the attack", default=2),
    "fgsm_rs": MethodSpec(one_step, summary="One step from a random start"),
    "free": MethodSpec(
        free,
        summary="Batches repeated, weights and perturbation updated together",
        number="optimiser steps on each batch",
        default=4,
    ),
    "trades": MethodSpec(
        trades,
        summary="Clean loss, and a prediction that does not change in the ball",
        number="steps of the attack",
        default=2,
    ),
}


def method_named(text: str) -> AdversarialTraining:
    """Read 'pgd:2', 'fgsm_rs', 'free:4' or 'trades:5'; RobustPoseError if it is none of these."""
    name, colon, number = text.partition(":")
    if name not in ADVERSARIAL_TRAINING:
        written = ", ".join(f"{each}:N" if spec.number else each for each, spec in ADVERSARIAL_TRAINING.items())
        raise RobustPoseError(f"unknown adversarial training {text!r}; known: {written}")
    spec = ADVERSARIAL_TRAINING[name]
    if not colon:
        return spec.make(spec.default)
    if not spec.number:
        raise RobustPoseError(f"adversarial training {name} takes no number, got {text!r}")
    if not (number.isascii() and number.isdecimal() and 1 <= int(number) <= LARGEST):
        raise RobustPoseError(f"{name}:N takes the number of {spec.number}, from 1 to {LARGEST}, got {text!r}")
    return spec.make(int(number))


LARGEST = 1000
"""The largest number after the colon."""

__all__ = ["ADVERSARIAL_TRAINING", "AdversarialTraining", "MethodSpec", "Watch", "method_named", "watched"]
