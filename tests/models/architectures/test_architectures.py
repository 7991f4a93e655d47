"""Properties of every registered architecture, and its weights on disk."""

import hashlib
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from robustpose.errors import RobustPoseError
from robustpose.models import MODELS, SIZES, build, open_model
from robustpose.models.architectures.dlcm import PartsHead
from robustpose.models.architectures.resnet import ResNet
from robustpose.models.heads import CoordinateHead, HeatmapHead, SimCCHead
from robustpose.models.weights import WeightFacts, facts_path, load_facts, load_weights, save_weights
from robustpose.types import PoseModel
from tests.conftest import TinyHeatmaps

STAGES = {"shg2": (2, 2), "shg8": (8, 8), "attention_hg": (2, 8), "dlcm": (2, 2)}
"""Supervised outputs of the two sizes; 1 where an architecture is not named."""

SIDES = {"compact": 128, "published": 256}

every_model = pytest.mark.parametrize(
    ("name", "size"),
    [
        pytest.param(name, size, marks=[pytest.mark.slow] if size == "published" else [])
        for name in MODELS
        for size in SIZES
    ],
)


def parameters(model: nn.Module) -> int:
    return sum(parameter.numel() for parameter in model.parameters())


@every_model
def test_outputs(name: str, size: str) -> None:
    torch.manual_seed(0)
    model = build(name, size=size).eval()
    assert isinstance(model, PoseModel)
    height, width = model.input_size
    assert (height, width) == (SIDES[size], SIDES[size])
    images = torch.rand(1, 3, height, width, requires_grad=True)
    output = model(images)
    k = len(model.skeleton)
    assert output.keypoints.shape == (1, k, 2)
    assert output.scores.shape == (1, k)
    assert len(output.stages) == STAGES.get(name, (1, 1))[SIZES.index(size)]
    truth = torch.full((1, k, 2), height / 3)
    target = model.head.encode(truth)
    for raw in output.stages:
        assert raw.shape == target.shape
        assert torch.isfinite(raw).all()
    keypoints, scores = model.head.decode(output.stages[-1])
    assert torch.equal(keypoints, output.keypoints)
    assert torch.equal(scores, output.scores)
    loss = sum(model.head.loss(raw, target, torch.ones(1, k, dtype=torch.bool)).sum() for raw in output.stages)
    assert isinstance(loss, Tensor)
    (gradient,) = torch.autograd.grad(loss, images)
    assert torch.isfinite(gradient).all()
    assert (gradient != 0).float().mean() > 0.9, "the gradient must reach the whole picture"


@every_model
def test_the_head_fits_the_input_size(name: str, size: str) -> None:
    model = build(name, size=size)
    assert isinstance(model, PoseModel)
    assert isinstance(model.head, HeatmapHead | CoordinateHead | SimCCHead | PartsHead)
    assert model.head.input_size == model.input_size
    side = model.input_size[0]
    keypoints = torch.full((1, len(model.skeleton), 2), 0.25 * side)
    decoded, _ = model.head.decode(model.head.encode(keypoints))
    joints = model.head.joints if isinstance(model.head, PartsHead) else model.head
    cell = 0.01
    if isinstance(joints, HeatmapHead):
        cell = side / joints.heatmap_size[0]
    elif isinstance(joints, SimCCHead):
        cell = 1 / joints.split
    assert (decoded - keypoints).abs().max() <= cell / 2 + 1e-3


@pytest.mark.parametrize("name", MODELS)
def test_two_people_do_not_see_each_other(name: str) -> None:
    torch.manual_seed(0)
    model = build(name).eval()
    assert isinstance(model, PoseModel)
    images = torch.rand(2, 3, *model.input_size)
    with torch.no_grad():
        both, one = model(images).stages[-1], model(images[:1]).stages[-1]
    torch.testing.assert_close(both[:1], one, rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("name", MODELS)
def test_compact_is_compact(name: str) -> None:
    """Its weights are shipped in the package, as float16."""
    assert parameters(build(name)) <= 2_000_000


def test_the_trunk_is_resnet_34() -> None:
    """21,797,672 parameters in torchvision's resnet34, 513,000 of them its classifier."""
    trunk = ResNet(blocks=(3, 4, 6, 3), width=64)
    assert parameters(trunk) == 21_797_672 - 513_000
    assert parameters(build("deeppose", size="published")) == 21_797_672 - 513_000 + 512 * 32 + 32
    assert trunk.eval()(torch.zeros(1, 3, 64, 96)).shape == (1, 512, 2, 3)


def test_unknown_names_are_guessed() -> None:
    with pytest.raises(RobustPoseError, match="unknown model 'sgh2'; did you mean 'shg2'"):
        build("sgh2")
    with pytest.raises(RobustPoseError, match="unknown size 'compakt'; did you mean 'compact'"):
        build("shg2", size="compakt")
    with pytest.raises(RobustPoseError, match="unknown model 'deepose'; did you mean 'deeppose'"):
        open_model("deepose")


FACTS = WeightFacts(
    architecture="deeppose",
    size="compact",
    sha256="",
    data="fake",
    data_fingerprint="0",
    recipe={"lr": 1e-3},
    samples=1,
    seconds=1.0,
    device="cpu",
    metric="PCKh@0.5",
    score=50.0,
    low=45.0,
    high=55.0,
    n=10,
)


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(1)
    path = tmp_path_factory.mktemp("weights") / "deeppose.safetensors"
    save_weights(build("deeppose"), path, FACTS)
    return path


@pytest.fixture
def weights(saved: Path, tmp_path: Path) -> Path:
    """A copy that a test may change."""
    copy = tmp_path / saved.name
    copy.write_bytes(saved.read_bytes())
    facts_path(copy).write_bytes(facts_path(saved).read_bytes())
    return copy


def test_weights_come_back_as_float16(tmp_path: Path) -> None:
    model = TinyHeatmaps(seed=1)
    path = tmp_path / "new folder" / "tiny.safetensors"
    written = save_weights(model, path, replace(FACTS, architecture="tiny"))
    other = TinyHeatmaps(seed=2)
    assert load_weights(other, path) == written.sha256
    assert len(written.sha256) == 64
    for mine, theirs in zip(model.parameters(), other.parameters(), strict=True):
        assert theirs.dtype == torch.float32
        assert torch.equal(theirs, mine.half().float())
    assert load_facts(path) == written
    assert sorted(p.name for p in path.parent.iterdir()) == ["tiny.json", "tiny.safetensors"]


def test_batch_statistics_and_counters_come_back(saved: Path) -> None:
    model = build("deeppose")
    load_weights(model, saved)
    state = model.state_dict()
    assert state["backbone.stem.1.num_batches_tracked"].dtype == torch.int64
    assert (state["backbone.stem.1.running_var"] == 1).all()


def test_opening_own_weights(weights: Path) -> None:
    opened = open_model(f"deeppose:{weights}")
    assert opened.name == f"deeppose:{weights.stem}"
    assert opened.fingerprint == load_facts(weights).sha256
    assert isinstance(opened.module, nn.Module)
    assert not opened.module.training
    assert not any(parameter.requires_grad for parameter in opened.module.parameters())


def no_file(path: Path) -> None:
    path.unlink()


def no_facts(path: Path) -> None:
    facts_path(path).unlink()


def facts_are_text(path: Path) -> None:
    facts_path(path).write_text("not json")


def facts_are_a_list(path: Path) -> None:
    facts_path(path).write_text("[1, 2]")


def facts_lack_a_field(path: Path) -> None:
    facts: dict[str, Any] = json.loads(facts_path(path).read_text())
    del facts["sha256"]
    facts_path(path).write_text(json.dumps(facts))


def facts_are_bytes(path: Path) -> None:
    facts_path(path).write_bytes(b"\xff\xfe\x00")


def facts_have_no_hash(path: Path) -> None:
    facts = json.loads(facts_path(path).read_text())
    facts_path(path).write_text(json.dumps({**facts, "sha256": None}))


def facts_have_one_more(path: Path) -> None:
    facts_path(path).write_text(json.dumps({**json.loads(facts_path(path).read_text()), "surprise": 1}))


def one_bit_turned(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(bytes(content))


def truncated(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-100])


def not_safetensors(path: Path) -> None:
    path.write_bytes(b"hello")
    facts = json.loads(facts_path(path).read_text())
    facts_path(path).write_text(json.dumps({**facts, "sha256": hashlib.sha256(b"hello").hexdigest()}))


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (no_file, "no weights at .*make them with `robustpose train`"),
        (no_facts, r"its facts deeppose\.json are missing beside it"),
        (facts_are_text, "not the facts of a weight file"),
        (facts_are_a_list, "not the facts of a weight file"),
        (facts_lack_a_field, "not the facts of a weight file.*sha256"),
        (facts_have_one_more, "not the facts of a weight file.*surprise"),
        (facts_are_bytes, "not the facts of a weight file"),
        (facts_have_no_hash, "facts"),
        (one_bit_turned, r"sha256 is [0-9a-f]{12}\.\.\., its facts say [0-9a-f]{12}\.\.\."),
        (truncated, "sha256 is"),
        (not_safetensors, "is not a safetensors file"),
    ],
)
def test_weights_that_cannot_be_loaded_are_one_line(
    weights: Path, spoil: Callable[[Path], None], message: str
) -> None:
    spoil(weights)
    with pytest.raises(RobustPoseError, match=message) as caught:
        load_weights(build("deeppose"), weights)
    assert "\n" not in str(caught.value)
    assert str(weights.with_suffix("")) in str(caught.value)
    with pytest.raises(RobustPoseError):
        open_model(f"deeppose:{weights}")


@pytest.mark.parametrize("asked", ["shg2", "resreg"])
def test_weights_of_another_architecture_are_one_line(weights: Path, asked: str) -> None:
    with pytest.raises(RobustPoseError, match=f"these are weights of deeppose, not of {asked}$"):
        open_model(f"{asked}:{weights}")


def test_weights_of_a_model_of_the_same_layout_are_not_taken_for_another(tmp_path: Path) -> None:
    path = tmp_path / "pre.safetensors"
    save_weights(build("resdec"), path, replace(FACTS, architecture="resdec_pre"))
    with pytest.raises(RobustPoseError, match=r"these are weights of resdec_pre, not of resdec$"):
        open_model(f"resdec:{path}")
    assert open_model(f"resdec_pre:{path}").name == "resdec_pre:pre"


def rewrite(path: Path, change: Callable[[dict[str, Tensor]], None]) -> None:
    """Change the tensors of a weight file, and its hash in the facts."""
    held = load_file(path)
    change(held)
    save_file(held, path)
    facts = json.loads(facts_path(path).read_text())
    sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
    facts_path(path).write_text(json.dumps({**facts, "sha256": sha256}))


def lacks_a_tensor(held: dict[str, Tensor]) -> None:
    del held["regress.bias"]


def has_one_too_many(held: dict[str, Tensor]) -> None:
    held["regress.more"] = torch.zeros(2)


def has_another_shape(held: dict[str, Tensor]) -> None:
    held["regress.bias"] = torch.zeros(34)


def lacks_many(held: dict[str, Tensor]) -> None:
    for name in [name for name in held if name.startswith("backbone.stages.0.")]:
        del held[name]


def holds_nan(held: dict[str, Tensor]) -> None:
    held["regress.bias"] = torch.full_like(held["regress.bias"], torch.nan)


def holds_infinity(held: dict[str, Tensor]) -> None:
    held["regress.weight"][0, 0] = torch.inf


def is_8_bit_without_scale(held: dict[str, Tensor]) -> None:
    held["regress.weight"] = torch.ones(32, 128, dtype=torch.int8)


def is_8_bit_with_a_short_scale(held: dict[str, Tensor]) -> None:
    is_8_bit_without_scale(held)
    held["regress.weight.scale"] = torch.ones(31)


def is_8_bit_with_a_broken_scale(held: dict[str, Tensor]) -> None:
    is_8_bit_without_scale(held)
    held["regress.weight.scale"] = torch.full((32,), torch.nan)


def is_8_bit_with_whole_scales(held: dict[str, Tensor]) -> None:
    is_8_bit_without_scale(held)
    held["regress.weight.scale"] = torch.ones(32, dtype=torch.int64)


def has_a_scale_that_nothing_needs(held: dict[str, Tensor]) -> None:
    held["regress.weight.scale"] = torch.ones(32)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lacks_a_tensor, "does not fit the model: missing: regress.bias"),
        (has_one_too_many, "does not fit the model: unexpected: regress.more"),
        (has_another_shape, "does not fit the model: of another shape: regress.bias (34,) for (32,)"),
        (
            lacks_many,
            "does not fit the model: missing: backbone.stages.0.conv1.weight, backbone.stages.0.bn1.weight, "
            "backbone.stages.0.bn1.bias and 9 more",
        ),
        (holds_nan, "NaN or infinity in regress.bias"),
        (holds_infinity, "NaN or infinity in regress.weight"),
        (is_8_bit_without_scale, "regress.weight is int8 and its scale regress.weight.scale is missing"),
        (is_8_bit_with_a_short_scale, "regress.weight.scale must have shape (32,), got (31,)"),
        (is_8_bit_with_a_broken_scale, "regress.weight.scale must hold finite numbers >= 0"),
        (is_8_bit_with_whole_scales, "regress.weight.scale must hold finite numbers >= 0"),
        (has_a_scale_that_nothing_needs, "does not fit the model: unexpected: regress.weight.scale"),
    ],
    ids=lambda value: value.__name__ if callable(value) else "",
)
def test_tensors_that_cannot_be_loaded_are_named(
    weights: Path, change: Callable[[dict[str, Tensor]], None], message: str
) -> None:
    rewrite(weights, change)
    with pytest.raises(RobustPoseError) as caught:
        open_model(f"deeppose:{weights}")
    assert message in str(caught.value)
    assert str(weights) in str(caught.value)
    assert len(str(caught.value)) < len(str(weights)) + 200


def test_a_wholly_different_file_is_a_short_line(tmp_path: Path) -> None:
    path = tmp_path / "shg8.safetensors"
    save_weights(build("shg8"), path, FACTS)
    with pytest.raises(RobustPoseError, match=r"and [0-9]+ more; unexpected: from_features") as caught:
        open_model(f"deeppose:{path}")
    assert len(str(caught.value)) < 500
