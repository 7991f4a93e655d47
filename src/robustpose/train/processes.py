"""Several processes that train one model: each draws its share of every batch, and the gradients are averaged.

`torchrun --nproc-per-node 4 -m robustpose train ...` or `accelerate launch -m robustpose train ...` starts them,
on one machine or many; accelerate (extra `distributed`) finds the others and wraps the model in
DistributedDataParallel. All read and the first writes the folder of the run, so it lies where all can see it.
"""

import os
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

import torch
from torch import nn

from robustpose.errors import RobustPoseError

_PATIENCE = timedelta(hours=6)
"""How long processes wait for the first, which renders, validates and writes."""


@dataclass(frozen=True)
class Processes:
    """This process among those that train one model.

    index, count  of all processes; the first, 0, scores and writes
    share         make a module whose gradients are averaged over the processes
    wait          for all processes to come here
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
    """Tell whether this process talks to people: the first that a launcher started, or the only one."""
    return os.environ.get("RANK", "0") == "0"


def join(device: str) -> Processes:
    """Find the processes that a launcher started; one where none did.

    RobustPoseError where the device cannot be used, or where there are several and accelerate is not installed.
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
            "several processes train one model through accelerate; pip install 'robustpose[distributed]'"
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
    """Return a device that is there; RobustPoseError where it is not."""
    try:
        device = torch.device(name)
        torch.zeros(1, device=device)
    except (RuntimeError, AssertionError) as error:
        raise RobustPoseError(f"device {name!r} cannot be used here: {str(error).splitlines()[0]}") from None
    return device
