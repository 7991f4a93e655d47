"""The hyper-parameters of a training run, and its progress."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Recipe:
    """The hyper-parameters of a training run.

    people   number of people of the training set
    samples  number of augmented crops, repeats included
    batch    crops per step, over all processes
    clip     maximum norm of the whole gradient
    half_body  fraction of crops that show only the upper or the lower body
    skeleton  name of the training set's skeleton; for pose models
    warm_start  sha256 of the initial weights; empty for none
    """

    architecture: str
    size: str = "compact"
    people: int = 10_000
    samples: int = 240_000
    batch: int = 16
    lr: float = 3e-3
    weight_decay: float = 1e-4
    clip: float = 5.0
    warmup_steps: int = 100
    ema: float = 0.999
    half_body: float = 0.0
    seed: int = 0
    warm_start: str = ""
    skeleton: str = "mpii_16"

    @property
    def steps(self) -> int:
        """Number of optimiser steps."""
        return self.samples // self.batch


@dataclass(frozen=True)
class Progress:
    """Progress of a training run, as the progress line shows it."""

    step: int
    steps: int
    loss: float
    metric: str
    score: float
