"""What L0 and patch share: chosen pixels may become anything, all others stay as they were."""

from abc import ABC, abstractmethod
from dataclasses import dataclass

import torch
from torch import Generator, Tensor

from robustpose.threats.budgets import check_eps
from robustpose.threats.levels import LEVELS, room_towards


@dataclass(frozen=True)
class Replacing(ABC):
    """Pixels are replaced, in all channels; which ones may be is the threat. RobustPoseError for a wrong eps."""

    eps: float

    def __post_init__(self) -> None:
        check_eps(self.eps, self.name)

    @property
    @abstractmethod
    def name(self) -> str:
        """As it stands in results."""

    @abstractmethod
    def chosen(self, worth: Tensor, eps: float | Tensor, /) -> Tensor:
        """Mark the pixels (N, 1, H, W) that may change, of the highest worth (N, H, W) together."""

    @property
    def holds_8bit(self) -> bool:
        """Whether a pixel may change."""
        return self.eps >= 1

    def project(self, images: Tensor, adv: Tensor, /, *, eps: Tensor | None = None) -> Tensor:
        """Keep the pixels that changed most, clipped to [0, 1]; the others are as they were."""
        inside = adv.clamp(0.0, 1.0)
        saved = ((adv - images).square() - (adv - inside).square()).sum(dim=1)
        return torch.where(self.chosen(saved, self.eps if eps is None else eps), inside, images)

    def step(self, grad: Tensor, images: Tensor, /) -> Tensor:
        """Return the pixels that gain most, each to the end of [0, 1]: eps times it is that move."""
        move = grad.sign() * room_towards(images, grad)
        return torch.where(self.chosen((grad * move).sum(dim=1), self.eps), move / max(self.eps, 1.0), 0.0)

    def sample(self, images: Tensor, /, generator: Generator | None = None) -> Tensor:
        """Draw which pixels change, and uniform values for them."""
        values = torch.rand(images.shape, generator=generator, dtype=images.dtype).to(images.device)
        worth = torch.rand(images[:, 0].shape, generator=generator, dtype=images.dtype).to(images.device)
        return torch.where(self.chosen(worth, self.eps), values, images)

    def round_to_8bit(self, images: Tensor, adv: Tensor, /) -> Tensor:
        """Round every value that changed to its nearest level k/255; what did not change stays, bit for bit."""
        return torch.where(adv == images, images, (adv * LEVELS).round().clamp(0, LEVELS) / LEVELS)
