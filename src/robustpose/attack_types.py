"""What attacks are given and what they return: losses, threats, and the protocols of attacks.

An attack sees only a loss per person and a threat, and knows nothing of poses; see types.py for people and models.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from torch import Generator, Tensor


class Threat(Protocol):
    """The set of allowed perturbations; every attack is written once, over this."""

    @property
    def name(self) -> str: ...
    @property
    def eps(self) -> float:
        """The budget: linf's in [0, 1] units, l2's and l1's a norm of changes in those units, l0's in pixels."""
        ...

    @property
    def holds_8bit(self) -> bool:
        """Whether any image of 8 bits is allowed but the one it is around."""
        ...

    def project(self, images: Tensor, adv: Tensor, /, *, eps: Tensor | None = None) -> Tensor:
        """Return the nearest allowed images: inside the budget, or of each image its own (N,), and in [0, 1]."""
        ...

    def step(self, grad: Tensor, images: Tensor, /) -> Tensor:
        """Return the steepest ascent: eps times it is the best allowed change of `images` for a linear loss."""
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
"""(adversarial images, rows of the batch they belong to) -> (N,) for the attack to RAISE."""


@runtime_checkable
class CappedLoss(Protocol):
    """A loss that saturates: no image of person i has more than cap[i], and the gradient there is 0."""

    @property
    def cap(self) -> Tensor:
        """(N,) the most that each person of the batch can reach."""
        ...

    def __call__(self, adv: Tensor, rows: Tensor, /) -> Tensor:
        """Return the losses, as Loss does."""
        ...


@runtime_checkable
class LossOfParts(Protocol):
    """A loss that also tells of each part, a keypoint say, whether the attacker has what he wants of it."""

    @property
    def counted(self) -> Tensor:
        """(N, K) bool: the parts that count, of every person of the batch."""
        ...

    def __call__(self, adv: Tensor, rows: Tensor, /) -> Tensor:
        """Return the loss (M,) to raise."""
        ...

    def parts(self, adv: Tensor, rows: Tensor, /) -> Tensor:
        """Return a margin (M, K) of each part: above 0 where the attacker has it; any where it does not count."""
        ...


@dataclass(frozen=True)
class MinimumNorms:
    """What a minimum-norm attack found.

    images        (N, 3, H, W) within the threat
    minimum_norm  (N, K) the smallest size seen at which each part was lost, in the threat's unit: 0 where it
                  is lost without an attack, infinite where no size up to eps did it, NaN where it does not count
    """

    images: Tensor
    minimum_norm: Tensor


@runtime_checkable
class Attack(Protocol):
    """An attack on pixel values: a frozen dataclass of hyper-parameters with one verb."""

    def perturb(self, loss: Loss, images: Tensor, threat: Threat, generator: Generator, /) -> Tensor:
        """Return images within the threat that raise the loss; the caller checks them."""
        ...


@runtime_checkable
class StopsAtCap(Protocol):
    """An attack that says whether it is done with a person once an image of theirs reached the loss's cap.

    Every image that it could still return for that person is as good. Other attacks get every pass.
    """

    @property
    def stops_at_cap(self) -> bool: ...


@runtime_checkable
class MinimumNormAttack(Protocol):
    """An attack that looks for the smallest perturbation, and so answers for every eps up to the threat's."""

    def search(self, loss: Loss, images: Tensor, threat: Threat, generator: Generator, /) -> MinimumNorms:
        """Return images within the threat, and the smallest size that each part took."""
        ...


@runtime_checkable
class TrajectoryAttack(Protocol):
    """An attack that goes step by step: one trajectory of N steps holds the attack of every k <= N steps."""

    def iterates(self, loss: Loss, images: Tensor, threat: Threat, generator: Generator, /) -> Iterator[Tensor]:
        """Yield the images after each step: the k-th are what the attack of k steps returns."""
        ...
