"""`untouched`, which restores a model: whatever looks at one or attacks it leaves it as it came."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn


@contextmanager
def untouched(model: object) -> Iterator[None]:
    """Put a model in eval mode with frozen weights inside the block, then restore it bit for bit.

    Restores modes, gradients, requires_grad, buffers and torch's random state. Frozen weights also save the time
    of weight gradients, which attacks do not need. For a model that is no nn.Module only the random state is
    restored.
    """
    modules = list(model.modules()) if isinstance(model, nn.Module) else []
    parameters = list(model.parameters()) if isinstance(model, nn.Module) else []
    buffers = [(module, name) for module in modules for name, held in module._buffers.items() if held is not None]
    modes = [module.training for module in modules]
    trainable = [parameter.requires_grad for parameter in parameters]
    gradients = [parameter.grad for parameter in parameters]
    kept = [module._buffers[name] for module, name in buffers]
    contents = [buffer.detach().clone() for buffer in kept if buffer is not None]
    devices = list(range(torch.cuda.device_count())) if torch.cuda.is_available() else []
    with torch.random.fork_rng(devices=devices):
        try:
            for module in modules:
                module.training = False
            for parameter in parameters:
                parameter.requires_grad_(False)
            yield
        finally:
            for module, mode in zip(modules, modes, strict=True):
                module.training = mode
            for parameter, requires_grad, gradient in zip(parameters, trainable, gradients, strict=True):
                parameter.requires_grad_(requires_grad)
                parameter.grad = gradient
            for (module, name), buffer, content in zip(buffers, kept, contents, strict=True):
                module._buffers[name] = buffer  # forward may have bound the name to another tensor
                if buffer is not None and not torch.equal(buffer, content):
                    buffer.data.copy_(content)
