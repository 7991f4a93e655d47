"""Perceptual similarity of two images, one number per image.

psnr   peak signal-to-noise ratio over all pixels and channels, in dB; higher is closer
ssim   structural similarity; 1 is equal. Wang, Bovik, Sheikh, Simoncelli 2004, "Image Quality Assessment: From
       Error Visibility to Structural Similarity", IEEE TIP 13(4). As in their code: on luma, Gaussian window of
       11 x 11 with sigma 1.5, K1 = 0.01, K2 = 0.03, mean over windows that lie inside the image
gmsd   gradient magnitude similarity deviation; 0 is equal, higher is worse. Xue, Zhang, Mou, Bovik 2014, "Gradient
       Magnitude Similarity Deviation: A Highly Efficient Perceptual Image Quality Index", IEEE TIP 23(2),
       arXiv 1308.3052. As in their code: on luma halved by 2 x 2 means, Prewitt gradients, c = 170

Luma is that of ITU-R BT.601 (0.299 R + 0.587 G + 0.114 B), unrounded. Wang et al. later downsample images much
larger than 256 pixels; we do not, because crops of people are about that large. Learned distances such as LPIPS
are missing because they need the weights of another model.
"""

from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import NDArray

from robustpose.errors import RobustPoseError
from robustpose.metrics.table import Floats

Pixels = NDArray[np.uint8]

PEAK = 255.0
WINDOW = 11
SIGMA = 1.5
K1, K2 = 0.01, 0.03
GRADIENT_C = 170.0

_LUMA = np.array([0.299, 0.587, 0.114])
_PREWITT = np.array([[1.0, 0.0, -1.0]] * 3) / 3


def psnr(before: Pixels, after: Pixels) -> Floats:
    """Return the peak signal-to-noise ratio (N,) of images (N, H, W, 3) in dB; infinite where equal."""
    _check(before, after, smallest=1)
    errors = [np.mean((b.astype(float) - a) ** 2) for b, a in zip(before, after, strict=True)]
    with np.errstate(divide="ignore"):
        ratio: Floats = 10 * np.log10(PEAK**2 / np.asarray(errors, dtype=float))
    return ratio


def ssim(before: Pixels, after: Pixels) -> Floats:
    """Return the structural similarity (N,) of images (N, H, W, 3); 1 where equal."""
    _check(before, after, smallest=WINDOW)
    return _each(before, after, _ssim)


def gmsd(before: Pixels, after: Pixels) -> Floats:
    """Return the gradient magnitude similarity deviation (N,) of images (N, H, W, 3); 0 where equal."""
    _check(before, after, smallest=4)
    return _each(before, after, _gmsd)


def luma(image: Pixels) -> Floats:
    """Return the luma (H, W), 0 to 255, of an RGB image (H, W, 3)."""
    return np.asarray(image @ _LUMA, dtype=float)


def _ssim(before: Floats, after: Floats) -> float:
    c1, c2 = (K1 * PEAK) ** 2, (K2 * PEAK) ** 2
    mean_b, mean_a = _windowed(before), _windowed(after)
    variance_b = _windowed(before**2) - mean_b**2
    variance_a = _windowed(after**2) - mean_a**2
    covariance = _windowed(before * after) - mean_b * mean_a
    luminance = (2 * mean_b * mean_a + c1) / (mean_b**2 + mean_a**2 + c1)
    structure = (2 * covariance + c2) / (variance_b + variance_a + c2)
    return float(np.mean(luminance * structure))


def _windowed(image: Floats) -> Floats:
    """Average an image (H, W) over the Gaussian windows that lie inside it: (H - 10, W - 10)."""
    kernel = cv2.getGaussianKernel(WINDOW, SIGMA)
    edge = WINDOW // 2
    averaged: Floats = np.asarray(cv2.sepFilter2D(image, cv2.CV_64F, kernel, kernel), dtype=float)
    return averaged[edge:-edge, edge:-edge]


def _gmsd(before: Floats, after: Floats) -> float:
    slope_b, slope_a = _slopes(_halved(before)), _slopes(_halved(after))
    similarity = (2 * slope_b * slope_a + GRADIENT_C) / (slope_b**2 + slope_a**2 + GRADIENT_C)
    return float(np.std(similarity, ddof=1))


def _halved(image: Floats) -> Floats:
    """Average blocks of 2 x 2; an odd last row or column is dropped."""
    height, width = (side // 2 for side in image.shape)
    blocks: Floats = image[: 2 * height, : 2 * width].reshape(height, 2, width, 2).mean(axis=(1, 3))
    return blocks


def _slopes(image: Floats) -> Floats:
    """Return the gradient magnitude (H, W); the image is zero-padded, as in the authors' code."""
    across, down = (
        np.asarray(cv2.filter2D(image, cv2.CV_64F, kernel, borderType=cv2.BORDER_CONSTANT))
        for kernel in (_PREWITT, _PREWITT.T)
    )
    return np.hypot(across, down)


def _each(before: Pixels, after: Pixels, compare: Callable[[Floats, Floats], float]) -> Floats:
    return np.array([compare(luma(b), luma(a)) for b, a in zip(before, after, strict=True)], dtype=float)


def _check(before: Pixels, after: Pixels, *, smallest: int) -> None:
    for images in (before, after):
        if images.dtype != np.uint8 or images.ndim != 4 or images.shape[3] != 3:
            raise RobustPoseError(
                f"images to compare must be uint8 (N, H, W, 3), got {images.dtype} {images.shape}"
            )
    if before.shape != after.shape:
        raise RobustPoseError(f"images to compare must be of one shape, got {before.shape} and {after.shape}")
    if len(before) and min(before.shape[1:3]) < smallest:
        raise RobustPoseError(f"images must be at least {smallest} x {smallest}, got {before.shape[1:3]}")
