"""Computes cells: loads their people, attacks, and lays what the net answers beside the truth."""

from collections.abc import Sequence
from typing import Protocol, TypeVar

import torch
from torch import Tensor

from robustpose import attacks
from robustpose.defences import DEFENCES
from robustpose.errors import RobustPoseError, at_work
from robustpose.jobs.attack import Cell
from robustpose.jobs.job import Job
from robustpose.jobs.results import CellResult, Pictures, Pixels, Stored, UniversalResult
from robustpose.jobs.signals import BEATEN, MOTION, signals_of
from robustpose.jobs.task import TaskCell
from robustpose.jobs.tasks import compute_tasks
from robustpose.jobs.transfer import Replay
from robustpose.jobs.universal import UniversalCell
from robustpose.jobs.workbench import Workbench, as_table, input_size_of, padding_of
from robustpose.metrics import METRICS
from robustpose.models import OpenedModel
from robustpose.objectives import OBJECTIVES
from robustpose.threats import make_motion, make_threat
from robustpose.types import Batch, WalkingAttack

R = TypeVar("R", bound=Stored)


class Sources(Protocol):
    """Where the results that others stand on are read: a store, or what was read from one."""

    def read(self, job: Job, kind: type[R], /) -> R:
        """Read a job's result."""
        ...

    def pictures(self, job: Job, /) -> Pictures:
        """Read the pictures that a cell keeps."""
        ...


AnyCell = Cell | Replay | UniversalCell | TaskCell
Computed = tuple[AnyCell, Stored, Pictures | None]


def compute(walk: Sequence[AnyCell], bench: Workbench, store: Sources) -> list[Computed]:
    """Compute one cell, or several of one walk; RobustPoseError for a model that answers with NaN or wrong shapes.

    A walk is cells of an iterated attack that differ in nothing but their steps: see `walks`.
    """
    first = walk[0]
    if isinstance(first, UniversalCell):
        return [(first, _universal(first, bench), None)]
    if isinstance(first, Replay):
        return [(first, _replay(first, bench, store), None)]
    if isinstance(first, TaskCell):
        tasks = [cell for cell in walk if isinstance(cell, TaskCell)]
        return [(cell, result, None) for cell, result in compute_tasks(tasks, bench)]
    return _attacked([cell for cell in walk if isinstance(cell, Cell)], bench)


def walks(cells: Sequence[AnyCell]) -> list[list[AnyCell]]:
    """Gather the cells that one walk of an iterated attack computes together, in the order of their first."""
    gathered: dict[object, list[AnyCell]] = {}
    for cell in cells:
        gathered.setdefault(_walk_of(cell), []).append(cell)
    return list(gathered.values())


def with_sources(cells: list[AnyCell]) -> list[AnyCell]:
    """Put what cells stand on before them, each once, in an order that can be computed from first to last.

    Of two cells that differ only in how many pictures they keep, the one that keeps more stays.
    """
    expanded: dict[str, AnyCell] = {}
    for cell in cells:
        if isinstance(cell, Replay) and cell.source is not None:
            _put(expanded, cell.source)
        _put(expanded, cell)
    first = [cell for cell in expanded.values() if not isinstance(cell, Replay)]
    return first + [cell for cell in expanded.values() if isinstance(cell, Replay)]


def _put(into: dict[str, AnyCell], cell: AnyCell) -> None:
    there = into.get(cell.key)
    if isinstance(cell, Cell) and isinstance(there, Cell) and there.keep_images >= cell.keep_images:
        return
    into[cell.key] = cell


def steps_of(cell: AnyCell) -> int:
    """Return how many gradients a cell takes a person; 0 for a cell without an attack."""
    if not isinstance(cell, (Cell, TaskCell)) or cell.setting is None:
        return 0
    return cell.setting.gradients


def _walk_of(cell: AnyCell) -> object:
    """Return what cells of one walk share; the cell's own key where it walks alone."""
    if not isinstance(cell, (Cell, TaskCell)) or cell.setting is None:
        return cell.key
    if cell.setting.has_own_objective or not isinstance(cell.setting.make(), WalkingAttack):
        return cell.key
    fields = cell.as_dict()
    setting = fields["setting"]
    assert isinstance(setting, dict)
    setting["numbers"] = {name: number for name, number in setting["numbers"].items() if name != "steps"}
    return repr(sorted(fields.items()))


def _attacked(cells: Sequence[Cell], bench: Workbench) -> list[Computed]:
    first = cells[0]
    model = bench.model(first)
    batch = bench.batch(first)
    if len(batch) == 0:
        return [(cell, _empty(batch, cell), None) for cell in cells]
    with at_work(first.title):
        if first.setting is None:
            return [_clean(first, model=model, batch=batch)]
        return _under_attack(cells, bench, model=model, batch=batch)


def _clean(cell: Cell, *, model: OpenedModel, batch: Batch) -> Computed:
    output = attacks.predict(model.net, batch.images, ids=batch.ids)
    result = CellResult(
        table=as_table(batch, output.keypoints, scores=output.scores),
        signals=signals_of(model.net, output),
        unreadable=batch.unreadable,
    )
    return cell, result, _pictures(cell, batch.images, batch.images[:0])


def _under_attack(cells: Sequence[Cell], bench: Workbench, *, model: OpenedModel, batch: Batch) -> list[Computed]:
    first, target = cells[0], None
    assert first.setting is not None
    if first.setting.targeted:
        clean = attacks.predict(model.net, batch.images, ids=batch.ids)
        truths = bench.truths(first, model=model)
        keypoints, visible = attacks.draw_targets(
            as_table(batch, clean.keypoints), truths, metric=METRICS[first.metric], seed=first.seed
        )
        target = attacks.Target(
            keypoints=torch.from_numpy(keypoints).float().to(bench.device),
            visible=torch.from_numpy(visible).to(bench.device),
        )
    if first.setting.is_ensemble:
        return [_ensemble(first, model=model, batch=batch, target=target)]
    if first.setting.is_spatial:
        return [_moved(first, model=model, batch=batch)]
    found = _along(cells, model=model, batch=batch, target=target)
    return [
        (
            cell,
            CellResult(
                table=as_table(batch, attacked.output.keypoints, scores=attacked.output.scores, target=target),
                signals=signals_of(model.net, attacked.output, smallest=attacked.smallest),
                forwards=attacked.forwards,
                backwards=attacked.backwards,
                unreadable=batch.unreadable,
            ),
            _pictures(cell, batch.images, attacked.images),
        )
        for cell, attacked in zip(cells, found, strict=True)
    ]


def _along(
    cells: Sequence[Cell], *, model: OpenedModel, batch: Batch, target: attacks.Target | None
) -> list[attacks.Attacked]:
    """Walk as far as the longest cell asks, and return what each cell's steps had done."""
    longest = max(cells, key=steps_of)
    setting = longest.setting
    assert setting is not None
    found = attacks.run_along(
        setting.make(),
        model.net,
        batch,
        at=[steps_of(cell) for cell in cells] if len(cells) > 1 else None,
        threat=make_threat(setting.threat, setting.eps),
        objective=OBJECTIVES[setting.objective],
        target=target,
        metric=METRICS[longest.metric] if longest.metric else None,
        seed=longest.seed,
        round_to_8bit=setting.round_to_8bit,
        search=setting.search,
    )
    return [found[steps_of(cell) if len(cells) > 1 else 0] for cell in cells]


def _ensemble(cell: Cell, *, model: OpenedModel, batch: Batch, target: attacks.Target | None) -> Computed:
    """Make an ensemble's moves; its worst pictures are scored, and what any picture took is a signal."""
    setting = cell.setting
    assert setting is not None
    worst = attacks.run_ensemble(
        setting.ensemble(),
        model.net,
        batch,
        threat=make_threat(setting.threat, setting.eps),
        target=target,
        metric=METRICS[cell.metric] if cell.metric else None,
        seed=cell.seed,
        round_to_8bit=setting.round_to_8bit,
        search=setting.search,
    )
    output = worst.attacked.output
    result = CellResult(
        table=as_table(batch, output.keypoints, scores=output.scores, target=target),
        signals={**signals_of(model.net, output), BEATEN: worst.beaten.cpu().double().numpy()},
        forwards=worst.attacked.forwards,
        backwards=worst.attacked.backwards,
        unreadable=batch.unreadable,
    )
    return cell, result, _pictures(cell, batch.images, worst.attacked.images)


def _moved(cell: Cell, *, model: OpenedModel, batch: Batch) -> Computed:
    """Move people as a spatial attack says; what the net answers lies beside the truth that moved along."""
    setting = cell.setting
    assert setting is not None
    moved = attacks.run_spatial(
        setting.spatial(),
        model.net,
        batch,
        threat=make_motion(setting.threat, setting.eps),
        metric=METRICS[cell.metric] if cell.metric else None,
        seed=cell.seed,
    )
    output = moved.attacked.output
    result = CellResult(
        table=as_table(moved.batch, output.keypoints, scores=output.scores),
        signals={**signals_of(model.net, output), MOTION: moved.motions.cpu().numpy()},
        forwards=moved.attacked.forwards,
        backwards=moved.attacked.backwards,
        unreadable=batch.unreadable,
    )
    return cell, result, _pictures(cell, batch.images, moved.attacked.images)


def _universal(cell: UniversalCell, bench: Workbench) -> UniversalResult:
    how = attacks.Universal(eps=cell.eps, samples=cell.samples, batch=cell.batch, step_size=cell.step_size)
    model = bench.model(cell)
    with at_work(f"{cell.model}: a universal perturbation"):
        learned = attacks.learn_universal(
            how, model.net, bench.lessons(cell, steps=how.steps), objective=OBJECTIVES[cell.objective]
        )
    losses = torch.tensor(learned.losses, dtype=torch.float64).numpy()
    return UniversalResult(perturbation=learned.perturbation.cpu().numpy(), losses=losses)


def _replay(cell: Replay, bench: Workbench, store: Sources) -> CellResult:
    model, batch = bench.model(cell.people), bench.batch(cell.people)
    _check_same_crops(cell, bench)
    if len(batch) == 0:
        return _empty(batch, cell.people)
    adv = _shown(cell, batch, store, input_size=input_size_of(model.net))
    if cell.change and not _mirrors_universal(cell):
        adv = DEFENCES[cell.change](batch.images, adv)
    output = attacks.predict(model.net, adv, ids=batch.ids)
    return CellResult(
        table=as_table(batch, output.keypoints, scores=output.scores),
        signals=signals_of(model.net, output),
        unreadable=batch.unreadable,
    )


def _check_same_crops(cell: Replay, bench: Workbench) -> None:
    """Refuse pictures made on other crops of the same people: the truth would lie elsewhere in them."""
    if not isinstance(cell.source, Cell):
        return
    made, shown = (padding_of(bench.model(each).net) for each in (cell.source, cell.people))
    if made != shown:
        raise RobustPoseError(
            f"{cell.source.model}'s pictures are crops of the box x {made:g}, {cell.people.model} takes x "
            f"{shown:g}"
        )


def _shown(cell: Replay, batch: Batch, store: Sources, *, input_size: tuple[int, int]) -> Tensor:
    if cell.source is None:
        return batch.images
    if isinstance(cell.source, UniversalCell):
        learned = torch.from_numpy(store.read(cell.source, UniversalResult).perturbation).to(batch.images)
        if tuple(learned.shape[1:]) != input_size:
            raise RobustPoseError(
                f"{cell.source.model}'s universal perturbation is of {tuple(learned.shape[1:])}, "
                f"{cell.people.model} takes crops of {input_size}"
            )
        return attacks.apply_universal(batch.images, learned.flip(-1) if _mirrors_universal(cell) else learned)
    kept = store.pictures(cell.source).adversarial
    if len(kept) != len(batch):
        raise RobustPoseError(f"{cell.source.key}: {len(kept)} pictures are kept, {len(batch)} people are shown")
    if kept.shape[1:3] != input_size:
        raise RobustPoseError(
            f"{cell.source.model}'s pictures are of {kept.shape[1:3]}, "
            f"{cell.people.model} takes crops of {input_size}"
        )
    return torch.from_numpy(kept).permute(0, 3, 1, 2).to(batch.images) / 255


def _mirrors_universal(cell: Replay) -> bool:
    """Say whether a universal perturbation is mirrored: all of it, whatever the pixels can hold of it."""
    return cell.change == "flip" and isinstance(cell.source, UniversalCell)


def _empty(batch: Batch, cell: Cell) -> CellResult:
    """Not one photo of the block could be read."""
    target = None
    if cell.setting is not None and cell.setting.targeted:
        target = attacks.Target(keypoints=batch.keypoints, visible=batch.visible)
    return CellResult(table=as_table(batch, batch.keypoints, target=target), unreadable=batch.unreadable)


def _pictures(cell: Cell, clean: Tensor, adversarial: Tensor) -> Pictures:
    kept = cell.keep_images
    return Pictures(clean=as_uint8(clean[:kept]), adversarial=as_uint8(adversarial[:kept]))


def as_uint8(images: Tensor) -> Pixels:
    """Turn images (N, 3, H, W) in [0, 1] into pixels (N, H, W, 3)."""
    pixels: Pixels = (images.detach().cpu().permute(0, 2, 3, 1) * 255).round().to(torch.uint8).numpy()
    return pixels
