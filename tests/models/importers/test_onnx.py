"""onnx:PATH: exported models of the package, specs, and files that are refused."""

import re
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from robustpose.errors import RobustPoseError
from robustpose.models import build, open_model
from robustpose.models.specs import ModelSpec, make_spec
from robustpose.types import PoseOutput
from tests.models.importers.onnx_files import model_of, node, onnx_package, reference, written
from tests.models.importers.test_imported import lights

HEATMAPS: dict[str, object] = {
    "name": "colours",
    "format": "onnx",
    "skeleton": ["left_hand", "right_hand", "nose"],
    "input_size": [8, 6],
    "channels": "RGB",
    "stages": ["out"],
    "head": "heatmap",
    "heatmap_size": [8, 6],
    "sigma": 1.0,
}


def spec(**changes: object) -> ModelSpec:
    return make_spec(HEATMAPS | changes)


def opened(path: Path, **changes: object) -> Any:
    return open_model(f"onnx:{path}", spec=spec(**changes)).module


def refusal(path: Path, **changes: object) -> str:
    with pytest.raises(RobustPoseError) as caught:
        opened(path, **changes)
    assert "\n" not in str(caught.value)
    return str(caught.value)


class Stages(nn.Module):
    """A model of ours, giving its stages and nothing else."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        output: PoseOutput = self.model(images)
        return output.stages


def exported(model: nn.Module, path: Path, *, size: tuple[int, int], free: bool) -> Path:
    onnx_package()
    pytest.importorskip("onnxscript", reason="torch.onnx needs onnxscript")
    axes = {"picture": {0: "people"}} if free else None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            Stages(model).eval(),
            (torch.rand(1, 3, *size),),
            str(path),
            input_names=["picture"],
            dynamic_axes=axes,
            dynamo=False,
        )
    return path


@pytest.mark.slow
@pytest.mark.parametrize("name", ["shg2", "hrnet", "vitpose", "resdec"])
def test_our_models_come_back(name: str, tmp_path: Path) -> None:
    """Exported with a batch of 1 and opened: the same stages for three people, and the same gradient."""
    torch.manual_seed(0)
    model = build(name).eval()
    size: tuple[int, int] = model.input_size  # type: ignore[assignment]
    path = exported(model, tmp_path / "net.onnx", size=size, free=False)
    names = [value.name for value in onnx_package().load(path).graph.output]
    h, w = model.head.heatmap_size  # type: ignore[union-attr, misc]
    back = opened(path, skeleton="mpii_16", input_size=list(size), heatmap_size=[int(h), int(w)], stages=names)
    images = torch.rand(3, 3, *size)
    ours, theirs = images.clone().requires_grad_(), images.clone().requires_grad_()
    stages, expected = back(ours).stages, model(theirs).stages
    assert len(stages) == len(expected)
    for mine, true in zip(stages, expected, strict=True):
        assert near(mine.detach(), true.detach())
    (mine,) = torch.autograd.grad(stages[-1].square().sum(), ours)
    (true,) = torch.autograd.grad(expected[-1].square().sum(), theirs)
    assert near(mine, true)


def near(ours: Tensor, theirs: Tensor) -> bool:
    """Within 1e-3 of the largest value."""
    return ours.shape == theirs.shape and float((ours - theirs).abs().max()) < 1e-3 * float(theirs.abs().max())


@pytest.mark.slow
def test_a_runtime_agrees(tmp_path: Path) -> None:
    """onnxruntime agrees on an exported model of the package, if it is installed."""
    runtime = pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")
    torch.manual_seed(0)
    model = build("hrnet").eval()
    path = exported(model, tmp_path / "net.onnx", size=(128, 128), free=True)
    (name,) = [value.name for value in onnx_package().load(path).graph.output]
    back = opened(path, skeleton="mpii_16", input_size=[128, 128], heatmap_size=[32, 32], stages=[name])
    images = torch.rand(2, 3, 128, 128)
    (theirs,) = runtime.InferenceSession(path, providers=["CPUExecutionProvider"]).run(
        None, {"picture": images.numpy()}
    )
    with torch.no_grad():
        assert near(back(images).stages[0], torch.from_numpy(theirs))


def test_spec_channels_scaling_and_stages(tmp_path: Path) -> None:
    model = model_of([node("Neg", ["picture"], ["first"]), node("Neg", ["first"])])
    model = opened(written(model, tmp_path / "net.onnx"), stages=["first", "out"], channels="BGR", scale=2.0)
    first, last = model(lights()).stages
    assert torch.equal(last, lights().flip(1) * 2)
    assert torch.equal(first, -last)


def test_a_model_that_takes_channels_last(tmp_path: Path) -> None:
    model = model_of([node("Relu", ["picture"])], picture=(1, 8, 6, 3))
    model = opened(written(model, tmp_path / "net.onnx"), layout="NHWC")
    assert model(lights()).keypoints[0].tolist() == [[1, 2], [3, 4], [5, 6]]


def test_what_comes_after_the_stages_need_not_be_known(tmp_path: Path) -> None:
    model = model_of([node("Relu", ["picture"], ["maps"]), node("ArgMax", ["maps"], axis=3)])
    path = written(model, tmp_path / "net.onnx")
    assert opened(path, stages=["maps"])(lights()).keypoints[0].tolist() == [[1, 2], [3, 4], [5, 6]]
    assert "unsupported operators: ArgMax; name tensors before them as stages" in refusal(path)


def test_unknown_operators_are_named_all_at_once(tmp_path: Path) -> None:
    nodes = [
        node("Relu", ["picture"], ["a"]),
        node("NonZero", ["a"], ["b"]),
        node("MyOwn", ["b"], ["c"], domain="com.example"),
        node("Relu", ["c"], ["d"], domain="com.example"),
        node("Det", ["d"]),
    ]
    message = refusal(written(model_of(nodes), tmp_path / "net.onnx"))
    assert "unsupported operators: Det, NonZero, com.example.MyOwn, com.example.Relu" in message


def test_quantised_graphs(tmp_path: Path) -> None:
    weights = {"scale": np.float32(0.1), "zero": np.int8(0), "w": np.ones((1, 3, 1, 1), np.int8)}
    nodes = [node("DequantizeLinear", ["w", "scale", "zero"], ["wf"]), node("Mul", ["picture", "wf"])]
    message = refusal(written(model_of(nodes, weights), tmp_path / "net.onnx"))
    assert "is quantised (DequantizeLinear), and rounding has no gradients; use the float file" in message


def test_a_graph_whose_batch_is_truly_one_runs_person_by_person(tmp_path: Path) -> None:
    nodes = [node("Reshape", ["picture", "flat"], ["row"]), node("Reshape", ["row", "back"])]
    weights = {"flat": np.array([144]), "back": np.array([1, 3, 8, 6])}
    model = opened(written(model_of(nodes, weights, picture=(1, 3, 8, 6)), tmp_path / "net.onnx"))
    assert model.graph.one_by_one
    pair = torch.cat([lights(), lights().flip(1)])
    assert torch.equal(model(pair).stages[0], pair)


def external(folder: Path, location: str, content: bytes, **more: str) -> Path:
    """Write a model that adds a weight (3, 1, 1) which lies in another file."""
    onnx = onnx_package()
    model = model_of([node("Add", ["picture", "w"])], {"w": np.array([[[1.0]], [[2.0]], [[3.0]]], np.float32)})
    (tensor,) = model.graph.initializer
    tensor.ClearField("raw_data")
    tensor.data_location = onnx.TensorProto.EXTERNAL
    for key, value in {"location": location, **more}.items():
        tensor.external_data.add(key=key, value=value)
    if not Path(location).is_absolute() and "\0" not in location:
        (folder / location).parent.mkdir(parents=True, exist_ok=True)
        (folder / location).write_bytes(content)
    return written(model, folder / "net.onnx")


WEIGHT = np.array([1, 2, 3], np.float32).tobytes()


def test_weights_beside_the_file(tmp_path: Path) -> None:
    path = external(tmp_path, "data/w.bin", b"...." + WEIGHT, offset="4", length="12")
    model = opened(path)
    assert torch.equal(model(lights()).stages[0], lights() + torch.tensor([1.0, 2.0, 3.0])[:, None, None])
    before = model.fingerprint
    (tmp_path / "data" / "w.bin").write_bytes(b"...." + WEIGHT[4:] + WEIGHT[:4])
    assert opened(path).fingerprint != before


def test_weights_outside_the_folder_are_not_read(tmp_path: Path) -> None:
    inner = tmp_path / "inner"
    inner.mkdir()
    (tmp_path / "secret.bin").write_bytes(WEIGHT)
    for location in ("../secret.bin", str(tmp_path / "secret.bin"), "a\0b"):
        assert "is outside the file's folder" in refusal(external(inner, location, WEIGHT))
    (inner / "link.bin").symlink_to(tmp_path / "secret.bin")
    path = external(inner, "other.bin", WEIGHT)
    (inner / "other.bin").unlink()
    (inner / "other.bin").symlink_to(tmp_path / "secret.bin")
    assert "is outside the file's folder" in refusal(path)


def test_weights_beside_the_file_that_are_damaged(tmp_path: Path) -> None:
    assert "'w.bin' is truncated" in refusal(external(tmp_path, "w.bin", WEIGHT[:8], length="12"))
    assert "weight 'w' is damaged" in refusal(external(tmp_path, "w.bin", WEIGHT[:8]))
    path = external(tmp_path, "w.bin", WEIGHT)
    (tmp_path / "w.bin").unlink()
    assert "weight 'w' cannot be read from 'w.bin': No such file" in refusal(path)


def test_files_that_are_no_onnx(tmp_path: Path) -> None:
    onnx_package()
    path = tmp_path / "net.onnx"
    for content in (b"", b"not a model", b"\x08\x07" * 20):
        path.write_bytes(content)
        assert "is not an ONNX file, or is damaged" in refusal(path)
    assert "no such file" in refusal(tmp_path / "gone.onnx")


def test_without_a_spec_it_says_what_to_write(tmp_path: Path) -> None:
    path = written(model_of([node("Relu", ["picture"])]), tmp_path / "net.onnx")
    with pytest.raises(RobustPoseError) as caught:
        open_model(f"onnx:{path}")
    assert "the file's input is 'picture' of shape ['n', 3, 8, 6], its outputs are 'out'" in str(caught.value)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"stages": ["outt"]}, "unknown tensor 'outt'; did you mean 'out'"),
        ({"input_size": [6, 8]}, "has input_size = [6, 8] in NCHW, which is [1, 3, 6, 8]"),
        ({"heatmap_size": [4, 3]}, "NCHW heatmaps of 4 x 3"),
        ({"format": "tflite"}, "spec 'colours' is for tflite models, but the model is opened as onnx"),
        ({"sha256": "0" * 64}, "spec 'colours' is for 000000000000"),
    ],
)
def test_specs_that_do_not_fit(tmp_path: Path, changes: dict[str, object], message: str) -> None:
    assert message in refusal(written(model_of([node("Relu", ["picture"])]), tmp_path / "net.onnx"), **changes)


def test_a_model_of_two_inputs(tmp_path: Path) -> None:
    onnx = onnx_package()
    model = model_of([node("Add", ["picture", "other"])])
    model.graph.input.append(onnx.helper.make_tensor_value_info("other", 1, [1]))
    assert "must have one input, the image; has 2: 'picture', 'other'" in refusal(
        written(model, tmp_path / "net.onnx")
    )


def test_an_operator_that_fails_is_named(tmp_path: Path) -> None:
    model = model_of([node("Reshape", ["picture", "s"])], {"s": np.array([7, -1])})
    message = refusal(written(model, tmp_path / "net.onnx"))
    assert re.search(r"operator Reshape \(makes 'out'\) cannot be run", message)


def test_the_reference_agrees_with_the_test_s_own_image() -> None:
    picture = np.ones((1, 3, 8, 6), np.float32)
    assert (reference(model_of([node("Neg", ["picture"])]), picture) == -1).all()
