"""Publicly released state dicts as our models: the same computation under other tensor names.

Stacked hourglasses of Wei Yang's PyTorch port (bearpaw/pytorch-pose: hg_s2_b1, hg_s8_b1, trained on MPII; PCKh@0.5
in its README 86.95 and 88.78). The port differs from the official code, and so from our shg2 and shg8, in three
ways: the second residual module of the stem has 256 channels, the input is RGB minus MPII's mean, and every
convolution has a bias. A bias before a batch norm only shifts its mean, so it is folded in and the outputs stay
the same.

HRNets of the official code (leoxiaobin/deep-high-resolution-net.pytorch: pose_hrnet_w32 and w48, MPII or COCO).
They take RGB. Their heatmap cells are at multiples of 4 pixels, ours at the cells' centres, so their keypoints are
decoded 1.5 pixels too far right and down.
"""

from collections.abc import Mapping

from torch import Tensor

from robustpose.errors import RobustPoseError
from robustpose.models.architectures.hourglass import StackedHourglass
from robustpose.models.architectures.hrnet import HRNet
from robustpose.models.torchvision_names import complete, plain_names, skeleton_of_maps
from robustpose.skeletons import MPII_16

MPII_MEAN = (0.4404, 0.4440, 0.4327)
"""RGB in [0, 1], which pytorch-pose subtracts from its images."""

_HRNET = {
    "conv1": "stem.0.0",
    "bn1": "stem.0.1",
    "conv2": "stem.1.0",
    "bn2": "stem.1.1",
    "layer1": "first",
    "transition1.0": "narrow",
    "transition1.1.0": "coarser.0",
    "transition2.2.0": "coarser.1",
    "transition3.3.0": "coarser.2",
    "stage2": "stages.0",
    "stage3": "stages.1",
    "stage4": "stages.2",
    "final_layer": "to_heatmaps",
}

_STEM = {"conv1": "stem.0", "bn1": "stem.1", "layer1.0": "stem.3", "layer2.0": "stem.5", "layer3.0": "stem.6"}
_PLACES = ("stay", "down", "up", "inner")
_BETWEEN = {"score": "to_heatmaps", "fc_": "from_features", "score_": "from_heatmaps"}


def pytorch_pose_hourglass(
    state: Mapping[str, Tensor], *, input_size: tuple[int, int] = (256, 256)
) -> StackedHourglass:
    """Make a model in eval mode from a state dict of pytorch-pose's HourglassNet.

    Stacks, modules and widths come from the tensors' shapes. Names may begin with DataParallel's 'module.'.
    RobustPoseError for the state of another model.
    """
    try:
        return _opened({name.removeprefix("module."): tensor for name, tensor in state.items()}, input_size)
    except (KeyError, IndexError, ValueError, RuntimeError, ZeroDivisionError) as error:
        reason = " ".join(str(error).split())
        raise RobustPoseError(f"not a stacked hourglass of pytorch-pose ({reason})") from None


def pose_hrnet(state: Mapping[str, Tensor], *, input_size: tuple[int, int] = (256, 256)) -> HRNet:
    """Make a model in eval mode from a state dict of the official pose_hrnet, for MPII (16 maps) or COCO (17).

    The width (32 or 48) comes from the tensors' shapes. RobustPoseError names tensors that are missing, unexpected
    or of another shape.
    """
    what = "pose_hrnet"
    plain = plain_names(state)
    final = plain.get("final_layer.weight")
    if final is None or final.ndim != 4:
        raise RobustPoseError(f"not a {what}: final_layer.weight is missing or not a convolution")
    model = HRNet(
        width=final.shape[1],
        stem=64,
        first=4,
        modules=(1, 4, 3),
        blocks=4,
        input_size=input_size,
        sigma=2.0,
        skeleton=skeleton_of_maps(final.shape[0], what=what),
    )
    model.load_state_dict(
        complete({_hrnet_name(name): tensor for name, tensor in plain.items()}, model, what=what)
    )
    return model.eval()


def _hrnet_name(name: str) -> str:
    """Translate one tensor's name; unknown names stay, to be reported as unexpected."""
    place = next((theirs for theirs in _HRNET if name.startswith(theirs + ".")), None)
    if place is None:
        return name
    tail = name.removeprefix(place + ".").replace("downsample.", "skip.").split(".")
    if tail[1:2] == ["fuse_layers"] and len(tail) > 4 and tail[2].isdigit() and tail[3].isdigit():
        # MODULE.fuse_layers.TARGET.SOURCE...: upward paths are nested one level deeper in ours.
        module, _, target, source, *rest = tail
        up = ["0"] if int(source) > int(target) else []
        tail = [module, "exchange", "paths", target, source, *up, *rest]
    return ".".join([_HRNET[place], *tail])


def _opened(state: Mapping[str, Tensor], input_size: tuple[int, int]) -> StackedHourglass:
    model = _model_for(state, input_size=input_size)
    depth = _count(state, "hg.0.hg.")
    ours = {_our_name(name, depth=depth): tensor for name, tensor in _without_biases(state).items()}
    # Files from before PyTorch 0.4.1 lack the counters, which do not affect outputs.
    counters = {
        name: tensor for name, tensor in model.state_dict().items() if name.endswith("num_batches_tracked")
    }
    model.load_state_dict(counters | ours)
    return model.eval()


def _model_for(state: Mapping[str, Tensor], *, input_size: tuple[int, int]) -> StackedHourglass:
    keypoints = state["score.0.weight"].shape[0]
    if keypoints != len(MPII_16):
        raise RobustPoseError(f"expected a model of MPII's {len(MPII_16)} keypoints, got {keypoints}")
    stem = [state[name].shape[0] for name in ("conv1.weight", "layer1.0.conv3.weight", "layer2.0.conv3.weight")]
    return StackedHourglass(
        stacks=_count(state, "hg."),
        channels=state["fc.0.0.weight"].shape[0],
        modules=_count(state, "res.0."),
        stem=(stem[0], stem[1], stem[2]),
        input_size=input_size,
        depth=_count(state, "hg.0.hg."),
        mean=MPII_MEAN,
    )


def _count(state: Mapping[str, Tensor], prefix: str) -> int:
    """Return the number of numbered entries after a prefix."""
    return len({name.removeprefix(prefix).split(".")[0] for name in state if name.startswith(prefix)})


def _our_name(name: str, *, depth: int) -> str:
    """Translate one tensor's name."""
    for theirs, ours in _STEM.items():
        if name.startswith(theirs + "."):
            return (ours + name.removeprefix(theirs)).replace("downsample.0", "skip")
    kind, stack, *rest = name.split(".")
    if kind == "hg":
        # hg.STACK.hg.SCALE.PLACE...: the finest scale has the highest number; ours are nested, the finest
        # outermost.
        scale, place, tail = int(rest[1]), _PLACES[int(rest[2])], rest[3:]
        return ".".join(["hourglasses", stack, "0", *["inner"] * (depth - 1 - scale), place, *tail])
    if kind == "res":
        return ".".join(["hourglasses", stack, "1", *rest])
    if kind == "fc":
        return ".".join(["hourglasses", stack, {"0": "2", "1": "3"}[rest[0]], *rest[1:]])
    return ".".join([_BETWEEN[kind], stack, *rest])


def _without_biases(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Fold every bias before a batch norm into the norm's mean."""
    folded = dict(state)
    for name in state:
        norm = _norm_after(name)
        if norm is not None:
            folded[norm] = folded[norm] - folded.pop(name)
    return folded


def _norm_after(name: str) -> str | None:
    """Return the name of the running mean after a convolution's bias; None for any other tensor."""
    if name == "conv1.bias":
        return "bn1.running_mean"
    if name.endswith((".conv1.bias", ".conv2.bias")):
        block, convolution, _ = name.rsplit(".", 2)
        return f"{block}.bn{int(convolution[-1]) + 1}.running_mean"
    if name.startswith("fc.") and name.endswith(".0.bias"):
        return name.removesuffix("0.bias") + "1.running_mean"
    return None
