"""Defended models: attacked through the defence, distinguished by fingerprints, named with a prefix."""

import hashlib
from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from robustpose.attacks.acceleration import fused_copy
from robustpose.defences import DEFENCES, behind, defended, open_defended, spec_is_for, split_defences
from robustpose.defences.defended import DefenceSpec, Defended
from robustpose.defences.smoothing import median, smoothed
from robustpose.errors import RobustPoseError
from robustpose.models import OpenedModel
from robustpose.types import PoseModel
from tests.conftest import TINY, LinearPose, TinyHeatmaps


def tiny() -> OpenedModel:
    return OpenedModel(name="tiny", module=TinyHeatmaps().eval(), fingerprint="tiny-1")


def images(n: int = 2) -> Tensor:
    return torch.rand(n, 3, *TINY, generator=torch.Generator().manual_seed(0))


def gradient(model: PoseModel, given: Tensor) -> Tensor:
    given = given.clone().requires_grad_(True)
    (found,) = torch.autograd.grad(model(given).stages[-1].square().sum(), given)
    return found


EXACT = [
    name for name, spec in DEFENCES.items() if spec.gradient == "exact" and spec.draws == 1 and name != "flip"
]


@pytest.mark.parametrize("name", EXACT)
def test_gradients_flow_through_the_defence(name: str) -> None:
    """The gradient is the model's gradient at the filtered image, passed back through the filter by hand."""
    opened, given = tiny(), images()
    model = defended(opened, name).module
    found = gradient(model, given)
    step = 1e-3 * torch.sign(found)
    with torch.no_grad():
        rise = model(given + step).stages[-1].square().sum() - model(given - step).stages[-1].square().sum()
    assert float(rise) == pytest.approx(2 * float((found * step).sum()), rel=0.05)
    assert not torch.allclose(found, gradient(opened.module, given), rtol=0.01)


def test_the_gradient_of_a_median_goes_to_the_pixel_that_is_the_median() -> None:
    given = torch.zeros(1, 3, 3, 3)
    given[0, 0] = torch.tensor([[0.1, 0.2, 0.3], [0.4, 0.5, 0.6], [0.7, 0.8, 0.9]])
    given.requires_grad_(True)
    (found,) = torch.autograd.grad(median(given, size=3)[0, 0, 1, 1], given)
    expected = torch.zeros(3, 3)
    expected[1, 1] = 1.0
    assert torch.equal(found[0, 0], expected)


def test_every_model_behind_a_defence_has_a_fingerprint_and_a_name_of_its_own() -> None:
    every = [tiny(), *(defended(tiny(), name) for name in DEFENCES if name != "flip")]
    every += [defended(each, "median5") for each in every[1:]]
    assert len({each.fingerprint for each in every}) == len({each.name for each in every}) == len(every)
    assert defended(tiny(), "box3").name == "box3:tiny"


def test_the_fingerprint_of_the_flip_test_is_what_it_was_in_stores_of_before() -> None:
    assert defended(tiny(), "flip").fingerprint == hashlib.sha256(b"flip test of tiny-1").hexdigest()


def test_a_version_is_part_of_the_fingerprint(monkeypatch: pytest.MonkeyPatch) -> None:
    before = defended(tiny(), "box3").fingerprint
    monkeypatch.setitem(DEFENCES, "box3", DefenceSpec(DEFENCES["box3"].make, "Box", version=2))
    assert defended(tiny(), "box3").fingerprint != before


def test_of_two_defences_the_first_one_sees_the_images_first(monkeypatch: pytest.MonkeyPatch) -> None:
    def sees(word: str) -> Callable[[Tensor], Tensor]:
        return lambda given: seen.append(word) or given  # type: ignore[func-returns-value]

    seen: list[str] = []
    for word in ("outer", "inner"):
        monkeypatch.setitem(DEFENCES, word, DefenceSpec(smoothed(sees(word)), ""))
    opened = open_defended("outer:inner:shg2")
    opened.module(torch.zeros(1, 3, 128, 128))
    assert (opened.name, seen) == ("outer:inner:shg2", ["outer", "inner"])
    assert split_defences("outer:inner:onnx:C:x.onnx") == (["outer", "inner"], "onnx:C:x.onnx")
    assert spec_is_for("outer:inner:onnx:x.onnx")


def test_a_defended_model_takes_the_crops_of_the_model() -> None:
    model = LinearPose()
    model.padding, model.differentiable = 1.5, False  # type: ignore[assignment]
    behind_box = defended(OpenedModel("linear", model, "f"), "box3").module
    assert (behind_box.input_size, behind_box.skeleton) == (model.input_size, model.skeleton)
    assert (getattr(behind_box, "padding", None), getattr(behind_box, "differentiable", None)) == (1.5, False)


def test_it_is_searched_by_a_fused_copy() -> None:
    model = open_defended("median3:shg2").module
    copy: object = fused_copy(model, torch.rand(1, 3, 128, 128, generator=torch.Generator().manual_seed(3)))
    assert isinstance(copy, torch.nn.Module)
    assert not any(isinstance(module, torch.nn.BatchNorm2d) for module in copy.modules())


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("medan3:shg2", "unknown defence 'medan3'; did you mean 'median3'?"),
        ("flip:medan3:shg2", "unknown defence 'medan3'; did you mean 'median3'?"),
        ("median3:", "median3 needs a model to defend, such as median3:shg2"),
        ("median3", "median3 needs a model to defend, such as median3:shg2"),
        ("median3:nonesuch", "unknown model 'nonesuch'"),
    ],
)
def test_what_is_written_wrong_is_said(spec: str, message: str) -> None:
    with pytest.raises(RobustPoseError) as told:
        open_defended(spec)
    assert str(told.value).startswith(message)


def test_models_are_written_behind_a_defence_by_name() -> None:
    assert behind("box3", ("shg2", "flip:shg8")) == ("box3:shg2", "box3:flip:shg8")
    assert behind("", ("shg2",)) == ("shg2",)
    with pytest.raises(RobustPoseError, match="unknown defence 'bx3'; did you mean 'box3'"):
        behind("bx3", ("shg2",))


class Larger(Defended):
    """Takes larger crops than the model."""

    @property
    def input_size(self) -> tuple[int, int]:
        return self.model.input_size[0] + 1, self.model.input_size[1]


def test_a_defence_that_changes_sizes_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    shrink = DefenceSpec(smoothed(lambda given: given[..., 1:]), "")
    monkeypatch.setitem(DEFENCES, "shrink", shrink)
    with pytest.raises(
        RobustPoseError, match=r"a filter must not change the image size .*\(8, 12\), got \(8, 11\)"
    ):
        defended(tiny(), "shrink").module(images())
    grow = DefenceSpec(lambda model: Larger(model, lambda inner, given: inner(given)), "")
    monkeypatch.setitem(DEFENCES, "grow", grow)
    with pytest.raises(RobustPoseError, match=r"grow:tiny: .* \(8, 12\) and trio, got \(9, 12\)"):
        defended(tiny(), "grow")
    nothing = DefenceSpec(lambda model: None, "")  # type: ignore[arg-type,return-value]
    monkeypatch.setitem(DEFENCES, "none", nothing)
    with pytest.raises(RobustPoseError, match=r"none:tiny: a defence must return a model .*, got NoneType"):
        defended(tiny(), "none")
