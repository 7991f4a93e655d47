"""Statistics of a split: `python -m robustpose.data.synthpose.describe val 0 1000`."""

import argparse
from typing import Any

import numpy as np
from numpy.typing import NDArray

from robustpose.data.synthpose.actions import ACTIONS
from robustpose.data.synthpose.cache import RenderedSet, rendered_set
from robustpose.data.synthpose.splits import SPLITS
from robustpose.skeletons import MPII_16


def description(people: RenderedSet) -> str:
    """Return the statistics of rendered people as lines of text."""
    seen = people.mpii_visibility
    factors = people.factors
    black = (people.images.max(axis=-1) == 0).mean(axis=(1, 2))
    lines = [
        f"people                     {len(people.images)}",
        f"keypoints visible          {(seen == 2).mean():.3f}",
        f"keypoints occluded         {(seen == 1).mean():.3f}",
        f"keypoints beyond the photo {(seen == 0).mean():.3f}",
        f"truncated people           {factors['truncated'].mean():.3f}",
        f"crops with a black border  {(black > 0.02).mean():.3f}",
        f"scenes with other people   {(factors['others'] > 0).mean():.3f}",
        f"procedural backdrops       {(factors['backdrop'] == 'procedural').mean():.3f}",
        f"women / men / between      {_shares(factors['gender'] == 0, factors['gender'] == 1)}",
        f"children / old / between   {_shares(factors['age'] < 0.5, factors['age'] > 0.5)}",
        "skin tone sixths           " + _histogram(factors["skin_tone"], [0, 1, 2, 3, 4, 5, 6]),
        _range("head size, pixels", people.head_size),
        _range("camera elevation, degrees", factors["elevation"]),
        _range("camera roll, degrees", factors["roll"]),
        _range("person's share of pixels", (people.segmentation > 0).mean(axis=(1, 2))),
        _range("mean level of the image", people.images.mean(axis=(1, 2, 3))),
        "within 45 degrees of front " + f"{(np.abs(factors['yaw']) < 45).mean():.3f}",
        "",
        "action        share",
        *(f"{name:13s} {(people.action == number).mean():.3f}" for number, name in enumerate(ACTIONS)),
        "",
        "keypoint        visible occluded beyond",
        *(f"{name:15s} {_shares_of(seen[:, k])}" for k, name in enumerate(MPII_16.keypoints)),
    ]
    return "\n".join(lines)


def _shares_of(seen: NDArray[Any]) -> str:
    visible, occluded, beyond = ((seen == level).mean() for level in (2, 1, 0))
    return f"{visible:7.3f} {occluded:8.3f} {beyond:6.3f}"


def _shares(first: NDArray[np.bool_], second: NDArray[np.bool_]) -> str:
    return f"{first.mean():.3f} / {second.mean():.3f} / {(~first & ~second).mean():.3f}"


def _histogram(values: NDArray[Any], edges: list[float]) -> str:
    counts, _ = np.histogram(values, edges)
    return " ".join(f"{count / len(values):.3f}" for count in counts)


def _range(name: str, values: NDArray[Any]) -> str:
    low, middle, high = np.percentile(values, [5, 50, 95])
    return f"{name:26s} 5 %: {low:.3g}, median: {middle:.3g}, 95 %: {high:.3g}"


def main() -> None:
    """Print the statistics of people start..stop of a split."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("split", choices=SPLITS)
    parser.add_argument("start", type=int)
    parser.add_argument("stop", type=int)
    given = parser.parse_args()
    print(description(rendered_set(given.split, given.start, given.stop)))


if __name__ == "__main__":
    main()
