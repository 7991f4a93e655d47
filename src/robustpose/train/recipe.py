"""What is trained, and how far it is."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Recipe:
    """What is trained, on how many people, for how long.

    people   of the training set
    samples  augmented crops to see, repeats counted
    batch    crops a step, over all processes
    clip     largest norm of all gradients together
    half_body  share of the crops that show the upper or the lower body alone
    skeleton  that of the training set, by name; of models that find keypoints
    warm_start  sha256 of the weights that training began from; empty for none
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
    """Where a training stands: what the progress line shows."""

    step: int
    steps: int
    loss: float
    metric: str
    score: float
