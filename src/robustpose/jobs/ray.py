"""The Ray engine: the same cells as tasks of actors, on this machine or a cluster (extra `ray`).

Each actor holds the models once and computes walks: a block of people under one attack. Ray hands a walk to
whoever is free, and does it again when a worker dies. Results come back to the process that was started, which
alone writes the store, so workers need no shared disk but for photos. Rendered people are rendered where they are
used.
"""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch

from robustpose.errors import RobustPoseError
from robustpose.jobs.job import Computed, Job, R, Sources, key_of
from robustpose.jobs.results import Pictures, Stored
from robustpose.jobs.workbench import Workbench

_RETRIES = 5
"""Of a walk whose worker died: one that kills every worker, for want of memory, must end with an error."""


@dataclass(frozen=True)
class RayEngine:
    """Ray actors.

    address  of a running cluster, or 'auto'; empty starts one here, which ends with the study
    workers  actors; 0 is as many as there are processors for
    threads  of torch in each; results of other numbers of threads differ in the last bit
    gpus     of each actor; fractions share a GPU
    """

    address: str = ""
    workers: int = 0
    threads: int = 1
    gpus: float = 0.0

    def __post_init__(self) -> None:
        if self.workers < 0 or self.threads < 1 or self.gpus < 0:
            raise RobustPoseError(
                f"workers, threads and gpus must be at least 0, 1 and 0, got {self.workers}, {self.threads}, "
                f"{self.gpus:g}"
            )

    def compute(
        self, walks: Sequence[Sequence[Job[Any]]], bench: Workbench, sources: Sources, /
    ) -> Iterator[list[Computed]]:
        """Yield what each walk computed, as they come; RobustPoseError where Ray cannot be reached."""
        if not walks:
            return
        ray = _connected(self.address)
        try:
            count = self.workers or max(1, int(ray.cluster_resources().get("CPU", 1)) // self.threads)
            options = {
                "num_cpus": self.threads,
                "num_gpus": self.gpus,
                "max_restarts": -1,
                "max_task_retries": _RETRIES,
            }
            shared = ray.put(replace(bench, device="cuda" if self.gpus else bench.device))
            actor = ray.remote(_Worker).options(**options)
            pool = ray.util.ActorPool(
                [actor.remote(shared, threads=self.threads) for _ in range(min(count, len(walks)))]
            )
            yield from pool.map_unordered(
                lambda worker, walk: worker.compute.remote(walk, _carried(walk, sources)), walks
            )
        except ray.exceptions.RayTaskError as error:
            if isinstance(error.cause, RobustPoseError):
                raise error.cause from None
            raise
        except ray.exceptions.RayError as error:
            raise RobustPoseError(
                f"ray lost its workers, {_RETRIES + 1} times at the same task (for want of memory?): "
                f"{str(error).strip().splitlines()[0]}"
            ) from None
        finally:
            if not self.address:
                ray.shutdown()


class _Worker:
    """An actor: the models, once, and one thing to do."""

    def __init__(self, bench: Workbench, *, threads: int) -> None:
        torch.set_num_threads(threads)
        self.bench = bench.on(bench.device)

    def compute(self, walk: Sequence[Job[Any]], sources: "_Carried") -> list[Computed]:
        """Compute one walk."""
        return walk[0].compute(walk, self.bench, sources)


@dataclass(frozen=True)
class _Carried:
    """The results that a job needs, by their keys, read by the process that has the store."""

    results: dict[str, Stored]
    kept: dict[str, Pictures]

    def read(self, job: Job[R], /) -> R:
        """Return a job's result."""
        result = self.results[key_of(job)]
        assert isinstance(result, job.result)
        return result

    def pictures(self, job: Job[Any], /) -> Pictures:
        """Return the pictures that a job keeps."""
        return self.kept[key_of(job)]


def _carried(walk: Sequence[Job[Any]], sources: Sources) -> _Carried:
    needed = {key_of(job): job for job in walk[0].sources()}
    return _Carried(
        results={key: sources.read(job) for key, job in needed.items()},
        kept={key: sources.pictures(job) for key, job in needed.items()},
    )


def _connected(address: str) -> Any:
    """Return the ray module, connected."""
    try:
        import ray
        import ray.util  # ActorPool is not imported with ray itself
    except ModuleNotFoundError:
        raise RobustPoseError("the ray engine needs ray; pip install 'robustpose[ray]'") from None
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")  # ray announces a change of default
    try:
        if address:
            ray.init(address=address, log_to_driver=False, configure_logging=False)
        else:
            ray.init(include_dashboard=False, log_to_driver=False, configure_logging=False)
    except (ConnectionError, RuntimeError, ValueError) as error:
        raise RobustPoseError(f"ray at {address or 'this machine'}: {str(error).splitlines()[0]}") from None
    return ray
