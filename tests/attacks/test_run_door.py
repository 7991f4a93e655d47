"""The door: what goes in is checked, what comes out is checked, and the model does not notice."""

from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass, replace

import pytest
import torch
from torch import Generator, Tensor, nn

from robustpose.attacks import (
    ATTACKS,
    Attacked,
    AttackError,
    Target,
    make_attack,
    needs,
    predict,
    run,
    usual_objective,
    usual_threat,
)
from robustpose.attacks.untouched import untouched
from robustpose.errors import RobustPoseError
from robustpose.objectives import ASK_FOR_A_RADIUS, OBJECTIVES, TrainingLoss
from robustpose.skeletons import COCO_17, Skeleton
from robustpose.threats import Linf, make_threat
from robustpose.types import Attack, Batch, Loss, PoseModel, PoseOutput, SearchingAttack, Threat
from tests.conftest import TINY, TRIO, LinearPose, TinyHeatmaps, tiny_batch

EPS = 8 / 255


with_gradients = pytest.mark.parametrize(
    "name",
    [
        name
        for name in ATTACKS
        if needs(make_attack(name, targeted=False)) == "gradients" and usual_threat(name) == "linf"
    ],
)


def attack(
    by: Attack,
    model: PoseModel,
    batch: Batch,
    *,
    objective: str = "training_loss_all",
    round_to_8bit: bool = True,
) -> Attacked:
    raised = OBJECTIVES[objective]
    return run(by, model, batch, threat=Linf(EPS), objective=raised, round_to_8bit=round_to_8bit)


class Untidy(TinyHeatmaps):
    """In train mode with one frozen BatchNorm, dropout, a buffer, mixed requires_grad, gradients left over."""

    def __init__(self) -> None:
        super().__init__(seed=2)
        self.norm, self.frozen, self.dropout = nn.BatchNorm2d(3), nn.BatchNorm2d(3), nn.Dropout(0.5)
        self.calls: Tensor
        self.register_buffer("calls", torch.zeros(1))
        for norm in (self.norm, self.frozen):
            assert norm.running_mean is not None
            norm.running_mean += 0.3
        self.train()
        self.frozen.eval()
        self.first.requires_grad_(False)
        self.stem.weight.grad = torch.full_like(self.stem.weight, 0.25)
        self.seen: list[tuple[bool, bool]] = []

    def forward(self, images: Tensor) -> PoseOutput:
        self.calls += 1
        training = any(module.training for module in self.modules())
        self.seen.append((training, any(parameter.requires_grad for parameter in self.parameters())))
        torch.rand(1)  # a net that draws
        return super().forward(self.dropout(self.frozen(self.norm(images))))


def state(net: nn.Module) -> dict[str, object]:
    """Everything that an attack could leave behind, bit for bit."""
    return {
        "modes": [module.training for module in net.modules()],
        "weights": [p.detach().clone() for p in net.parameters()],
        "trainable": [p.requires_grad for p in net.parameters()],
        "gradients": [None if p.grad is None else p.grad.clone() for p in net.parameters()],
        "buffers": [b.clone() for b in net.buffers()],
        "hooks": [len(m._forward_hooks) + len(m._forward_pre_hooks) for m in net.modules()],
        "random": torch.get_rng_state(),
    }


def assert_same(before: object, after: object) -> None:
    if isinstance(before, dict) and isinstance(after, dict):
        assert before.keys() == after.keys()
        for name in before:
            assert_same(before[name], after[name])
    elif isinstance(before, list) and isinstance(after, list):
        assert len(before) == len(after)
        for one, other in zip(before, after, strict=True):
            assert_same(one, other)
    elif isinstance(before, Tensor) and isinstance(after, Tensor):
        assert torch.equal(before, after)
    else:
        assert before == after


@dataclass(frozen=True)
class Returns:
    """An attack that asks for one gradient and then returns what it likes."""

    answer: Callable[[Tensor], Tensor]

    def perturb(self, loss: Loss, images: Tensor, threat: Threat, generator: Generator, /) -> Tensor:
        make_attack("fgsm", targeted=False).perturb(loss, images, threat, generator)
        torch.rand(1)
        return self.answer(images)


def raising(images: Tensor) -> Tensor:
    raise KeyboardInterrupt


def _served(name: str) -> list[str]:
    """The objectives that an attack can raise on a heatmap net."""
    made = make_attack(name, targeted=False)
    parts = getattr(made, "needs_parts", False)
    blind = needs(made) != "gradients"
    return [
        each for each in OBJECTIVES if (each in ASK_FOR_A_RADIUS or not parts) and (each != "keypoints" or blind)
    ]


@pytest.mark.parametrize(("name", "objective"), [(name, each) for name in ATTACKS for each in _served(name)])
def test_side_effects_there_are_none(name: str, objective: str) -> None:
    net, batch = Untidy(), tiny_batch()
    before, gradient = state(net), net.stem.weight.grad
    made = make_attack(name, targeted=False, steps=None if name == "fgsm" else 12)
    threat = make_threat(usual_threat(name), EPS if usual_threat(name) == "linf" else 3)
    run(made, net, batch, threat=threat, objective=OBJECTIVES[objective])
    assert_same(before, state(net))
    assert net.stem.weight.grad is gradient
    assert net.second.weight.grad is None
    assert net.seen
    assert set(net.seen) == {(False, False)}, "the model must see eval mode and frozen weights"


def test_the_model_comes_back_from_an_attack_that_raises() -> None:
    net = Untidy()
    before = state(net)
    with pytest.raises(KeyboardInterrupt):
        attack(Returns(raising), net, tiny_batch())
    assert_same(before, state(net))
    with pytest.raises(AttackError):
        attack(Returns(lambda images: images - 1), net, tiny_batch())
    assert_same(before, state(net))


def test_a_prediction_leaves_no_trace() -> None:
    net, batch = Untidy(), tiny_batch()
    before = state(net)
    first = predict(net, batch.images, ids=batch.ids)
    assert_same(before, state(net))
    assert torch.equal(first.keypoints, predict(net, batch.images, ids=batch.ids).keypoints)
    assert not first.stages[-1].requires_grad


def test_buffers_that_forward_rebinds_come_back() -> None:
    class Rebinding(TinyHeatmaps):
        def __init__(self) -> None:
            super().__init__()
            self.calls: Tensor
            self.register_buffer("calls", torch.zeros(1))

        def forward(self, images: Tensor) -> PoseOutput:
            self.calls = self.calls + 1
            return super().forward(images)

    net = Rebinding()
    kept = net.calls
    attack(make_attack("igsm", targeted=False), net, tiny_batch())
    assert float(net.calls) == 0.0
    assert net.calls is kept


def test_attacks_work_where_the_caller_has_switched_gradients_off() -> None:
    net, batch = TinyHeatmaps(), tiny_batch()
    expected = attack(make_attack("igsm", targeted=False), net, batch)
    with torch.no_grad():
        assert torch.equal(attack(make_attack("igsm", targeted=False), net, batch).images, expected.images)


def test_a_model_in_channels_last() -> None:
    batch = tiny_batch()
    expected = attack(make_attack("fgsm", targeted=False), TinyHeatmaps(), batch)
    net = TinyHeatmaps()
    net.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    strides = [p.stride() for p in net.parameters()]
    attacked = attack(make_attack("fgsm", targeted=False), net, batch)
    assert (attacked.images == expected.images).float().mean() > 0.99
    assert [p.stride() for p in net.parameters()] == strides
    last = replace(batch, images=batch.images.contiguous(memory_format=torch.channels_last))
    assert torch.equal(attack(make_attack("fgsm", targeted=False), net, last).images, attacked.images)


def test_a_model_that_is_no_module() -> None:
    inner = LinearPose()

    class Plain:
        skeleton, input_size, head = inner.skeleton, inner.input_size, inner.head

        def __call__(self, images: Tensor, /) -> PoseOutput:
            output = inner(images)
            assert isinstance(output, PoseOutput)
            return output

    batch = tiny_batch()
    expected = attack(make_attack("igsm", targeted=False), inner, batch)
    assert torch.equal(attack(make_attack("igsm", targeted=False), Plain(), batch).images, expected.images)


def test_untouched_lets_anything_else_through() -> None:
    with untouched(object()):
        pass


@pytest.mark.parametrize("round_to_8bit", [True, False])
@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (lambda images: images * float("nan"), "NaN or infinity"),
        (lambda images: torch.where(images == images[0, 0, 0, 0], torch.inf, images), "NaN or infinity"),
        (lambda images: images[1:], r"shape \(3, 3, 8, 12\), expected \(4, 3, 8, 12\)"),
        (lambda images: images[:, :1], "shape"),
        (lambda images: images.clamp(max=0.5) + 9.01 / 255, "left its budget: linf size"),
        (lambda images: images - EPS / 2, r"left \[0, 1\]"),
        (lambda images: images + EPS / 2, r"left \[0, 1\]"),
    ],
    ids=["nan", "one inf", "a person short", "a channel short", "too far", "below 0", "above 1"],
)
def test_an_attack_that_breaks_its_contract(
    answer: Callable[[Tensor], Tensor], message: str, round_to_8bit: bool
) -> None:
    with pytest.raises(AttackError, match=message):
        attack(Returns(answer), LinearPose(), tiny_batch(), round_to_8bit=round_to_8bit)


def test_one_pixel_of_one_person_over_the_budget_is_seen() -> None:
    def nudge(images: Tensor) -> Tensor:
        moved = images.clone()
        moved[2, 1, 3, 4] += (1.0 if moved[2, 1, 3, 4] < 0.5 else -1.0) * (EPS + 1e-4)
        return moved

    with pytest.raises(AttackError, match="left its budget"):
        attack(Returns(nudge), LinearPose(), tiny_batch(), round_to_8bit=False)


class Broken(LinearPose):
    """Answers NaN for the people whose first pixel is white."""

    def __init__(self, *, where: str) -> None:
        super().__init__()
        self.where = where

    def forward(self, images: Tensor) -> PoseOutput:
        output = super().forward(images)
        white = images[:, 0, 0, 0] == 1
        poison = torch.where(white, torch.nan, 0.0)[:, None, None]
        if self.where == "keypoints":
            return replace(output, keypoints=output.keypoints + poison)
        return replace(output, stages=(output.stages[-1] + poison,))


@pytest.mark.parametrize("where", ["keypoints", "stages"])
def test_a_model_that_answers_nan_names_the_person(where: str) -> None:
    batch = tiny_batch(levels=(0, 200))
    batch.images[2, 0, 0, 0] = 1.0
    with pytest.raises(RobustPoseError, match="person p2: the model returned NaN or infinity"):
        predict(Broken(where=where), batch.images, ids=batch.ids)
    with pytest.raises(RobustPoseError, match="person p2"):
        attack(Returns(lambda images: images), Broken(where=where), batch)


def test_a_model_of_the_wrong_shape() -> None:
    class Short(LinearPose):
        def forward(self, images: Tensor) -> PoseOutput:
            output = super().forward(images)
            return replace(output, keypoints=output.keypoints[:, :2])

    batch = tiny_batch()
    with pytest.raises(RobustPoseError, match=r"must have shape \(4, 3, 2\).*got \(4, 2, 2\)"):
        predict(Short(), batch.images, ids=batch.ids)


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        ((2, 3, 8, 11), r"^the model takes crops of \(8, 12\), got \(8, 11\)$"),
        ((2, 3, 12, 8), r"^the model takes crops of \(8, 12\), got \(12, 8\)$"),
        ((2, 4, 8, 12), r"^images must have shape \(N, 3, 8, 12\), got \(2, 4, 8, 12\)$"),
        ((3, 8, 12), r"^images must have shape \(N, 3, 8, 12\), got \(3, 8, 12\)$"),
    ],
)
def test_pictures_of_another_size_are_not_shown_to_a_model(shape: tuple[int, ...], message: str) -> None:
    with pytest.raises(RobustPoseError, match=message):
        predict(LinearPose(), torch.zeros(shape), ids=("a", "b"))


@pytest.mark.parametrize(
    ("factor", "shift", "message"),
    [
        (255, 0, r"^images must lie in \[0, 1\], got \[0, 255\]; divide levels of 0 to 255 by 255$"),
        (4, -2, r"^images must lie in \[0, 1\], got \[-2, 2\]; normalisation belongs inside the model$"),
    ],
)
def test_pictures_of_another_range_are_not_shown_to_a_model(factor: float, shift: float, message: str) -> None:
    images = tiny_batch().images
    images[0, 0, 0, :2] = torch.tensor([0.0, 1.0])
    with pytest.raises(RobustPoseError, match=message):
        predict(LinearPose(), images * factor + shift, ids=tiny_batch().ids)
    assert predict(LinearPose(), images[:0], ids=()).keypoints.shape == (0, 3, 2)


def in_skeleton_of_coco(batch: Batch) -> Batch:
    return batch.in_skeleton(COCO_17)


def in_another_order(batch: Batch) -> Batch:
    return batch.in_skeleton(Skeleton(name="oirt", keypoints=TRIO.keypoints[::-1], limbs=()))


def cropped(batch: Batch) -> Batch:
    return replace(batch, images=batch.images[..., :-1])


def transposed(batch: Batch) -> Batch:
    return replace(batch, images=batch.images.transpose(2, 3).contiguous())


def in_levels(batch: Batch) -> Batch:
    return replace(batch, images=batch.images * 255)


def normalised(batch: Batch) -> Batch:
    return replace(batch, images=batch.images - 0.5)


def with_nan(batch: Batch) -> Batch:
    return replace(batch, images=batch.images * torch.tensor([1.0, torch.nan, 1.0])[:, None, None])


def between_levels(batch: Batch) -> Batch:
    return replace(batch, images=batch.images * 0.9)


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (in_skeleton_of_coco, "skeleton coco_17, the model in trio"),
        (in_another_order, "skeleton oirt, the model in trio"),
        (cropped, r"takes crops of \(8, 12\), got \(8, 11\)"),
        (transposed, r"takes crops of \(8, 12\), got \(12, 8\)"),
        (in_levels, r"must lie in \[0, 1\]"),
        (normalised, "normalisation belongs inside the model"),
        (with_nan, r"must lie in \[0, 1\]"),
        (between_levels, "needs 8-bit images"),
    ],
)
def test_a_batch_that_cannot_be_attacked(spoil: Callable[[Batch], Batch], message: str) -> None:
    net = TinyHeatmaps()
    before = deepcopy(net.state_dict())
    with pytest.raises(RobustPoseError, match=message) as caught:
        attack(make_attack("fgsm", targeted=False), net, spoil(tiny_batch()))
    assert "\n" not in str(caught.value)
    assert_same(dict(before), dict(net.state_dict()))


def test_images_between_levels_without_rounding() -> None:
    batch = between_levels(tiny_batch())
    attacked = attack(make_attack("fgsm", targeted=False), LinearPose(), batch, round_to_8bit=False)
    assert float((attacked.images - batch.images).abs().max()) == pytest.approx(EPS, abs=1e-6)


def test_a_target_of_the_wrong_shape() -> None:
    batch = tiny_batch()
    for keypoints, visible in [
        (batch.keypoints[:2], batch.visible[:2]),
        (batch.keypoints[:, :2], batch.visible[:, :2]),
    ]:
        with pytest.raises(RobustPoseError, match="target keypoints must have shape"):
            run(
                make_attack("fgsm", targeted=True),
                LinearPose(),
                batch,
                threat=Linf(EPS),
                objective=TrainingLoss(),
                target=Target(keypoints=keypoints, visible=visible),
            )


def test_a_target_whose_visible_does_not_fit() -> None:
    batch = tiny_batch()
    with pytest.raises(RobustPoseError):
        run(
            make_attack("fgsm", targeted=True),
            LinearPose(),
            batch,
            threat=Linf(EPS),
            objective=TrainingLoss(),
            target=Target(keypoints=batch.keypoints, visible=batch.visible[:1]),
        )


@with_gradients
def test_a_gradient_that_is_nan_is_no_robust_person(name: str) -> None:
    class Rooted(LinearPose):
        """Finite answers; but the slope of sqrt at 0 is infinite, and 0 x infinity is NaN."""

        def forward(self, images: Tensor) -> PoseOutput:
            return super().forward(images + 0 * torch.sqrt(images - images.detach()))

    with pytest.raises((RobustPoseError, AttackError)):
        attack(make_attack(name, targeted=False), Rooted(), tiny_batch(), objective=usual_objective(name))


def test_a_model_that_cuts_the_gradient_is_one_line() -> None:
    class Detached(LinearPose):
        def forward(self, images: Tensor) -> PoseOutput:
            return super().forward(images.detach())

    with pytest.raises(RobustPoseError):
        attack(make_attack("fgsm", targeted=False), Detached(), tiny_batch())


@with_gradients
def test_people_without_a_label_stay_as_they_are(name: str) -> None:
    """Their loss is 0 whatever the net says, so there is nothing to raise."""
    batch = tiny_batch()
    batch.visible[1] = False
    made = make_attack(name, targeted=False, steps=None if name == "fgsm" else 12)
    attacked = attack(made, TinyHeatmaps(), batch, objective=usual_objective(name))
    assert torch.equal(attacked.images[1], batch.images[1])
    if not isinstance(made, SearchingAttack):  # which leaves alone who is lost without an attack
        assert not torch.equal(attacked.images[0], batch.images[0])


def test_nobody() -> None:
    everyone = tiny_batch(1)
    nobody = replace(
        everyone,
        **{
            n: getattr(everyone, n)[:0]
            for n in ("images", "keypoints", "visible", "head_size", "box_side", "crops")
        },
        ids=(),
    )
    for rounds in (False, True):
        attacked = attack(make_attack("igsm", targeted=False), TinyHeatmaps(), nobody, round_to_8bit=rounds)
        assert attacked.images.shape == (0, 3, *TINY)
        assert (attacked.forwards, attacked.backwards) == (0, 0)
