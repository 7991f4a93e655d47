"""Nets of other tasks under the same attacks: an attack sees a per-image loss, so nothing of it changes."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from robustpose import attacks
from robustpose.attacks.untouched import untouched
from robustpose.data.augment import PADDING
from robustpose.errors import RobustPoseError
from robustpose.jobs.results import TaskResult
from robustpose.jobs.task import TaskCell
from robustpose.jobs.workbench import Workbench, input_size_of
from robustpose.metrics import overlaps
from robustpose.models.architectures.tasks import task_loss
from robustpose.threats import make_threat
from robustpose.types import HasTaskLabels, Loss


def compute_tasks(cells: Sequence[TaskCell], bench: Workbench) -> list[tuple[TaskCell, TaskResult]]:
    """Compute one clean cell, or the cells of one walk; RobustPoseError where the data have no labels."""
    first = cells[0]
    net = bench.task(first).net
    dataset, input_size = bench.datasets[first.data_fingerprint], input_size_of(net)
    if not isinstance(dataset, HasTaskLabels):
        raise RobustPoseError(f"{dataset.name} has no labels of actions and parts; rendered people have")
    rows = range(first.start, first.stop)
    batch = dataset.load(rows, input_size=input_size)
    labels = dataset.task_labels(rows, input_size=input_size, padding=PADDING)
    images = batch.images.to(bench.device)
    truth = torch.from_numpy(labels.parts).long() if _segments(first) else torch.from_numpy(labels.actions)
    truth = truth.to(bench.device)
    if first.setting is None:
        return [(first, _result(first, net, images, truth, ids=batch.ids))]
    walking = len(cells) > 1
    longest = max(cells, key=_steps)
    assert longest.setting is not None
    with untouched(net):
        made = attacks.craft(
            longest.setting.make(),
            _training_loss(net, truth),
            images,
            ids=batch.ids,
            at=[_steps(cell) for cell in cells] if walking else None,
            threat=make_threat(longest.setting.threat, longest.setting.eps),
            seed=longest.seed,
            round_to_8bit=longest.setting.round_to_8bit,
        )
    found = [made[_steps(cell) if walking else 0] for cell in cells]
    return [
        (
            cell,
            _result(cell, net, each.images, truth, ids=batch.ids, spent=(each.forwards, each.backwards)),
        )
        for cell, each in zip(cells, found, strict=True)
    ]


def _training_loss(net: nn.Module, truth: Tensor) -> Loss:
    return lambda adv, rows: task_loss(net(adv), truth[rows])


def _result(
    cell: TaskCell,
    net: nn.Module,
    images: Tensor,
    truth: Tensor,
    *,
    ids: tuple[str, ...],
    spent: tuple[int, int] = (0, 0),
) -> TaskResult:
    with untouched(net), torch.no_grad():
        logits = net(images)
    if not torch.isfinite(logits).all():
        broken = (~torch.isfinite(logits).flatten(1).all(dim=1)).nonzero()[0]
        raise RobustPoseError(f"person {ids[int(broken)]}: {cell.task} returned NaN or infinity")
    found = logits.argmax(dim=1)
    forwards, backwards = spent
    if not _segments(cell):
        return TaskResult(ids=ids, correct=(found == truth).cpu().numpy(), forwards=forwards, backwards=backwards)
    shared, either = overlaps(found.cpu().numpy(), truth.cpu().numpy(), classes=logits.shape[1])
    return TaskResult(ids=ids, intersections=shared, unions=either, forwards=forwards, backwards=backwards)


def _segments(cell: TaskCell) -> bool:
    return cell.task.partition(":")[0] == "parts"


def _steps(cell: TaskCell) -> int:
    assert cell.setting is not None
    return int(cell.setting.numbers.get("steps", 1))
