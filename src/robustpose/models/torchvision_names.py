"""Publicly released ResNet state dicts as our models: the same computation under other tensor names.

resnet_50_backbone  torchvision's resnet50 (and so most ImageNet weights): the `backbone` of the published resreg,
                    resdec, resdec_pre, simcc, integral, and of tasks.py
pose_resnet         microsoft/human-pose-estimation.pytorch's pose_resnet_50, 101 and 152 (arXiv 1804.06208): a
                    whole resdec

The pose models were trained on images as read by OpenCV, so they take BGR. Their heatmap cells are at multiples of
4 pixels, ours at the cells' centres, so their keypoints are decoded 1.5 pixels too far right and down.
"""

from collections.abc import Mapping
from typing import Literal

import torch
from torch import Tensor, nn

from robustpose.errors import RobustPoseError
from robustpose.models.architectures.resdec import INPUT_SIZES, WIDTHS, ResDec, backbone
from robustpose.models.architectures.resnet import Bottleneck, ResNet
from robustpose.models.weights import misfits
from robustpose.skeletons import COCO_17, MPII_16, Skeleton

BLOCKS = (3, 4, 6, 3)
"""Blocks per stage of ResNet-50. torchvision numbers blocks within a stage, we number them through."""
DEPTHS = {50: BLOCKS, 101: (3, 4, 23, 3), 152: (3, 8, 36, 3)}
"""The same by the number of layers."""

_STEM = {"conv1": "stem.0", "bn1": "stem.1"}
_DECODER = {"deconv_layers": "decoder.up", "final_layer": "decoder.to_maps"}
_COUNTER = "num_batches_tracked"


def resnet_50_backbone(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Translate a state dict of torchvision's resnet50, without classifier, for a published model's `backbone`.

    RobustPoseError names tensors that are missing, unexpected or of another shape.
    """
    trunk = {name: tensor for name, tensor in plain_names(state).items() if not name.startswith("fc.")}
    renamed = {_backbone_name(name): tensor for name, tensor in trunk.items()}
    return complete(renamed, backbone("published"), what="torchvision's ResNet-50")


def pose_resnet_50(
    state: Mapping[str, Tensor], *, input_size: tuple[int, int] = INPUT_SIZES["published"]
) -> ResDec:
    """Make a model in eval mode from a state dict of pose_resnet_50; see pose_resnet."""
    return pose_resnet(state, input_size=input_size)


def pose_resnet(
    state: Mapping[str, Tensor],
    *,
    depth: int = 50,
    input_size: tuple[int, int] = INPUT_SIZES["published"],
    channels: Literal["RGB", "BGR"] = "BGR",
) -> ResDec:
    """Make a model in eval mode from a state dict of pose_resnet_50, 101 or 152, for MPII (16 maps) or COCO (17).

    RobustPoseError names tensors that are missing, unexpected or of another shape.
    """
    what = f"pose_resnet_{depth}"
    blocks = DEPTHS[depth]
    plain = plain_names(state)
    if "final_layer.bias" not in plain:
        raise RobustPoseError(f"not a {what}: final_layer.bias is missing")
    model = ResDec(
        backbone=ResNet(blocks=blocks, width=64, block=Bottleneck),
        width=WIDTHS["published"],
        input_size=input_size,
        sigma=2.0,
        skeleton=skeleton_of_maps(plain["final_layer.bias"].shape[0], what=what),
        channels=channels,
    )
    ours = {_pose_name(name, blocks): tensor for name, tensor in plain.items()}
    model.load_state_dict(complete(ours, model, what=what))
    return model.eval()


def plain_names(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Remove DataParallel's prefix 'module.' from every name."""
    return {name.removeprefix("module."): tensor for name, tensor in state.items()}


def _pose_name(name: str, blocks: tuple[int, ...]) -> str:
    first, _, rest = name.partition(".")
    return f"{_DECODER[first]}.{rest}" if first in _DECODER else f"backbone.{_backbone_name(name, blocks)}"


def _backbone_name(name: str, blocks: tuple[int, ...] = BLOCKS) -> str:
    """Translate one tensor's name; unknown names stay, to be reported as unexpected."""
    first, *rest = name.split(".")
    if first in _STEM:
        return ".".join([_STEM[first], *rest])
    stage = first.removeprefix("layer")
    if stage not in ("1", "2", "3", "4") or not rest or not rest[0].isdigit():
        return name
    if int(rest[0]) >= blocks[int(stage) - 1]:  # of a deeper model: it would get the name of the next stage
        return name
    block = sum(blocks[: int(stage) - 1]) + int(rest[0])
    tail = ["skip" if part == "downsample" else part for part in rest[1:]]
    return ".".join(["stages", str(block), *tail])


def skeleton_of_maps(maps: int, *, what: str) -> Skeleton:
    """Return the skeleton with this number of maps; RobustPoseError for numbers other than MPII's and COCO's."""
    skeletons = {len(skeleton): skeleton for skeleton in (MPII_16, COCO_17)}
    if maps not in skeletons:
        raise RobustPoseError(f"not a {what}: expected 16 maps (MPII) or 17 (COCO), got {maps}")
    return skeletons[maps]


def complete(given: dict[str, Tensor], model: nn.Module, *, what: str) -> dict[str, Tensor]:
    """Check a translated state dict, and add the counters that files from before PyTorch 0.4.1 lack."""
    expected = model.state_dict()
    counters = {name: torch.zeros_like(tensor) for name, tensor in expected.items() if name.endswith(_COUNTER)}
    state = counters | given
    if complaints := misfits(state, model):
        raise RobustPoseError(f"not a state dict of {what}; in our names: {complaints}")
    return state
