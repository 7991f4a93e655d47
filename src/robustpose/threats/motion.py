"""Motion: the picture is turned, shifted and made larger or smaller, and the truth moves along.

Engstrom, Tran, Tsipras, Schmidt, Madry, "Exploring the Landscape of Spatial Robustness", ICML 2019, arXiv
1712.02779: turns of up to 30 degrees and shifts of up to a tenth of the picture. There the label stays; a pose
moves with the person. Their budgets are two numbers; here `spatial` is one, its shifts growing with its degrees,
so that strength is an axis, and `rotation` and `translation` are each alone. `scaling` is ours.
"""

import math
from dataclasses import dataclass

import torch
from torch import Generator, Tensor

from robustpose import geometry
from robustpose.threats.spec import ThreatSpec, check_budget

PARTS = ("degrees", "right", "down", "zoom")
"""Of a motion: degrees clockwise, shifts in shares of the picture's width and height, natural log of the zoom."""

FINE_SHIFTS = 775
"""Motions of a lattice from which shifts get five places an axis: the paper's 31 turns and 5 x 5 shifts."""


@dataclass(frozen=True)
class Motion:
    """Which motions are allowed: every part within its own reach, about the picture's centre.

    eps      the budget as `name` has it, for people
    degrees  to either side
    shift    to either side, as a share of the picture's width and height
    zoom     up to 1 + zoom times as large, and as small
    largest  budget that `name` can have; RobustPoseError for a larger one, or one that is no number from 0
    """

    name: str
    eps: float
    degrees: float = 0.0
    shift: float = 0.0
    zoom: float = 0.0
    largest: float = math.inf

    def __post_init__(self) -> None:
        check_budget(self.eps, self.name, largest=self.largest)

    @property
    def reach(self) -> Tensor:
        """The largest motion (4,), part by part, float64: see PARTS."""
        parts = (self.degrees, self.shift, self.shift, math.log1p(self.zoom))
        return torch.tensor(parts, dtype=torch.float64)

    def size(self, motions: Tensor, /) -> Tensor:
        """Return the share (M,) of its reach that the furthest part of motions (M, 4) takes; 0 is no motion."""
        parts = motions.abs() / self.reach.clamp_min(1e-30).to(motions.device)
        return torch.where(motions == 0, 0.0, parts).amax(dim=1)

    def project(self, motions: Tensor, /) -> Tensor:
        """Clip every part to its reach."""
        reach = self.reach.to(motions.device)
        return torch.minimum(torch.maximum(motions, -reach), reach)

    def sample(self, count: int, /, generator: Generator) -> Tensor:
        """Draw motions (count, 4), uniformly in the reach of every part."""
        return (2 * torch.rand(count, len(PARTS), generator=generator, dtype=torch.float64) - 1) * self.reach

    def lattice(self, count: int, /) -> Tensor:
        """Return the finest lattice (M, 4) of at most `count` motions, no motion among them, small ones first.

        Every part has an odd number of places from one end of its reach to the other. Shifts get three, or five
        where there are FINE_SHIFTS motions, turns the rest; a part that is alone gets all.
        """
        halves = [places // 2 for places in self._places(count)]
        sides = [torch.arange(-half, half + 1, dtype=torch.float64) / max(half, 1) for half in halves]
        motions = torch.cartesian_prod(*sides) * self.reach
        return motions[self.size(motions).argsort(stable=True)]

    def _places(self, count: int) -> tuple[int, int, int, int]:
        """Return how many places each part has."""
        turns, shifts, zooms = self.degrees > 0, self.shift > 0, self.zoom > 0
        left, across, sizes = count, 1, 1
        if shifts:
            across = _odd(count**0.5) if not (turns or zooms) else (5 if count >= FINE_SHIFTS else 3)
            across = across if across**2 * (3 if turns or zooms else 1) <= count else 1
            left //= across**2
        if zooms:
            sizes = _odd(left) if not turns or left < 9 else 3
            left //= sizes
        return (_odd(left) if turns else 1, across, across, sizes)


def moved_maps(motions: Tensor, *, size: tuple[int, int]) -> Tensor:
    """Return the affine maps (N, 2, 3) of motions (N, 4) of pictures of size (H, W)."""
    degrees, right, down, zoom = motions.unbind(dim=-1)
    shift = torch.stack([right * size[1], down * size[0]], dim=-1)
    return geometry.turning(degrees=degrees, shift=shift, zoom=zoom.exp(), size=size)


def _odd(number: float) -> int:
    """Return the largest odd number that is not above a number from 1."""
    whole = int(number + 1e-9)
    return max(whole - (whole + 1) % 2, 1)


SHIFT_OF_A_DEGREE = 0.1 / 30
"""Of the picture's side, in a spatial budget: a tenth with 30 degrees, as Engstrom et al.'s 3 of 32 pixels."""


def _spatial(eps: float) -> Motion:
    """Turns of up to eps degrees, with shifts of a tenth of the picture for every 30 of them."""
    return Motion("spatial", eps, degrees=eps, shift=eps * SHIFT_OF_A_DEGREE, largest=180.0)


SPATIAL_SPEC = ThreatSpec(
    kind="motion",
    make=_spatial,
    rule="may turn the picture by eps degrees and shift it by a tenth for every 30, the truth moving along",
    example="30 (degrees)",
    unit="degrees",
    format=lambda eps: f"{eps:g} degrees and {eps * SHIFT_OF_A_DEGREE:.3g} of the side",
)

ROTATION_SPEC = ThreatSpec(
    kind="motion",
    make=lambda eps: Motion("rotation", eps, degrees=eps, largest=180.0),
    rule="may turn the picture by eps degrees, the truth moving along",
    example="30 (degrees)",
    unit="degrees",
)

TRANSLATION_SPEC = ThreatSpec(
    kind="motion",
    make=lambda eps: Motion("translation", eps, shift=eps, largest=1.0),
    rule="may shift the picture by a share eps of it, the truth moving along",
    example="0.1 (share of the image)",
    unit="of the side",
)

SCALING_SPEC = ThreatSpec(
    kind="motion",
    make=lambda eps: Motion("scaling", eps, zoom=eps, largest=1.0),
    rule="may make the picture 1 + eps times as large or as small, the truth moving along",
    example="0.1 (a tenth larger or smaller)",
    unit="of the size",
)
