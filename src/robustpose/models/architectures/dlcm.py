"""DLCM: Tang, Yu, Wu, "Deeply Learned Compositional Models for Human Pose Estimation", ECCV 2018 (no arXiv
number); official code at the authors' page, its successor idotc/DLMSCM.

The body is a hierarchy of 16 keypoints, 12 bones between two keypoints, and 6 limbs of two bones each. Five
hourglasses infer it bottom-up (keypoints, bones, limbs) and refine it top-down (bones, keypoints). A refining
hourglass also gets the bottom-up maps of its level. A bone's map is a Gaussian ridge along the bone, a limb's map
the maximum of its bones'. Both levels repeat the maps of the keypoints, which are the ends of the parts.

All five hourglasses are supervised. A stage is one pass over the whole hierarchy, so that all stages have the same
shape: bottom-up (keypoints, bones, limbs) and top-down (refined keypoints, refined bones, limbs). The limbs are in
both and have weight one half in each, so the sum over the stages is the official training loss, a sum of five mean
squared errors. The loss of the last stage includes bones and limbs, not only keypoints.

Differences: the official code draws a bone cell by cell, we use the distance to it. It draws a limb if one of its
bones is labelled, we only if both are. Stem and residual modules are those of our hourglass; the successor's code
has pyramid modules in the bottom-up pass. The compact size is narrower.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn

from robustpose import geometry
from robustpose.errors import RobustPoseError
from robustpose.models.architectures.hourglass import Hourglass, Residual
from robustpose.models.heads import HeatmapHead
from robustpose.skeletons import MPII_16, Skeleton
from robustpose.types import Margins, PoseOutput

BONES = (
    ("right_ankle", "right_knee"),
    ("right_knee", "right_hip"),
    ("left_hip", "left_knee"),
    ("left_knee", "left_ankle"),
    ("right_hip", "pelvis"),
    ("left_hip", "pelvis"),
    ("thorax", "upper_neck"),
    ("upper_neck", "head_top"),
    ("right_wrist", "right_elbow"),
    ("right_elbow", "right_shoulder"),
    ("left_shoulder", "left_elbow"),
    ("left_elbow", "left_wrist"),
)
LIMBS = ((0, 1), (2, 3), (4, 5), (6, 7), (8, 9), (10, 11))
"""Indices into BONES: right leg, left leg, waist, head and neck, right arm, left arm."""


@dataclass(frozen=True)
class PartsHead:
    """Maps of three levels along the channels: K keypoints; B bones, K ends; L limbs, K ends.

    joints     encoding of a keypoint's map
    keypoints  K
    bones      indices of the two keypoints of each bone
    limbs      indices of the bones of each limb
    """

    kind: ClassVar[str] = "heatmaps"
    loss_name: ClassVar[str] = "the mean squared error of its heatmaps"
    decodes_scores: ClassVar[bool] = True
    places_compete: ClassVar[bool] = True

    joints: HeatmapHead
    keypoints: int
    bones: tuple[tuple[int, int], ...]
    limbs: tuple[tuple[int, ...], ...]

    @property
    def input_size(self) -> tuple[int, int]:
        """(H, W)."""
        return self.joints.input_size

    @property
    def levels(self) -> tuple[int, int, int]:
        """The number of maps of each level."""
        return self.keypoints, len(self.bones) + self.keypoints, len(self.limbs) + self.keypoints

    def encode(self, keypoints: Tensor, /) -> Tensor:
        """Return maps (N, 3 K + B + L, h, w) of keypoints (N, K, 2) in input pixels."""
        ends = self.joints.encode(keypoints)
        bones = self._draw_bones(keypoints)
        limbs = torch.stack([bones[:, list(rows)].amax(dim=1) for rows in self.limbs], dim=1)
        return torch.cat([ends, bones, ends, limbs, ends], dim=1)

    def decode(self, raw: Tensor, /) -> tuple[Tensor, Tensor]:
        """Decode the first level: keypoints (N, K, 2) in input pixels, scores (N, K)."""
        return self.joints.decode(raw[:, : self.keypoints])

    def loss(self, raw: Tensor, target: Tensor, visible: Tensor, /) -> Tensor:
        """Sum the levels' mean squared errors (N,), limbs by half; a part counts if all its keypoints do."""
        bones = torch.stack([visible[:, list(rows)].all(dim=1) for rows in self.bones], dim=1)
        limbs = torch.stack([bones[:, list(rows)].all(dim=1) for rows in self.limbs], dim=1)
        counted = (visible, torch.cat([bones, visible], dim=1), torch.cat([limbs, visible], dim=1))
        raws, targets = torch.split(raw, list(self.levels), dim=1), torch.split(target, list(self.levels), dim=1)
        low, middle, high = map(self.joints.loss, raws, targets, counted)
        return low + middle + 0.5 * high

    def mirrored(self, raw: Tensor, order: Sequence[int], /) -> Tensor:
        """Mirror maps of all levels; see types.MirroringHead."""
        bones = _order_of_parts(self.bones, order)
        limbs = _order_of_parts(self.limbs, bones)
        rows, start = [], 0
        for parts in ((), bones, limbs):
            rows += [start + row for row in parts]
            start += len(parts)
            rows += [start + row for row in order]
            start += len(order)
        return self.joints.mirrored(raw, rows)

    def margins(self, keypoints: Tensor, radius: Tensor, /, *, softness: float = 0.0) -> Margins:
        """Return the margins of the first level; see types.MarginHead."""
        joints = self.joints.margins(keypoints, radius, softness=softness)
        return lambda raw, rows: joints(raw[:, : self.keypoints], rows)

    def signals(self, raw: Tensor, keypoints: Tensor, /) -> dict[str, Tensor]:
        """Return the signals of the first level, from which keypoints are decoded; see types.SignallingHead."""
        return self.joints.signals(raw[:, : self.keypoints], keypoints)

    def _draw_bones(self, keypoints: Tensor) -> Tensor:
        """Draw a Gaussian ridge (N, B, h, w) along each bone, as high as a keypoint's peak."""
        h, w = self.joints.heatmap_size
        cells = geometry.pixels_to_cells(keypoints, heatmap_size=(h, w), input_size=self.input_size)
        start, end = (cells[:, [bone[side] for bone in self.bones], None, None] for side in (0, 1))
        x = torch.arange(w, device=cells.device, dtype=cells.dtype).expand(h, w)
        y = torch.arange(h, device=cells.device, dtype=cells.dtype)[:, None].expand(h, w)
        offset = torch.stack([x, y], dim=-1) - start  # (N, B, h, w, 2)
        bone = end - start
        # A bone of length 0 is its start point, with any positive divisor.
        length_squared = bone.square().sum(dim=-1).clamp_min(1e-6)
        along = ((offset * bone).sum(dim=-1) / length_squared).clamp(0, 1)
        distance_squared = (offset - along[..., None] * bone).square().sum(dim=-1)
        return self.joints.peak * torch.exp(-distance_squared / (2 * self.joints.sigma**2))


def _order_of_parts(parts: Sequence[Sequence[int]], order: Sequence[int]) -> list[int]:
    """Return for each part its index in a mirrored image, given this order for the elements of parts."""
    made_of = [frozenset(part) for part in parts]
    return [made_of.index(frozenset(order[row] for row in part)) for part in parts]


class Compositional(nn.Module):
    """Five hourglasses over three levels, bottom-up then top-down; for the MPII skeleton.

    stem  channels of the first convolution

    forward: images (N, 3, H, W) in [0, 1] -> PoseOutput with two stages (N, 66, H/4, W/4): bottom-up, top-down.
    """

    def __init__(
        self,
        *,
        channels: int,
        stem: int,
        input_size: tuple[int, int],
        depth: int = 4,
        foreground: float = 0.0,
    ) -> None:
        super().__init__()
        self.skeleton = MPII_16
        self.input_size = input_size
        heatmap_size = (input_size[0] // 4, input_size[1] // 4)
        self.head = PartsHead(
            joints=HeatmapHead(input_size=input_size, heatmap_size=heatmap_size, foreground=foreground),
            keypoints=len(MPII_16),
            bones=tuple((MPII_16.index(a), MPII_16.index(b)) for a, b in BONES),
            limbs=LIMBS,
        )
        self.stem = nn.Sequential(
            nn.Conv2d(3, stem, 7, stride=2, padding=3, bias=False),
            nn.BatchNorm2d(stem),
            nn.ReLU(),
            Residual(stem, stem * 2),
            nn.MaxPool2d(2),
            Residual(stem * 2, stem * 2),
            Residual(stem * 2, channels),
        )
        low, middle, high = self.head.levels
        maps = (low, middle, high, middle, low)
        self.hourglasses = nn.ModuleList(
            nn.Sequential(
                Hourglass(channels, depth=depth, modules=1),
                nn.Conv2d(channels, channels, 1, bias=False),
                nn.BatchNorm2d(channels),
                nn.ReLU(),
            )
            for _ in maps
        )
        self.to_maps = nn.ModuleList(nn.Conv2d(channels, count, 1) for count in maps)
        self.from_features = nn.ModuleList(nn.Conv2d(channels, channels, 1) for _ in maps[:-1])
        self.from_maps = nn.ModuleList(nn.Conv2d(count, channels, 1) for count in maps[:-1])
        # In the top-down pass a level's bottom-up maps replace some of the channels.
        self.make_room = nn.ModuleList(Residual(channels, channels - count) for count in (middle, low))

    def forward(self, images: Tensor) -> PoseOutput:
        """Predict keypoints; see the class for shapes."""
        x = self.stem(images)
        maps: list[Tensor] = []
        for i, hourglass in enumerate(self.hourglasses):
            if i >= 3:
                x = torch.cat([maps[4 - i], self.make_room[i - 3](x)], dim=1)
            features = hourglass(x)
            maps.append(self.to_maps[i](features))
            if i < len(self.from_features):
                x = x + self.from_features[i](features) + self.from_maps[i](maps[-1])
        joints, bones, limbs, refined_bones, refined_joints = maps
        up = torch.cat([joints, bones, limbs], dim=1)
        down = torch.cat([refined_joints, refined_bones, limbs], dim=1)
        keypoints, scores = self.head.decode(down)
        return PoseOutput(keypoints=keypoints, scores=scores, stages=(up, down))


def dlcm(size: str, skeleton: Skeleton = MPII_16) -> Compositional:
    """Deeply learned compositional model: DLCM; RobustPoseError for skeletons other than MPII's."""
    if skeleton.keypoints != MPII_16.keypoints:
        raise RobustPoseError(f"dlcm's hierarchy of bones and limbs is {MPII_16.name}'s, not {skeleton.name}'s")
    if size == "published":
        return Compositional(channels=256, stem=64, input_size=(256, 256))
    return Compositional(channels=64, stem=16, input_size=(128, 128), foreground=20.0)
