"""A function that finds keypoints, as a black box: scored and checked; attacks that need gradients refuse it."""

import numpy as np

import robustpose as rp

SPEC = {
    "name": "centre", "format": "callable", "skeleton": "mpii_16", "input_size": [128, 128], "channels": "RGB",
    "head": "coordinates", "unit": "pixels", "columns": ["x", "y"],
}  # fmt: skip


def find(pictures: np.ndarray) -> np.ndarray:
    """Pictures (N, 128, 128, 3) of 8 bits to keypoints (N, 16, 2), in pixels from the upper left corner."""
    darkest = pictures.sum(axis=3).reshape(len(pictures), -1).argmin(axis=1)
    points = np.stack([darkest % 128, darkest // 128], axis=1) + 0.5
    return np.repeat(points[:, None], 16, axis=1)


if __name__ == "__main__":
    checked = rp.check_spec(find, "synthpose", spec=SPEC, n=4)
    print(checked.metric, checked.before.score.value, [each.variant.mend for each in checked.mends])
    try:
        rp.attack(find, "synthpose", spec=SPEC, n=4)
    except ValueError as error:
        print(error)
