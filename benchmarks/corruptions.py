"""Compare the speed of the 15 corruptions with imgcorr's: `python benchmarks/corruptions.py`.

    pip install --no-deps imgcorr==1.1.3 && pip install scikit-image

CPU time on one thread of all 15 at one severity, for one crop of 384 x 288. Each round times both, corruption by
corruption; the table has the smallest time of each and their ratio.
"""

import argparse
import sys
import time
import types
import warnings
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from robustpose.corruptions import HENDRYCKS_15, corrupt_image, generator_for
from robustpose.geometry import Pixels


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--severity", type=int, default=3)
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    cv2.setNumThreads(1)
    theirs, image, severity = reference(), crop(), arguments.severity
    print("| corruption | imgcorr, ms | robustpose, ms | ratio |\n|---|---|---|---|")
    totals = np.zeros(2)
    for name in HENDRYCKS_15:
        ways = (
            lambda name=name: theirs.corrupt(image, corruption_name=name, severity=severity),
            lambda name=name: corrupt_image(
                image, name, severity=severity, generator=generator_for("crop", name, severity=severity)
            ),
        )
        times = np.array([[cpu_ms(way) for way in ways] for _ in range(arguments.rounds + 1)])[1:].min(axis=0)
        totals += times
        print(f"| {name} | {times[0]:.1f} | {times[1]:.1f} | {times[0] / times[1]:.1f} |")
    print(f"| all 15 | {totals[0]:.0f} | {totals[1]:.0f} | {totals[0] / totals[1]:.1f} |")


def cpu_ms(way: Callable[[], object]) -> float:
    """Return the CPU time of one call."""
    start = time.process_time()
    way()
    return 1000 * (time.process_time() - start)


def crop() -> Pixels:
    """Make smooth colours, (384, 288, 3)."""
    coarse = np.random.default_rng(0).integers(0, 256, (24, 18, 3), dtype=np.uint8)
    return np.asarray(cv2.resize(coarse, (288, 384), interpolation=cv2.INTER_CUBIC), np.uint8)


def reference() -> Any:
    """Import imgcorr, which needs pkg_resources only to find its own files."""
    found = find_spec("imgcorr")
    if found is None or found.origin is None:
        sys.exit("imgcorr is not installed: pip install --no-deps imgcorr==1.1.3")
    folder = Path(found.origin).parent
    resources = types.ModuleType("pkg_resources")
    resources.resource_filename = lambda name, path: str(folder / path)  # type: ignore[attr-defined]
    sys.modules["pkg_resources"] = resources
    warnings.simplefilter("ignore")
    import imgcorr

    return imgcorr


if __name__ == "__main__":
    main()
