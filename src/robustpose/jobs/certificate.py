"""The certificate job: a model's predictions for noisy copies of a block of people."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from robustpose import attacks
from robustpose.certificates import sampled_keypoints
from robustpose.errors import at_work
from robustpose.jobs.job import Computed, Job, Sources
from robustpose.jobs.results import Arrays, CellResult
from robustpose.jobs.workbench import Workbench, as_table
from robustpose.metrics import Table

VERSION = 1
"""Must be increased when the noise or the way to draw it changes."""


@dataclass(frozen=True)
class SampledResult:
    """Predictions under noise.

    clean    predictions without noise, and the truth
    samples  (N, K, 2, n) float32 in input pixels, sorted along the last axis
    """

    clean: Table
    samples: NDArray[np.float32]
    unreadable: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.clean)

    @property
    def asked(self) -> int:
        """Number of people that were to be predicted, those without a readable photo included."""
        return len(self) + len(self.unreadable)

    def to_arrays(self) -> tuple[dict[str, object], Arrays]:
        """Return metadata for JSON, and arrays."""
        about, arrays = CellResult(self.clean, unreadable=self.unreadable).to_arrays()
        return about, {**arrays, "samples": self.samples}

    @classmethod
    def from_arrays(cls, about: dict[str, Any], arrays: Arrays) -> "SampledResult":
        """Restore a result."""
        samples = arrays.pop("samples")
        held = CellResult.from_arrays(about, arrays)
        if samples.ndim != 4 or samples.shape[:3] != held.table.predicted.shape:
            raise ValueError(f"samples of shape {samples.shape} for predictions {held.table.predicted.shape}")
        return cls(held.table, samples, held.unreadable)


@dataclass(frozen=True)
class SampledCell:
    """One model on n noisy copies of each person of a block.

    sigma  standard deviation of the noise, in [0, 1] units
    """

    model: str
    model_fingerprint: str
    data: str
    data_fingerprint: str
    start: int
    stop: int
    sigma: float
    samples: int
    photos: str = ""
    seed: int = 0
    keep_images: ClassVar[int] = 0
    result: ClassVar[type[SampledResult]] = SampledResult

    @property
    def title(self) -> str:
        """A short title."""
        return f"{self.model}: {self.samples} noisy copies, sigma {self.sigma:g}"

    def fields(self) -> dict[str, object]:
        """Everything that defines what is computed."""
        return {"kind": "certificate", **asdict(self)}

    def versions(self) -> dict[str, object]:
        """The versions of the code that computes it."""
        return {"job certificate": VERSION}

    @property
    def passes(self) -> int:
        """One pass per noisy copy, and one for the clean image."""
        return (self.stop - self.start) * (self.samples + 1)

    def sources(self) -> Sequence[Job[Any]]:
        """None."""
        return ()

    def trajectory(self) -> dict[str, object] | None:
        """None: it has no trajectory."""
        return None

    def compute(self, together: Sequence[Self], bench: Workbench, sources: Sources, /) -> list[Computed]:
        """Predict the keypoints of all noisy copies."""
        model = bench.model(self.model_fingerprint).module
        batch = bench.batch(self.data_fingerprint, range(self.start, self.stop), model=model)
        with at_work(self.title):
            output = attacks.predict(model, batch.images, ids=batch.ids)
            samples = sampled_keypoints(
                model, batch.images, ids=batch.ids, sigma=self.sigma, n=self.samples, seed=self.seed
            )
        clean = as_table(batch, output.keypoints, scores=output.scores)
        return [(self, SampledResult(clean, samples, batch.unreadable), None)]
