"""A good spec broken in each usual way, on rendered people and on photos: the check names what was broken."""

from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn

from robustpose.data import open_dataset
from robustpose.errors import RobustPoseError
from robustpose.models import OpenedModel, open_model
from robustpose.models.importers.imported import ImportedPose
from robustpose.models.importers.python import opened_module
from robustpose.models.specs import ModelSpec, make_spec
from robustpose.selfcheck import Checked, check_spec, variants_of
from robustpose.types import PoseOutput
from tests.models.importers.tflite_files import real_path

pytestmark = pytest.mark.slow

N = 12
HEATMAPS: dict[str, object] = {
    "name": "mine",
    "format": "torch",
    "skeleton": "mpii_16",
    "input_size": [128, 128],
    "channels": "RGB",
    "head": "heatmap",
    "heatmap_size": [32, 32],
    "sigma": 1.0,
}
POINTS = {key: value for key, value in HEATMAPS.items() if key not in ("heatmap_size", "sigma")} | {
    "head": "coordinates",
    "unit": "-0.5..0.5",
    "columns": ["x", "y"],
}


class LastStage(nn.Module):
    """A model of ours as others ship theirs: a tensor comes out, and no word of what it means."""

    def __init__(self, name: str) -> None:
        super().__init__()
        model = open_model(name).module
        assert isinstance(model, nn.Module)
        self.model = model

    def forward(self, images: Tensor) -> Tensor:
        output: PoseOutput = self.model(images)
        return output.stages[-1]


@pytest.fixture(scope="module")
def heatmap_model() -> nn.Module:
    return LastStage("resdec").eval()


@pytest.fixture(scope="module")
def coordinate_model() -> nn.Module:
    return LastStage("resreg").eval()


def checked(model: nn.Module, spec: dict[str, object]) -> Checked:
    opened = opened_module(model, name="mine", spec=make_spec(spec))
    return check_spec(opened, open_dataset("synthpose"), n=N)


def mends(found: Checked) -> list[str]:
    return [each.variant.mend for each in found.mends]


@pytest.fixture(scope="module")
def true_spec(heatmap_model: nn.Module) -> Checked:
    """Check the spec as it should be; on the way, that the model comes out as it went in."""
    before = {name: value.clone() for name, value in heatmap_model.state_dict().items()}
    state = torch.get_rng_state()
    heatmap_model.train()
    modes = [module.training for module in heatmap_model.modules()]
    found = checked(heatmap_model, HEATMAPS)
    assert [module.training for module in heatmap_model.modules()] == modes
    heatmap_model.eval()
    assert torch.equal(state, torch.get_rng_state())
    assert all(torch.equal(value, before[name]) for name, value in heatmap_model.state_dict().items())
    return found


def test_a_true_spec_is_fine(true_spec: Checked) -> None:
    found = true_spec
    assert found.fine
    assert found.people == N
    assert found.metric == "PCKh@0.5"
    assert found.after is found.before
    assert {each.variant.name for each in found.tried} >= {"left and right swapped", "colours as BGR"}


LEFT_RIGHT = [5, 4, 3, 2, 1, 0, 6, 7, 8, 9, 15, 14, 13, 12, 11, 10]
BREAKS: list[tuple[dict[str, object], list[str]]] = [
    ({"select": LEFT_RIGHT}, [f"select = {list(range(16))}"]),
    ({"channels": "BGR"}, ['channels = "RGB"']),
    ({"scale": 255}, ["scale = 1; mean = [0.0, 0.0, 0.0]; std = [1.0, 1.0, 1.0]"]),
    ({"lattice": "corners"}, ['lattice = "centres"']),
    ({"select": LEFT_RIGHT, "channels": "BGR"}, [f'channels = "RGB"; select = {list(range(16))}']),
]


@pytest.mark.parametrize(("broken", "expected"), BREAKS)
def test_a_broken_spec_is_mended(heatmap_model: nn.Module, broken: dict[str, object], expected: list[str]) -> None:
    found = checked(heatmap_model, HEATMAPS | broken)
    assert sorted(mends(found)) == sorted(expected)
    spec = found.after.variant.spec
    true = make_spec(HEATMAPS)
    assert (spec.channels, spec.scale, spec.padding, spec.head_keys.get("lattice", "centres")) == (
        true.channels,
        true.scale,
        true.padding,
        true.head_keys.get("lattice", "centres"),
    )
    assert not found.fine


@pytest.mark.parametrize(
    ("broken", "expected"),
    [({"columns": ["y", "x"]}, "columns = ['x', 'y']"), ({"unit": "0..1"}, 'unit = "-0.5..0.5"')],
)
def test_coordinates_read_wrongly(coordinate_model: nn.Module, broken: dict[str, object], expected: str) -> None:
    assert mends(checked(coordinate_model, POINTS | broken)) == [expected]


def test_a_crop_that_is_far_too_wide(heatmap_model: nn.Module) -> None:
    (mend,) = checked(heatmap_model, HEATMAPS | {"padding": 2.5}).mends
    assert mend.variant.spec.padding in (1.0, 1.25, 1.5)


def test_a_score_far_under_the_specs_is_told(true_spec: Checked) -> None:
    high = true_spec.before.score.high
    assert replace(true_spec, expected=("PCKh@0.5", high + 10.1)).far_under
    assert not replace(true_spec, expected=("PCKh@0.5", high + 10.1)).fine
    assert not replace(true_spec, expected=("PCKh@0.5", high + 9.9)).far_under
    assert not replace(true_spec, expected=("PCK@0.1", high + 10.1)).far_under


def said(spec: ModelSpec) -> dict[str, object]:
    return {**vars(spec), **spec.head_keys, "head_keys": None}


def test_variants_change_one_thing_each() -> None:
    spec = make_spec(HEATMAPS)
    for variant in variants_of(spec):
        changed = {key for key, value in said(variant.spec).items() if value != said(spec).get(key)}
        assert changed in ({"select"}, {"channels"}, {"scale"}, {"mean", "std"}, {"padding"}, {"lattice"}), variant
        assert variant.mend


def test_models_without_a_spec() -> None:
    with pytest.raises(RobustPoseError, match="shg2 has no spec"):
        check_spec(open_model("shg2"), open_dataset("synthpose"))


def test_a_model_of_others_on_photos() -> None:
    """EfficientPose RT Lite on people of COCO: the shipped spec is fine; broken, it is mended."""
    opened = open_model(f"tflite:{real_path('models/eff_RT_LITE.tflite')}")
    data = f"coco:{real_path('coco_dev/person_keypoints_coco_dev.json')}"
    people = open_dataset(data, min_keypoints=10, min_box=80)
    assert isinstance(opened.module, ImportedPose)
    spec = opened.module.spec
    swapped = tuple(spec.skeleton.flip_order)

    def of(changed: ModelSpec) -> Checked:
        model = ImportedPose(opened.module.graph, changed, fingerprint="x").eval()  # type: ignore[attr-defined]
        return check_spec(OpenedModel(name="mine", module=model, fingerprint="x"), people, n=12)

    assert of(spec).fine
    assert mends(of(replace(spec, select=swapped))) == [f"select = {list(range(16))}"]
