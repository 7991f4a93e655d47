"""Attack a single unlabelled photo, in the photo's pixels.

**The clean prediction serves as the truth.** The photo has no labels, so the score measures how far the
prediction moves from the prediction for the clean photo, whether that was right or wrong.

For a model that regresses coordinates, the loss is zero at its own clean prediction and so is its gradient. The
attack therefore moves away from a slightly shifted pose: each keypoint of the clean prediction is moved by 1% of
the distance that counts as correct, in a random direction. This is a random start in the model's output instead of
in the image (the idea of Tashiro, Song, Ermon 2020, "Diversity can be Transferred", arXiv 2003.06878). Scores use
the unshifted clean prediction.
"""

import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from robustpose.attack_types import Attack, Threat
from robustpose.attacks import craft
from robustpose.attacks.acceleration import FusedModel
from robustpose.attacks.contract import untouched
from robustpose.geometry import Floats, Pixels, box_crop
from robustpose.objectives import Aim, Objective
from robustpose.ownphoto.box import Box, beyond, look
from robustpose.ownphoto.surface import PhotoSurface
from robustpose.skeletons import Skeleton
from robustpose.types import PoseModel

CORRECT = 0.1
"""Fraction of the box's longer side: PCK@0.1, because a photo has no head size."""
_HAIR = 0.01
"""Shift of the pose to move away from, as a fraction of the distance that counts as correct."""


@dataclass(frozen=True)
class Seen:
    """A model's prediction for a photo: keypoints (K, 2) in photo pixels, scores (K,)."""

    keypoints: Floats
    scores: Floats


@dataclass(frozen=True)
class PhotoAttacked:
    """The result of an attack on a photo.

    photo                    (H, W, 3) the adversarial photo, 8 bits; pixels that the crop does not read are clean
    box, crop                the person's box; the map (2, 3) from photo pixels to input pixels, the same for both
    before, after            the predictions for the crops of the clean and the adversarial photo, cut as usual
    share                    the fraction of the photo's pixels that the crop reads
    forwards, backwards      the number of forward and backward passes
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
        """The fraction of counted keypoints still correct with respect to the clean prediction: PCK@0.1."""
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
    """Attack a photo (H, W, 3) of 8 bits: move the prediction away from the clean one for the person in `box`.

    box is (x, y, w, h) in photo pixels, between pixel edges; the model sees the box enlarged by `padding`. Attacks
    run as on crops, on a loss that is a function of the photo's pixels; `search` is the precision of their passes.
    The adversarial photo satisfies the threat after rounding to 8 bits. RobustPoseError for a box outside the
    photo, and for anything that attacks.run refuses.
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
    """Return the model's prediction for a crop of a photo, cut and rounded to 8 bits as everywhere else."""
    points, output = look(model, photo, crop)
    return Seen(points, output.scores[0].double().numpy())


def distances(before: Seen, after: Seen) -> Floats:
    """Return the distance between two predictions for each keypoint (K,), in photo pixels."""
    apart: Floats = np.linalg.norm(after.keypoints - before.keypoints, axis=1)
    return apart


def kept(before: Seen, after: Seen, *, box: Box, skeleton: Skeleton) -> float:
    """Return the fraction of counted keypoints that moved by at most 0.1 of the box's longer side."""
    counted = np.asarray(skeleton.counted)
    return float((distances(before, after) <= CORRECT * max(box[2:]))[counted].mean())


def _aim(model: PoseModel, photo: Pixels, crop: Floats, *, radius: float, seed: int) -> Aim:
    """Return the pose to move away from: the clean prediction, slightly shifted."""
    points: Tensor = look(model, photo, crop)[1].keypoints
    generator = torch.Generator().manual_seed(seed)
    angle = 2 * math.pi * torch.rand(points.shape[:2], generator=generator)
    aside = _HAIR * radius * torch.stack([angle.cos(), angle.sin()], dim=-1)
    visible = torch.ones(points.shape[:2], dtype=torch.bool)
    return Aim(points + aside.to(points), visible, points.new_full((1,), radius))
