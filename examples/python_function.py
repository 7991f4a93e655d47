"""Score and check a Python function that predicts keypoints; attacks that need gradients refuse it."""

import numpy as np

import robustpose as rp

SPEC = {
    "name": "centre", "format": "callable", "skeleton": "mpii_16", "input_size": [128, 128], "channels": "RGB",
    "head": "coordinates", "unit": "pixels", "columns": ["x", "y"],
}  # fmt: skip


def find(images: np.ndarray) -> np.ndarray:
    """Return keypoints (N, 16, 2), in pixels from the top-left corner, of 8-bit images (N, 128, 128, 3)."""
    darkest = images.sum(axis=3).reshape(len(images), -1).argmin(axis=1)
    points = np.stack([darkest % 128, darkest // 128], axis=1) + 0.5
    return np.repeat(points[:, None], 16, axis=1)


if __name__ == "__main__":
    checked = rp.check_spec(find, "synthpose", spec=SPEC, n=4)
    print(checked.metric, checked.before.score.value, [each.variant.mend for each in checked.mends])
    try:
        rp.attack(find, "synthpose", spec=SPEC, n=4)
    except ValueError as error:
        print(error)
