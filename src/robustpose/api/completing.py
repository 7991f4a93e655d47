"""Completes a model spec given as a dictionary with what a module in memory and its images tell."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from robustpose.errors import RobustPoseError
from robustpose.given import device_of
from robustpose.models.importers.imported import ONLY, named_outputs
from robustpose.models.precision import adapted
from robustpose.models.untouched import untouched
from robustpose.skeletons import SKELETONS, Skeleton
from robustpose.types import Batch


def complete_spec(given: Mapping[str, object], model: nn.Module, *, sample: Batch | None) -> dict[str, object]:
    """Add name, format and channels, and with a sample of one person input size, skeleton and the output's shape.

    What is given stays as it is. The module is run on the sample only if the head, the size of its heatmaps or
    the columns of its coordinates are not given. RobustPoseError where its output tells no head.
    """
    spec: dict[str, object] = {"name": type(model).__name__, "format": "torch", "channels": "RGB", **given}
    if sample is None:
        return spec
    spec.setdefault("input_size", list(sample.input_size))
    spec.setdefault("skeleton", _told(sample.skeleton))
    needed = {"heatmap": "heatmap_size", "coordinates": "columns", "None": "head"}.get(str(spec.get("head")))
    if needed is None or needed in spec:
        return spec
    last = spec.get("layout") == "NHWC"
    images = sample.images.permute(0, 2, 3, 1) if last else sample.images
    output = _output(model, images, stages=spec.get("stages"))
    keypoints = len(sample.skeleton)
    if "head" not in spec and output.ndim == 4:
        spec["head"] = "heatmap"
    if spec.get("head") == "heatmap" and output.ndim == 4:
        spec.setdefault("heatmap_size", list(output.shape[1:3] if last else output.shape[2:]))
    elif spec.get("head") == "coordinates" and "select" not in spec:
        numbers = output[0].numel() // keypoints
        spec.setdefault("columns", ["x", "y", "score"] if numbers == 3 else ["x", "y"])
    elif "head" not in spec:
        raise RobustPoseError(
            f"spec: the output of {spec['name']} has shape {tuple(output.shape)}, which is no heatmaps; add "
            "'head': 'coordinates' and their 'unit' ('pixels', '0..1' or '-0.5..0.5')"
        )
    return spec


def _told(skeleton: Skeleton) -> str | list[str]:
    """Write a skeleton as a spec does: its name if it is known, otherwise its keypoints' names."""
    return skeleton.name if SKELETONS.get(skeleton.name) == skeleton else list(skeleton.keypoints)


def _output(model: nn.Module, images: Tensor, *, stages: Any) -> Tensor:
    """Run a module on images and return its last stage; RobustPoseError in one line for what it raises."""
    try:
        with untouched(model), torch.no_grad():
            found = named_outputs(adapted(model)(images[:1].to(device_of(model))))
    except Exception as error:  # the user's own code
        lines = str(error).strip().splitlines() or [type(error).__name__]
        raise RobustPoseError(
            f"{type(model).__name__} cannot be run on images {tuple(images[:1].shape)}: {lines[0][:200]}"
        ) from error
    name = stages[-1] if isinstance(stages, list | tuple) and stages else ONLY
    if name not in found:
        raise RobustPoseError(f"{type(model).__name__} returns no tensor {name!r}; it returns {', '.join(found)}")
    return found[name]
