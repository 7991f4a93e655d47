"""The Ray engine: jobs as tasks of Ray actors, on this machine or a cluster (extra `ray`).

Each actor has one copy of the models and computes trajectories, each a block of people under one attack. Ray
assigns a trajectory to the next free actor, and again if a worker dies. Only the process that was started writes
the store, so workers need no shared disk except for photos. Rendered people are rendered where they are used.
"""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch

from robustpose.errors import RobustPoseError
from robustpose.jobs.job import Job, R, Sources, key_of
from robustpose.jobs.results import Pictures, Stored
from robustpose.jobs.run import Done, compute_here
from robustpose.jobs.workbench import Workbench

_RETRIES = 5
"""Retries of a trajectory whose worker died. Without a limit, one that exhausts the memory would never end."""


@dataclass(frozen=True)
class RayEngine:
    """Ray actors.

    address  of a running cluster, or 'auto'; empty starts one here, which ends with the study
    workers  number of actors; 0 is as many as the processors allow
    threads  torch threads per actor; other numbers of threads change results in the last bit
    gpus     GPUs per actor; with fractions, actors share a GPU
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
        self, trajectories: Sequence[Sequence[Job[Any]]], bench: Workbench, sources: Sources, /
    ) -> Iterator[Done]:
        """Yield the results of each trajectory as it finishes; RobustPoseError if Ray cannot be reached."""
        if not trajectories:
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
                [actor.remote(shared, threads=self.threads) for _ in range(min(count, len(trajectories)))]
            )
            yield from pool.map_unordered(
                lambda worker, trajectory: worker.compute.remote(trajectory, _carried(trajectory, sources)),
                trajectories,
            )
        except ray.exceptions.RayTaskError as error:
            if isinstance(error.cause, RobustPoseError):
                raise error.cause from None
            raise
        except ray.exceptions.RayError as error:
            raise RobustPoseError(
                f"ray workers died {_RETRIES + 1} times at the same task, possibly out of memory: "
                f"{str(error).strip().splitlines()[0]}"
            ) from None
        finally:
            if not self.address:
                ray.shutdown()


class _Worker:
    """An actor with one copy of the models."""

    def __init__(self, bench: Workbench, *, threads: int) -> None:
        torch.set_num_threads(threads)
        self.bench = bench.on(bench.device)

    def compute(self, trajectory: Sequence[Job[Any]], sources: "_Carried") -> Done:
        """Compute one trajectory."""
        return compute_here(trajectory, self.bench, sources)


@dataclass(frozen=True)
class _Carried:
    """The results that a job needs, by key, read by the process that has the store."""

    results: dict[str, Stored]
    kept: dict[str, Pictures]

    def read(self, job: Job[R], /) -> R:
        """Return a job's result."""
        result = self.results[key_of(job)]
        assert isinstance(result, job.result)
        return result

    def pictures(self, job: Job[Any], /) -> Pictures:
        """Return the images stored with a job."""
        return self.kept[key_of(job)]


def _carried(trajectory: Sequence[Job[Any]], sources: Sources) -> _Carried:
    needed = {key_of(job): job for job in trajectory[0].sources()}
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
