"""The models of PULLS, if pulled: agreement with their own runtimes on photos of people, and their accuracy.

TF.js runs with its WebAssembly backend if it is installed (tfjs_files.HOME).
"""

import json
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from robustpose.models import open_model
from robustpose.models.heads import CentreHead
from robustpose.models.importers.imported import ImportedPose
from robustpose.models.pulled import PULLS, is_here, pulled_path
from robustpose.objectives import Aim, Margin, TrainingLoss
from robustpose.types import Batch
from tests.models.importers.tfjs_files import Array, Job, run_tfjs, tfjs_or_skip
from tests.models.importers.tflite_files import runtime_outputs
from tests.models.real_people import real_people, share_found

PARITY = 1e-3
"""Of the largest output: the runtimes round differently along a hundred layers."""

TFJS_MODELS = [name for name, each in PULLS.items() if each.opened[0] == "tfjs"]
MOVENETS = [name for name in PULLS if name.startswith("movenet")]


@cache
def pulled(name: str) -> ImportedPose:
    model = open_model(name).module
    assert isinstance(model, ImportedPose)
    return model


def opened(name: str) -> ImportedPose:
    if not is_here(name):
        pytest.skip(f"{name} is not on this machine: `robustpose pull {name}`")
    return pulled(name)


def asked_of_tfjs(
    name: str, opened: ImportedPose, prepared: Tensor, outputs: tuple[str, ...], folder: Path
) -> list[Array]:
    """Return the outputs of TF.js for images (N, H, W, 3); the file's image size becomes the spec's."""
    home = tfjs_or_skip()
    _, path = pulled_path(name)
    model = json.loads(path.read_bytes())
    for node in model["modelTopology"]["node"]:
        if node["op"] == "Placeholder":
            node["attr"]["shape"] = {"shape": {"dim": [{"size": str(size)} for size in (1, *prepared.shape[1:])]}}
    copy = folder / path.name
    copy.write_text(json.dumps(model))
    for group in model["weightsManifest"]:
        for shard in group["paths"]:
            (folder / shard).symlink_to(path.parent / shard)
    pictures = [row[None] for row in prepared.numpy()]
    (answers,) = run_tfjs(home, [Job(copy, pictures, outputs)], folder / "io", backend="wasm")
    return [np.concatenate(rows) for rows in zip(*answers, strict=True)]


@pytest.mark.parametrize("name", TFJS_MODELS)
def test_agrees_with_tfjs_on_real_people(name: str, tmp_path: Path) -> None:
    model = opened(name)
    people = real_people(model.input_size, 2)
    with torch.no_grad():
        prepared = model.prepare(people.images)
        ours = model.graph(prepared)
    theirs = asked_of_tfjs(name, model, prepared, model.spec.stages, tmp_path)
    for mine, other in zip(ours, theirs, strict=True):
        assert mine.shape == other.shape
        assert np.abs(mine.numpy() - other).max() < PARITY * max(1.0, float(np.abs(other).max()))


@pytest.mark.parametrize("name", MOVENETS)
def test_movenet_is_decoded_as_its_own_graph_does(name: str, tmp_path: Path) -> None:
    """(y, x, score) a keypoint, y and x in [0, 1] from the image's outer edges."""
    model = opened(name)
    people = real_people(model.input_size, 3)
    with torch.no_grad():
        output = model(people.images)
        prepared = model.prepare(people.images)
    (theirs,) = asked_of_tfjs(name, model, prepared, ("Identity",), tmp_path)
    rows = torch.from_numpy(theirs.copy())[:, 0]
    places = rows[..., :2].flip(-1) * model.input_size[0] - 0.5
    torch.testing.assert_close(output.keypoints, places, atol=PARITY * model.input_size[0], rtol=0)
    torch.testing.assert_close(output.scores, rows[..., 2], atol=PARITY, rtol=0)


def test_blazepose_agrees_with_litert_on_real_people() -> None:
    name = "blazepose-full-tflite"
    model = opened(name)
    content = pulled_path(name)[1].read_bytes()
    with torch.no_grad():
        prepared = model.prepare(real_people(model.input_size, 3).images)
        (ours,) = model.graph(prepared)
    for row in range(3):
        theirs = runtime_outputs(content, prepared[row : row + 1].numpy())[0]
        assert np.abs(ours[row : row + 1].numpy() - theirs).max() < PARITY * np.abs(theirs).max()


def test_blazepose_of_both_packages_is_one_model() -> None:
    first, second = opened("blazepose-full"), opened("blazepose-full-tflite")
    images = real_people(first.input_size, 3).images
    with torch.no_grad():
        torch.testing.assert_close(first(images).keypoints, second(images).keypoints, atol=0.05, rtol=0)


@pytest.mark.parametrize("name", PULLS)
def test_finds_real_people(name: str) -> None:
    model = opened(name)
    people = real_people(model.input_size, 12)
    assert share_found(model, people) > 0.5


@pytest.mark.parametrize("name", PULLS)
def test_objectives_reach_the_image(name: str) -> None:
    model = opened(name)
    people: Batch = real_people(model.input_size, 2).in_skeleton(model.skeleton)
    aim = Aim(people.keypoints, people.visible, 0.1 * people.box_side)
    for objective in (TrainingLoss(), Margin(enough=100.0)):
        images = people.images.clone().requires_grad_()
        loss = objective.bind(model, aim, targeted=False)(images, torch.arange(2))
        (gradient,) = torch.autograd.grad(loss.sum(), images)
        assert torch.isfinite(gradient).all()
        assert (gradient.abs().amax(dim=(1, 2, 3)) > 0).all()
        assert float((gradient != 0).float().mean()) > 0.3


@pytest.mark.parametrize("name", MOVENETS)
def test_movenet_has_its_head(name: str) -> None:
    model = opened(name)
    assert isinstance(model.head, CentreHead)
    assert model.head.heatmap_size == (model.input_size[0] // 4, model.input_size[1] // 4)
