"""Motion: the image is rotated, shifted or scaled, and its truth moves with it.

Engstrom, Tran, Tsipras, Schmidt, Madry, "Exploring the Landscape of Spatial Robustness", ICML 2019, arXiv
1712.02779, use rotations of up to 30 degrees and shifts of up to a tenth of the image. A class label is unchanged
by a motion; a pose moves with the image. Their budget has two numbers. Here `spatial` has one, with shifts in
proportion to the degrees, and `rotation` and `translation` are separate threats. `scaling` is our addition.
"""

import math
from dataclasses import dataclass

import torch
from torch import Generator, Tensor

from robustpose import geometry
from robustpose.threats.spec import ThreatSpec, check_budget

PARTS = ("degrees", "right", "down", "zoom")
"""Parts of a motion: degrees clockwise, shifts as shares of the image's width and height, log of the zoom."""

FINE_SHIFTS = 775
"""Lattices of at least this size have five shifts per axis: the paper's 31 rotations and 5 x 5 shifts."""


@dataclass(frozen=True)
class Motion:
    """The allowed motions about the image's centre: every part within its own bound (`reach`).

    eps      the budget in the units of `name`
    degrees  largest rotation to either side
    shift    largest shift to either side, as a share of the image's width and height
    zoom     the image may become 1 + zoom times larger or smaller
    largest  largest eps of `name`; RobustPoseError for a larger or negative one
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
        """The bound of each part (4,), float64: see PARTS."""
        parts = (self.degrees, self.shift, self.shift, math.log1p(self.zoom))
        return torch.tensor(parts, dtype=torch.float64)

    def size(self, motions: Tensor, /) -> Tensor:
        """Return the largest part (M,) of motions (M, 4), each as a share of its reach; 0 for the identity."""
        parts = motions.abs() / self.reach.clamp_min(1e-30).to(motions.device)
        return torch.where(motions == 0, 0.0, parts).amax(dim=1)

    def project(self, motions: Tensor, /) -> Tensor:
        """Clip every part to its reach."""
        reach = self.reach.to(motions.device)
        return torch.minimum(torch.maximum(motions, -reach), reach)

    def sample(self, count: int, /, generator: Generator) -> Tensor:
        """Draw motions (count, 4), each part uniform within its reach."""
        return (2 * torch.rand(count, len(PARTS), generator=generator, dtype=torch.float64) - 1) * self.reach

    def lattice(self, count: int, /) -> Tensor:
        """Return the finest lattice (M, 4) of at most `count` motions, sorted by size, the identity first.

        Every part has an odd number of values across its reach. Each shift axis has three, or five from
        FINE_SHIFTS motions on; rotations have the rest. A single part has all of them.
        """
        halves = [places // 2 for places in self._places(count)]
        sides = [torch.arange(-half, half + 1, dtype=torch.float64) / max(half, 1) for half in halves]
        motions = torch.cartesian_prod(*sides) * self.reach
        return motions[self.size(motions).argsort(stable=True)]

    def _places(self, count: int) -> tuple[int, int, int, int]:
        """Return the number of lattice values of each part."""
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
    """Return the affine maps (N, 2, 3) of motions (N, 4) of images of size (H, W)."""
    degrees, right, down, zoom = motions.unbind(dim=-1)
    shift = torch.stack([right * size[1], down * size[0]], dim=-1)
    return geometry.turning(degrees=degrees, shift=shift, zoom=zoom.exp(), size=size)


def _odd(number: float) -> int:
    """Return the largest odd number up to `number` >= 1."""
    whole = int(number + 1e-9)
    return max(whole - (whole + 1) % 2, 1)


SHIFT_OF_A_DEGREE = 0.1 / 30
"""Shift per degree in a spatial budget, as a share of the side; Engstrom et al.: 3 of 32 pixels, 30 degrees."""


def _spatial(eps: float) -> Motion:
    """Return rotations of up to eps degrees with shifts of up to a tenth of the image per 30 degrees."""
    return Motion("spatial", eps, degrees=eps, shift=eps * SHIFT_OF_A_DEGREE, largest=180.0)


SPATIAL_SPEC = ThreatSpec(
    kind="motion",
    make=_spatial,
    rule="may rotate the image by eps degrees and shift it by a tenth per 30 degrees; the truth moves with it",
    example="30 (degrees)",
    unit="degrees",
    format=lambda eps: f"{eps:g} degrees and {eps * SHIFT_OF_A_DEGREE:.3g} of the side",
)

ROTATION_SPEC = ThreatSpec(
    kind="motion",
    make=lambda eps: Motion("rotation", eps, degrees=eps, largest=180.0),
    rule="may rotate the image by eps degrees; the truth moves with it",
    example="30 (degrees)",
    unit="degrees",
)

TRANSLATION_SPEC = ThreatSpec(
    kind="motion",
    make=lambda eps: Motion("translation", eps, shift=eps, largest=1.0),
    rule="may shift the image by the share eps of its side; the truth moves with it",
    example="0.1 (share of the image)",
    unit="of the side",
)

SCALING_SPEC = ThreatSpec(
    kind="motion",
    make=lambda eps: Motion("scaling", eps, zoom=eps, largest=1.0),
    rule="may scale the image up or down by 1 + eps; the truth moves with it",
    example="0.1 (a tenth larger or smaller)",
    unit="of the size",
)
