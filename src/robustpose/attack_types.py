"""The protocols of attacks, losses and threats. An attack sees only a loss per person and a threat, not poses."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from torch import Generator, Tensor


class Threat(Protocol):
    """The set of allowed perturbations. Attacks use only this interface."""

    @property
    def name(self) -> str: ...
    @property
    def eps(self) -> float:
        """The budget: for linf, l2 and l1 the norm of the change in [0, 1] units, for l0 a number of pixels."""
        ...

    @property
    def holds_8bit(self) -> bool:
        """Whether the budget allows any 8-bit image other than the clean one."""
        ...

    def project(self, images: Tensor, adv: Tensor, /, *, eps: Tensor | None = None) -> Tensor:
        """Return the nearest allowed images: in [0, 1] and within the budget, or `eps` (N,) per image."""
        ...

    def step(self, grad: Tensor, images: Tensor, /) -> Tensor:
        """Return the steepest ascent; eps times it is the best allowed change of `images` for a linear loss."""
        ...

    def sample(self, images: Tensor, /, generator: Generator | None = None) -> Tensor:
        """Draw allowed images at random."""
        ...

    def size(self, images: Tensor, adv: Tensor, /) -> Tensor:
        """Return the size (N,) of each perturbation, in the budget's unit."""
        ...

    def round_to_8bit(self, images: Tensor, adv: Tensor, /) -> Tensor:
        """Round allowed images to levels k/255 and stay inside the budget; `images` lie on levels."""
        ...


Loss = Callable[[Tensor, Tensor], Tensor]
"""(adversarial images, their rows in the batch) -> losses (N,), which the attack RAISES."""


@runtime_checkable
class CappedLoss(Protocol):
    """A loss that saturates: for person i it never exceeds cap[i], and its gradient there is 0."""

    @property
    def cap(self) -> Tensor:
        """(N,) the largest loss that each person of the batch can reach."""
        ...

    def __call__(self, adv: Tensor, rows: Tensor, /) -> Tensor:
        """Return the losses; see Loss."""
        ...


@runtime_checkable
class LossOfParts(Protocol):
    """A loss with parts, such as keypoints, that also says for each part whether the attack succeeded."""

    @property
    def counted(self) -> Tensor:
        """(N, K) bool: the parts that count for each person of the batch."""
        ...

    def __call__(self, adv: Tensor, rows: Tensor, /) -> Tensor:
        """Return the loss (M,) to raise."""
        ...

    def parts(self, adv: Tensor, rows: Tensor, /) -> Tensor:
        """Return the margins (M, K): above 0 where the attack succeeded; undefined where a part does not count."""
        ...


@dataclass(frozen=True)
class MinimumNorms:
    """The result of a minimum-norm attack.

    images        (N, 3, H, W) within the threat
    minimum_norm  (N, K) the smallest size found at which each part was lost, in the threat's unit: 0 where it is
                  lost without an attack, infinite where it was never lost, NaN where it does not count
    """

    images: Tensor
    minimum_norm: Tensor


@runtime_checkable
class Attack(Protocol):
    """An attack on pixel values: a frozen dataclass of hyper-parameters with one method."""

    def perturb(self, loss: Loss, images: Tensor, threat: Threat, generator: Generator, /) -> Tensor:
        """Return images within the threat that raise the loss; the caller checks them."""
        ...


@runtime_checkable
class StopsAtCap(Protocol):
    """An attack that declares whether it needs no further passes for a person whose image reached the loss's cap.

    True only if no later image could be better. Other attacks get every pass.
    """

    @property
    def stops_at_cap(self) -> bool: ...


@runtime_checkable
class MinimumNormAttack(Protocol):
    """An attack that searches for the smallest perturbation, so its result covers every eps up to the threat's."""

    def search(self, loss: Loss, images: Tensor, threat: Threat, generator: Generator, /) -> MinimumNorms:
        """Return images within the threat, and the smallest size at which each part was lost."""
        ...


@runtime_checkable
class TrajectoryAttack(Protocol):
    """An iterated attack: the trajectory of N steps contains the result of every k <= N steps."""

    def iterates(self, loss: Loss, images: Tensor, threat: Threat, generator: Generator, /) -> Iterator[Tensor]:
        """Yield the images after each step; the k-th are the result of the attack with k steps."""
        ...
