"""Linf: every pixel value may change by at most eps."""

import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import Generator, Tensor

from robustpose.errors import RobustPoseError
from robustpose.threats.levels import LEVELS
from robustpose.threats.spec import Floats, ThreatSpec, parse_number


@dataclass(frozen=True)
class Linf:
    """Every pixel value may change by at most eps.

    eps is in [0, 1] units, such as 8/255; RobustPoseError outside.
    """

    eps: float

    def __post_init__(self) -> None:
        if not 0.0 <= self.eps <= 1.0:
            guess = f"; did you mean {self.eps:g}/255?" if 1.0 < self.eps <= 255.0 else ""
            raise RobustPoseError(f"eps must be in [0, 1], got {self.eps:g}{guess}")

    @property
    def name(self) -> str:
        """The name in results."""
        return "linf"

    @property
    def holds_8bit(self) -> bool:
        """Whether eps is at least one 8-bit level."""
        return self.eps * LEVELS >= 1 - 1e-9

    def project(self, images: Tensor, adv: Tensor, /, *, eps: Tensor | None = None) -> Tensor:
        """Clip to [images - eps, images + eps] and to [0, 1]."""
        reach = self.eps if eps is None else eps.to(images)[:, None, None, None]
        return torch.clamp(torch.minimum(torch.maximum(adv, images - reach), images + reach), 0.0, 1.0)

    def step(self, grad: Tensor, images: Tensor, /) -> Tensor:
        """Return the gradient's sign."""
        return grad.sign()

    def sample(self, images: Tensor, /, generator: Generator | None = None) -> Tensor:
        """Draw uniformly from the ball, then clip to [0, 1]."""
        noise = torch.rand(images.shape, generator=generator, dtype=images.dtype).to(images.device)
        return self.project(images, images + self.eps * (2 * noise - 1))

    def size(self, images: Tensor, adv: Tensor, /) -> Tensor:
        """Return the largest change of each image (N,)."""
        return (adv - images).abs().flatten(1).amax(dim=1)

    def round_to_8bit(self, images: Tensor, adv: Tensor, /) -> Tensor:
        """Round to the nearest level within eps."""
        reach = int(self.eps * LEVELS + 1e-4)
        origin = (images * LEVELS).round()
        rounded = torch.clamp((adv * LEVELS).round(), min=origin - reach, max=origin + reach)
        return rounded.clamp(0, LEVELS) / LEVELS


def _parse(text: str) -> float:
    """Parse '8/255' or '0.03'; RobustPoseError for '0.5', which may have been meant as 0.5/255."""
    eps = parse_number(text, example="8/255 or 0.03")
    if "/" not in text and 0.25 <= eps <= 1.0:
        raise RobustPoseError(
            f"eps {text} is ambiguous, it may mean {text} levels: write {text}/255 or {eps * 255:g}/255"
        )
    return eps


def _in_levels(eps: float) -> str:
    """Write 8/255."""
    return f"{round(eps * 255, 6):g}/255"


def _best_move(eps: float, room: Floats, slope: Floats) -> Floats:
    """Change every value by eps."""
    return np.minimum(eps, room)


LINF_SPEC = ThreatSpec(
    make=Linf,
    rule="may change every pixel value, 0 to 255, by at most eps",
    example="8/255 or 0.03",
    unit="255ths",
    scale=255,
    default_eps=8 / 255,
    parse=_parse,
    norm=math.inf,
    format=_in_levels,
    write=_in_levels,
    axis="eps, of 255",
    ticks=(0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0),
    remark="8/255, about 3 % of the range, is the usual budget in the literature.",
    best_move=_best_move,
    budgets=(0.25 / 255, 1 / 255, 8 / 255, 32 / 255, 64 / 255),
)
