"""Wrong calls from Python: each is one line that names the argument, what was expected and what came."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import robustpose as rp
from robustpose.threats import Linf
from tests.conftest import LinearPose, TinyHeatmaps, tiny_batch

LINEAR, HEATMAPS = LinearPose().eval(), TinyHeatmaps().eval()
BATCH = tiny_batch(3)
X, K, V = BATCH.images, BATCH.keypoints, BATCH.visible


class Bare(nn.Module):
    """A module that says nothing of its output."""

    def forward(self, x: Tensor) -> Tensor:
        return x.mean(dim=(2, 3))


class Broken(nn.Module):
    """A module that cannot take these images."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(7, 7)

    def forward(self, x: Tensor) -> Tensor:
        found: Tensor = self.layer(x)
        return found


def perturb(*args: Any, **how: Any) -> Tensor:
    given = [*args, *(HEATMAPS, X, K, V)[len(args) :]]
    return rp.perturb(*given, **how)


def attack(*args: Any, **how: Any) -> Any:
    given = [*args, *(LINEAR, BATCH)[len(args) :]]
    return rp.attack(*given, **{"attack": "fgsm", **how})


def batch(images: Any = X, keypoints: Any = K, visible: Any = V, **how: Any) -> rp.Batch:
    return rp.Batch.from_tensors(images, keypoints, visible, **how)


CALLS: dict[str, tuple[Callable[[], Any], str]] = {
    # images
    "a list": (lambda: perturb(HEATMAPS, [1, 2]), "images must be a tensor or an array of numbers, got list"),
    "one image": (
        lambda: perturb(HEATMAPS, X[0]),
        "images must have shape (N, 3, H, W), got (3, 8, 12); a single",
    ),
    "channels last": (
        lambda: perturb(HEATMAPS, X.permute(0, 2, 3, 1)),
        "images must have shape (N, 3, H, W), got (3, 8, 12, 3); move the channels with permute(0, 3, 1, 2)",
    ),
    "no image": (lambda: perturb(HEATMAPS, X[:0]), "images must hold at least one image, got shape (0, 3, 8, 12)"),
    "levels": (
        lambda: perturb(HEATMAPS, 255 * X),
        "images must lie in [0, 1], got [0, 255]; divide levels of 0 to 255",
    ),
    "normalised": (lambda: perturb(HEATMAPS, X - 0.5), "normalise inside the model, or with mean and std"),
    "NaN": (lambda: perturb(HEATMAPS, X / 0 * 0), "images must be numbers in [0, 1], got NaN"),
    "integers": (
        lambda: perturb(HEATMAPS, X.int()),
        "images must be floating point in [0, 1], or uint8, got torch.int32",
    ),
    "another size": (lambda: perturb(HEATMAPS, X[..., :8]), "the model takes crops of (8, 12), got (8, 8)"),
    # keypoints and visibility
    "keypoints of another n": (
        lambda: perturb(HEATMAPS, X, K[:2]),
        "keypoints must have shape (3, K, 2) for 3 images, got (2, 3, 2)",
    ),
    "keypoints without xy": (
        lambda: perturb(HEATMAPS, X, K[..., 0]),
        "keypoints must have shape (3, K, 2) for 3 images",
    ),
    "fewer keypoints": (
        lambda: perturb(HEATMAPS, X, K[:, :2], V[:, :2]),
        "keypoints must be the 3 of trio, got 2",
    ),
    "keypoints in [0, 1]": (
        lambda: perturb(HEATMAPS, X, K / 12),
        "keypoints must be in input pixels, got values in [0, 1]",
    ),
    "keypoints of the photo": (
        lambda: perturb(HEATMAPS, X, K + 300),
        "keypoints must be (x, y) in pixels of the 12 x 8 images; 100% of the visible ones lie outside",
    ),
    "a visible keypoint is NaN": (
        lambda: perturb(HEATMAPS, X, torch.full_like(K, torch.nan), torch.ones(3, 3)),
        "keypoints: keypoint 0 of person 0 is visible, but it is not finite",
    ),
    "visible of another shape": (
        lambda: perturb(HEATMAPS, X, K, V[:, :2]),
        "visible must have shape (3, 3) as the keypoints, got (3, 2)",
    ),
    "visible as scores": (
        lambda: perturb(HEATMAPS, X, K, V * 0.7),
        "visible must be booleans, or 0, 1 and 2, got values",
    ),
    "boxes of another shape": (
        lambda: batch(boxes=K[..., 0]),
        "boxes must have shape (3, 4), x, y, w and h, got (3, 3)",
    ),
    "boxes without size": (
        lambda: batch(boxes=torch.zeros(3, 4)),
        "boxes must be x, y, w and h in input pixels with w",
    ),
    "head sizes of 0": (
        lambda: batch(head_size=torch.zeros(3)),
        "head_size must be above 0, or NaN where unknown, got 0",
    ),
    "an unknown skeleton": (
        lambda: batch(skeleton="coco17"),
        "unknown skeleton 'coco17'; did you mean 'coco_17'?",
    ),
    "another skeleton": (
        lambda: batch(skeleton="coco_17"),
        "skeleton coco_17 has 17 keypoints, got keypoints of 3",
    ),
    "a person twice": (lambda: batch(ids=["a", "a", "b"]), "ids must be 3 different names, got 2"),
    # attacks
    "an unknown attack": (lambda: perturb(attack="pdg"), "unknown attack 'pdg'; did you mean 'pgd'?"),
    "the class of an attack": (
        lambda: perturb(attack=rp.PGD),
        "attack must be a name or an attack such as PGD(), got <class",
    ),
    "steps of an object": (
        lambda: perturb(attack=rp.PGD(), steps=3),
        "steps is for attacks by name; write PGD(steps=3)",
    ),
    "steps of an object, scored": (
        lambda: attack(attack=rp.PGD(), steps=3),
        "steps is for attacks by name; write PGD(",
    ),
    "steps of 0": (lambda: perturb(steps=0), "steps must be an integer of at least 1, got 0"),
    "steps of 2.5": (lambda: attack(attack="pgd", steps=2.5), "steps must be an integer of at least 1, got 2.5"),
    "restarts of 0": (lambda: rp.PGD(restarts=0), "pgd: steps and restarts must be at least 1, got 40 and 0"),
    "an attack that moves": (lambda: perturb(attack="spatial"), "attack 'spatial' supports spatial, "),
    "an attack of another kind": (lambda: attack(attack=3), "attack must be a name, or an object of APGD, "),
    "an unknown objective": (
        lambda: perturb(objective="margn"),
        "unknown objective 'margn'; did you mean 'margin'?",
    ),
    "an objective of autopose": (
        lambda: attack(attack="autopose", objective="margin"),
        "autopose has objectives of its own",
    ),
    "a threat that is none": (lambda: perturb(threat="l3"), "attack 'pgd' supports "),
    "eps as levels": (lambda: perturb(eps=8), "eps must be in [0, 1], got 8; did you mean 8/255?"),
    "eps of 0": (lambda: perturb(eps=0), "eps must be above 0, got 0"),
    "eps below 0": (lambda: attack(eps=-1), "eps must be in [0, 1], got -1"),
    "eps in words": (lambda: attack(eps="eight"), "eps must be a number such as 8/255 or 0.03, got 'eight'"),
    "eps per image": (lambda: perturb(eps=torch.ones(3)), "eps must be a number, got shape (3,)"),
    "eps as a threat": (lambda: attack(eps=Linf(8 / 255)), "eps must be a number, got Linf(eps="),
    "eps as true": (lambda: attack(eps=True), "eps must be a number, got True"),
    "l2 without eps": (lambda: perturb(threat="l2"), "threat l2 needs eps, such as 2 or 0.5"),
    "8 bits of other images": (
        lambda: perturb(HEATMAPS, X * 0.999, round_to_8bit=True),
        "rounding to 8 bits needs 8-bit images",
    ),
    "a negative seed": (lambda: perturb(seed=-1), "seed must be an integer of at least 0, got -1"),
    "people by half": (lambda: attack(n=2.5), "n must be an integer of at least 1, got 2.5"),
    # models and specs
    "a number as a model": (lambda: attack(3), "a model must be a name, an nn.Module or a function, got int"),
    "an unknown model": (
        lambda: rp.load_model("movenet-thunde"),
        "unknown model 'movenet-thunde'; did you mean 'movenet-thunder'",
    ),
    "a path that is not there": (lambda: rp.load_model(Path("none.onnx")), "none.onnx: no such file"),
    "a checkpoint of no name": (lambda: rp.load_model("pose.pth"), "did you mean release:NAME:pose.pth?"),
    "a module without a spec": (lambda: perturb(Bare()), "Bare has no skeleton, input_size and head: give loss="),
    "a module without a spec, scored": (
        lambda: attack(Bare()),
        "Bare has no skeleton, input_size and head, so it needs a spec",
    ),
    "an output of no kind": (
        lambda: perturb(Bare(), spec={}),
        "the output of Bare has shape (1, 3), which is no heatmaps",
    ),
    "a module that fails": (
        lambda: perturb(Broken(), spec={}),
        "Broken cannot be run on images (1, 3, 8, 12): mat1 and mat2",
    ),
    "heatmaps without sigma": (
        lambda: perturb(nn.Conv2d(3, 3, 1), spec={"head": "heatmap"}),
        "spec: lacks sigma (a number of cells > 0)",
    ),
    "a misspelt key": (
        lambda: perturb(Bare(), spec={"sgima": 2, "head": "x"}),
        "spec: unknown key 'sgima'; did you mean 'sigma'?",
    ),
    "a spec that is none": (lambda: attack(Bare(), spec=3), "spec must be a path or a dictionary, got int"),
    "a function without a spec": (
        lambda: attack(lambda x: x),
        "needs a spec (docs/your-model.md) with format = 'callable'",
    ),
    "a spec of an open model": (lambda: attack(rp.load_model(LINEAR), spec={}), "LinearPose is already open"),
    # losses
    "a loss of another length": (
        lambda: perturb(loss=lambda output, k, v: torch.ones(5)),
        "loss must return one number, or one per image (3), got shape (5,)",
    ),
    "a loss in numpy": (lambda: perturb(loss=lambda output, k, v: 1.0), "loss must return a tensor, got float"),
    "a loss without gradient": (
        lambda: perturb(loss=lambda output, k, v: output.keypoints.detach().sum()),
        "no gradient reaches the images",
    ),
    "a loss that is NaN": (
        lambda: perturb(loss=lambda output, k, v: output.stages[-1].sum() * torch.nan),
        "person 0: the loss is NaN in pass 1 of the attack",
    ),
    "a loss and an objective": (
        lambda: perturb(loss=lambda output, k, v: output, objective="margin"),
        "objective 'margin' has losses of its own; leave it out, or leave out loss",
    ),
    "a loss of a function": (
        lambda: perturb(len, loss=len),
        "loss needs a model that is an nn.Module, got builtin_function",
    ),
    "a spec beside a loss": (
        lambda: perturb(loss=lambda output, k, v: output, spec={"head": "heatmap"}),
        "beside loss, spec may be a dictionary with mean, std, scale, channels, got head",
    ),
    "targets of another length": (
        lambda: perturb(HEATMAPS, X, K[:2], loss=lambda output, k: output),
        "keypoints must have a row for each of the 3 images, got shape (2, 3, 2)",
    ),
    # data
    "a name of no data": (
        lambda: attack(LINEAR, "cocoa:x.json"),
        "unknown data set 'cocoa'; did you mean 'coco'?",
    ),
    "a path of no form": (lambda: rp.load_data(Path("val.json")), "such as 'coco:val.json'"),
    "images of data in memory": (
        lambda: rp.load_data(BATCH, images="photos"),
        "for annotation files, not for data in memory",
    ),
    "data of no kind": (lambda: attack(LINEAR, 3), "data must be a name, a Batch or a DataLoader, got int"),
    "a batch of another size": (
        lambda: attack(rp.load_model("shg2"), BATCH),
        "shg2 (mpii_16) and batch (trio) share no counted keypoint",
    ),
    # devices, places, results
    "an unknown device": (lambda: attack(device="gpu"), "unknown device 'gpu'; "),
    "a device that is not there": (
        lambda: attack(device="cuda:99"),
        "device 'cuda:99' cannot be used: torch finds ",
    ),
    "out is a file": (lambda: attack(out=__file__), "out must be a folder, got the file "),
    "a score that is none": (
        lambda: attack().score("robust"),
        "no score 'robust' for 'all'; measures: clean, attacked",
    ),
    "a part that is none": (
        lambda: attack().score("clean", "hand of"),
        "no score 'clean' for 'hand of'; measures: ",
    ),
    "a budget that was not asked": (
        lambda: attack(eps="2/255").images(eps="4/255"),
        "there are no results for eps ",
    ),
    "a place without a form": (lambda: attack().save("a.docx"), "a.docx: the suffix must be one of .png"),
    "a place that is a file": (lambda: attack().save(f"{__file__}/x.csv"), "choose another place"),
    "a severity of 6": (lambda: rp.corrupt(BATCH, "fog", severity=6), "severity must be"),
    "a corruption that is none": (
        lambda: rp.corrupt(BATCH, "fogg"),
        "unknown corruption 'fogg'; did you mean 'fog'?",
    ),
    "a spec check of one person": (
        lambda: rp.check_spec(LINEAR, BATCH, n=1),
        "n must be an integer of at least 2, got 1",
    ),
}


@pytest.mark.parametrize("name", CALLS)
def test_a_wrong_call_is_one_line(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    call, line = CALLS[name]
    with pytest.raises(rp.RobustPoseError) as caught:
        call()
    said = str(caught.value)
    assert line in said
    assert len(said.splitlines()) == 1
    assert len(said) < 600
    assert not list(tmp_path.iterdir()), "nothing is left behind"


def test_there_are_fifty() -> None:
    assert len(CALLS) >= 50


def test_what_looks_wrong_but_is_right() -> None:
    """Arrays, integers as visibility, single-precision numbers, and images a hair beyond 1."""
    numbers: dict[str, Any] = {"eps": np.float32(8 / 255), "steps": np.int64(2), "seed": np.uint8(1)}
    levels = (X.numpy() * 255).astype(np.uint8)
    adv = rp.perturb(HEATMAPS, levels, K.double().numpy(), V.int()[..., None], **numbers)
    assert adv.dtype == torch.float32
    assert rp.perturb(HEATMAPS, X * (1 + 1e-6), K, V, steps=1).max() <= 1
