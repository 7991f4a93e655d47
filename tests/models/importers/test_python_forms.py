"""torch:module:factory and callable:module:function, on tiny models and functions with known outputs."""

import hashlib
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from robustpose import attacks
from robustpose.attack_types import Attack, Loss, Threat
from robustpose.errors import RobustPoseError
from robustpose.models import open_model
from robustpose.models.heads import CoordinateHead
from robustpose.models.importers.python import opened_module
from robustpose.models.specs import ModelSpec, make_spec
from robustpose.objectives import TrainingLoss
from robustpose.skeletons import Skeleton
from robustpose.threats import Linf
from robustpose.types import Batch
from tests.models.importers.test_imported import lights

HEATMAPS: dict[str, object] = {
    "name": "colours",
    "format": "torch",
    "skeleton": ("left_hand", "right_hand", "nose"),
    "input_size": (8, 6),
    "channels": "RGB",
    "head": "heatmap",
    "heatmap_size": (8, 6),
    "sigma": 1.0,
}
POINTS: dict[str, object] = {
    "name": "points",
    "format": "callable",
    "skeleton": ("left_hand", "right_hand"),
    "input_size": (8, 6),
    "channels": "RGB",
    "head": "coordinates",
    "unit": "pixels",
    "columns": ("x", "y", "score"),
}
MODELS = """
import torch
from torch import nn
from robustpose.models.architectures.hourglass import StackedHourglass
from robustpose.skeletons import MPII_16

class Plain(nn.Module):
    def __init__(self, form):
        super().__init__()
        self.scale = nn.Parameter(torch.ones(1))
        self.drop = nn.Dropout(0.5)
        self.form = form

    def forward(self, x):
        maps = self.drop(x * self.scale)
        return {"tensor": maps, "tuple": (-maps, maps), "dict": {"first": -maps, "maps": maps}}[self.form]

def tensor(): return Plain("tensor")
def pair(): return Plain("tuple")
def record(): return Plain("dict")
def ours():
    torch.manual_seed(1)
    return StackedHourglass(stacks=1, channels=8, modules=1, stem=(4, 4, 8), input_size=(64, 64), skeleton=MPII_16)
def nothing(): return 7
def breaks(): raise KeyError("weights")
def cut():
    model = nn.Module()
    model.forward = lambda x: x.detach()
    return model
number = 3
"""
FUNCTIONS = """
import numpy as np

def corner(pictures):
    # x and y are the first pixel's red and green, in tens of levels
    assert pictures.dtype == np.uint8 and pictures.shape[1:] == (8, 6, 3)
    row = np.stack([pictures[:, 0, 0, 0] / 10, pictures[:, 0, 0, 1] / 10, np.full(len(pictures), 0.5)], axis=1)
    return np.stack([row, row + 1], axis=1)

def one_lost(pictures):
    answer = corner(pictures)
    answer[:, 1] = np.nan
    return answer

def too_few(pictures): return corner(pictures)[:1]
def words(pictures): return "left"
def breaks(pictures): return pictures.no_such_thing
"""


def model_spec(changes: dict[str, object] | None = None, base: dict[str, object] = HEATMAPS) -> ModelSpec:
    return make_spec(base | (changes or {}))


@pytest.fixture
def models(tmp_path: Path) -> str:
    path = tmp_path / "my_nets.py"
    path.write_text(MODELS)
    return f"torch:{path}"


@pytest.fixture
def functions(tmp_path: Path) -> str:
    path = tmp_path / "my_functions.py"
    path.write_text(FUNCTIONS)
    return f"callable:{path}"


@pytest.mark.parametrize(
    ("factory", "stages"),
    [("tensor", ("output",)), ("pair", ("0", "1")), ("pair", ("output",)), ("record", ("maps",))],
)
def test_a_module_under_a_spec(models: str, factory: str, stages: tuple[str, ...]) -> None:
    opened = open_model(f"{models}:{factory}", spec=model_spec({"stages": stages}))
    output = opened.module(lights())
    assert opened.name == "colours"
    assert output.keypoints[0].tolist() == [[1, 2], [3, 4], [5, 6]]
    assert torch.equal(output.stages[-1], lights())
    assert len(output.stages) == len(stages)


def test_bgr_and_scaling(models: str) -> None:
    opened = open_model(
        f"{models}:tensor", spec=model_spec({"channels": "BGR", "mean": 0.25, "std": 0.5, "scale": 2})
    )
    raw = opened.module(lights()).stages[0]
    assert torch.equal(raw, (lights().flip(1) - 0.25) / 0.5 * 2)


def test_the_gradient_is_the_models_own(models: str) -> None:
    model = open_model(f"{models}:tensor", spec=model_spec({"scale": 3})).module
    images = lights().requires_grad_()
    model(images).stages[0][0, 1].sum().backward()  # type: ignore[no-untyped-call]
    assert images.grad is not None
    assert torch.equal(images.grad[0, 1], torch.full((8, 6), 3.0))
    assert not images.grad[0, [0, 2]].any()


def test_a_pose_model_of_ones_own_needs_no_spec(models: str) -> None:
    opened = open_model(f"{models}:ours")
    assert tuple(opened.module.input_size) == (64, 64)
    assert opened.module(torch.rand(2, 3, 64, 64)).keypoints.shape == (2, 16, 2)
    assert opened.fingerprint == open_model(f"{models}:ours").fingerprint
    with pytest.raises(RobustPoseError, match="takes no spec"):
        open_model(f"{models}:ours", spec=model_spec())


def test_a_module_of_the_current_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "here_only.py").write_text(MODELS)
    monkeypatch.chdir(tmp_path)
    assert open_model("torch:here_only:tensor", spec=model_spec()).name == "colours"


def test_the_fingerprint_follows_weights_code_and_spec(tmp_path: Path) -> None:
    def print_of(source: str, changes: dict[str, object] | None = None) -> str:
        path = tmp_path / "nets.py"
        path.write_text(source)
        return open_model(f"torch:{path}:tensor", spec=model_spec(changes)).fingerprint

    first = print_of(MODELS)
    assert print_of(MODELS) == first
    assert print_of(MODELS.replace("torch.ones(1)", "torch.ones(1) * 2")) != first
    assert print_of(MODELS.replace("x * self.scale", "x / self.scale")) != first
    assert print_of(MODELS, {"sigma": 2.0}) != first


@pytest.mark.parametrize(
    ("place", "message"),
    [
        ("tensor", "needs a spec"),
        ("missing", "has no 'missing'"),
        ("number", "cannot call 'number'"),
        ("nothing", "must return an nn.Module, returned int"),
        ("breaks", "failed: KeyError: 'weights' (my_nets.py, line 25)"),
    ],
)
def test_what_no_factory_is(models: str, place: str, message: str) -> None:
    with pytest.raises(RobustPoseError) as caught:
        open_model(f"{models}:{place}")
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_model_that_cuts_the_gradient(models: str) -> None:
    with pytest.raises(RobustPoseError, match="no gradient reaches the image from 'output'"):
        open_model(f"{models}:cut", spec=model_spec())


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("torch:", "torch needs a model to open: torch:MODULE:FACTORY"),
        ("torch:only_a_module", "torch needs a module and a name in it: torch:MODULE:NAME"),
        ("torch:no_such_module_at_all:net", "No module named 'no_such_module_at_all'"),
        ("torch:gone.py:net", "gone.py: no such file"),
    ],
)
def test_what_no_module_is(spec: str, message: str) -> None:
    with pytest.raises(RobustPoseError) as caught:
        open_model(spec, spec=model_spec())
    assert message in str(caught.value)


def test_wrong_stage_and_wrong_spec(models: str) -> None:
    with pytest.raises(RobustPoseError, match="unknown stage 'mapps'; did you mean 'maps'"):
        open_model(f"{models}:record", spec=model_spec({"stages": ("mapps",)}))
    with pytest.raises(RobustPoseError, match="heatmaps of 4 x 3"):
        open_model(f"{models}:tensor", spec=model_spec({"heatmap_size": (4, 3)}))
    with pytest.raises(RobustPoseError, match="is for callable models, but the model is opened as torch"):
        open_model(f"{models}:tensor", spec=model_spec(base=POINTS))


def pictures(n: int = 2) -> torch.Tensor:
    images = torch.zeros(n, 3, 8, 6)
    images[:, 0, 0, 0] = 30 / 255
    images[:, 1, 0, 0] = 40 / 255
    return images


def test_a_function_is_given_levels_and_its_pixels_count_from_the_edge(functions: str) -> None:
    model = open_model(f"{functions}:corner", spec=model_spec(base=POINTS)).module
    output = model(pictures())
    # 3 and 4 pixels from the outer edges are the point (2.5, 3.5)
    assert output.keypoints[0].tolist() == [pytest.approx([2.5, 3.5]), pytest.approx([3.5, 4.5])]
    assert output.scores.tolist() == [[0.5, 1.5]] * 2
    assert isinstance(model.head, CoordinateHead)


def test_a_function_that_takes_bgr(functions: str) -> None:
    model = open_model(f"{functions}:corner", spec=model_spec({"channels": "BGR"}, POINTS)).module
    assert model(pictures()).keypoints[0, 0].tolist() == pytest.approx([-0.5, 3.5])


def test_a_keypoint_that_is_not_found_is_wrong(functions: str) -> None:
    model = open_model(f"{functions}:one_lost", spec=model_spec(base=POINTS)).module
    first, lost = attacks.predict(model, pictures(), ids=("a", "b")).keypoints[0].tolist()
    assert first == pytest.approx([2.5, 3.5])
    assert lost == pytest.approx([-8.5, -8.5])


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("too_few", "must return a prediction for each of 2 images, returned shape (1, 2, 3)"),
        ("words", "must return one array of numbers"),
        ("breaks", "failed: AttributeError: 'numpy.ndarray' object has no attribute 'no_such_thing'"),
    ],
)
def test_what_no_function_is(functions: str, name: str, message: str) -> None:
    with pytest.raises(RobustPoseError) as caught:
        open_model(f"{functions}:{name}", spec=model_spec(base=POINTS))
    assert message in str(caught.value)


def test_a_function_scales_itself() -> None:
    with pytest.raises(RobustPoseError, match="scale does not apply: a callable gets 8-bit images"):
        model_spec({"scale": 255}, POINTS)


class Corner(Attack):
    """An attack that asks only for losses: the better of the image and one with a brighter first pixel."""

    needs = "scores"

    def perturb(
        self, loss: Loss, images: torch.Tensor, threat: Threat, generator: torch.Generator, /
    ) -> torch.Tensor:
        rows = torch.arange(len(images))
        other = images.clone()
        other[:, :, 0, 0] += threat.eps
        better = loss(other, rows) > loss(images, rows)
        return torch.where(better[:, None, None, None], other, images)


def people() -> Batch:
    skeleton = Skeleton(name="points", keypoints=("left_hand", "right_hand"), limbs=())
    return Batch(
        images=pictures(),
        keypoints=torch.tensor([[[2.5, 3.5], [3.5, 4.5]]] * 2),
        visible=torch.ones(2, 2, dtype=torch.bool),
        head_size=torch.full((2,), 2.0),
        box_side=torch.full((2,), 6.0),
        crops=torch.eye(2, 3, dtype=torch.float64).repeat(2, 1, 1),
        ids=("a", "b"),
        skeleton=skeleton,
    )


def test_white_box_attacks_refuse_a_function_and_black_box_attacks_do_not(functions: str) -> None:
    model = open_model(f"{functions}:corner", spec=model_spec(base=POINTS)).module
    threat, objective = Linf(eps=10 / 255), TrainingLoss("last")
    with pytest.raises(
        RobustPoseError,
        match=r"points has no gradient, which this attack needs; use one.*\(square;",
    ):
        attacks.run(attacks.FGSM(), model, people(), threat=threat, objective=objective)
    found = attacks.run(Corner(), model, people(), threat=threat, objective=objective)
    assert found.output.keypoints[0, 0].tolist() == pytest.approx([3.5, 4.5])  # a level of 10 is a pixel
    assert (found.forwards, found.backwards) == (4, 0)


def test_opening_leaves_random_state_alone(models: str) -> None:
    torch.manual_seed(3)
    before = hashlib.sha256(torch.get_rng_state().numpy().tobytes()).hexdigest()
    open_model(f"{models}:tensor", spec=model_spec())
    assert hashlib.sha256(torch.get_rng_state().numpy().tobytes()).hexdigest() == before


class Counting(nn.Module):
    """Counts its passes in a buffer, draws random numbers, and learns: all of it must stay as it came."""

    passes: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("passes", torch.zeros(1))
        self.norm = nn.BatchNorm2d(3)
        self.scale = nn.Parameter(torch.ones(1))

    def forward(self, x: Tensor) -> Tensor:
        self.passes += 1
        torch.rand(1)
        seen: Tensor = self.norm(x) * self.scale
        return seen


def test_opening_a_module_under_a_spec_leaves_it_as_it_came() -> None:
    model = Counting().train()
    model.scale.grad = torch.full((1,), 3.0)
    torch.manual_seed(5)
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    state = torch.get_rng_state()
    opened_module(model, name="mine", spec=model_spec())
    assert torch.equal(torch.get_rng_state(), state)
    assert model.training
    assert model.norm.training
    assert model.scale.requires_grad
    assert model.scale.grad is not None
    assert model.scale.grad.tolist() == [3.0]
    for name, tensor in model.state_dict().items():
        assert torch.equal(tensor, before[name]), name
