"""The nets of other tasks, on the backbone of the pose nets."""

import pytest
import torch
from torch.nn import functional as F

from robustpose.data.synthpose import ACTIONS, PARTS
from robustpose.errors import RobustPoseError
from robustpose.models import SIZES, build
from robustpose.models.resdec import ResDec
from robustpose.models.tasks import ActionClassifier, PartSegmenter


def classifier(size: str = "compact") -> ActionClassifier:
    net = build("action", size=size)
    assert isinstance(net, ActionClassifier)
    return net.eval()


def segmenter(size: str = "compact") -> PartSegmenter:
    net = build("parts", size=size)
    assert isinstance(net, PartSegmenter)
    return net.eval()


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
    for net in (classifier(size), segmenter(size)):
        assert {name: tensor.shape for name, tensor in net.backbone.state_dict().items()} == ours


def test_a_backbone_that_learned_actions_serves_pose() -> None:
    torch.manual_seed(0)
    actions, pose, images = classifier(), build("resdec_pre").eval(), torch.rand(1, 3, 128, 128)
    assert isinstance(pose, ResDec)
    pose.backbone.load_state_dict(actions.backbone.state_dict())
    with torch.no_grad():
        features = pose.backbone(pose.standardise(images))
        torch.testing.assert_close(actions.classify(features.mean(dim=(2, 3))), actions(images))


def test_logits_of_parts_are_upsampled_from_a_quarter() -> None:
    torch.manual_seed(0)
    net, images = segmenter(), torch.rand(1, 3, 128, 128)
    with torch.no_grad():
        quarter = net.decoder(net.backbone(net.standardise(images)))
        assert quarter.shape == (1, 15, 32, 32)
        expected = F.interpolate(quarter, size=(128, 128), mode="bilinear", align_corners=False)
        torch.testing.assert_close(net(images), expected)


def test_compact_is_compact_and_the_gradient_reaches_the_picture() -> None:
    for net in (classifier(), segmenter()):
        assert sum(parameter.numel() for parameter in net.parameters()) <= 2_000_000
        images = torch.rand(1, 3, 128, 128, requires_grad=True)
        (gradient,) = torch.autograd.grad(net(images).square().sum(), images)
        assert torch.isfinite(gradient).all()
        assert (gradient != 0).float().mean() > 0.9


def test_unknown_names_are_guessed() -> None:
    with pytest.raises(RobustPoseError, match="unknown model 'part'; did you mean 'parts'"):
        build("part")
    with pytest.raises(RobustPoseError, match="unknown size 'compakt'"):
        build("parts", size="compakt")
