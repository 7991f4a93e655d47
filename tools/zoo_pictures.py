"""The images of docs/zoo.md: every model's predictions for the same ten people, and the training curves."""

import colorsys
import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import cv2
import matplotlib as mpl
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from robustpose.data.synthpose import ACTIONS, PARTS
from robustpose.metrics import PCKH, Table
from robustpose.models import MODELS
from robustpose.models.weights import WeightFacts, shipped_weights
from robustpose.report.html.pictures import draw_pose, enlargement, jpeg
from robustpose.types import Batch, PoseModel, TaskLabels
from tools.zoo_page import parent_name

Pixels = NDArray[np.uint8]

TILE = 160
LABEL = 130
WORDS = 46
"""Height of a row of text."""
RING = (255, 40, 40)
RIGHT = (0, 120, 50)
WRONG = (200, 20, 20)
INK = (30, 34, 40)


def draw_people(
    poses: Mapping[str, PoseModel], tasks: Mapping[str, nn.Module], people: Batch, labels: TaskLabels, path: Path
) -> None:
    """Draw every model's predictions for the same people, one row for each model, below the ground truth."""
    crops = (people.images * 255).round().to(torch.uint8).permute(0, 2, 3, 1).numpy()
    truth, visible = people.keypoints.double().numpy(), people.visible.numpy()
    none = np.zeros_like(visible)
    rows = [_row("truth", [_pose(*one, people) for one in zip(crops, truth, visible, none, strict=True)])]
    for name, model in poses.items():
        with torch.no_grad():
            found = model(people.images).keypoints.double().numpy()
        wrong = _hits(people, found) == 0
        every = np.ones_like(visible)
        rows.append(_row(name, [_pose(*one, people) for one in zip(crops, found, every, wrong, strict=True)]))
    if "parts" in tasks:
        rows.append(_row("truth", [_parts(*one) for one in zip(crops, labels.parts, strict=True)]))
        answers = _answers(tasks["parts"], people.images)
        rows.append(_row("parts", [_parts(*one) for one in zip(crops, answers, strict=True)]))
    if "action" in tasks:
        answers = _answers(tasks["action"], people.images)
        rows.append(_row("action", [_action(*map(int, one)) for one in zip(answers, labels.actions, strict=True)]))
    path.write_bytes(jpeg(np.ascontiguousarray(np.concatenate(rows))))


def draw_curves(rows: Sequence[WeightFacts], path: Path) -> None:
    """Draw validation scores over samples seen during training: pose models, and models of other tasks."""
    mpl.use("Agg")
    from matplotlib import pyplot as plt

    panels = [[facts for facts in rows if (facts.architecture in MODELS) == is_pose] for is_pose in (True, False)]
    panels = [panel for panel in panels if panel]
    with mpl.rc_context({"svg.hashsalt": "zoo"}):
        figure, axes = plt.subplots(1, len(panels), figsize=(6 * len(panels), 5.5), squeeze=False)
        for axis, panel in zip(axes[0], panels, strict=True):
            for facts, marker in zip(panel, "os^vD<>PX*hd" * 2, strict=False):
                steps, scores = curve(shipped_weights(facts.architecture).with_suffix(".log.jsonl"))
                seen = [step * float(facts.recipe["batch"]) / 1000 for step in steps]
                axis.plot(seen, scores, marker=marker, markersize=3.5, linewidth=1.2, label=label(facts, rows))
            axis.set_xlabel("thousand samples seen, those of a warm start's parent left out")
            metrics = " or ".join(dict.fromkeys(facts.metric for facts in panel))
            axis.set_ylabel(f"{metrics} on the first 200 people of val")
            axis.grid(alpha=0.3)
            axis.legend(fontsize=8, loc="upper left", bbox_to_anchor=(0, -0.14), ncol=2, frameon=False)
        figure.tight_layout()
        figure.savefig(path, metadata={"Date": None})
    plt.close(figure)


def label(facts: WeightFacts, rows: Sequence[WeightFacts]) -> str:
    """Return a curve's label: shg8 (from shg2) for a model initialised from another."""
    begun = parent_name(facts, rows)
    return f"{facts.architecture} (from {begun})" if begun else facts.architecture


def curve(log: Path) -> tuple[list[int], list[float]]:
    """Read steps and scores of a training log."""
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    scores = [next(v for key, v in line.items() if key not in ("step", "loss", "seconds")) for line in lines]
    return [line["step"] for line in lines], scores


def _hits(people: Batch, found: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return for each keypoint whether it is correct (1) or wrong (0), NaN if it is not counted."""
    table = Table(
        ids=people.ids,
        skeleton=people.skeleton,
        predicted=found,
        keypoints=people.keypoints.double().numpy(),
        visible=people.visible.numpy(),
        head_size=people.head_size.double().numpy(),
        box_side=people.box_side.double().numpy(),
    )
    return PCKH.hits(table)


@torch.no_grad()
def _answers(model: nn.Module, images: Tensor) -> NDArray[np.int64]:
    answers: NDArray[np.int64] = model(images).argmax(dim=1).numpy()
    return answers


def _pose(
    crop: Pixels,
    keypoints: NDArray[np.float64],
    shown: NDArray[np.bool_],
    wrong: NDArray[np.bool_],
    people: Batch,
) -> Pixels:
    drawn = draw_pose(crop, keypoints, people.skeleton, shown=shown)
    factor = enlargement(crop.shape[1])
    for x, y in keypoints[wrong]:
        at = round((x + 0.5) * factor - 0.5), round((y + 0.5) * factor - 0.5)
        cv2.circle(drawn, at, 13, (255, 255, 255), 6, cv2.LINE_AA)
        cv2.circle(drawn, at, 13, RING, 4, cv2.LINE_AA)
    return _tile(drawn)


def _parts(crop: Pixels, parts: NDArray[np.int64]) -> Pixels:
    colours = np.array([(255, 255, 255), *(_hue(i) for i in range(1, len(PARTS)))], np.uint8)
    painted = 0.35 * crop + 0.65 * colours[parts]
    painted[parts == 0] = crop[parts == 0] * 0.5
    factor = enlargement(crop.shape[1])
    size = (crop.shape[1] * factor, crop.shape[0] * factor)
    return _tile(np.asarray(cv2.resize(painted.astype(np.uint8), size, interpolation=cv2.INTER_NEAREST), np.uint8))


def _hue(part: int) -> tuple[float, float, float]:
    """Return a colour; neighbouring parts get distant hues."""
    r, g, b = colorsys.hsv_to_rgb(part * 0.381966 % 1, 0.75 if part % 2 else 0.95, 1.0)
    return 255 * r, 255 * g, 255 * b


def _action(found: int, true: int) -> Pixels:
    tile = np.full((WORDS, TILE, 3), 255, np.uint8)
    _write(tile, ACTIONS[found], at=(6, 18), color=RIGHT if found == true else WRONG)
    if found != true:
        _write(tile, f"truth: {ACTIONS[true]}", at=(6, 36), color=INK)
    return tile


def _tile(drawn: Pixels) -> Pixels:
    return np.asarray(cv2.resize(drawn, (TILE, TILE), interpolation=cv2.INTER_AREA), np.uint8)


def _row(name: str, tiles: Sequence[Pixels]) -> Pixels:
    head = np.full((tiles[0].shape[0], LABEL, 3), 255, np.uint8)
    _write(head, name, at=(8, head.shape[0] // 2 + 5), color=INK)
    return np.concatenate([head, *tiles], axis=1)


def _write(tile: Pixels, text: str, *, at: tuple[int, int], color: tuple[int, int, int]) -> None:
    cv2.putText(tile, text, at, cv2.FONT_HERSHEY_SIMPLEX, 0.5, color, 1, cv2.LINE_AA)
