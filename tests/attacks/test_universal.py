"""Universal perturbations of losses whose gradient is known in closed form."""

from dataclasses import dataclass, replace

import pytest
import torch
from torch import Tensor

from robustpose.attack_types import Loss
from robustpose.attacks import AttackError, Universal, apply_universal, learn_universal
from robustpose.attacks.universal import to_levels
from robustpose.errors import RobustPoseError
from robustpose.objectives import OBJECTIVES, Aim
from robustpose.types import Batch, PoseModel, PoseOutput
from tests.attacks.test_oracles import LinearLoss, gradient
from tests.attacks.untidy import Untidy, assert_same, state
from tests.conftest import TINY, TRIO, LinearPose, TinyHeatmaps, tiny_batch

EPS = 8 / 255
SHAPE = (3, *TINY)


@dataclass(frozen=True)
class Pulls:
    """Each person's loss is linear in the image: a direction (3, H, W) times its first keypoint's x."""

    direction: Tensor

    def bind(self, model: PoseModel, aim: Aim, /, *, targeted: bool) -> Loss:
        assert not targeted
        pull = aim.keypoints[:, 0, 0]

        def loss(adv: Tensor, rows: Tensor) -> Tensor:
            return pull[rows] * (adv * self.direction).sum(dim=(1, 2, 3))

        return loss


@dataclass(frozen=True)
class HalfPulled:
    """The upper rows rise for everyone; the lower rows follow the sum of the batch's gradients."""

    def bind(self, model: PoseModel, aim: Aim, /, *, targeted: bool) -> Loss:
        pull = aim.keypoints[:, 0, 0]

        def loss(adv: Tensor, rows: Tensor) -> Tensor:
            up, down = adv[:, :, :4].sum(dim=(1, 2, 3)), adv[:, :, 4:].sum(dim=(1, 2, 3))
            return up + pull[rows] * down

        return loss


def pulling(*pulls: float, levels: tuple[int, int] = (60, 190)) -> Batch:
    """Make one person for each factor of the gradient."""
    batch = tiny_batch(len(pulls), levels=levels)
    keypoints = batch.keypoints.clone()
    keypoints[:, 0, 0] = torch.tensor(pulls)
    return replace(batch, keypoints=keypoints)


def grey(pixel: float) -> Batch:
    """Make two people of mid grey, except the first pixel of each channel."""
    batch = pulling(1.0, 1.0)
    images = torch.full((2, *SHAPE), 128 / 255)
    images[:, :, 0, 0] = pixel
    return replace(batch, images=images)


def in_levels(perturbation: Tensor) -> Tensor:
    return perturbation.double() * 255


def mixed() -> Tensor:
    """A direction of both signs."""
    return torch.randn(SHAPE, generator=torch.Generator().manual_seed(4)).sign()


@pytest.mark.parametrize(("steps", "step_size"), [(1, 1 / 200), (3, 1 / 200), (4, 1 / 2)])
def test_of_a_linear_model_it_is_eps_along_the_sign_of_the_gradient(steps: int, step_size: float) -> None:
    """However few the steps: it is scaled until its largest value is eps."""
    model, u = LinearPose(seed=3), torch.randn(len(TRIO), 2, generator=torch.Generator().manual_seed(7))
    how = Universal(eps=EPS, samples=3 * steps, batch=3, step_size=step_size)
    assert how.steps == steps
    batches = [tiny_batch(3, seed=seed, levels=(60, 190)) for seed in range(steps)]
    learned = learn_universal(how, model, batches, objective=LinearLoss(u))
    expected = 8 * torch.from_numpy(gradient(model, u)).sign()
    assert tuple(learned.perturbation.shape) == SHAPE
    torch.testing.assert_close(in_levels(learned.perturbation), expected, rtol=0, atol=1e-4)


def test_its_losses_are_those_before_each_update() -> None:
    """Linear: each step of a quarter eps adds a quarter of eps x the gradient's 1-norm."""
    model, u, batch = LinearPose(seed=3), torch.ones(len(TRIO), 2), tiny_batch(3, levels=(60, 190))
    how = Universal(eps=EPS, samples=9, batch=3, step_size=1 / 4)
    learned = learn_universal(how, model, [batch] * 3, objective=LinearLoss(u))
    clean = float((model(batch.images).keypoints * u).sum(dim=(1, 2)).mean().detach())
    gain = EPS / 4 * abs(gradient(model, u)).sum()
    assert learned.losses == pytest.approx([clean, clean + gain, clean + 2 * gain], rel=1e-4)


@pytest.mark.parametrize(("pulls", "way"), [((1.0, 1.0, -3.0), -1.0), ((-1.0, -1.0, 3.0), 1.0)])
def test_the_people_of_a_batch_are_summed_not_counted(pulls: tuple[float, ...], way: float) -> None:
    direction, batch = mixed(), pulling(*pulls)
    learned = learn_universal(
        Universal(eps=EPS, samples=3, batch=3), LinearPose(), [batch], objective=Pulls(direction)
    )
    torch.testing.assert_close(in_levels(learned.perturbation), (way * 8 * direction).double(), rtol=0, atol=1e-4)


def test_each_batch_counts_one_step() -> None:
    """Three steps forward and one back give half of four steps forward, however large the last gradient was."""
    batches = [pulling(1.0, 1.0)] * 3 + [pulling(-50.0, -50.0)]
    how = Universal(eps=EPS, samples=8, batch=2, step_size=1 / 100)
    learned = learn_universal(how, LinearPose(), batches, objective=HalfPulled())
    torch.testing.assert_close(
        in_levels(learned.perturbation[:, :4]), torch.full((3, 4, 12), 8.0).double(), rtol=0, atol=1e-4
    )
    torch.testing.assert_close(
        in_levels(learned.perturbation[:, 4:]), torch.full((3, 4, 12), 4.0).double(), rtol=0, atol=1e-4
    )


def test_it_is_clipped_to_the_ball_on_its_way() -> None:
    """Four steps of half eps end at eps, so one step back leaves a half; without the clip 8 x 1.5 / 2.5 = 4.8."""
    batches = [pulling(1.0, 1.0)] * 4 + [pulling(-1.0, -1.0)]
    how = Universal(eps=EPS, samples=10, batch=2, step_size=1 / 2)
    learned = learn_universal(how, LinearPose(), batches, objective=HalfPulled())
    assert set(in_levels(learned.perturbation[:, :4]).round().flatten().tolist()) == {8.0}
    assert set(in_levels(learned.perturbation[:, 4:]).round().flatten().tolist()) == {4.0}


@pytest.mark.parametrize("way", [1.0, -1.0], ids=["white", "black"])
def test_a_pixel_that_is_clipped_pulls_no_more(way: float) -> None:
    """A white pixel gains one step of eight, then x + u is beyond 1 and its gradient 0."""
    batch = grey(1.0 if way > 0 else 0.0)
    how = Universal(eps=EPS, samples=16, batch=2, step_size=1 / 10)
    learned = learn_universal(how, LinearPose(), [batch] * 8, objective=Pulls(way * torch.ones(SHAPE)))
    expected = torch.full(SHAPE, way * 8.0).double()
    expected[:, 0, 0] = way * 1.0
    torch.testing.assert_close(in_levels(learned.perturbation), expected, rtol=0, atol=1e-4)


def test_the_model_sees_clipped_images() -> None:
    seen: list[Tensor] = []
    model = LinearPose()
    model.register_forward_pre_hook(lambda module, inputs: seen.append(inputs[0].detach().clone()))
    how = Universal(eps=EPS, samples=8, batch=2, step_size=1 / 2)
    learn_universal(how, model, [tiny_batch(2)] * 4, objective=LinearLoss(torch.ones(len(TRIO), 2)))
    assert len(seen) == 4
    assert all(images.min() >= 0 and images.max() <= 1 for images in seen)
    assert torch.equal(seen[0], tiny_batch(2).images)
    assert not torch.equal(seen[1], seen[0])


@pytest.mark.parametrize("levels", [1, 2, 8, 16, 32])
def test_whole_levels_where_eps_is_a_whole_number_of_them(levels: int) -> None:
    model = TinyHeatmaps().eval()
    how = Universal(eps=levels / 255, samples=24, batch=4, step_size=1 / 7)
    batches = [tiny_batch(4, seed=seed) for seed in range(6)]
    learned = learn_universal(how, model, batches, objective=OBJECTIVES["training_loss"])
    found = in_levels(learned.perturbation)
    torch.testing.assert_close(found, found.round(), rtol=0, atol=1e-4)
    assert float(found.abs().max()) == pytest.approx(levels, abs=1e-4)
    assert len(learned.losses) == 6


@pytest.mark.parametrize("levels", [0.25, 0.5])
def test_under_one_level_nothing_is_rounded(levels: float) -> None:
    batches = [pulling(1.0, 1.0)] * 3 + [pulling(-1.0, -1.0)]
    how = Universal(eps=levels / 255, samples=8, batch=2)
    learned = learn_universal(how, LinearPose(), batches, objective=HalfPulled())
    found = in_levels(learned.perturbation)
    torch.testing.assert_close(found[:, :4], torch.full((3, 4, 12), levels).double(), rtol=0, atol=1e-5)
    torch.testing.assert_close(found[:, 4:], torch.full((3, 4, 12), levels / 2).double(), rtol=0, atol=1e-5)


def test_rounding_a_perturbation_by_hand() -> None:
    perturbation = torch.tensor([0.4, 1.6, -1.6, 2.4, -2.5]) / 255
    rounded = to_levels(perturbation, eps=2.5 / 255) * 255
    torch.testing.assert_close(rounded, torch.tensor([0.0, 2.0, -2.0, 2.0, -2.0]))
    assert torch.equal(to_levels(perturbation, eps=0.9 / 255), perturbation)
    decimals = to_levels(torch.tensor([0.0313725]), eps=0.0313725) * 255  # 7.99999: eight levels, not seven
    torch.testing.assert_close(decimals, torch.tensor([8.0]))


def test_laying_it_on_images_clips_them() -> None:
    images = torch.tensor([0.0, 0.5, 1.0]).reshape(1, 3, 1, 1)
    laid = apply_universal(images, torch.tensor([-0.25, 0.25, 0.25]).reshape(3, 1, 1))
    assert laid.flatten().tolist() == [0.0, 0.75, 1.0]


def test_a_gradient_of_nothing_is_no_perturbation() -> None:
    with pytest.raises(AttackError, match="is still 0"):
        learn_universal(
            Universal(eps=EPS, samples=4, batch=4),
            LinearPose(),
            [tiny_batch()],
            objective=LinearLoss(torch.zeros(len(TRIO), 2)),
        )


class Rooted(LinearPose):
    """Finite outputs, but the slope of sqrt at 0 is infinite, and 0 x infinity is NaN."""

    def forward(self, images: Tensor) -> PoseOutput:
        return super().forward(images + 0 * torch.sqrt(images - images.detach()))


class Detached(LinearPose):
    def forward(self, images: Tensor) -> PoseOutput:
        return super().forward(images.detach())


def test_a_gradient_of_nan_names_a_person() -> None:
    with pytest.raises(RobustPoseError, match=r"NaN or infinite.*\bp0\b"):
        learn_universal(
            Universal(eps=EPS, samples=4, batch=4),
            Rooted(),
            [tiny_batch()],
            objective=LinearLoss(torch.ones(len(TRIO), 2)),
        )


def test_a_loss_of_nan_names_a_person() -> None:
    broken = replace(tiny_batch(), images=tiny_batch().images * torch.nan)
    with pytest.raises(RobustPoseError, match=r"NaN.*\bp0\b"):
        learn_universal(
            Universal(eps=EPS, samples=8, batch=4),
            LinearPose(),
            [tiny_batch(), broken],
            objective=OBJECTIVES["training_loss"],
        )


def test_a_model_that_cuts_the_gradient_is_one_line() -> None:
    with pytest.raises(RobustPoseError, match="no gradient reaches the images"):
        learn_universal(
            Universal(eps=EPS, samples=4, batch=4),
            Detached(),
            [tiny_batch()],
            objective=LinearLoss(torch.ones(len(TRIO), 2)),
        )


def test_the_model_comes_back_bit_for_bit() -> None:
    model = Untidy()
    before = state(model)
    how = Universal(eps=EPS, samples=12, batch=4)
    learn_universal(how, model, [tiny_batch()] * 3, objective=OBJECTIVES["training_loss"])
    assert_same(before, state(model))
    assert set(model.seen) == {(False, False)}, "the model must see eval mode and frozen weights"

    with pytest.raises(RobustPoseError):
        learn_universal(how, model, [tiny_batch()], objective=LinearLoss(torch.full((len(TRIO), 2), torch.nan)))
    assert_same(before, state(model))


def test_arguments_are_not_written_to() -> None:
    batch = tiny_batch()
    kept = batch.images.clone()
    learn_universal(
        Universal(eps=EPS, samples=8, batch=4),
        TinyHeatmaps(),
        [batch] * 2,
        objective=OBJECTIVES["training_loss"],
    )
    assert torch.equal(batch.images, kept)
    assert not batch.images.requires_grad


def test_the_same_batches_give_the_same_bits() -> None:
    how = Universal(eps=EPS, samples=8, batch=4)
    batches = [tiny_batch(seed=seed) for seed in range(2)]
    first, again = (
        learn_universal(how, TinyHeatmaps(), batches, objective=OBJECTIVES["training_loss"]) for _ in range(2)
    )
    assert torch.equal(first.perturbation, again.perturbation)
    assert first.losses == again.losses


def test_samples_beyond_whole_batches_are_left_out() -> None:
    assert Universal(eps=EPS, samples=19, batch=4).steps == 4


@pytest.mark.parametrize(
    ("numbers", "message"),
    [
        ({"eps": 0.0}, r"eps must be in \(0, 1\], got 0"),
        ({"eps": -0.1}, r"eps must be in \(0, 1\], got -0.1"),
        ({"eps": 8.0}, r"eps must be in \(0, 1\], got 8"),
        ({"eps": float("nan")}, r"eps must be in \(0, 1\], got nan"),
        ({"samples": 15}, "at least a batch of 16, got 15"),
        ({"batch": 0}, "batch"),
        ({"batch": -1}, "batch"),
        ({"samples": 0}, "samples"),
    ],
)
def test_bad_numbers_are_refused(numbers: dict[str, float], message: str) -> None:
    with pytest.raises(RobustPoseError, match=message):
        Universal(**{"eps": EPS, "samples": 100, **numbers})  # type: ignore[arg-type]


@pytest.mark.parametrize("step_size", [0.0, -0.1, float("nan")])
def test_a_bad_step_size_is_refused(step_size: float) -> None:
    with pytest.raises(RobustPoseError, match="step_size"):
        Universal(eps=EPS, samples=100, step_size=step_size)
