"""An image with edges, flat colours and smooth parts, and a person who stands in it."""

import cv2
import numpy as np

from robustpose.corruptions import Truth
from robustpose.geometry import Pixels
from robustpose.skeletons import MPII_16


def sample(height: int = 160, width: int = 112) -> Pixels:
    """Make an image from integers only, so that every machine makes the same."""
    coarse = np.random.Generator(np.random.PCG64(0)).integers(0, 256, (6, 4, 3), dtype=np.uint8)
    image = np.asarray(cv2.resize(coarse, (width, height), interpolation=cv2.INTER_NEAREST), np.uint8)
    ramp = np.arange(width, dtype=np.int64) * 255 // (width - 1)
    image[: height // 6] = ramp[None, :, None].astype(np.uint8)
    image[height // 6 : height // 3, : width // 2] = (200, 30, 40)
    image[-height // 6 :, : width // 3] = 255
    image[-height // 6 :, -width // 3 :] = 0
    return image


def person(height: int = 160, width: int = 112) -> Truth:
    """Place the keypoints on a lattice; the last two are not labelled."""
    k = len(MPII_16)
    rows, columns = np.divmod(np.arange(k), 4)
    points = np.stack([width * (2 + columns) / 8, height * (2 + rows) / 8], axis=1).astype(np.float64)
    visible = np.ones(k, bool)
    visible[-2:] = False
    return Truth(keypoints=points, visible=visible, skeleton=MPII_16, box_side=0.75 * height)
