"""A contact sheet: crops of people with their true skeletons, to look at a data set."""

from pathlib import Path

import numpy as np
import torch

from robustpose.findings.drawing import Pixels
from robustpose.report.html.pictures import draw_pose, png
from robustpose.types import Batch

COLUMNS = 8
_GAP = 4


def write_sheet(batch: Batch, path: Path) -> None:
    """Write the people of a batch as one PNG, row by row; only labelled keypoints are drawn."""
    images = (batch.images * 255).round().to(torch.uint8).permute(0, 2, 3, 1).numpy()
    keypoints, visible = batch.keypoints.double().numpy(), batch.visible.numpy()
    tiles = [
        draw_pose(image, points, batch.skeleton, shown=shown)
        for image, points, shown in zip(images, keypoints, visible, strict=True)
    ]
    path.write_bytes(png(_grid(tiles)))


def _grid(tiles: list[Pixels]) -> Pixels:
    height, width = tiles[0].shape[:2]
    rows = -(-len(tiles) // COLUMNS)
    columns = min(COLUMNS, len(tiles))
    sheet = np.full((rows * (height + _GAP), columns * (width + _GAP), 3), 255, np.uint8)
    for i, tile in enumerate(tiles):
        y, x = (i // COLUMNS) * (height + _GAP), (i % COLUMNS) * (width + _GAP)
        sheet[y : y + height, x : x + width] = tile
    return sheet
