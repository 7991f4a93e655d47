"""RELEASES: checkpoints of public code whose layout is known, as models that decode as that code does.

A name says what the file is of: `release:pose_hrnet_w32:epoch_210.pth`. Widths, keypoints and, for RTMPose, the
input size are those of the tensors. Of the others the input size is the one in the file's name, such as 384x288;
without one 256x192 for COCO's keypoints and 256x256 for MPII's. Heatmap cells are at multiples of the stride; from
the first pixel to the last for files with `udp` in their name.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

from torch import Tensor, nn

from robustpose.errors import RobustPoseError
from robustpose.geometry import Lattice
from robustpose.models.architectures.rtmpose import RTMPose
from robustpose.models.releases import pose_hrnet, pytorch_pose_hourglass
from robustpose.models.torchvision_names import complete, plain_names, pose_resnet, skeleton_of_maps
from robustpose.skeletons import COCO_17

State = Mapping[str, Tensor]
Size = tuple[int, int]


@dataclass(frozen=True)
class Release:
    """Checkpoints of one layout.

    make     makes the model of (state dict, (H, W) or None, places of its heatmap cells)
    summary  one line
    """

    make: Callable[[State, Size | None, Lattice], nn.Module]
    summary: str


def size_in(name: str) -> Size | None:
    """Return the input size (H, W) that a file name says.

    >>> size_in("pose_hrnet_w32_384x288.pth"), size_in("td-hm_res50_8xb64-210e_coco-256x192-04af38ce.pth")
    ((384, 288), (256, 192))
    """
    found = re.findall(r"(?<!\d)(\d{2,3})x(\d{2,3})(?!\d)", name)
    return (int(found[0][0]), int(found[0][1])) if found else None


def lattice_in(name: str) -> Lattice:
    """Return where the cells of a file's heatmaps lie, by its name."""
    return "ends" if re.search(r"(?<![a-z])udp(?![a-z])", name.lower()) else "corners"


def _decoded(model: Any, *, size: Size, lattice: Lattice) -> nn.Module:
    """Give a heatmap model the decoding of the official code; sigma is 3 cells at 384 x 288."""
    sigma = 3.0 if max(size) > 256 else 2.0
    model.head = replace(model.head, lattice=lattice, decoding="quarter", sigma=sigma)
    return model  # type: ignore[no-any-return]


def _size(state: State, given: Size | None) -> Size:
    """Return the input size of a model with heatmaps: the given one, or the usual one of its data set."""
    final = state.get("final_layer.weight")
    usual = (256, 192) if final is not None and len(final) == len(COCO_17) else (256, 256)
    return given or usual


def _hrnet(width: int) -> Callable[[State, Size | None, Lattice], nn.Module]:
    def make(state: State, given: Size | None, lattice: Lattice) -> nn.Module:
        state = plain_names(state)
        final = state.get("final_layer.weight")
        if final is not None and final.ndim == 4 and final.shape[1] != width:
            raise RobustPoseError(f"not a pose_hrnet_w{width}: its width is {final.shape[1]}")
        size = _size(state, given)
        return _decoded(pose_hrnet(state, input_size=size), size=size, lattice=lattice)

    return make


def _resnet(depth: int, channels: Literal["RGB", "BGR"]) -> Callable[[State, Size | None, Lattice], nn.Module]:
    def make(state: State, given: Size | None, lattice: Lattice) -> nn.Module:
        state = plain_names(state)
        size = _size(state, given)
        model = pose_resnet(state, depth=depth, input_size=size, channels=channels)
        return _decoded(model, size=size, lattice=lattice)

    return make


def _hourglass(state: State, given: Size | None, lattice: Lattice) -> nn.Module:
    return pytorch_pose_hourglass(state, input_size=given or (256, 256))


def _of_mmpose(
    make: Callable[[State, Size | None, Lattice], nn.Module],
) -> Callable[[State, Size | None, Lattice], nn.Module]:
    """Take the names of MMPose, whose backbones and heads are named as the official code's, behind a prefix."""

    def made(state: State, given: Size | None, lattice: Lattice) -> nn.Module:
        return make(without_parts(state), given, lattice)

    return made


def without_parts(state: State) -> dict[str, Tensor]:
    """Remove 'backbone.', and 'head.' or, of versions before 1.0, 'keypoint_head.' from every name."""
    return {
        re.sub(r"^(backbone|keypoint_head|head)\.", "", name): each for name, each in plain_names(state).items()
    }


def _rtmpose(state: State, given: Size | None, lattice: Lattice) -> nn.Module:
    """Read width, blocks, keypoints and input size from the tensors of MMPose's RTMPose."""
    what, plain = "an RTMPose of MMPose", plain_names(state)
    needed = ("backbone.stem.2.conv.weight", "head.final_layer.weight", "head.mlp.1.weight", "head.cls_x.weight")
    if missing := [name for name in (*needed, "head.cls_y.weight") if name not in plain]:
        raise RobustPoseError(f"not {what}: {', '.join(missing)} missing")
    blocks = tuple(
        _blocks(plain, f"backbone.stage{stage}.{2 if stage == 4 else 1}.blocks.") for stage in range(1, 5)
    )
    width, hidden = (plain[name].shape[0] for name in (needed[0], needed[2]))
    size = (plain["head.cls_y.weight"].shape[0] // 2, plain["head.cls_x.weight"].shape[0] // 2)
    if given is not None and given != size:
        raise RobustPoseError(f"{what} of {size[0]}x{size[1]}, but {given[0]}x{given[1]} is asked for")
    keypoints = len(plain["head.final_layer.weight"])
    if keypoints != len(COCO_17):
        raise RobustPoseError(f"not {what} for COCO: {keypoints} keypoints, expected 17")
    model = RTMPose(
        width=width,
        blocks=(blocks[0], blocks[1], blocks[2], blocks[3]),
        hidden=hidden,
        input_size=size,
        skeleton=skeleton_of_maps(keypoints, what=what),
    )
    ours = {re.sub(r"^head\.", "classify.", name): tensor for name, tensor in plain.items()}
    model.load_state_dict(complete(ours, model, what=what))
    return model.eval()


def _blocks(state: State, prefix: str) -> int:
    """Count the numbered entries behind a prefix."""
    return len({name.removeprefix(prefix).split(".")[0] for name in state if name.startswith(prefix)})


RELEASES: dict[str, Release] = {
    "pose_hrnet_w32": Release(_hrnet(32), "HRNet-W32 of its official code, MPII or COCO"),
    "pose_hrnet_w48": Release(_hrnet(48), "HRNet-W48 of its official code, MPII or COCO"),
    "pose_resnet_50": Release(_resnet(50, "BGR"), "Simple baseline on ResNet-50, official code, MPII or COCO"),
    "pose_resnet_101": Release(_resnet(101, "BGR"), "The same on ResNet-101"),
    "pose_resnet_152": Release(_resnet(152, "BGR"), "The same on ResNet-152"),
    "pytorch_pose_hg": Release(_hourglass, "Stacked hourglass of pytorch-pose, MPII"),
    "mmpose_hrnet_w32": Release(_of_mmpose(_hrnet(32)), "HRNet-W32 of MMPose, top-down heatmaps"),
    "mmpose_hrnet_w48": Release(_of_mmpose(_hrnet(48)), "HRNet-W48 of MMPose, top-down heatmaps"),
    "mmpose_res50": Release(_of_mmpose(_resnet(50, "RGB")), "Simple baseline on ResNet-50 of MMPose"),
    "mmpose_res101": Release(_of_mmpose(_resnet(101, "RGB")), "Simple baseline on ResNet-101 of MMPose"),
    "mmpose_res152": Release(_of_mmpose(_resnet(152, "RGB")), "Simple baseline on ResNet-152 of MMPose"),
    "mmpose_rtmpose": Release(_rtmpose, "RTMPose of MMPose, any size, COCO's 17 keypoints"),
}
"""By the name that follows `release:`."""
