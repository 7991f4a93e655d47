"""A model's file and a spec put together, and checked: the same for every file format.

A spec is found by the file's sha256 or given by the user; the model's input must be the spec's, its stages must be
what the spec says, and nobody in a batch may depend on who else is there.
"""

import hashlib
from pathlib import Path

from robustpose.errors import RobustPoseError
from robustpose.models.importers.checking import check_model
from robustpose.models.importers.graph import ModelFile
from robustpose.models.importers.imported import ImportedPose
from robustpose.models.specs import ModelSpec, find_spec, given_spec


def choose_spec(card: Path | ModelSpec | None, *, format: str, sha256: str, file: str) -> ModelSpec | None:
    """Return the spec given, or else the shipped one of the file; None where there is neither.

    RobustPoseError for a spec of another file or format.
    """
    chosen = find_spec(sha256) if card is None else given_spec(card, format=format)
    if chosen is None:
        return None
    if chosen.sha256 and chosen.sha256 != sha256:
        raise RobustPoseError(
            f"{file}: sha256 is {sha256[:12]}..., spec {chosen.name!r} is for {chosen.sha256[:12]}..."
        )
    if chosen.format != format:
        raise RobustPoseError(
            f"{file}: is opened as {format}, spec {chosen.name!r} says format = {chosen.format!r}"
        )
    return chosen


def fingerprint_of(card: ModelSpec, *, sha256: str) -> str:
    """Hash what decides a model's answers: its file and its spec."""
    return hashlib.sha256((sha256 + card.fingerprint).encode()).hexdigest()


def open_model(model: ModelFile, *, card: Path | ModelSpec | None) -> ImportedPose:
    """Make the model of a file, with its shipped spec or with the user's `spec`; comes in eval mode.

    RobustPoseError where the file or the spec cannot be used, or where they do not fit together.
    """
    chosen = choose_spec(card, format=model.format, sha256=model.sha256, file=model.file)
    if chosen is None:
        model.check()  # what no spec could mend is said first: quantised, an unknown operator
        raise RobustPoseError(
            f"{model.file}: no spec describes this file; write one (docs/your-model.md shows how) and give it "
            "with --spec: TOML with name, format, skeleton, input_size, channels, stages, head and what the head "
            f"needs; the file's input is {model.inputs.listed()}, its outputs are {model.outputs.listed()}"
        )
    graph = model.read(_picture(chosen, model), chosen.stages)
    made = ImportedPose(graph, chosen, fingerprint=fingerprint_of(chosen, sha256=model.sha256)).eval()
    check_model(made, file=model.file)
    return made


def _picture(card: ModelSpec, model: ModelFile) -> tuple[int, ...]:
    """Return the shape (1, ...) of the spec's picture, which the model must take."""
    height, width = card.input_size
    picture = (1, height, width, 3) if card.layout == "NHWC" else (1, 3, height, width)
    taken = model.inputs.shapes[0]
    sides = (1, 2) if card.layout == "NHWC" else (2, 3)
    free = [size == -1 or (model.resizable and axis in sides) for axis, size in enumerate(taken)]
    if len(taken) != 4 or any(
        size != ours and not any_ for size, ours, any_ in zip(taken, picture, free, strict=True)
    ):
        raise RobustPoseError(
            f"{model.file}: takes {model.inputs.listed()}, but spec {card.name!r} says input_size = "
            f"[{height}, {width}] in {card.layout}, which is {list(picture)}"
        )
    return picture
