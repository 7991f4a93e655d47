"""The local engine: computes trajectories one by one in this process."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from robustpose.errors import RobustPoseError
from robustpose.jobs.job import Computed, Job, Sources
from robustpose.jobs.workbench import Workbench


@dataclass(frozen=True)
class LocalEngine:
    """This process.

    threads  number of torch threads; 0 does not change it; results may differ in the last bit with the number
    """

    threads: int = 0

    def __post_init__(self) -> None:
        if self.threads < 0:
            raise RobustPoseError(f"threads must be at least 0, got {self.threads}")

    def compute(
        self, trajectories: Sequence[Sequence[Job[Any]]], bench: Workbench, sources: Sources
    ) -> Iterator[list[Computed]]:
        """Yield the results of each trajectory, in order."""
        before = torch.get_num_threads()
        torch.set_num_threads(self.threads or before)
        try:
            for trajectory in trajectories:
                yield trajectory[0].compute(trajectory, bench, sources)
        finally:
            torch.set_num_threads(before)
