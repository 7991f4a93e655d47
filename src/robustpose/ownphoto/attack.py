"""Attack an unlabelled photo, in the photo's pixels: one person, or everybody whose box is known.

**The clean prediction serves as the truth.** The photo has no labels, so the score measures how far the
prediction moves from the prediction for the clean photo, whether that was right or wrong. A targeted attack moves
it to the pose of a rendered person instead.

For a model that regresses coordinates, the loss is zero at its own clean prediction and so is its gradient. The
attack therefore moves away from a slightly shifted pose: each keypoint of the clean prediction is moved by 1% of
the distance that counts as correct, in a random direction. This is a random start in the model's output instead of
in the image (the idea of Tashiro, Song, Ermon 2020, "Diversity can be Transferred", arXiv 2003.06878). Scores use
the unshifted clean prediction.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from robustpose.attack_types import Threat
from robustpose.attacks import AnyAttack, SpatialAttack, Target, run
from robustpose.errors import RobustPoseError
from robustpose.geometry import Floats, Pixels, box_crop, crop_points
from robustpose.given import device_of
from robustpose.objectives import Objective
from robustpose.ownphoto.box import Box, beyond, jittered, look
from robustpose.ownphoto.crops import PhotoCrops
from robustpose.ownphoto.surface import PhotoSurface
from robustpose.ownphoto.targets import target_poses
from robustpose.skeletons import Skeleton
from robustpose.types import Batch, PoseModel

CORRECT = 0.1
"""Fraction of the box's longer side: PCK@0.1, because a photo has no head size."""
DRAWS = 8
"""Boxes of each person, the given one among them, over which an attack under box jitter takes the mean."""
_HAIR = 0.01
"""Shift of the pose to move away from, as a fraction of the distance that counts as correct."""


@dataclass(frozen=True)
class Seen:
    """A model's prediction for a photo: keypoints (K, 2) in photo pixels, scores (K,)."""

    keypoints: Floats
    scores: Floats


@dataclass(frozen=True)
class PhotoAttacked:
    """The result of an attack on a photo, for one of its people.

    photo                    (H, W, 3) the adversarial photo, 8 bits; pixels that no crop reads are clean
    box, crop                the person's box; the map (2, 3) from photo pixels to input pixels, the same for both
    before, after            the predictions for the crops of the clean and the adversarial photo, cut as usual
    share                    the fraction of the photo's pixels that the crops read
    forwards, backwards      the number of forward and backward passes, of all people and boxes together
    target                   (K, 2) the pose of a targeted attack in photo pixels, NaN where it asks for nothing
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
    target: Floats | None = None

    @property
    def moved(self) -> Floats:
        """How far each keypoint (K,) moved, in photo pixels."""
        return distances(self.before, self.after)

    @property
    def kept(self) -> float:
        """The fraction of counted keypoints still correct with respect to the clean prediction: PCK@0.1."""
        return kept(self.before, self.after, box=self.box, skeleton=self.skeleton)


def attack_photo(
    attack: AnyAttack,
    model: PoseModel,
    photo: Pixels,
    *,
    box: Box,
    threat: Threat,
    objective: Objective | None,
    padding: float = 1.25,
    seed: int = 0,
    search: str = "fp32",
) -> PhotoAttacked:
    """Attack one person of a photo (H, W, 3) of 8 bits: move the prediction away from the clean one.

    box is (x, y, w, h) in photo pixels, between pixel edges. See attack_people.
    """
    (found,) = attack_people(
        attack,
        model,
        photo,
        boxes=[box],
        threat=threat,
        objective=objective,
        padding=padding,
        seed=seed,
        search=search,
    )
    return found


def attack_people(
    attack: AnyAttack,
    model: PoseModel,
    photo: Pixels,
    *,
    boxes: Sequence[Box],
    threat: Threat,
    objective: Objective | None,
    targeted: bool = False,
    jitter: float = 0.0,
    padding: float = 1.25,
    seed: int = 0,
    search: str = "fp32",
    on_pass: Callable[[], None] = lambda: None,
) -> tuple[PhotoAttacked, ...]:
    """Attack everybody of a photo (H, W, 3) of 8 bits with one perturbation; return one result per box.

    boxes     (x, y, w, h) in photo pixels, between pixel edges; the model sees each enlarged by `padding`
    targeted  whether to move towards the poses of rendered people instead of away from the clean predictions
    jitter    largest change of each box's position and sides, as a fraction of its sides: the attack then raises
              the mean over DRAWS boxes of each person, so that it holds for boxes like these
    search    the precision of the attack's passes
    on_pass   is called at each forward pass

    The attack sees the window of all crops as one image (crops.PhotoCrops), so ensembles run as on data sets. The
    adversarial photo satisfies the threat after rounding to 8 bits. RobustPoseError for a box outside the photo,
    for attacks that move the image, and for anything that attacks.run refuses.
    """
    if isinstance(attack, SpatialAttack):
        raise RobustPoseError("attacks that move the image transform labels with it, and a photo has none")
    size = (photo.shape[0], photo.shape[1])
    for box in boxes:
        beyond(box, size)
    device = device_of(model)
    own = [box_crop(box, input_size=model.input_size, padding=padding) for box in boxes]
    before = [see(model, photo, crop) for crop in own]
    targets: list[Floats | None] = [None] * len(boxes)
    if targeted:
        reach = [CORRECT * max(box[2:]) for box in boxes]
        clean = [seen.keypoints for seen in before]
        targets = [*target_poses(model, clean, own, seed=seed, radius=reach)]
    draws = [jittered(box, jitter, number=DRAWS, seed=seed) if jitter else [box] for box in boxes]
    crops = [box_crop(each, input_size=model.input_size, padding=padding) for drawn in draws for each in drawn]
    surface = PhotoSurface(np.stack(crops), photo_size=size, input_size=model.input_size)
    several = PhotoCrops(model, surface, crops=len(crops), on_pass=on_pass)
    whose = [person for person, drawn in enumerate(draws) for _ in drawn]
    radius = np.array([CORRECT * max(boxes[who][2:]) for who in whose])
    pose = [before[who].keypoints for who in whose]
    away = [_shifted(points, reach, seed=seed) for points, reach in zip(pose, radius, strict=True)]
    found = run(
        attack,
        several,
        _as_batch(several, surface.cut(photo), away, crops).to(device),
        threat=threat,
        objective=objective,
        target=_as_target([targets[who] for who in whose], crops, device) if targeted else None,
        metric=_Radii(np.repeat(radius * np.array([crop[0, 0] for crop in crops]), len(model.skeleton))),
        seed=seed,
        search=search,
    )
    adversarial = surface.paste(found.images, photo)
    return tuple(
        PhotoAttacked(
            photo=adversarial,
            box=box,
            crop=crop,
            skeleton=model.skeleton,
            before=seen,
            after=see(model, adversarial, crop),
            share=float(surface.reached.sum()) / math.prod(size),
            forwards=found.forwards,
            backwards=found.backwards,
            target=target,
        )
        for box, crop, seen, target in zip(boxes, own, before, targets, strict=True)
    )


def see(model: PoseModel, photo: Pixels, crop: Floats) -> Seen:
    """Return the model's prediction for a crop of a photo, cut and rounded to 8 bits as everywhere else."""
    points, output = look(model, photo, crop)
    return Seen(points, output.scores[0].cpu().double().numpy())


def distances(before: Seen, after: Seen) -> Floats:
    """Return the distance between two predictions for each keypoint (K,), in photo pixels."""
    apart: Floats = np.linalg.norm(after.keypoints - before.keypoints, axis=1)
    return apart


def kept(before: Seen, after: Seen, *, box: Box, skeleton: Skeleton) -> float:
    """Return the fraction of counted keypoints that moved by at most 0.1 of the box's longer side."""
    counted = np.asarray(skeleton.counted)
    return float((distances(before, after) <= CORRECT * max(box[2:]))[counted].mean())


def hit(target: Floats, after: Seen, *, box: Box, skeleton: Skeleton) -> tuple[int, int]:
    """Return how many counted keypoints lie within 0.1 of the box's longer side of the target, and of how many."""
    asked = np.asarray(skeleton.counted) & np.isfinite(target).all(axis=1)
    near = np.linalg.norm(after.keypoints - target, axis=1) <= CORRECT * max(box[2:])
    return int((near & asked).sum()), int(asked.sum())


def kept_with_fresh_boxes(
    model: PoseModel,
    photo: Pixels,
    attacked: PhotoAttacked,
    *,
    jitter: float,
    number: int,
    padding: float,
    seed: int,
) -> float:
    """Return `kept` as the mean over fresh boxes that the attack did not know, near the person's own.

    jitter  largest change of the box's position and sides, as a fraction of its sides
    """
    shares = []
    for box in jittered(attacked.box, jitter, number=number + 1, seed=seed)[1:]:
        after = see(model, photo, box_crop(box, input_size=model.input_size, padding=padding))
        shares.append(kept(attacked.before, after, box=attacked.box, skeleton=attacked.skeleton))
    return float(np.mean(shares))


@dataclass(frozen=True)
class _Radii:
    """The distance (C K,) within which each keypoint of each crop is correct; satisfies objectives.HasRadius."""

    values: Floats

    def radius(self, skeleton: Skeleton, *, head_size: Floats, **_: Floats | None) -> Floats:
        """Return the radii (N, C K) in input pixels."""
        return np.repeat(self.values[None], len(head_size), axis=0)


def _shifted(points: Floats, radius: float, *, seed: int) -> Floats:
    """Return the pose to move away from: keypoints (K, 2), slightly shifted."""
    generator = torch.Generator().manual_seed(seed)
    angle = 2 * math.pi * torch.rand(len(points), generator=generator, dtype=torch.float64).numpy()
    aside: Floats = points + _HAIR * radius * np.stack([np.cos(angle), np.sin(angle)], axis=-1)
    return aside


def _as_batch(model: PhotoCrops, window: Tensor, poses: Sequence[Floats], crops: Sequence[Floats]) -> Batch:
    """Make the window (1, 3, h, w) a batch of one, with the poses in input pixels of their crops."""
    k = len(model.skeleton)
    unknown = torch.full((1,), torch.nan)
    return Batch(
        images=window,
        keypoints=_in_crops(poses, crops),
        visible=torch.ones((1, k), dtype=torch.bool),
        head_size=unknown,
        box_side=unknown,
        crops=torch.eye(2, 3, dtype=torch.float64)[None],
        ids=("photo",),
        skeleton=model.skeleton,
    )


def _as_target(poses: Sequence[Floats | None], crops: Sequence[Floats], device: torch.device) -> Target:
    known = [pose for pose in poses if pose is not None]
    points = _in_crops(known, crops).to(device)
    visible = torch.isfinite(points).all(dim=2)
    return Target(torch.nan_to_num(points), visible)


def _in_crops(poses: Sequence[Floats], crops: Sequence[Floats]) -> Tensor:
    """Return poses (K, 2) in photo pixels as (1, C K, 2) in input pixels of their crops."""
    moved = [crop_points(pose, crop) for pose, crop in zip(poses, crops, strict=True)]
    return torch.from_numpy(np.concatenate(moved)).to(torch.float32)[None]
