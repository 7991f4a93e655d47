"""Opens a file with a model spec and checks the model; the same for every format.

The spec is found by the file's sha256 or given by the user. The model's input and stages must fit the spec,
outputs must not depend on the rest of the batch, and gradients must reach the image.
"""

import hashlib
from pathlib import Path

import torch

from robustpose.errors import RobustPoseError
from robustpose.given import device_of
from robustpose.models.importers.graph import ModelFile
from robustpose.models.importers.imported import ImportedPose, check_stages
from robustpose.models.precision import tolerance_of
from robustpose.models.specs import ModelSpec, find_spec, given_spec


def read_file(path: Path) -> bytes:
    """Return a file's content; RobustPoseError where it cannot be read."""
    try:
        return path.read_bytes()
    except FileNotFoundError:
        raise RobustPoseError(f"{path}: no such file") from None
    except OSError as error:
        raise RobustPoseError(f"{path}: cannot be read: {error.strerror}") from None


def choose_spec(spec: Path | ModelSpec | None, *, format: str, sha256: str, file: str) -> ModelSpec | None:
    """Return the given spec, or else the package's spec of the file; None where there is neither.

    RobustPoseError for a spec of another file or format.
    """
    chosen = find_spec(sha256) if spec is None else given_spec(spec, format=format)
    if chosen is None:
        return None
    if chosen.sha256 and chosen.sha256 != sha256:
        raise RobustPoseError(
            f"{file}: sha256 is {sha256[:12]}..., spec {chosen.name!r} is for {chosen.sha256[:12]}..."
        )
    if chosen.format != format:
        raise RobustPoseError(
            f"{file}: is opened as {format}, but spec {chosen.name!r} has format = {chosen.format!r}"
        )
    return chosen


def fingerprint_of(spec: ModelSpec, *, sha256: str) -> str:
    """Hash everything that determines a model's outputs: its file and its spec."""
    return hashlib.sha256((sha256 + spec.fingerprint).encode()).hexdigest()


def open_model(model: ModelFile, *, spec: Path | ModelSpec | None) -> ImportedPose:
    """Make the model of a file in eval mode, with the package's spec or the user's.

    RobustPoseError where the file or the spec cannot be used, or where they do not fit together.
    """
    chosen = choose_spec(spec, format=model.format, sha256=model.sha256, file=model.file)
    if chosen is None:
        model.check()  # first report what no spec can solve: quantisation, unknown operators
        raise RobustPoseError(
            f"{model.file}: no spec describes this file; write one (docs/your-model.md shows how) and give it "
            "with --spec: TOML with name, format, skeleton, input_size, channels, stages, head and what the head "
            f"needs; the file's input is {model.inputs.listed()}, its outputs are {model.outputs.listed()}"
        )
    graph = model.read(_image_shape(chosen, model), chosen.stages)
    made = ImportedPose(graph, chosen, fingerprint=fingerprint_of(chosen, sha256=model.sha256)).eval()
    check_model(made, file=model.file)
    return made


def _image_shape(spec: ModelSpec, model: ModelFile) -> tuple[int, ...]:
    """Return the shape (1, ...) of the spec's image; RobustPoseError where the model takes another one."""
    height, width = spec.input_size
    shape = (1, height, width, 3) if spec.layout == "NHWC" else (1, 3, height, width)
    if not model.inputs.shapes:
        raise RobustPoseError(f"{model.file}: has no input, so it takes no image")
    taken = model.inputs.shapes[0]
    sides = (1, 2) if spec.layout == "NHWC" else (2, 3)
    free = [size == -1 or (model.resizable and axis in sides) for axis, size in enumerate(taken)]
    if len(taken) != 4 or any(
        size != ours and not any_ for size, ours, any_ in zip(taken, shape, free, strict=True)
    ):
        raise RobustPoseError(
            f"{model.file}: takes {model.inputs.listed()}, but spec {spec.name!r} has input_size = "
            f"[{height}, {width}] in {spec.layout}, which is {list(shape)}"
        )
    return shape


_SAME = 1e-3
"""Tolerance for outputs that depend on the rest of the batch by rounding, relative to the largest output."""


def check_model(model: ImportedPose, *, file: str) -> None:
    """Run one and two people: check shapes, gradients, and that outputs do not depend on the rest of the batch.

    RobustPoseError names the file and what does not fit, or gives the model's own exception in one line.
    """
    try:
        pair = torch.rand((2, 3, *model.input_size), generator=torch.Generator().manual_seed(0))
        pair = pair.to(device_of(model))
        with torch.enable_grad():
            reached = [
                stage.requires_grad for stage in model.graph(model.prepare(pair[:1].clone().requires_grad_()))
            ]
        with torch.no_grad():
            first, second, both = (model.graph(model.prepare(images)) for images in (pair[:1], pair[1:], pair))
    except RobustPoseError:
        raise
    except Exception as error:  # code of the model
        raise RobustPoseError(f"{file}: cannot be run: {_one_line(error)}") from None
    if not all(reached):
        raise RobustPoseError(
            f"{file}: no gradient reaches the image from {model.spec.stages[reached.index(False)]!r} (an "
            "argmax, a cast to integers or a detach is between them); name a tensor before it as stage in the spec"
        )
    check_stages(model.spec, tuple(tuple(stage.shape) for stage in first), file=file)
    for name, *parts, together in zip(model.spec.stages, first, second, both, strict=True):
        apart = torch.cat(parts)
        limit = tolerance_of(model, _SAME) * float(apart.abs().max())
        if apart.shape != together.shape or float((apart - together).abs().max()) > limit:
            raise RobustPoseError(f"{file}: {name!r} of one person depends on the others in the batch")


def _one_line(error: Exception) -> str:
    lines = [line for line in str(error).strip().splitlines() if line.strip()]
    return f"{type(error).__name__}: {lines[-1].strip()[:200]}" if lines else type(error).__name__
