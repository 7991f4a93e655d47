"""A model's predictions for noisy copies of an image."""

import hashlib

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from robustpose.errors import RobustPoseError
from robustpose.models.untouched import untouched
from robustpose.types import PoseModel

AT_ONCE = 50
"""Noisy copies per pass. A constant, so that the noise of a person depends on nothing but the seed and the id."""


def sampled_keypoints(
    model: PoseModel, images: Tensor, *, ids: tuple[str, ...], sigma: float, n: int, seed: int
) -> NDArray[np.float32]:
    """Return the sorted predictions (N, K, 2, n) for n noisy copies of each image (N, 3, H, W), in input pixels.

    The noise is Gaussian with standard deviation sigma, in [0, 1] units, and is not clipped to [0, 1].
    RobustPoseError if a prediction is NaN or infinite.
    """
    found = np.empty((len(images), len(model.skeleton), 2, n), np.float32)
    with untouched(model), torch.no_grad():
        for row, (image, name) in enumerate(zip(images, ids, strict=True)):
            generator = torch.Generator().manual_seed(_seed_of(name, seed))
            for start in range(0, n, AT_ONCE):
                noise = torch.randn((AT_ONCE, *image.shape), generator=generator)[: n - start]
                keypoints = model(image[None] + sigma * noise.to(image)).keypoints.float()
                if not torch.isfinite(keypoints).all():
                    raise RobustPoseError(f"person {name}: a prediction under noise is NaN or infinite")
                found[row, ..., start : start + len(noise)] = keypoints.permute(1, 2, 0).cpu().numpy()
    found.sort(axis=-1)
    return found


def _seed_of(name: str, seed: int) -> int:
    """Return a seed that depends on the person and the run."""
    return int.from_bytes(hashlib.sha256(f"{seed} {name}".encode()).digest()[:7])
