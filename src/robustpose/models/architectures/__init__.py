"""Architectures, a file a family: MODELS find keypoints, TASKS do other things on the same backbone.

Each builds in two sizes, 'compact' (128x128, weights in the package) and 'published' (256x256, for those who train
on MPII or COCO). What several of them stand on: resnet.py, deconvolution.py, standardise.py.
"""

from collections.abc import Callable

from torch import nn

from robustpose.errors import unknown_name
from robustpose.models.architectures.attention import attention_hg
from robustpose.models.architectures.chained import chained
from robustpose.models.architectures.deeppose import deeppose
from robustpose.models.architectures.dlcm import dlcm
from robustpose.models.architectures.hourglass import shg2, shg8
from robustpose.models.architectures.hrnet import hrnet
from robustpose.models.architectures.integral import integral
from robustpose.models.architectures.resdec import resdec, resdec_pre, resreg
from robustpose.models.architectures.simcc import simcc
from robustpose.models.architectures.tasks import action, parts
from robustpose.models.architectures.vitpose import vitpose
from robustpose.skeletons import MPII_16, Skeleton

MODELS: dict[str, Callable[[str, Skeleton], nn.Module]] = {
    "deeppose": deeppose,
    "shg2": shg2,
    "shg8": shg8,
    "chained": chained,
    "attention_hg": attention_hg,
    "dlcm": dlcm,
    "resreg": resreg,
    "resdec": resdec,
    "resdec_pre": resdec_pre,
    "hrnet": hrnet,
    "vitpose": vitpose,
    "simcc": simcc,
    "integral": integral,
}

TASKS: dict[str, Callable[[str], nn.Module]] = {
    "action": action,
    "parts": parts,
}

SIZES = ("compact", "published")


def build(architecture: str, *, size: str = "compact", skeleton: Skeleton = MPII_16) -> nn.Module:
    """Make an untrained net of MODELS, for the keypoints of `skeleton`, or of TASKS, which have none.

    RobustPoseError for an unknown architecture or size, or a skeleton that the architecture cannot have.
    """
    known = {**MODELS, **TASKS}
    if architecture not in known:
        raise unknown_name("model", architecture, known)
    if size not in SIZES:
        raise unknown_name("size", size, SIZES)
    return MODELS[architecture](size, skeleton) if architecture in MODELS else TASKS[architecture](size)
