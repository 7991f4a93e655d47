"""The models of other tasks, on the backbone of the pose models."""

import math

import pytest
import torch
from torch.nn import functional as F

from robustpose.data.synthpose import ACTIONS, PARTS
from robustpose.errors import RobustPoseError
from robustpose.models import SIZES, build
from robustpose.models.architectures.resdec import ResDec
from robustpose.models.architectures.tasks import ActionClassifier, PartSegmenter, task_loss


def classifier(size: str = "compact") -> ActionClassifier:
    model = build("action", size=size)
    assert isinstance(model, ActionClassifier)
    return model.eval()


def segmenter(size: str = "compact") -> PartSegmenter:
    model = build("parts", size=size)
    assert isinstance(model, PartSegmenter)
    return model.eval()


@pytest.mark.slow
@pytest.mark.parametrize(("size", "side"), [("compact", 128), ("published", 256)])
def test_logits_have_a_class_for_what_the_rendered_people_have(size: str, side: int) -> None:
    images = torch.rand(1, 3, side, side)
    with torch.no_grad():
        assert classifier(size)(images).shape == (1, len(ACTIONS))
        assert segmenter(size)(images).shape == (1, len(PARTS), side, side)
    assert classifier(size).input_size == segmenter(size).input_size == (side, side)
    assert (classifier(size).classes, segmenter(size).classes) == (len(ACTIONS), len(PARTS))


@pytest.mark.parametrize("size", SIZES)
def test_the_backbone_is_that_of_the_pose_nets(size: str) -> None:
    pose = build("resdec_pre", size=size)
    assert isinstance(pose, ResDec)
    ours = {name: tensor.shape for name, tensor in pose.backbone.state_dict().items()}
    for model in (classifier(size), segmenter(size)):
        assert {name: tensor.shape for name, tensor in model.backbone.state_dict().items()} == ours


def test_a_backbone_that_learned_actions_serves_pose() -> None:
    torch.manual_seed(0)
    actions, pose, images = classifier(), build("resdec_pre").eval(), torch.rand(1, 3, 128, 128)
    assert isinstance(pose, ResDec)
    pose.backbone.load_state_dict(actions.backbone.state_dict())
    with torch.no_grad():
        features = pose.backbone(pose.standardise(images))
        torch.testing.assert_close(actions.classify(actions.thin(features).flatten(1)), actions(images))


def test_the_classifier_tells_cells_apart() -> None:
    """The position of a feature counts: the same features in another order give other logits."""
    torch.manual_seed(0)
    model = classifier()
    features = torch.rand(1, 160, 4, 4)
    with torch.no_grad():
        one, other = (model.classify(model.thin(each).flatten(1)) for each in (features, features.flip(3)))
    assert (one - other).abs().max() > 1e-3


def test_the_levels_are_what_the_backbone_computes_on_its_way() -> None:
    torch.manual_seed(0)
    backbone, images = segmenter().backbone, torch.rand(2, 3, 128, 128)
    with torch.no_grad():
        levels = backbone.levels(images)
        torch.testing.assert_close(levels[-1], backbone(images), atol=0, rtol=0)
        assert [tuple(level.shape[1:]) for level in levels] == [
            (20, 64, 64),
            (20, 32, 32),
            (40, 16, 16),
            (80, 8, 8),
            (160, 4, 4),
        ]
        torch.testing.assert_close(backbone.stages[:2](backbone.stem(images)), levels[1], atol=0, rtol=0)


def test_the_decoder_sees_every_level() -> None:
    """The logits have a gradient with respect to every level of the backbone."""
    torch.manual_seed(0)
    model, images = segmenter(), torch.rand(1, 3, 128, 128)
    levels = [level.detach().requires_grad_(True) for level in model.backbone.levels(model.standardise(images))]
    features = levels[-1]
    for up, skipped in zip(model.ups, reversed(levels[:-1]), strict=True):
        features = up(features, skipped)
    half = model.classify(features)
    assert half.shape == (1, 15, 64, 64)
    expected = F.interpolate(half, size=(128, 128), mode="bilinear", align_corners=False)
    torch.testing.assert_close(model(images), expected)
    for gradient in torch.autograd.grad(half.square().sum(), levels):
        assert gradient.abs().max() > 0


def test_compact_is_compact_and_the_gradient_reaches_the_image() -> None:
    for model in (classifier(), segmenter()):
        assert sum(parameter.numel() for parameter in model.parameters()) <= 2_000_000
        images = torch.rand(1, 3, 128, 128, requires_grad=True)
        (gradient,) = torch.autograd.grad(model(images).square().sum(), images)
        assert torch.isfinite(gradient).all()
        assert (gradient != 0).float().mean() > 0.9


def test_unknown_names_are_guessed() -> None:
    with pytest.raises(RobustPoseError, match="unknown model 'part'; did you mean 'parts'"):
        build("part")
    with pytest.raises(RobustPoseError, match="unknown size 'compakt'"):
        build("parts", size="compakt")


def test_the_loss_of_actions_is_the_cross_entropy() -> None:
    logits, truth = torch.tensor([[2.0, 0.0], [0.0, 0.0]]), torch.tensor([0, 1])
    expected = [math.log(1 + math.exp(-2)), math.log(2)]
    assert task_loss(logits, truth).tolist() == pytest.approx(expected)


def test_the_loss_of_parts_by_hand() -> None:
    """Four pixels, of class 0, 0, 0, 1; the model says 3/4 of the true class everywhere."""
    truth = torch.tensor([[[0, 0], [0, 1]]])
    sure = math.log(3)
    logits = torch.stack([torch.where(truth == 0, sure, 0.0), torch.where(truth == 1, sure, 0.0)], dim=1)
    # Overlap of class 0: (2 x 2.25 + 1) / (2.5 + 3 + 1); of class 1: (2 x 0.75 + 1) / (1.5 + 1 + 1).
    overlap = (5.5 / 6.5 + 2.5 / 3.5) / 2
    assert task_loss(logits, truth).tolist() == pytest.approx([math.log(4 / 3) + 1 - overlap])


def test_the_loss_of_parts_is_per_image_and_0_at_the_truth() -> None:
    generator = torch.Generator().manual_seed(0)
    truth = torch.randint(0, 15, (3, 16, 16), generator=generator)
    truth[2] = 0  # classes that are nowhere
    logits = torch.randn(3, 15, 16, 16, generator=generator)
    together = task_loss(logits, truth)
    alone = [task_loss(logits[i : i + 1], truth[i : i + 1])[0] for i in range(3)]
    torch.testing.assert_close(together, torch.stack(alone))
    right = 50.0 * F.one_hot(truth, 15).movedim(-1, 1).float()
    torch.testing.assert_close(task_loss(right, truth), torch.zeros(3), atol=1e-5, rtol=0)
