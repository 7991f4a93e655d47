"""How near each keypoint is to being wrong, of what each kind of head says."""

from collections.abc import Callable

import torch
from torch import Tensor

from robustpose import geometry
from robustpose.errors import RobustPoseError
from robustpose.models.architectures.dlcm import PartsHead
from robustpose.models.heads import CoordinateHead, HeatmapHead, SimCCHead
from robustpose.models.offset_heads import CentreHead, OffsetHead
from robustpose.objectives.aim import Aim
from robustpose.types import Head

_NOWHERE = -1e4
"""A height so low that a place of it has no share in a gradient; finite, for the gradient of -inf is NaN."""


def has_margins(head: Head) -> bool:
    """Say whether margins are defined for what such a head says."""
    return isinstance(head, HeatmapHead | PartsHead | CoordinateHead | OffsetHead | CentreHead | SimCCHead)


def margins_of(head: Head, aim: Aim, *, softness: float = 0.0) -> Callable[[Tensor, Tensor], Tensor]:
    """Return what turns a raw stage and its rows into margins (N, K): above 0 where the keypoint is wrong.

    softness  in peaks of the training bump: how far below the highest place outside the radius another one may lie
              and still get a share of the gradient; 0 gives all to the highest. The margins are the same.
    """
    if isinstance(head, PartsHead):
        joints = _heatmap_margins(head.joints, aim, softness)
        return lambda raw, rows: joints(raw[:, : head.keypoints], rows)
    if isinstance(head, HeatmapHead):
        return _heatmap_margins(head, aim, softness)
    if isinstance(head, CoordinateHead):
        return _coordinate_margins(head, aim)
    if isinstance(head, OffsetHead | CentreHead):
        return _offset_margins(head, aim, softness)
    if isinstance(head, SimCCHead):
        return _class_margins(head, aim, softness)
    raise RobustPoseError(
        f"margins need heatmaps, coordinates or classes, this net has a {type(head).__name__}; "
        "use training_loss, or keypoints for an attack without gradients"
    )


def _highest(heights: Tensor, left_out: Tensor, *, softness: Tensor | float) -> Tensor:
    """Return the highest of heights (..., P) of which some are left out; -inf where all are.

    With a softness the value is the same, and its gradient that of softness * logsumexp(heights / softness).
    """
    highest = heights.masked_fill(left_out, -torch.inf).amax(dim=-1)
    if not isinstance(softness, Tensor) and softness == 0:
        return highest
    width = torch.as_tensor(softness, device=heights.device, dtype=heights.dtype)
    soft = width * torch.logsumexp(heights.masked_fill(left_out, _NOWHERE) / width[..., None], dim=-1)
    return highest.detach() + (soft - soft.detach())


def _heatmap_margins(head: HeatmapHead, aim: Aim, softness: float) -> Callable[[Tensor, Tensor], Tensor]:
    h, w = head.heatmap_size
    row, column = torch.meshgrid(torch.arange(h), torch.arange(w), indexing="ij")
    cells = torch.stack([column, row], dim=-1).to(aim.keypoints)
    centres = head.place(cells)
    distance = torch.linalg.vector_norm(centres - aim.keypoints[:, :, None, None], dim=-1)  # (N, K, h, w)
    inside = (distance <= aim.radius[:, :, None, None]).flatten(2)
    step = float(torch.linalg.vector_norm(head.place(torch.ones(2)) - head.place(torch.zeros(2))))
    far = distance.flatten(2).amin(dim=2) > aim.radius + step
    open_ = inside.any(dim=2) & ~inside.all(dim=2)
    given = _given(inside.any(dim=2), far)

    def margins(raw: Tensor, rows: Tensor) -> Tensor:
        heights = raw.flatten(2)
        within = _highest(heights, ~inside[rows], softness=0.0)
        beyond = _highest(heights, inside[rows], softness=softness * head.peak)
        return torch.where(open_[rows], (beyond - within) / head.peak, given[rows])

    return margins


def _given(inside: Tensor, far: Tensor) -> Tensor:
    """Return the margins of keypoints (N, K) that are decided whatever the net says.

    1 is wrong, for all cells lie `far` beyond the radius; -1 right, for all are inside. In between no cell lies
    within the radius, but what is read between two may: nothing is said, 0.
    """
    return torch.where(far, 1.0, torch.where(inside, -1.0, 0.0))


def _offset_margins(
    head: OffsetHead | CentreHead, aim: Aim, softness: float
) -> Callable[[Tensor, Tensor], Tensor]:
    def margins(raw: Tensor, rows: Tensor) -> Tensor:
        heights = head.heights(raw).flatten(2)
        offset = head.places(raw).detach() - aim.keypoints[rows][:, :, None, None]
        inside = (torch.linalg.vector_norm(offset, dim=-1) <= aim.radius[rows][:, :, None, None]).flatten(2)
        within = _highest(heights, ~inside, softness=0.0)
        beyond = _highest(heights, inside, softness=softness)
        # Heights are above 0, so 0 stands for no cell: where none is inside the keypoint is wrong, whatever comes.
        return beyond.clamp(min=0) - within.clamp(min=0)

    return margins


def _coordinate_margins(head: CoordinateHead, aim: Aim) -> Callable[[Tensor, Tensor], Tensor]:
    return lambda raw, rows: distances(head.decode(raw)[0], aim, rows)


def distances(found: Tensor, aim: Aim, rows: Tensor) -> Tensor:
    """Return how far keypoints (N, K, 2) of the people `rows` lie from the aim: in radii, less 1 (N, K)."""
    offset = found - aim.keypoints[rows]
    # Away from 0, where the norm has no gradient, by far less than a pixel.
    distance = (offset.square().sum(dim=-1) + 1e-12).sqrt()
    return distance / aim.radius[rows] - 1


def _class_margins(head: SimCCHead, aim: Aim, softness: float) -> Callable[[Tensor, Tensor], Tensor]:
    ly, lx = head.bins
    cells = torch.arange(max(lx, ly)).to(aim.keypoints)
    centres = geometry.cells_to_pixels(
        torch.stack([cells, cells], dim=-1), heatmap_size=head.bins, input_size=head.input_size
    )
    across = (centres[:lx, 0] - aim.keypoints[..., 0:1]).abs()  # (N, K, Lx)
    along, order = (centres[:ly, 1] - aim.keypoints[..., 1:2]).abs().sort(dim=-1)  # (N, K, Ly), nearest first
    radius = aim.radius[:, :, None]
    reach = (radius.square() - across.square()).clamp(min=0).sqrt()
    # How many rows of each column lie within the radius: the first so many of the sorted.
    rows_in = torch.where(across <= radius, torch.searchsorted(along, reach, right=True), 0)  # (N, K, Lx)
    inside, beyond = rows_in > 0, rows_in < ly
    step = float(torch.linalg.vector_norm(centres[1] - centres[0]))
    far = torch.hypot(across.amin(dim=-1), along[..., 0]) > aim.radius + step
    open_ = inside.any(dim=-1) & beyond.any(dim=-1)
    given = _given(inside.any(dim=-1), far)
    # A perfect net's logits fall by this much from the keypoint to the edge of the radius.
    unit = (aim.radius * head.split).square() / (2 * head.sigma**2)

    def margins(raw: Tensor, rows: Tensor) -> Tensor:
        x, y = raw[..., :lx], raw[..., lx : lx + ly].gather(-1, order[rows])
        nearest = y.cummax(dim=-1).values  # of the first so many rows
        furthest = y.flip(-1).cummax(dim=-1).values.flip(-1)  # of the others
        within = x + nearest.gather(-1, (rows_in[rows] - 1).clamp(min=0))
        without = x + furthest.gather(-1, rows_in[rows].clamp(max=ly - 1))
        best_in = _highest(within, ~inside[rows], softness=0.0)
        best_out = _highest(without, ~beyond[rows], softness=softness * unit[rows] if softness else 0.0)
        return torch.where(open_[rows], (best_out - best_in) / unit[rows], given[rows])

    return margins
