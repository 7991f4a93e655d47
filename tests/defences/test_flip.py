from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from robustpose.attacks.acceleration import fused_copy
from robustpose.defences import defended, open_defended, spec_is_for
from robustpose.defences.flip import flip_tested
from robustpose.errors import RobustPoseError
from robustpose.models import build
from robustpose.models.architectures.dlcm import BONES, LIMBS, PartsHead
from robustpose.models.heads import CentreHead, CoordinateHead, HeatmapHead, OffsetHead, SimCCHead
from robustpose.models.importers.spec import OpenedModel
from robustpose.skeletons import COCO_17, MPII_16, Skeleton
from robustpose.types import MirroringHead, PoseModel, PoseOutput

SIZE = (64, 48)
CELLS = (16, 12)
MAPS = HeatmapHead(input_size=SIZE, heatmap_size=CELLS)
HEADS: dict[str, MirroringHead] = {
    "centres": MAPS,
    "ends": HeatmapHead(input_size=SIZE, heatmap_size=CELLS, lattice="ends"),
    "coordinates": CoordinateHead(input_size=SIZE),
    "simcc": SimCCHead(input_size=SIZE, split=2.0, sigma=3.0),
    "offsets": OffsetHead(input_size=SIZE, heatmap_size=CELLS),
    "parts": PartsHead(
        joints=MAPS,
        keypoints=len(MPII_16),
        bones=tuple((MPII_16.index(a), MPII_16.index(b)) for a, b in BONES),
        limbs=LIMBS,
    ),
}
CENTRE = CentreHead(input_size=SIZE, heatmap_size=CELLS)


def mirror(keypoints: Tensor, skeleton: Skeleton, size: tuple[int, int] = SIZE) -> Tensor:
    """Mirror keypoints as a flip of the image does: pixel x becomes W - 1 - x, left becomes right."""
    turned = keypoints[:, list(skeleton.flip_order)].clone()
    turned[..., 0] = size[1] - 1 - turned[..., 0]
    return turned


def poses(skeleton: Skeleton) -> Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.rand(5, len(skeleton), 2, generator=generator) * torch.tensor([SIZE[1] - 1.0, SIZE[0] - 1.0])


@pytest.mark.parametrize("name", HEADS)
def test_a_mirrored_output_is_the_output_of_the_mirrored_pose(name: str) -> None:
    head, there = HEADS[name], poses(MPII_16)
    mirrored = head.mirrored(head.encode(there), MPII_16.flip_order)
    assert torch.allclose(mirrored, head.encode(mirror(there, MPII_16)), atol=2e-4)


@pytest.mark.parametrize("name", HEADS)
def test_twice_mirrored_is_as_it_was(name: str) -> None:
    head = HEADS[name]
    raw = torch.randn(head.encode(poses(MPII_16)).shape, generator=torch.Generator().manual_seed(1))
    twice = head.mirrored(head.mirrored(raw, MPII_16.flip_order), MPII_16.flip_order)
    assert torch.equal(twice, raw)


def test_cells_at_corners_are_moved_by_a_cell_which_leaves_a_pixel() -> None:
    head = HeatmapHead(input_size=SIZE, heatmap_size=CELLS, lattice="corners")
    at = torch.tensor([[[16.0, 20.0]] * len(MPII_16)])  # cell (4, 5) of stride 4
    found, _ = head.decode(head.mirrored(head.encode(at), MPII_16.flip_order))
    # Of 12 cells the fourth is the seventh from the other side, and one more is the eighth: pixel 32, not 31.
    assert found[0, 0].tolist() == [32.0, 20.0]
    assert mirror(at, MPII_16)[0, 0].tolist() == [31.0, 20.0]


def test_movenet_is_mirrored_in_all_but_the_centre_of_the_truth() -> None:
    # The truth's centre is drawn at cell w // 2, which has no cell opposite it in a map of even width.
    there = poses(COCO_17)
    mirrored = CENTRE.mirrored(CENTRE.encode(there), COCO_17.flip_order)
    expected = CENTRE.encode(mirror(there, COCO_17))
    assert torch.allclose(mirrored[:, :-1], expected[:, :-1], atol=1e-4)
    assert torch.allclose(CENTRE.decode(mirrored)[0], mirror(there, COCO_17), atol=1e-3)
    assert torch.equal(CENTRE.mirrored(mirrored, COCO_17.flip_order)[:, -1], CENTRE.encode(there)[:, -1])


def small(name: str) -> PoseModel:
    torch.manual_seed(0)
    model = build(name).eval()
    assert isinstance(model, PoseModel)
    return model


@pytest.mark.parametrize("name", ["shg2", "deeppose", "dlcm", "simcc"])
def test_a_flip_tested_model_answers_a_mirrored_image_with_the_mirrored_pose(name: str) -> None:
    plain = small(name)
    model, head = flip_tested(plain), plain.head
    assert isinstance(head, MirroringHead)
    images = torch.rand(2, 3, 128, 128, generator=torch.Generator().manual_seed(2))
    with torch.no_grad():
        one, other, alone = model(images), model(images.flip(-1)), plain(images.flip(-1))
    order = MPII_16.flip_order
    for ours, theirs in zip(one.stages, other.stages, strict=True):
        assert torch.allclose(head.mirrored(ours, order), theirs, atol=1e-4)
    # Untrained models have no symmetry of their own, so without the flip test this does not hold.
    assert not torch.allclose(head.mirrored(one.stages[-1], order), alone.stages[-1], atol=1e-4)


class Loud(nn.Module):
    """Its scores are the mean of the image's left half; its keypoints do not matter."""

    skeleton, input_size = MPII_16, (4, 4)
    padding = 1.5

    def __init__(self, head: object) -> None:
        super().__init__()
        self.head = head

    def forward(self, images: Tensor) -> PoseOutput:
        sure = images[..., :2].mean(dim=(1, 2, 3))[:, None] * torch.arange(16.0)
        raw = torch.zeros(len(images), 16, 2)
        return PoseOutput(keypoints=raw, scores=sure, stages=(raw,))


def test_a_coordinate_models_own_scores_are_averaged_and_its_padding_kept() -> None:
    model = flip_tested(Loud(CoordinateHead(input_size=(4, 4))))  # type: ignore[arg-type]
    images = torch.zeros(1, 3, 4, 4)
    images[..., 2:] = 1.0
    scores = model(images).scores[0]
    order = MPII_16.flip_order
    assert scores.tolist() == [order[k] / 2 for k in range(16)]
    assert (getattr(model, "padding", None), getattr(model, "differentiable", None)) == (1.5, True)


def test_a_head_that_cannot_be_mirrored_is_named() -> None:
    class Odd:
        encode: Callable[[Tensor], Tensor]
        decode: Callable[[Tensor], tuple[Tensor, Tensor]]
        loss: Callable[[Tensor, Tensor, Tensor], Tensor]

    with pytest.raises(RobustPoseError, match=r"flip:loud: .* mirrored\(raw, order\), which Odd lacks"):
        defended(OpenedModel("loud", Loud(Odd()), "f"), "flip")  # type: ignore[arg-type]


@pytest.mark.slow
def test_opened_by_name() -> None:
    plain, flipped = open_defended("shg2"), open_defended("flip:shg2")
    assert (flipped.name, flipped.module.skeleton, flipped.module.input_size) == ("flip:shg2", MPII_16, (128, 128))
    assert flipped.fingerprint != plain.fingerprint
    assert not any(module.training for module in flipped.module.modules())  # type: ignore[attr-defined]
    with pytest.raises(RobustPoseError, match="flip needs a model to defend"):
        open_defended("flip:")
    with pytest.raises(RobustPoseError, match="nonesuch"):
        open_defended("flip:nonesuch")
    assert spec_is_for("flip:onnx:net.onnx")
    assert not spec_is_for("flip:shg2")


def test_searched_by_a_folded_copy() -> None:
    model = open_defended("flip:shg2").module
    copy: object = fused_copy(model, torch.rand(1, 3, 128, 128, generator=torch.Generator().manual_seed(3)))
    assert isinstance(copy, nn.Module)
    assert not any(isinstance(module, nn.BatchNorm2d) for module in copy.modules())
