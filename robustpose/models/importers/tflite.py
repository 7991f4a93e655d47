"""TensorFlow Lite: a float or float16 .tflite file as a differentiable PoseModel.

Agrees with the LiteRT runtime; the batch is free although the file says 1. Quantised files are refused, because
rounding has no gradients. The format is TensorFlow Lite's flatbuffer schema, read with the `tflite` package.
"""

import hashlib
from pathlib import Path

from robustpose.errors import RobustPoseError
from robustpose.models.cards import Card, find_card, given_card
from robustpose.models.importers.checking import check_net
from robustpose.models.importers.imported import ImportedPose
from robustpose.models.importers.tflite_graph import Tensors, inputs_and_outputs, read_graph


def load_tflite(path: Path, card: Path | Card | None = None) -> ImportedPose:
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
    chosen = find_card(sha256) if card is None else given_card(card, format="tflite")
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
    check_net(net, file=file)
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
