"""Contact sheets of corruptions: one image under several corruptions, at several severities."""

from collections.abc import Sequence

import cv2
import numpy as np

from robustpose.corruptions import SEVERITIES, Truth, corrupt_image, generator_for
from robustpose.geometry import Pixels

_PAPER, _INK = 255, (30, 36, 44)
_LINE = 20


def contact_sheet(
    image: Pixels,
    names: Sequence[str],
    *,
    key: str | Pixels,
    seed: int = 0,
    severities: Sequence[int] = SEVERITIES,
    tile: int = 160,
    blocks: int = 1,
    truth: Truth | None = None,
) -> Pixels:
    """Draw a row for each corruption and a column for each severity; `tile` is the height of an image in pixels.

    key     whose random numbers they are: see corruptions.generator_for
    blocks  number of such tables side by side
    """
    rows = [
        _row(
            name,
            [
                corrupt_image(
                    image,
                    name,
                    severity=severity,
                    generator=generator_for(key, name, severity=severity, seed=seed),
                    truth=truth,
                )
                for severity in severities
            ],
            severities,
            tile=tile,
        )
        for name in names
    ]
    tall = -(-len(rows) // blocks)
    columns = [rows[start : start + tall] for start in range(0, len(rows), tall)]
    gap = np.full((rows[0].shape[0] * tall, 12, 3), _PAPER, np.uint8)
    drawn: list[Pixels] = []
    for column in columns:
        blank = [np.full_like(rows[0], _PAPER)] * (tall - len(column))
        drawn += [np.vstack([*column, *blank]), gap]
    return np.hstack(drawn[:-1])


def _row(name: str, images: Sequence[Pixels], severities: Sequence[int], *, tile: int) -> Pixels:
    """Draw one corruption under its name, each image with its severity."""
    height, width = images[0].shape[:2]
    size = (max(1, round(width * tile / height)), tile)
    tiles = [np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8) for image in images]
    body = np.hstack([np.pad(each, ((0, 4), (0, 4), (0, 0)), constant_values=_PAPER) for each in tiles])
    head = np.full((_LINE, body.shape[1], 3), _PAPER, np.uint8)
    _write(head, name.replace("_", " "), 2)
    for place, severity in enumerate(severities):
        if place or len(name) * 8 < size[0] - 12:
            _write(head, str(severity), (place + 1) * (size[0] + 4) - 16)
    return np.vstack([head, body])


def _write(head: Pixels, text: str, x: int) -> None:
    cv2.putText(head, text, (x, 14), cv2.FONT_HERSHEY_SIMPLEX, 0.42, _INK, 1, cv2.LINE_AA)
