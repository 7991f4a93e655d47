"""Computes a cell: loads its people, attacks, and lays the predictions beside the truth."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from robustpose import attacks
from robustpose.metrics import METRICS, Table, join
from robustpose.models import OpenedModel
from robustpose.objectives import OBJECTIVES
from robustpose.skeletons import Skeleton
from robustpose.study.cell import Cell, Setting
from robustpose.study.store import CellResult
from robustpose.threats import THREATS
from robustpose.types import Batch, PoseDataset

TRUTHS_AT_ONCE = 100
"""People whose crops are in memory while their truths are collected."""


@dataclass(frozen=True)
class Workbench:
    """The opened models and data sets that cells name by their fingerprints, and truths loaded once."""

    models: Mapping[str, OpenedModel]
    datasets: Mapping[str, PoseDataset]
    _truths: dict[tuple[str, int, tuple[int, int], Skeleton], Table] = field(default_factory=dict)

    def truths(self, cell: Cell, *, input_size: tuple[int, int], skeleton: Skeleton) -> Table:
        """Load the true poses of the first `cell.pool` people, as cropped for a model; kept for the next cell."""
        key = (cell.data_fingerprint, cell.pool, input_size, skeleton)
        if key not in self._truths:
            dataset = self.datasets[cell.data_fingerprint]
            tables = []
            for start in range(0, cell.pool, TRUTHS_AT_ONCE):
                rows = range(start, min(start + TRUTHS_AT_ONCE, cell.pool))
                batch = dataset.load(rows, input_size=input_size).in_skeleton(skeleton)
                tables.append(as_table(batch, batch.keypoints))
            self._truths[key] = join(tables)
        return self._truths[key]


def compute(cell: Cell, bench: Workbench) -> CellResult:
    """Compute one cell; RobustPoseError for a model that answers with NaN or wrong shapes."""
    model = bench.models[cell.model_fingerprint].net
    dataset = bench.datasets[cell.data_fingerprint]
    input_size = (int(model.input_size[0]), int(model.input_size[1]))
    loaded = dataset.load(range(cell.start, cell.stop), input_size=input_size)
    batch = loaded.in_skeleton(model.skeleton)
    if len(batch) == 0:
        return _empty(batch, cell)
    kept = _as_uint8(batch.images[: cell.keep_images])
    if cell.setting is None:
        table = as_table(batch, attacks.predict(model, batch.images, ids=batch.ids).keypoints)
        return CellResult(table=table, clean_images=kept, adversarial_images=kept[:0], unreadable=batch.unreadable)
    target = None
    if cell.setting.targeted:
        clean = attacks.predict(model, batch.images, ids=batch.ids)
        truths = bench.truths(cell, input_size=input_size, skeleton=model.skeleton)
        target = _draw_target(as_table(batch, clean.keypoints), truths, cell)
    attacked = _attack(
        cell.setting, model=bench.models[cell.model_fingerprint], batch=batch, target=target, seed=cell.seed
    )
    return CellResult(
        table=as_table(batch, attacked.output.keypoints, target=target),
        clean_images=kept,
        adversarial_images=_as_uint8(attacked.images[: cell.keep_images]),
        forwards=attacked.forwards,
        backwards=attacked.backwards,
        unreadable=batch.unreadable,
    )


def as_table(batch: Batch, predicted: Tensor, *, target: attacks.Target | None = None) -> Table:
    """Lay predictions (N, K, 2) beside a batch's truth."""
    return Table(
        ids=batch.ids,
        skeleton=batch.skeleton,
        predicted=_as_float64(predicted),
        keypoints=_as_float64(batch.keypoints),
        visible=batch.visible.cpu().numpy(),
        head_size=_as_float64(batch.head_size),
        box_side=_as_float64(batch.box_side),
        target=None if target is None else _as_float64(target.keypoints),
        target_visible=None if target is None else target.visible.cpu().numpy(),
    )


def _attack(
    setting: Setting, *, model: OpenedModel, batch: Batch, target: attacks.Target | None, seed: int
) -> attacks.Attacked:
    return attacks.run(
        setting.make(),
        model.net,
        batch,
        threat=THREATS[setting.threat](setting.eps),
        objective=OBJECTIVES[setting.objective],
        target=target,
        seed=seed,
        round_to_8bit=setting.round_to_8bit,
    )


def _draw_target(clean: Table, truths: Table, cell: Cell) -> attacks.Target:
    keypoints, visible = attacks.draw_targets(clean, truths, metric=METRICS[cell.metric], seed=cell.seed)
    return attacks.Target(keypoints=torch.from_numpy(keypoints).float(), visible=torch.from_numpy(visible))


def _empty(batch: Batch, cell: Cell) -> CellResult:
    """Not one photo of the block could be read."""
    pictures = _as_uint8(batch.images)
    targets = None
    if cell.setting is not None and cell.setting.targeted:
        targets = attacks.Target(keypoints=batch.keypoints, visible=batch.visible)
    table = as_table(batch, batch.keypoints, target=targets)
    return CellResult(table=table, clean_images=pictures, adversarial_images=pictures, unreadable=batch.unreadable)


def _as_float64(values: Tensor) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    return values.detach().cpu().double().numpy()


def _as_uint8(images: Tensor) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    return (images.detach().cpu().permute(0, 2, 3, 1) * 255).round().to(torch.uint8).numpy()
