"""The hyper-parameters of a training run, its progress, and its batches.

Batches are drawn in this process or prefetched by others; both give the same batches.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils.data import DataLoader, Dataset

from robustpose.data.augment import TrainingPeople
from robustpose.train.tasks import TrainingBatch, TrainingTask


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
    adversarial  method of adversarial training, as in 'pgd:2'; empty for none (train/adversarial.py)
    eps      its linf budget, in [0, 1]
    noise    standard deviation of the Gaussian noise that is added to each crop, in [0, 1]; 0 for none
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
    adversarial: str = ""
    eps: float = 0.0
    noise: float = 0.0

    @property
    def steps(self) -> int:
        """Number of optimiser steps."""
        return self.samples // self.batch


@dataclass(frozen=True)
class Progress:
    """Progress of a training run, as the progress line shows it.

    warning  what went wrong so far; empty if nothing did
    """

    step: int
    steps: int
    loss: float
    metric: str
    score: float
    warning: str = ""


_AHEAD = 4
"""Number of batches that each worker process prefetches."""


@dataclass(frozen=True)
class Drawing(Dataset[TrainingBatch]):
    """The batches of a training run by step. Draws are keyed by (seed, step), so every process draws the same.

    first         the step that the training goes on from
    index, count  of the processes that share each batch
    replays       steps in a row that use the same batch
    """

    recipe: Recipe
    task: TrainingTask
    people: TrainingPeople
    first: int = 0
    index: int = 0
    count: int = 1
    replays: int = 1

    def __len__(self) -> int:
        return self.recipe.steps - self.first

    def __getitem__(self, place: int) -> TrainingBatch:
        recipe, step = self.recipe, (self.first + place) // self.replays
        rows = rows_of_step(
            step, people=len(self.people), batch=recipe.batch, seed=recipe.seed, weights=self.people.weights
        )
        generator = np.random.default_rng([recipe.seed, 1, step, self.index])
        return self.task.draw(self.people, rows[self.index :: self.count], generator, half_body=recipe.half_body)

    def ahead(self, *, workers: int, pinned: bool) -> Iterator[TrainingBatch]:
        """Yield all batches in order, drawn by `workers` processes, or by this one on demand if 0.

        pinned  whether to use pinned memory, which a GPU can copy from while it computes
        """
        if workers:
            cv2.setNumThreads(1)  # before the fork: its thread pool does not survive in child processes
        loader = DataLoader(
            self,
            batch_size=None,
            num_workers=workers,
            prefetch_factor=_AHEAD if workers else None,
            pin_memory=pinned,
            generator=torch.Generator(),  # separate from torch's, which is the model's
        )
        return iter(loader)


def rows_of_step(
    step: int, *, people: int, batch: int, seed: int, weights: NDArray[np.float64] | None = None
) -> NDArray[np.int64]:
    """Return the people of a step: each epoch is a new permutation of all people, cut into batches.

    With unequal weights (N,), each step samples its people by weight without replacement.
    """
    if weights is not None and np.ptp(weights) > 0:
        generator = np.random.default_rng([seed, 0, step])
        return generator.choice(people, size=batch, replace=False, p=weights / weights.sum())
    per_epoch = people // batch
    epoch, position = divmod(step, per_epoch)
    order = np.random.default_rng([seed, 0, epoch]).permutation(people)
    return order[position * batch : (position + 1) * batch]
