"""What every imported model must pass before it is used: shapes as its spec says, people apart, a gradient."""

import torch

from robustpose.errors import RobustPoseError
from robustpose.models.importers.imported import ImportedPose, check_stages

_SAME = 1e-3
"""How far, relative to the largest output, a person's outputs may depend on who else is in the batch: rounding."""


def check_model(model: ImportedPose, *, file: str) -> None:
    """Run one and two people: shapes must be as the spec says, and nobody may change another's outputs.

    RobustPoseError names the file and what does not fit; what the model itself raises is told in one line.
    """
    try:
        pair = torch.rand((2, 3, *model.input_size), generator=torch.Generator().manual_seed(0))
        with torch.enable_grad():
            reached = [
                stage.requires_grad for stage in model.graph(model.prepare(pair[:1].clone().requires_grad_()))
            ]
        with torch.no_grad():
            first, second, both = (model.graph(model.prepare(images)) for images in (pair[:1], pair[1:], pair))
    except RobustPoseError:
        raise
    except Exception as error:  # other people's code
        raise RobustPoseError(f"{file}: cannot be run: {_one_line(error)}") from None
    if not all(reached):
        raise RobustPoseError(
            f"{file}: no gradient reaches the picture from {model.card.stages[reached.index(False)]!r} (an "
            "argmax, a cast to whole numbers or a detach is between them); name a tensor before it as stage "
            "in the spec"
        )
    check_stages(model.card, tuple(tuple(stage.shape) for stage in first), file=file)
    for name, *parts, together in zip(model.card.stages, first, second, both, strict=True):
        apart = torch.cat(parts)
        limit = _SAME * float(apart.abs().max())
        if apart.shape != together.shape or float((apart - together).abs().max()) > limit:
            raise RobustPoseError(f"{file}: {name!r} of one person depends on the others in the batch")


def _one_line(error: Exception) -> str:
    lines = [line for line in str(error).strip().splitlines() if line.strip()]
    return f"{type(error).__name__}: {lines[-1].strip()[:200]}" if lines else type(error).__name__
