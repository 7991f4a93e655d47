"""Spatial attacks: they rotate, shift or scale the image, and the true keypoints move with it.

Engstrom, Tran, Tsipras, Schmidt, Madry, "Exploring the Landscape of Spatial Robustness", ICML 2019, arXiv
1712.02779. An attack proposes motions (motions.py). The worst motion of a person is the one under which the metric
counts most keypoints as lost; ties go to the earliest. The identity is tried first, so the worst score is never
above the clean one. Keypoints that leave the image no longer count, so an attack gains nothing by pushing them
out.
"""

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Protocol, runtime_checkable

import torch
from torch import Generator, Tensor

from robustpose import geometry
from robustpose.attacks.contract import Attacked, AttackError, Moved, predict
from robustpose.attacks.gradient import check_differentiable, no_gradient
from robustpose.errors import RobustPoseError
from robustpose.models.untouched import untouched
from robustpose.objectives import Aim, HasRadius, TrainingLoss, correct_radius
from robustpose.threats.levels import LEVELS
from robustpose.threats.motion import PARTS, Motion, moved_maps
from robustpose.types import Batch, PoseModel, PoseOutput

MotionLoss = Callable[[Tensor], Tensor]
"""Motions (N, 4), one per person -> the training loss (N,) against the moved truth, differentiable."""


@runtime_checkable
class SpatialAttack(Protocol):
    """A frozen dataclass of hyper-parameters that proposes motions."""

    @property
    def beyond(self) -> geometry.Beyond:
        """How pixels beyond the image are filled."""
        ...

    def motions(self, loss: MotionLoss, people: int, threat: Motion, generator: Generator, /) -> Iterator[Tensor]:
        """Yield motions (N, 4) to try, one per person, the identity first; the caller checks them."""
        ...


def move(batch: Batch, motions: Tensor, *, beyond: geometry.Beyond = "black") -> Batch:
    """Move each person's image and truth by its motion (N, 4); with the identity both stay bit-identical.

    Images are rounded to 8 bits. Keypoints that leave the image become invisible. Head sizes and box sides scale
    with the zoom, and `crops` map from the photo to the moved image.
    """
    maps = moved_maps(motions, size=batch.input_size)
    still = (motions == 0).all(dim=1)
    warped = geometry.warp_images(batch.images, maps.to(batch.images.device), beyond=beyond)
    rounded = (warped * LEVELS).round().clamp(0, LEVELS) / LEVELS
    keypoints = geometry.warp_points(batch.keypoints, maps.to(batch.keypoints.device))
    visible = batch.visible & (_inside(keypoints, batch.input_size) | still.to(batch.visible.device)[:, None])
    zoom = motions[:, PARTS.index("zoom")].exp().to(batch.head_size)
    crops = maps[..., :2].to(batch.crops) @ batch.crops
    crops[..., 2] += maps[..., 2].to(batch.crops)
    rows = still.to(batch.images.device)
    return replace(
        batch,
        images=torch.where(rows[:, None, None, None], batch.images, rounded),
        keypoints=torch.where(
            rows[:, None, None], batch.keypoints, torch.where(visible[..., None], keypoints, 0.0)
        ),
        visible=visible,
        head_size=batch.head_size * zoom,
        box_side=batch.box_side * zoom,
        crops=torch.where(still.to(crops.device)[:, None, None], batch.crops, crops),
    )


def search_motions(
    attack: SpatialAttack, model: PoseModel, batch: Batch, *, threat: Motion, metric: HasRadius | None, seed: int
) -> Attacked:
    """Find the motion of each person under which a model loses most keypoints by the metric.

    People who have lost every keypoint get no more passes. The runner calls this.
    """
    search = _Search(model, batch, metric, attack.beyond)
    generator = torch.Generator().manual_seed(seed)
    with untouched(model):
        for motions in attack.motions(search.loss, len(batch), threat, generator):
            _check_motions(motions, threat, people=len(batch))
            search.look(motions)
            if len(search.open) == 0:
                break
    people = move(batch, search.worst, beyond=attack.beyond)
    output = predict(model, people.images, ids=batch.ids)
    moved = Moved(batch=people, motions=search.worst)
    return Attacked(people.images, output, search.forwards, search.backwards, moved=moved)


class _Search:
    """The worst motion of each person so far, and the passes that the search used."""

    def __init__(self, model: PoseModel, batch: Batch, metric: HasRadius | None, beyond: geometry.Beyond) -> None:
        self.model, self.batch, self.metric, self.beyond = model, batch, metric, beyond
        self.worst = torch.zeros(len(batch), len(PARTS), dtype=torch.float64)
        self.most = torch.full((len(batch),), -1)
        self.all = _counted(batch, metric).sum(dim=1).cpu()
        self.forwards = self.backwards = 0

    @property
    def open(self) -> Tensor:
        """The rows (M,) of the people who have not lost every keypoint."""
        return (self.most < self.all).nonzero().flatten()

    def look(self, motions: Tensor) -> None:
        """Try the motions (N, 4) on the people of `open`."""
        rows = self.open
        moved = move(self.batch.take(rows.tolist()), motions[rows], beyond=self.beyond)
        output = predict(self.model, moved.images, ids=moved.ids)
        self.forwards += len(rows)
        lost = _lost(output, moved, self.metric)
        better = lost > self.most[rows]
        self.most[rows[better]] = lost[better]
        self.worst[rows[better]] = motions[rows][better]

    def loss(self, motions: Tensor) -> Tensor:
        """Return the training loss (N,) of the moved people."""
        size = self.batch.input_size
        device = self.batch.images.device
        maps = moved_maps(motions, size=size).to(device)
        images = geometry.warp_images(self.batch.images, maps, beyond=self.beyond)
        keypoints = geometry.warp_points(self.batch.keypoints, maps)
        visible = self.batch.visible & _inside(keypoints.detach(), size)
        aim = Aim(keypoints, visible, correct_radius(self.batch, self.metric))
        rows = torch.arange(len(images), device=device)
        if images.requires_grad:
            check_differentiable(self.model)
            if not self.backwards:
                self._check_reached(images)
            motions.register_hook(lambda gradient: self._refuse(gradient, "the gradient of the motion"))  # type: ignore[no-untyped-call]
        self.forwards, self.backwards = self.forwards + len(rows), self.backwards + len(rows)
        losses = TrainingLoss().bind(self.model, aim, targeted=False)(images, rows)
        self._refuse(losses, "the loss")
        return losses

    def _check_reached(self, images: Tensor) -> None:
        """Refuse a model that cuts the gradient; the loss would still have one, through the moved truth."""
        self.forwards += len(images[:1])
        if len(images) and not self.model(images[:1]).stages[-1].requires_grad:
            raise no_gradient()

    def _refuse(self, values: Tensor, what: str) -> None:
        broken = (~torch.isfinite(values)).reshape(len(values), -1).any(dim=1).nonzero().flatten().tolist()
        if broken:
            raise RobustPoseError(f"person {self.batch.ids[broken[0]]}: {what} is NaN or infinite")


def _lost(output: PoseOutput, batch: Batch, metric: HasRadius | None) -> Tensor:
    """Count for each person (N,) the keypoints that count and are predicted beyond the metric's radius."""
    apart = torch.linalg.vector_norm(output.keypoints.double() - batch.keypoints.double(), dim=-1)
    within = apart <= correct_radius(batch, metric).double()
    lost: Tensor = (_counted(batch, metric) & ~within).sum(dim=1)
    return lost.cpu()


def _counted(batch: Batch, metric: HasRadius | None) -> Tensor:
    """Say which keypoints (N, K) count."""
    scored = torch.tensor(batch.skeleton.counted, device=batch.visible.device)
    return batch.visible & scored & torch.isfinite(correct_radius(batch, metric))


def _inside(points: Tensor, size: tuple[int, int]) -> Tensor:
    """Say which points (N, K, 2) lie inside an image (H, W)."""
    within = torch.from_numpy(geometry.inside(points.detach().cpu().double().numpy(), size))
    return within.to(points.device)


def _check_motions(motions: Tensor, threat: Motion, *, people: int) -> None:
    if tuple(motions.shape) != (people, len(PARTS)) or not torch.isfinite(motions).all():
        raise AttackError(
            f"the attack must propose finite motions of shape ({people}, 4), got {tuple(motions.shape)}"
        )
    if people and float(threat.size(motions).max()) > 1 + 1e-6:
        raise AttackError(f"the attack exceeded its budget: {float(threat.size(motions).max()):g} times its reach")
