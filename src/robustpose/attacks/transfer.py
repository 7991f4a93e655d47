"""MI, DI and TI: attacks that transfer better to other models.

MI  Dong, Liao, Pang, Su, Zhu, Hu, Li, "Boosting Adversarial Attacks with Momentum", CVPR 2018, arXiv 1710.06081:
    it accumulates gradients, each divided by its mean absolute value
DI  Xie, Zhang, Zhou, Bai, Wang, Ren, Yuille, "Improving Transferability of Adversarial Examples with Input
    Diversity", CVPR 2019, arXiv 1803.06978: with some probability the gradient is that of a shrunk and randomly
    padded image. The truth does not move with it, so the image shrinks by a tenth at most
TI  Dong, Pang, Su, Zhu, "Evading Defenses to Transferable Adversarial Examples by Translation-Invariant Attacks",
    CVPR 2019, arXiv 1904.02884: it smooths the gradient, which approximates its mean over shifted images

All three change only the gradients of IGSM. As in the papers, a step is eps / steps and the last iterate is the
result. Everyone in a batch gets the same size and padding.
"""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Generator, Tensor
from torch.nn import functional

from robustpose.attack_types import Loss, Threat
from robustpose.attacks.gradient import input_gradient
from robustpose.attacks.spec import AttackSpec
from robustpose.errors import RobustPoseError


@dataclass(frozen=True)
class Transfer:
    """IGSM with optional momentum, input diversity and smoothed gradients.

    steps      gradients
    momentum   decay of the accumulated gradient: 1 in the paper, 0 for none
    diversity  probability that a gradient is that of a shrunk image: 0.5 in the paper, 0 for never
    smallest   side of the smallest shrunk image, as a share of the image's
    kernel     side of the Gaussian that smooths the gradient, an odd number of pixels; 1 for none. Its standard
               deviation is a sixth of the side, as in the paper's code
    """

    steps: int = 10
    momentum: float = 0.0
    diversity: float = 0.0
    smallest: float = 0.9
    kernel: int = 1

    def __post_init__(self) -> None:
        if self.steps < 1:
            raise RobustPoseError(f"transfer: steps must be at least 1, got {self.steps}")
        if not (0 <= self.momentum <= 1 and 0 <= self.diversity <= 1):
            raise RobustPoseError(
                "transfer: momentum and diversity must lie in [0, 1], "
                f"got {self.momentum:g} and {self.diversity:g}"
            )
        if not 0 < self.smallest <= 1:
            raise RobustPoseError(f"transfer: smallest must lie in (0, 1], got {self.smallest:g}")
        if self.kernel < 1 or self.kernel % 2 == 0:
            raise RobustPoseError(f"transfer: kernel must be an odd number from 1, got {self.kernel}")

    def perturb(self, loss: Loss, images: Tensor, threat: Threat, generator: Generator, /) -> Tensor:
        """Return the last iterate."""
        (last,) = deque(self._iterates(loss, images, threat, generator), maxlen=1)
        return last

    def _iterates(self, loss: Loss, images: Tensor, threat: Threat, generator: Generator) -> Iterator[Tensor]:
        adv, gathered = images, torch.zeros_like(images)
        for _ in range(self.steps):
            gradient = smoothed(input_gradient(self._diverse(loss, generator), adv), kernel=self.kernel)
            if self.momentum:
                size = gradient.abs().mean(dim=(1, 2, 3), keepdim=True)
                gathered = gradient = self.momentum * gathered + gradient / size.clamp_min(1e-12)
            adv = threat.project(images, adv + threat.eps / self.steps * threat.step(gradient, images))
            yield adv

    def _diverse(self, loss: Loss, generator: Generator) -> Loss:
        """Return the loss of shrunk and randomly padded images, or the loss itself."""
        if not self.diversity or float(torch.rand(1, generator=generator)) >= self.diversity:
            return loss
        share = self.smallest + (1 - self.smallest) * float(torch.rand(1, generator=generator))
        across, down = (float(torch.rand(1, generator=generator)) for _ in range(2))
        return lambda adv, rows: loss(shrunk(adv, share=share, across=across, down=down), rows)


def shrunk(images: Tensor, *, share: float, across: float, down: float) -> Tensor:
    """Shrink images and pad them with black; `across` and `down` place them from 0 (left, top) to 1."""
    height, width = images.shape[2:]
    small = (max(round(share * height), 1), max(round(share * width), 1))
    top, left = round(down * (height - small[0])), round(across * (width - small[1]))
    inner = functional.interpolate(images, size=small, mode="bilinear", align_corners=False)
    return functional.pad(inner, (left, width - small[1] - left, top, height - small[0] - top))


def smoothed(gradient: Tensor, *, kernel: int) -> Tensor:
    """Smooth gradients (N, C, H, W) with a Gaussian of `kernel` x `kernel` pixels, zero-padded."""
    if kernel == 1:
        return gradient
    offset = torch.arange(kernel, device=gradient.device, dtype=gradient.dtype) - kernel // 2
    line = torch.exp(-((offset * 6 / kernel) ** 2) / 2)
    weights = (line / line.sum()).expand(gradient.shape[1], 1, kernel)
    rows = functional.conv2d(gradient, weights[:, :, :, None], padding=(kernel // 2, 0), groups=gradient.shape[1])
    return functional.conv2d(rows, weights[:, :, None, :], padding=(0, kernel // 2), groups=gradient.shape[1])


def mi(*, targeted: bool, steps: int | None = None) -> Transfer:
    """Make MI-FGSM, by default with 10 steps."""
    return Transfer(steps=10 if steps is None else steps, momentum=1.0)


def di(*, targeted: bool, steps: int | None = None) -> Transfer:
    """Make DI with momentum, as in published comparisons, by default with 10 steps."""
    return Transfer(steps=10 if steps is None else steps, momentum=1.0, diversity=0.5)


def ti(*, targeted: bool, steps: int | None = None) -> Transfer:
    """Make TI with momentum and a kernel of 7 pixels (for crops of 128), by default with 10 steps."""
    return Transfer(steps=10 if steps is None else steps, momentum=1.0, kernel=7)


MI_SPEC = AttackSpec(make=mi, cost="10 gradients", summary="IGSM with momentum, to transfer to other models")
DI_SPEC = AttackSpec(make=di, cost="10 gradients", summary="MI on randomly shrunk and padded images")
TI_SPEC = AttackSpec(make=ti, cost="10 gradients", summary="MI with smoothed gradients")
