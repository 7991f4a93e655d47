"""Attack a photo of one's own, in the photo's pixels.

**The truth is the clean prediction.** Nobody has labelled the photo, so what is measured is how far the model's
answer moves from the one it gives to the clean photo, whether that was right or wrong.

A model that gives coordinates answers its own clean prediction exactly, and there its loss is flat. So the pose
that the attack leaves is the clean prediction moved by a hundredth of what counts as correct, each keypoint in a
direction of its own: a random start in the model's answers instead of in the picture (the idea of Tashiro, Song,
Ermon 2020, "Diversity can be Transferred", arXiv 2003.06878). Scores are against the clean prediction itself.
"""

import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from robustpose.attacks import craft
from robustpose.attacks.acceleration import FusedModel
from robustpose.attacks.untouched import untouched
from robustpose.geometry import Floats, Pixels, box_crop
from robustpose.objectives import Aim, Objective
from robustpose.ownphoto.box import Box, beyond, look
from robustpose.ownphoto.surface import PhotoSurface
from robustpose.skeletons import Skeleton
from robustpose.types import Attack, PoseModel, Threat

CORRECT = 0.1
"""Of the box's longer side: PCK@0.1, the score where a photo has no head size."""
_HAIR = 0.01


@dataclass(frozen=True)
class Seen:
    """What the model says of a photo: keypoints (K, 2) in photo pixels, scores (K,)."""

    keypoints: Floats
    scores: Floats


@dataclass(frozen=True)
class PhotoAttacked:
    """What an attack did to a photo.

    photo                    (H, W, 3) adversarial, 8 bits; equal to the clean one where the crop does not read it
    box, crop                the person's box; the map (2, 3) from photo pixels to input pixels, the same for both
    before, after            what the model says of the crops of both photos, cut as any user would cut them
    share                    of the photo's pixels, how many the crop reads
    forwards, backwards      passes of the crop through the model, and of its gradient
    """

    photo: Pixels
    box: Box
    crop: Floats
    skeleton: Skeleton
    before: Seen
    after: Seen
    share: float
    forwards: int
    backwards: int

    @property
    def moved(self) -> Floats:
        """How far each keypoint (K,) moved, in photo pixels."""
        return distances(self.before, self.after)

    @property
    def kept(self) -> float:
        """The share of the counted keypoints still correct, held against the clean prediction: PCK@0.1."""
        return kept(self.before, self.after, box=self.box, skeleton=self.skeleton)


def attack_photo(
    attack: Attack,
    model: PoseModel,
    photo: Pixels,
    *,
    box: Box,
    threat: Threat,
    objective: Objective,
    padding: float = 1.25,
    seed: int = 0,
    search: str = "fp32",
) -> PhotoAttacked:
    """Attack a photo (H, W, 3) of 8 bits, away from what the model says of the person in `box`.

    box is (x, y, w, h) in photo pixels between pixel edges; the model sees box x `padding`. Every attack runs as
    on crops: it sees a loss, of the photo's pixels, and `search` is the precision of its passes. The adversarial
    photo is inside the threat after rounding to 8 bits. RobustPoseError for a box outside of the photo, and for
    what attacks.run refuses.
    """
    size = (photo.shape[0], photo.shape[1])
    beyond(box, size)
    crop = box_crop(box, input_size=model.input_size, padding=padding)
    surface = PhotoSurface(crop, photo_size=size, input_size=model.input_size)
    before = see(model, photo, crop)
    with untouched(model):
        aim = _aim(model, photo, crop, radius=CORRECT * max(box[2:]) * float(crop[0, 0]), seed=seed)
        loss = surface.through(objective.bind(FusedModel(model, search=search), aim, targeted=False))
        (crafted,) = craft(
            attack, loss, surface.cut(photo), ids=("photo",), at=None, threat=threat, seed=seed, round_to_8bit=True
        ).values()
    adversarial = surface.paste(crafted.images, photo)
    return PhotoAttacked(
        photo=adversarial,
        box=box,
        crop=crop,
        skeleton=model.skeleton,
        before=before,
        after=see(model, adversarial, crop),
        share=float(surface.reached.sum()) / math.prod(size),
        forwards=crafted.forwards,
        backwards=crafted.backwards,
    )


def see(model: PoseModel, photo: Pixels, crop: Floats) -> Seen:
    """Let the model look at a crop of a photo, cut and rounded to 8 bits as everywhere else."""
    points, output = look(model, photo, crop)
    return Seen(points, output.scores[0].double().numpy())


def distances(before: Seen, after: Seen) -> Floats:
    """Return how far each keypoint (K,) of one answer is from the other's, in photo pixels."""
    apart: Floats = np.linalg.norm(after.keypoints - before.keypoints, axis=1)
    return apart


def kept(before: Seen, after: Seen, *, box: Box, skeleton: Skeleton) -> float:
    """Return the share of the counted keypoints that moved by a tenth of the box's longer side at most."""
    counted = np.asarray(skeleton.counted)
    return float((distances(before, after) <= CORRECT * max(box[2:]))[counted].mean())


def _aim(model: PoseModel, photo: Pixels, crop: Floats, *, radius: float, seed: int) -> Aim:
    """Return the pose to leave: what the model says of the clean crop, a hair aside."""
    points: Tensor = look(model, photo, crop)[1].keypoints
    generator = torch.Generator().manual_seed(seed)
    angle = 2 * math.pi * torch.rand(points.shape[:2], generator=generator)
    aside = _HAIR * radius * torch.stack([angle.cos(), angle.sin()], dim=-1)
    visible = torch.ones(points.shape[:2], dtype=torch.bool)
    return Aim(points + aside.to(points), visible, points.new_full((1,), radius))
