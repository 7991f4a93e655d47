"""Draws the contact sheet of docs/corruptions.md: `python -m tools.write_corruptions`.

A rendered person under every corruption at every severity. The same version of the code draws the same bytes.
"""

from pathlib import Path

import cv2
import numpy as np

from robustpose.corruptions import CORRUPTIONS
from robustpose.corruptions.people import pixels_of, truth_of
from robustpose.data import open_dataset
from robustpose.geometry import Pixels
from robustpose.report.html.corrupted import contact_sheet

FILE = Path(__file__).parents[1] / "docs" / "pictures" / "corruptions.jpg"
PERSON, SIDE, TILE, QUALITY = 24, 192, 92, 72


def sheet(person: int = PERSON) -> Pixels:
    """Draw one person of SynthPose's val."""
    batch = open_dataset("synthpose:val").load([person], input_size=(SIDE, SIDE))
    return contact_sheet(
        pixels_of(batch)[0], tuple(CORRUPTIONS), key=batch.ids[0], tile=TILE, blocks=2, truth=truth_of(batch, 0)
    )


def main() -> None:
    """Write the file."""
    done, encoded = cv2.imencode(
        ".jpg", np.ascontiguousarray(sheet()[..., ::-1]), [cv2.IMWRITE_JPEG_QUALITY, QUALITY]
    )
    assert done
    FILE.write_bytes(encoded.tobytes())
    print(FILE, len(encoded))


if __name__ == "__main__":
    main()
