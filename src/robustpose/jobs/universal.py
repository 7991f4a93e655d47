"""Jobs that learn a universal perturbation, and their results."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any, ClassVar, Self

import numpy as np
import torch
from numpy.typing import NDArray

from robustpose import attacks
from robustpose.errors import at_work
from robustpose.jobs.job import Computed, Job, Sources
from robustpose.jobs.results import Arrays, Floats, check_array
from robustpose.jobs.workbench import Workbench, cache_people, input_size_of, padding_of
from robustpose.objectives import OBJECTIVES
from robustpose.threats import format_eps
from robustpose.types import Batch

VERSION = 1
"""Must be increased when learning perturbations changes: see attacks.Universal."""


@dataclass(frozen=True)
class UniversalResult:
    """A universal perturbation.

    perturbation  (3, H, W) float32 in [0, 1] units
    losses        (U,) mean loss of each mini-batch, before its update
    """

    perturbation: NDArray[np.float32]
    losses: Floats

    def __len__(self) -> int:
        return 0

    def to_arrays(self) -> tuple[dict[str, object], Arrays]:
        """Return metadata for JSON, and arrays."""
        return {}, {"perturbation": self.perturbation, "losses": self.losses}

    @classmethod
    def from_arrays(cls, about: dict[str, Any], arrays: Arrays) -> "UniversalResult":
        """Restore a result; KeyError or ValueError if it is not one."""
        check_array(arrays["perturbation"], "perturbation", shape=(3, -1, -1), kinds="f")
        check_array(arrays["losses"], "losses", shape=(-1,), kinds="f")
        if not np.isfinite(arrays["perturbation"]).all():
            raise ValueError("its perturbation is not finite")
        return cls(perturbation=arrays["perturbation"], losses=arrays["losses"])


@dataclass(frozen=True)
class UniversalCell:
    """A universal perturbation to be learned: see attacks.Universal.

    start, stop  rows of the training set that it may use
    photos       hash of their images
    eps          in [0, 1] units
    """

    model: str
    model_fingerprint: str
    data: str
    data_fingerprint: str
    start: int
    stop: int
    eps: float
    samples: int
    batch: int = 16
    step_size: float = 1 / 200
    objective: str = "training_loss"
    photos: str = ""
    seed: int = 0
    keep_images: ClassVar[int] = 0
    result: ClassVar[type[UniversalResult]] = UniversalResult

    @property
    def title(self) -> str:
        """A short title."""
        return f"{self.model}: universal perturbation at {format_eps(self.eps)}"

    def fields(self) -> dict[str, object]:
        """Everything that defines what is computed."""
        return {"kind": "universal", **asdict(self)}

    def versions(self) -> dict[str, object]:
        """The versions of the code that computes it."""
        objective = OBJECTIVES[self.objective]
        return {"job universal": VERSION, f"objective {self.objective}": objective.version}

    @property
    def passes(self) -> int:
        """A forward and a backward pass per sample."""
        return 2 * self.samples

    def sources(self) -> Sequence[Job[Any]]:
        """None."""
        return ()

    def trajectory(self) -> dict[str, object] | None:
        """None: it has no trajectory."""
        return None

    def compute(self, together: Sequence[Self], bench: Workbench, sources: Sources, /) -> list[Computed]:
        """Learn the perturbation."""
        how = attacks.Universal(eps=self.eps, samples=self.samples, batch=self.batch, step_size=self.step_size)
        model = bench.model(self.model_fingerprint).module
        with at_work(f"{self.model}: a universal perturbation"):
            learned = attacks.learn_universal(
                how, model, training_batches(self, bench, steps=how.steps), objective=OBJECTIVES[self.objective]
            )
        losses = torch.tensor(learned.losses, dtype=torch.float64).numpy()
        return [(self, UniversalResult(perturbation=learned.perturbation.cpu().numpy(), losses=losses), None)]


def training_batches(cell: UniversalCell, bench: Workbench, *, steps: int) -> Iterator[Batch]:
    """Yield mini-batches of the training people, in a new order each epoch."""
    model = bench.model(cell.model_fingerprint).module
    dataset, input_size = bench.datasets[cell.data_fingerprint], input_size_of(model)
    people = cell.stop - cell.start
    order = np.concatenate(
        [
            np.random.default_rng([cell.seed, epoch]).permutation(people)
            for epoch in range(-(-steps * cell.batch // people))
        ]
    )
    chosen = (cell.start + order[: steps * cell.batch]).tolist()
    cached = cache_people(dataset, sorted(set(chosen)), input_size=input_size, padding=padding_of(model))
    for start in range(0, len(chosen), cell.batch):
        batch = cached.take(chosen[start : start + cell.batch])
        yield batch.in_skeleton(model.skeleton).to(bench.device)
