"""Architectures, one file per family: MODELS predict keypoints, TASKS do other tasks with the same backbone.

Each has two sizes: 'compact' (128x128, with weights in the package) and 'published' (256x256, for training on MPII
or COCO). resnet.py and layers.py have shared parts.
"""

from collections.abc import Callable
from dataclasses import dataclass

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


@dataclass(frozen=True)
class Architecture:
    """How an architecture is built for a size and a skeleton.

    family   similar designs; the paper says that perturbations transfer better within a family
    version  raised when the same weights compute something else; part of the keys of stored results
    """

    build: Callable[[str, Skeleton], nn.Module]
    family: str
    version: int = 1


MODELS: dict[str, Architecture] = {
    "deeppose": Architecture(deeppose, family="ResNet"),
    "shg2": Architecture(shg2, family="hourglass"),
    "shg8": Architecture(shg8, family="hourglass"),
    "chained": Architecture(chained, family="ResNet"),
    "attention_hg": Architecture(attention_hg, family="hourglass"),
    "dlcm": Architecture(dlcm, family="hourglass"),
    "resreg": Architecture(resreg, family="ResNet"),
    "resdec": Architecture(resdec, family="ResNet"),
    "resdec_pre": Architecture(resdec_pre, family="ResNet"),
    "hrnet": Architecture(hrnet, family="HRNet"),
    "vitpose": Architecture(vitpose, family="ViT"),
    "simcc": Architecture(simcc, family="SimCC"),
    "integral": Architecture(integral, family="integral"),
}

TASKS: dict[str, Callable[[str], nn.Module]] = {
    "action": action,
    "parts": parts,
}

SIZES = ("compact", "published")


def build(architecture: str, *, size: str = "compact", skeleton: Skeleton = MPII_16) -> nn.Module:
    """Make an untrained model of MODELS, for the keypoints of `skeleton`, or of TASKS, which have no keypoints.

    RobustPoseError for an unknown architecture or size, or a skeleton that the architecture does not support.
    """
    known = {**MODELS, **TASKS}
    if architecture not in known:
        raise unknown_name("model", architecture, known)
    if size not in SIZES:
        raise unknown_name("size", size, SIZES)
    return MODELS[architecture].build(size, skeleton) if architecture in MODELS else TASKS[architecture](size)
