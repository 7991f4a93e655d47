"""Distributed training: each process draws its share of every batch, and the gradients are averaged.

`torchrun --nproc-per-node 4 -m robustpose train ...` or `accelerate launch -m robustpose train ...` starts them,
on one machine or several; accelerate (extra `distributed`) connects them and wraps the model in
DistributedDataParallel. All processes read the run folder and the first one writes it, so it must be on a shared
disk.
"""

import os
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

import torch
from torch import nn

from robustpose.errors import RobustPoseError

_PATIENCE = timedelta(hours=6)
"""How long processes wait for the first one, which renders, validates and writes."""


@dataclass(frozen=True)
class Processes:
    """This process among those that train one model.

    index, count  index of this process, and the number of processes; process 0 scores and writes
    share         wrap a module so that its gradients are averaged over the processes
    wait          barrier: wait until all processes arrive
    """

    index: int
    count: int
    device: torch.device
    share: Callable[[nn.Module], nn.Module]
    wait: Callable[[], None]

    @property
    def first(self) -> bool:
        """Whether this process scores and writes."""
        return self.index == 0


def is_main_process() -> bool:
    """Return whether this process prints: the first one of a launcher, or the only one."""
    return os.environ.get("RANK", "0") == "0"


def join(device: str) -> Processes:
    """Return the processes that a launcher started, or this one alone.

    RobustPoseError if the device cannot be used, or if there are several processes and accelerate is missing.
    """
    if int(os.environ.get("WORLD_SIZE", "1")) == 1:
        return Processes(
            index=0, count=1, device=device_named(device), share=lambda module: module, wait=lambda: None
        )
    try:
        from accelerate import Accelerator
        from accelerate.utils import InitProcessGroupKwargs
    except ModuleNotFoundError:
        raise RobustPoseError(
            "training with several processes needs accelerate; pip install 'robustpose[distributed]'"
        ) from None
    device_named(device)
    patience = InitProcessGroupKwargs(timeout=_PATIENCE)
    accelerator = Accelerator(cpu=device == "cpu", kwargs_handlers=[patience])
    return Processes(
        index=accelerator.process_index,
        count=accelerator.num_processes,
        device=device_named(str(accelerator.device)),
        share=accelerator.prepare_model,
        wait=accelerator.wait_for_everyone,
    )


def device_named(name: str) -> torch.device:
    """Return a torch device; RobustPoseError if it is not available."""
    try:
        device = torch.device(name)
        torch.zeros(1, device=device)
    except (RuntimeError, AssertionError) as error:
        raise RobustPoseError(f"device {name!r} cannot be used here: {str(error).splitlines()[0]}") from None
    return device
