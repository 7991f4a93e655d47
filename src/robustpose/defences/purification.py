"""Defences that clean an image before the model sees it: JPEG, fewer bits, total variation.

Guo, Rana, Cisse and van der Maaten 2018 (arXiv 1711.00117) proposed JPEG, fewer bits and total variation as
defences. JPEG and rounding have no useful gradient, so an attack through them takes the gradient as if they did
not change the image: the backward pass differentiable approximation (BPDA) of Athalye, Carlini and Wagner 2018
(arXiv 1802.00420).
"""

import cv2
import numpy as np
import torch
from torch import Tensor

from robustpose.defences.smoothing import Filter
from robustpose.errors import RobustPoseError


def straight_through(change: Filter) -> Filter:
    """Return a filter with the values of `change` and the gradient of the identity (BPDA)."""

    def changed(images: Tensor) -> Tensor:
        with torch.no_grad():
            values = change(images)
        return values + (images - images.detach())

    return changed


def jpeg(images: Tensor, *, quality: int) -> Tensor:
    """Encode and decode images (N, 3, H, W) as JPEG, RGB in [0, 1]; quality is from 1 to 100, as in libjpeg."""
    if not 1 <= quality <= 100:
        raise RobustPoseError(f"JPEG quality must lie in 1 to 100, got {quality}")
    levels = (images.detach().cpu().clamp(0, 1) * 255).round().to(torch.uint8).permute(0, 2, 3, 1).numpy()
    decoded = np.stack([_recoded(each, quality) for each in levels]) if len(levels) else levels
    found: Tensor = torch.from_numpy(decoded).permute(0, 3, 1, 2).to(device=images.device, dtype=images.dtype)
    found /= 255
    return found


def _recoded(
    image: np.ndarray[tuple[int, ...], np.dtype[np.uint8]], quality: int
) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    done, content = cv2.imencode(".jpg", image[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])
    decoded = cv2.imdecode(content, cv2.IMREAD_COLOR) if done else None
    if decoded is None:
        raise RobustPoseError(f"an image of {image.shape[:2]} could not be encoded as JPEG")
    return np.ascontiguousarray(decoded[..., ::-1]).astype(np.uint8)


def fewer_bits(images: Tensor, *, bits: int) -> Tensor:
    """Round values to 2 ** bits levels in [0, 1]; RobustPoseError outside 1 to 8 bits."""
    if not 1 <= bits <= 8:
        raise RobustPoseError(f"an image is rounded to 1 to 8 bits, got {bits}")
    most = 2**bits - 1
    found: Tensor = (images * most).round() / most
    return found


def total_variation(images: Tensor, *, weight: float, steps: int = 20) -> Tensor:
    """Minimise |u - image|^2 / 2 + weight x total variation of u, each channel by itself.

    Chambolle 2004, "An Algorithm for Total Variation Minimization and Applications"; its dual steps of 1/8 are
    differentiable, so an attack goes through them.
    """
    if not weight > 0:
        raise RobustPoseError(f"the weight of the total variation must be > 0, got {weight:g}")
    down = torch.zeros_like(images)
    across = torch.zeros_like(images)
    for _ in range(steps):
        slope_down, slope_across = _slopes(_divergence(down, across) - images / weight)
        size = 1 + 0.125 * (slope_down.square() + slope_across.square() + 1e-12).sqrt()
        down, across = (down + 0.125 * slope_down) / size, (across + 0.125 * slope_across) / size
    return images - weight * _divergence(down, across)


def _slopes(values: Tensor) -> tuple[Tensor, Tensor]:
    """Return forward differences down and across, 0 at the far border."""
    down, across = torch.zeros_like(values), torch.zeros_like(values)
    down[..., :-1, :] = values[..., 1:, :] - values[..., :-1, :]
    across[..., :, :-1] = values[..., :, 1:] - values[..., :, :-1]
    return down, across


def _divergence(down: Tensor, across: Tensor) -> Tensor:
    """Return minus the adjoint of `_slopes`."""
    found = down + across
    found = found - torch.nn.functional.pad(down, (0, 0, 1, 0))[..., :-1, :]
    return found - torch.nn.functional.pad(across, (1, 0, 0, 0))[..., :, :-1]
