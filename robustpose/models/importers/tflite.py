"""TensorFlow Lite: a float or float16 .tflite file as a differentiable PoseModel.

Agrees with the LiteRT runtime; the batch is free although the file says 1. Quantised files are refused, because
rounding has no gradients. The format is TensorFlow Lite's flatbuffer schema, read with the `tflite` package.
"""

import hashlib
from pathlib import Path

import torch

from robustpose.errors import RobustPoseError
from robustpose.models.cards import Card, find_card, read_card
from robustpose.models.importers.imported import ImportedPose, check_stages
from robustpose.models.importers.tflite_graph import Tensors, TfliteGraph, inputs_and_outputs, read_graph

_SAME = 1e-3
"""How far, relative to the largest output, a person's outputs may depend on who else is in the batch: rounding."""


def load_tflite(path: Path, *, card: Path | None = None) -> ImportedPose:
    """Open a .tflite file with its shipped card, or with the user's `card`; comes in eval mode.

    RobustPoseError where the file or the card cannot be used, or where they do not fit together.
    """
    file = str(path)
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        raise RobustPoseError(f"{file}: no such file") from None
    except OSError as error:
        raise RobustPoseError(f"{file}: cannot be read: {error.strerror}") from None
    sha256 = hashlib.sha256(content).hexdigest()
    inputs, outputs = inputs_and_outputs(content, file=file)
    chosen = find_card(sha256) if card is None else read_card(card)
    if chosen is None:
        read_graph(content, file=file)  # what no card could mend is said first: quantised, an unknown operator
        raise RobustPoseError(
            f"{file}: no card describes this file; write one (docs/nets.md shows how) and give it with --card: "
            "TOML with name, format, skeleton, input_size, channels, stages, head and what the head needs; "
            f"the file's input is {_listed(inputs)}, its outputs are {_listed(outputs)}"
        )
    if chosen.sha256 and chosen.sha256 != sha256:
        raise RobustPoseError(
            f"{file}: sha256 is {sha256[:12]}..., card {chosen.name!r} is for {chosen.sha256[:12]}..."
        )
    graph = read_graph(content, file=file, outputs=chosen.stages)
    _check_input(chosen, inputs, file=file)
    fingerprint = hashlib.sha256((sha256 + chosen.fingerprint).encode()).hexdigest()
    net = ImportedPose(graph, chosen, fingerprint=fingerprint).eval()
    _check_people_apart(net, graph, file=file)
    return net


def _listed(tensors: Tensors) -> str:
    pairs = zip(tensors.names, tensors.shapes, strict=True)
    return ", ".join(f"{name!r} of shape {list(shape)}" for name, shape in pairs)


def _check_input(card: Card, inputs: Tensors, *, file: str) -> None:
    """Check that the net takes pictures of the card's size and layout."""
    height, width = card.input_size
    expected = (1, height, width, 3) if card.layout == "NHWC" else (1, 3, height, width)
    if inputs.shapes[0] != expected:
        raise RobustPoseError(
            f"{file}: takes {_listed(inputs)}, but card {card.name!r} says input_size = [{height}, {width}] in "
            f"{card.layout}, which is {list(expected)}"
        )


def _check_people_apart(net: ImportedPose, graph: TfliteGraph, *, file: str) -> None:
    """Run one and two people: shapes must be as the card says, and nobody may change another's outputs."""
    pair = torch.rand((2, 3, *net.input_size), generator=torch.Generator().manual_seed(0))
    try:
        with torch.no_grad():
            first, second, both = (graph(net.prepare(images)) for images in (pair[:1], pair[1:], pair))
    except RuntimeError as error:
        raise RobustPoseError(f"{file}: cannot be run: {str(error).splitlines()[0]}") from None
    check_stages(net.card, tuple(tuple(stage.shape) for stage in first), file=file)
    for name, *parts, together in zip(net.card.stages, first, second, both, strict=True):
        apart = torch.cat(parts)
        limit = _SAME * float(apart.abs().max())
        if apart.shape != together.shape or float((apart - together).abs().max()) > limit:
            raise RobustPoseError(f"{file}: {name!r} of one person depends on the others in the batch")
