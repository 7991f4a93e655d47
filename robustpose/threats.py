"""The allowed perturbations. Every attack is written once, over these (types.Threat)."""

from dataclasses import dataclass

import torch
from torch import Generator, Tensor

from robustpose.errors import RobustPoseError


@dataclass(frozen=True)
class Linf:
    """Every pixel value may move by at most eps.

    eps is in [0, 1] units, 8/255 say; RobustPoseError outside.
    """

    eps: float

    def __post_init__(self) -> None:
        check_eps(self.eps)

    @property
    def name(self) -> str:
        """As it stands in results."""
        return "linf"

    def project(self, images: Tensor, adv: Tensor, /) -> Tensor:
        """Clip to [images - eps, images + eps] and to [0, 1]."""
        return torch.clamp(torch.minimum(torch.maximum(adv, images - self.eps), images + self.eps), 0.0, 1.0)

    def step(self, grad: Tensor, /) -> Tensor:
        """Return the gradient's sign."""
        return grad.sign()

    def sample(self, images: Tensor, /, generator: Generator | None = None) -> Tensor:
        """Draw uniformly from the ball, then clip to [0, 1]."""
        noise = torch.rand(images.shape, generator=generator, dtype=images.dtype).to(images.device)
        return self.project(images, images + self.eps * (2 * noise - 1))

    def size(self, images: Tensor, adv: Tensor, /) -> Tensor:
        """Return the largest change of each picture (N,)."""
        return (adv - images).abs().flatten(1).amax(dim=1)


THREATS = {"linf": Linf}


def check_eps(eps: float) -> None:
    """Raise RobustPoseError unless eps is a number in [0, 1]."""
    if not 0.0 <= eps <= 1.0:
        guess = f"; did you mean {eps:g}/255?" if 1.0 < eps <= 255.0 else ""
        raise RobustPoseError(f"eps must be in [0, 1], got {eps:g}{guess}")


def parse_eps(text: str) -> float:
    """Read eps as people write it, '8/255' or '0.031'.

    >>> parse_eps("8/255") == 8 / 255
    True
    """
    numerator, slash, denominator = text.partition("/")
    try:
        eps = float(numerator) / float(denominator) if slash else float(numerator)
    except (ValueError, ZeroDivisionError):
        raise RobustPoseError(f"eps must be a number such as 8/255 or 0.03, got {text!r}") from None
    if not slash and 0.25 <= eps <= 1.0:
        raise RobustPoseError(f"eps {text} of [0, 1] is {eps * 255:g}/255; write {text}/255 or {eps * 255:g}/255")
    check_eps(eps)
    return eps


def format_eps(eps: float) -> str:
    """Write eps as people read it: 8/255, 0.25/255."""
    return f"{round(eps * 255, 6):g}/255"
