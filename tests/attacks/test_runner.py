"""The runner checks its input and the attack's result."""

from collections.abc import Callable
from copy import deepcopy
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor

from robustpose.attack_types import Attack, MinimumNormAttack
from robustpose.attacks import (
    APGD,
    ATTACKS,
    IGSM,
    PGD,
    AttackError,
    Target,
    Transfer,
    make_perturbing,
    predict,
    run,
)
from robustpose.errors import RobustPoseError
from robustpose.objectives import TrainingLoss
from robustpose.skeletons import COCO_17, Skeleton
from robustpose.threats import Linf
from robustpose.types import Batch, PoseOutput
from tests.attacks.untidy import EPS, PERTURBING, Returns, assert_same, attack
from tests.conftest import TINY, TRIO, LinearPose, TinyHeatmaps, tiny_batch

with_gradients = pytest.mark.parametrize(
    "name",
    [name for name in PERTURBING if ATTACKS[name].needs == "gradients" and ATTACKS[name].default_threat == "linf"],
)


@pytest.mark.parametrize("round_to_8bit", [True, False])
@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (lambda images: images * float("nan"), "NaN or infinity"),
        (lambda images: torch.where(images == images[0, 0, 0, 0], torch.inf, images), "NaN or infinity"),
        (lambda images: images[1:], r"shape \(3, 3, 8, 12\), expected \(4, 3, 8, 12\)"),
        (lambda images: images[:, :1], "shape"),
        (lambda images: images.clamp(max=0.5) + 9.01 / 255, "exceeded its budget: linf size"),
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

    with pytest.raises(AttackError, match="exceeded its budget"):
        attack(Returns(nudge), LinearPose(), tiny_batch(), round_to_8bit=False)


class Broken(LinearPose):
    """Outputs NaN for people whose first pixel is white."""

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
def test_images_of_another_size_are_not_shown_to_a_model(shape: tuple[int, ...], message: str) -> None:
    with pytest.raises(RobustPoseError, match=message):
        predict(LinearPose(), torch.zeros(shape), ids=("a", "b"))


@pytest.mark.parametrize(
    ("factor", "shift", "message"),
    [
        (255, 0, r"^images must lie in \[0, 1\], got \[0, 255\]; divide levels of 0 to 255 by 255$"),
        (4, -2, r"^images must lie in \[0, 1\], got \[-2, 2\]; normalisation belongs inside the model$"),
    ],
)
def test_images_of_another_range_are_not_shown_to_a_model(factor: float, shift: float, message: str) -> None:
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
    model = TinyHeatmaps()
    before = deepcopy(model.state_dict())
    with pytest.raises(RobustPoseError, match=message) as caught:
        attack(make_perturbing("fgsm", targeted=False), model, spoil(tiny_batch()))
    assert "\n" not in str(caught.value)
    assert_same(dict(before), dict(model.state_dict()))


def test_images_between_levels_without_rounding() -> None:
    batch = between_levels(tiny_batch())
    attacked = attack(make_perturbing("fgsm", targeted=False), LinearPose(), batch, round_to_8bit=False)
    assert float((attacked.images - batch.images).abs().max()) == pytest.approx(EPS, abs=1e-6)


def test_a_target_of_the_wrong_shape() -> None:
    batch = tiny_batch()
    for keypoints, visible in [
        (batch.keypoints[:2], batch.visible[:2]),
        (batch.keypoints[:, :2], batch.visible[:, :2]),
    ]:
        with pytest.raises(RobustPoseError, match="target keypoints must have shape"):
            run(
                make_perturbing("fgsm", targeted=True),
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
            make_perturbing("fgsm", targeted=True),
            LinearPose(),
            batch,
            threat=Linf(EPS),
            objective=TrainingLoss(),
            target=Target(keypoints=batch.keypoints, visible=batch.visible[:1]),
        )


@with_gradients
def test_a_gradient_that_is_nan_is_no_robust_person(name: str) -> None:
    class Rooted(LinearPose):
        """Finite outputs, but the slope of sqrt at 0 is infinite, and 0 x infinity is NaN."""

        def forward(self, images: Tensor) -> PoseOutput:
            return super().forward(images + 0 * torch.sqrt(images - images.detach()))

    with pytest.raises((RobustPoseError, AttackError)):
        attack(
            make_perturbing(name, targeted=False),
            Rooted(),
            tiny_batch(),
            objective=ATTACKS[name].default_objective,
        )


class _Overflows(torch.autograd.Function):
    """The identity, whose gradient is infinite."""

    @staticmethod
    def forward(ctx: Any, images: Tensor) -> Tensor:
        return images.clone()

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        return torch.full_like(gradients[0], torch.inf)


@pytest.mark.parametrize(
    "made", [IGSM(steps=2), PGD(steps=3, momentum=1.0), APGD(steps=3), Transfer(momentum=1.0)]
)
def test_an_infinite_gradient_is_no_robust_person(made: Attack) -> None:
    """Momentum divides it by its own size, which is NaN, whose sign is 0: the attack would do nothing."""

    class Steep(LinearPose):
        def forward(self, images: Tensor) -> PoseOutput:
            return super().forward(_Overflows.apply(images))  # type: ignore[no-untyped-call]

    with pytest.raises(RobustPoseError, match="person p0: the gradient is infinite in pass 1 of the attack"):
        attack(made, Steep(), tiny_batch())


def test_a_model_that_cuts_the_gradient_is_one_line() -> None:
    class Detached(LinearPose):
        def forward(self, images: Tensor) -> PoseOutput:
            return super().forward(images.detach())

    with pytest.raises(RobustPoseError):
        attack(make_perturbing("fgsm", targeted=False), Detached(), tiny_batch())


@with_gradients
def test_people_without_a_label_stay_as_they_are(name: str) -> None:
    """Their loss is 0 for any prediction, so no attack can raise it."""
    batch = tiny_batch()
    batch.visible[1] = False
    made = make_perturbing(name, targeted=False, steps=None if name == "fgsm" else 12)
    attacked = attack(made, TinyHeatmaps(), batch, objective=ATTACKS[name].default_objective)
    assert torch.equal(attacked.images[1], batch.images[1])
    if not isinstance(made, MinimumNormAttack):  # which leaves alone who is lost without an attack
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
        attacked = attack(make_perturbing("igsm", targeted=False), TinyHeatmaps(), nobody, round_to_8bit=rounds)
        assert attacked.images.shape == (0, 3, *TINY)
        assert (attacked.forwards, attacked.backwards) == (0, 0)
