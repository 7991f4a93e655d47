"""Batch: person crops in memory with their truth. Coordinates are as in robustpose.types."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from robustpose.errors import RobustPoseError
from robustpose.given import boxes_of, images_of, lengths_of, pose_of
from robustpose.skeletons import Skeleton, read_skeleton


@dataclass(frozen=True)
class Batch:
    """N person crops and their truth.

    images      (N, 3, H, W) float in [0, 1], RGB, multiples of 1/255
    keypoints   (N, K, 2) input pixels
    visible     (N, K) bool: labelled, so it counts
    head_size   (N,) PCKh's unit, input pixels; NaN where the data set gives none
    box_side    (N,) the longer side of the person's box, input pixels
    crops       (N, 2, 3) float64, the affine map from photo pixels to input pixels
    ids         stable across runs; all tables are joined by them
    unreadable  one line for each person whose photo could not be read; they are not among the N
    area        (N,) float64, the person's area in photo pixels squared, NaN where unknown; None for data without
                areas
    photos      name of each person's photo, stable across runs; empty where every person has an image of their own
    """

    images: Tensor
    keypoints: Tensor
    visible: Tensor
    head_size: Tensor
    box_side: Tensor
    crops: Tensor
    ids: tuple[str, ...]
    skeleton: Skeleton
    unreadable: tuple[str, ...] = ()
    area: Tensor | None = None
    photos: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        n, k = len(self.ids), len(self.skeleton)
        expected = {
            "keypoints": (n, k, 2),
            "visible": (n, k),
            "head_size": (n,),
            "box_side": (n,),
            "crops": (n, 2, 3),
        }
        for name, shape in expected.items():
            given = tuple(getattr(self, name).shape)
            if given != shape:
                raise ValueError(f"batch: {name} must have shape {shape}, got {given}")
        if self.area is not None and tuple(self.area.shape) != (n,):
            raise ValueError(f"batch: area must have shape ({n},), got {tuple(self.area.shape)}")
        if self.photos and len(self.photos) != n:
            raise ValueError(f"batch: photos must be {n} names or none, got {len(self.photos)}")
        if self.images.ndim != 4 or tuple(self.images.shape[:2]) != (n, 3):
            raise ValueError(f"batch: images must have shape ({n}, 3, H, W), got {tuple(self.images.shape)}")

    @classmethod
    def from_tensors(
        cls,
        images: object,
        keypoints: object,
        visible: object = None,
        *,
        skeleton: Skeleton | str | Sequence[str] | None = None,
        boxes: object = None,
        head_size: object = None,
        ids: Sequence[str] | None = None,
    ) -> "Batch":
        """Make a batch of person crops from tensors or arrays.

        images     (N, 3, H, W) floating point in [0, 1], or uint8; RGB
        keypoints  (N, K, 2) input pixels; (0, 0) is the centre of the top-left pixel. (N, K, 3) with COCO's
                   visibility as the third number if `visible` is not given
        visible    (N, K) booleans or COCO's 0, 1 and 2, of which 0 is not labelled; default: every finite keypoint
        skeleton   its name, itself, or the keypoints' names; default: coco_17 for 17 keypoints, mpii_16 for 16,
                   otherwise names without left and right
        boxes      (N, 4) x, y, w and h in input pixels. Their longer side is what PCK@0.1 takes a tenth of;
                   default: the visible keypoints' extent and a tenth of it on each side
        head_size  (N,) input pixels, for PCKh@0.5; default: unknown
        ids        of the people; default: 0, 1, 2, ...

        RobustPoseError names the argument that cannot be used.
        """
        pixels = images_of(images)
        points, seen = pose_of(keypoints, visible, images=pixels)
        n, (height, width) = len(pixels), pixels.shape[2:]
        if boxes is None:
            side = _extent(points, seen, longest=max(height, width) / 1.25)
        else:
            side = boxes_of(boxes, people=n)[:, 2:].amax(dim=1).to(pixels)
        known = head_size is not None
        names = tuple(map(str, range(n) if ids is None else ids))
        if len(names) != n or len(set(names)) != n:
            raise RobustPoseError(f"ids must be {n} different names, got {len(set(names))}")
        return cls(
            images=pixels,
            keypoints=points,
            visible=seen,
            head_size=(lengths_of(head_size, "head_size", people=n) if known else torch.full((n,), torch.nan)).to(
                pixels
            ),
            box_side=side,
            crops=torch.eye(2, 3, dtype=torch.float64).repeat(n, 1, 1),
            ids=names,
            skeleton=read_skeleton(skeleton, keypoints=points.shape[1]),
        )

    def __len__(self) -> int:
        return len(self.ids)

    def fault(self) -> str:
        """Describe what would give wrong scores: a person twice, lengths that are not above 0; '' for nothing."""
        twice = [name for name, number in Counter(self.ids).items() if number > 1]
        if twice:
            return f"person {twice[0]} is there twice; results are paired by id, so ids must differ"
        for name in ("head_size", "box_side"):
            low = (getattr(self, name) <= 0).nonzero().flatten().tolist()
            if low:
                value = float(getattr(self, name)[low[0]])
                return f"person {self.ids[low[0]]}: {name} must be > 0, or NaN where unknown, got {value:g}"
        if self.images.dtype != torch.float32:
            return f"images must be torch.float32, got {self.images.dtype}"
        return ""

    @property
    def input_size(self) -> tuple[int, int]:
        """(H, W) of the crops."""
        return (int(self.images.shape[2]), int(self.images.shape[3]))

    def in_skeleton(self, skeleton: Skeleton) -> "Batch":
        """Return the same people in another skeleton; keypoints that this one lacks are not visible."""
        if skeleton == self.skeleton:
            return self
        keypoints = self.keypoints.new_zeros((len(self), len(skeleton), 2))
        visible = self.visible.new_zeros((len(self), len(skeleton)))
        for to, source in enumerate(skeleton.rows_in(self.skeleton)):
            if source is not None:
                keypoints[:, to] = self.keypoints[:, source]
                visible[:, to] = self.visible[:, source]
        return replace(self, keypoints=keypoints, visible=visible, skeleton=skeleton)

    def take(self, rows: Sequence[int]) -> "Batch":
        """Return the people of `rows`, in that order."""
        chosen = list(rows)
        names = ("images", "keypoints", "visible", "head_size", "box_side", "crops")
        return replace(
            self,
            **{name: getattr(self, name)[chosen] for name in names},
            ids=tuple(self.ids[row] for row in chosen),
            area=None if self.area is None else self.area[chosen],
            photos=tuple(self.photos[row] for row in chosen) if self.photos else (),
        )

    def to(self, device: torch.device | str) -> "Batch":
        """Return the batch with images and truth on another device; crops and areas stay where they are."""
        moved = {
            name: getattr(self, name).to(device)
            for name in ("images", "keypoints", "visible", "head_size", "box_side")
        }
        return replace(self, **moved)


def _extent(points: Tensor, seen: Tensor, *, longest: float) -> Tensor:
    """Return the longer side (N,) of the visible keypoints' box, widened by a tenth; `longest` for a point."""
    low = torch.where(seen[..., None], points, torch.inf).amin(dim=1)
    high = torch.where(seen[..., None], points, -torch.inf).amax(dim=1)
    extent = (high - low).amax(dim=1)
    return torch.where(extent > 1, 1.2 * extent + 1, longest)
