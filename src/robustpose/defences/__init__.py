"""Defences of the paper studied: what is done to a picture before the net sees it.

DEFENCES maps a name to a function of the clean pictures and the attacked ones, both (N, 3, H, W) in [0, 1]. Only
'flip' looks at the clean pictures: it is no defence that anyone could run, but the paper's probe of how much an
image-specific perturbation depends on its place.
"""

from collections.abc import Callable

from torch import Tensor

from robustpose.defences.flip import flip_perturbation
from robustpose.defences.smoothing import box, gaussian, median

DEFENCES: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "flip": flip_perturbation,
    "box3": lambda clean, adv: box(adv, size=3),
    "box5": lambda clean, adv: box(adv, size=5),
    "gaussian1": lambda clean, adv: gaussian(adv, sigma=1.0),
    "gaussian2": lambda clean, adv: gaussian(adv, sigma=2.0),
    "median3": lambda clean, adv: median(adv, size=3),
    "median5": lambda clean, adv: median(adv, size=5),
}

__all__ = ["DEFENCES", "box", "flip_perturbation", "gaussian", "median"]
