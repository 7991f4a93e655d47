"""Corrupts the people of a batch, each by random numbers of their own."""

from dataclasses import replace

import numpy as np
import torch

from robustpose.corruptions import Truth, corrupt_image, generator_for
from robustpose.errors import at_work
from robustpose.geometry import Pixels
from robustpose.types import Batch


def corrupt_batch(batch: Batch, name: str, *, severity: int, seed: int = 0) -> Batch:
    """Return the same people with corrupted images; the random numbers of each are keyed by their id.

    RobustPoseError as corrupt_image, with the person's id.
    """
    corrupted = []
    for row, (image, person) in enumerate(zip(pixels_of(batch), batch.ids, strict=True)):
        with at_work(f"person {person}"):
            generator = generator_for(person, name, severity=severity, seed=seed)
            corrupted.append(
                corrupt_image(image, name, severity=severity, generator=generator, truth=truth_of(batch, row))
            )
    return replace(batch, images=images_of(corrupted, like=batch))


def pixels_of(batch: Batch) -> list[Pixels]:
    """Return the images of a batch as uint8 (H, W, 3)."""
    levels = (batch.images.detach().cpu() * 255).round().clamp(0, 255).to(torch.uint8)
    return [np.ascontiguousarray(image) for image in levels.permute(0, 2, 3, 1).numpy()]


def images_of(pixels: list[Pixels], *, like: Batch) -> torch.Tensor:
    """Return uint8 images as the tensor (N, 3, H, W) in [0, 1] of a batch."""
    if not pixels:
        return like.images
    stacked = np.ascontiguousarray(np.stack(pixels).transpose(0, 3, 1, 2))
    return torch.from_numpy(stacked).to(like.images) / 255


def truth_of(batch: Batch, row: int) -> Truth:
    """Return what a batch knows of one person."""
    return Truth(
        keypoints=batch.keypoints[row].detach().cpu().double().numpy(),
        visible=batch.visible[row].cpu().numpy(),
        skeleton=batch.skeleton,
        box_side=float(batch.box_side[row]),
    )
