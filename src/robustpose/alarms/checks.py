"""The checks that raise alarms: of a model under an objective, and of tables of predictions."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from robustpose import attacks
from robustpose.attack_types import CappedLoss, Loss, Threat
from robustpose.attacks import IGSM
from robustpose.metrics import ALL, KeypointMetric, Table
from robustpose.metrics.bootstrap import difference
from robustpose.models.precision import in_float32
from robustpose.models.untouched import untouched
from robustpose.objectives import Aim, Objective, correct_radius
from robustpose.types import Batch, PoseModel


@dataclass(frozen=True)
class Alarm:
    """A sign that an attack failed.

    name  its key in ALARMS and its section in docs/alarms.md
    says  the observation, with numbers
    """

    name: str
    says: str

    @property
    def line(self) -> str:
        """The alarm as one line of text."""
        return f"alarm: {self.says} (docs/alarms.md#{self.name})"


_SAME = 1e-3
"""Tolerance for rounding, as a share of the largest output: kernels differ with the batch size."""
_NUDGE = 2 / 255
"""Change of every pixel that tests whether outputs change."""
_RISES = 0.5
"""Relative increase from which an objective counts as increased."""


def probe(
    model: PoseModel,
    batch: Batch,
    *,
    objective: Objective,
    threat: Threat,
    metric: KeypointMetric | None = None,
) -> list[Alarm]:
    """Probe a model with a small batch in its skeleton and input size; four people are enough.

    RobustPoseError if the objective does not fit the model.
    """
    labelled = batch.visible.any(dim=1).nonzero().flatten().tolist()
    batch = batch.take(labelled)  # nobody attacks a detection without truth
    if len(batch) == 0:
        return []
    radius = correct_radius(batch, metric)
    aim = Aim(batch.keypoints, batch.visible, radius)
    model = in_float32(model)
    with untouched(model):
        if random := _randomness(model, batch.images):
            return random  # the other checks need a deterministic model
        alarms = _batch_dependence(model, batch)
        cut = _cut_gradient(model, batch)
        alarms += cut or _zero_gradient(objective.bind(model, aim, targeted=False), batch)
    if any(alarm.name in ("cut-gradient", "zero-gradient") for alarm in alarms):
        return alarms  # without a gradient an attack cannot raise anything
    return alarms + _loss_without_score(model, batch, objective, threat, metric, radius)


def _randomness(model: PoseModel, images: Tensor) -> list[Alarm]:
    with torch.no_grad():
        moved = _apart(model(images).stages[-1], model(images).stages[-1])
    if not bool((moved > _SAME).any()):
        return []
    people = int((moved > _SAME).sum())
    return [
        Alarm(
            "randomness",
            f"two passes with the same images: the outputs of {people} of {len(images)} people differ, by up to "
            f"{100 * float(moved.max()):.1f}% of the largest output",
        )
    ]


def _batch_dependence(model: PoseModel, batch: Batch) -> list[Alarm]:
    with torch.no_grad():
        together = model(batch.images).stages[-1]
        alone = torch.cat([model(batch.images[row : row + 1]).stages[-1] for row in range(len(batch))])
    moved = _apart(alone, together)
    if not bool((moved > _SAME).any()):
        return []
    person = batch.ids[int(moved.argmax())]
    return [
        Alarm(
            "batch-dependence",
            f"the output of {person} differs between batches of 1 and {len(batch)} by "
            f"{100 * float(moved.max()):.1f}% of the largest output",
        )
    ]


def _cut_gradient(model: PoseModel, batch: Batch) -> list[Alarm]:
    """Perturb one image and find the keypoints whose outputs change although their gradient is 0."""
    k = len(model.skeleton)
    nudges = torch.rand(batch.images[:1].shape, generator=torch.Generator().manual_seed(0)).to(batch.images)
    image = batch.images[:1]
    nudged = (image + _NUDGE * (2 * (nudges > 0.5) - 1)).clamp(0, 1)
    image = image.detach().requires_grad_(True)
    with torch.enable_grad():
        raw = model(image).stages[-1][:, :k].flatten(2)  # (1, K, outputs per keypoint)
        with torch.no_grad():
            moves = (model(nudged).stages[-1][:, :k].flatten(2) - raw).abs().amax(dim=2)[0] > 0
        slopes = [raw.requires_grad and _has_slope(raw[0, keypoint], image) for keypoint in range(k)]
    cut = [
        name
        for name, moved, slope in zip(model.skeleton.keypoints, moves.tolist(), slopes, strict=True)
        if moved and not slope
    ]
    if not cut:
        return []
    which = f"all {k} keypoints" if len(cut) == k else f"{len(cut)} of {k} keypoints ({', '.join(cut[:3])})"
    return [
        Alarm(
            "cut-gradient",
            f"the outputs of {which} depend on the image but have no gradient: argmax, rounding or detach",
        )
    ]


def _has_slope(values: Tensor, image: Tensor) -> bool:
    weights = torch.randn(values.shape, generator=torch.Generator().manual_seed(0)).to(values)
    (gradient,) = torch.autograd.grad((values * weights).sum(), image, retain_graph=True, allow_unused=True)
    return gradient is not None and bool(gradient.any())


def _zero_gradient(loss: Loss, batch: Batch) -> list[Alarm]:
    rows = torch.arange(len(batch), device=batch.images.device)
    images = batch.images.detach().requires_grad_(True)
    with torch.enable_grad():
        losses = loss(images, rows)
        gradient = (
            torch.autograd.grad(losses.sum(), images)[0] if losses.requires_grad else torch.zeros_like(images)
        )
    open_ = losses < loss.cap - 1e-6 if isinstance(loss, CappedLoss) else torch.ones_like(rows, dtype=torch.bool)
    flat = open_ & ~gradient.flatten(1).any(dim=1)
    if not bool(flat.any()):
        return []
    return [
        Alarm(
            "zero-gradient",
            f"the objective's gradient is 0 for {int(flat.sum())} of {len(batch)} people, "
            "although it is not at its maximum",
        )
    ]


def _loss_without_score(
    model: PoseModel,
    batch: Batch,
    objective: Objective,
    threat: Threat,
    metric: KeypointMetric | None,
    radius: Tensor,
) -> list[Alarm]:
    found = attacks.run(IGSM(steps=10), model, batch, threat=threat, objective=objective, metric=metric)
    clean = attacks.predict(model, batch.images, ids=batch.ids)
    rows = torch.arange(len(batch), device=batch.images.device)
    with untouched(model), torch.no_grad():
        loss = objective.bind(model, Aim(batch.keypoints, batch.visible, radius), targeted=False)
        before, after = loss(batch.images, rows), loss(found.images, rows)
    counted = batch.visible & torch.tensor(model.skeleton.counted, device=batch.visible.device)
    right, still = (
        counted & (torch.linalg.vector_norm(out.keypoints - batch.keypoints, dim=-1) <= radius)
        for out in (clean, found.output)
    )
    rose = (after - before > _RISES * before.abs()) & right.any(dim=1)
    kept = rose & ~(right & ~still).any(dim=1)
    if int(rose.sum()) < 2 or int(kept.sum()) * 2 <= int(rose.sum()):
        return []
    return [
        Alarm(
            "loss-without-score",
            f"in 10 steps the objective rose for {int(rose.sum())} of {len(batch)} people by more than "
            f"{100 * _RISES:.0f}%, and {int(kept.sum())} of those have no newly wrong keypoint",
        )
    ]


def _apart(one: Tensor, other: Tensor) -> Tensor:
    """Return the difference between outputs of N people (N,), as a share of the largest output."""
    return (one - other).abs().flatten(1).amax(dim=1) / one.abs().max().clamp_min(1e-12)


def more_hurts_less(tables: Sequence[tuple[str, Table]], metric: KeypointMetric) -> list[Alarm]:
    """Compare attacks of increasing strength, weakest first, each with its label; clean may be the first.

    Raises an alarm for each attack with a higher score than a weaker one or, with targets, a lower target score,
    beyond the 95% interval of the paired difference over people: one alarm, against the most different one.
    """
    targeted = all(table.target is not None for _, table in tables)
    metric = metric.against_target() if targeted else metric
    alarms = []
    for position, (label, stronger) in enumerate(tables):
        worst, said = 0.0, ""
        for weaker_label, weaker in tables[:position]:
            change = difference(weaker, stronger, metric)[ALL]
            gain = -change.high if targeted else change.low  # lower bound, in the model's favour
            if gain > worst:
                worst = gain
                said = (
                    f"{label}: {metric.name} differs by {change.value:+.1f} "
                    f"[{change.low:+.1f}, {change.high:+.1f}] points from {weaker_label}, n = {change.n}"
                )
        if said:
            alarms.append(Alarm("more-hurts-less", said))
    return alarms


def black_box_beats(white: tuple[str, Table], black: tuple[str, Table], metric: KeypointMetric) -> list[Alarm]:
    """Compare a gradient attack with a gradient-free one at the same budget."""
    change = difference(black[1], white[1], metric)[ALL]
    if not change.low > 0:
        return []
    says = (
        f"{white[0]}: {metric.name} differs by {change.value:+.1f} [{change.low:+.1f}, {change.high:+.1f}] points "
        f"from {black[0]}, a gradient-free attack, n = {change.n}"
    )
    return [Alarm("black-box-beats", says)]
