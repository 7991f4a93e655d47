"""The 15 published corruptions against the package that defines them, given the same random numbers.

    pip install --no-deps imgcorr==1.1.3        # its dependency opencv-python hides opencv-python-headless

It draws from numpy's global state. Drawn stands in for a Generator and draws the same numbers.
"""

import sys
import types
import warnings
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any, cast

import cv2
import numpy as np
import pytest
from numpy.random import Generator, RandomState

from robustpose.corruptions import HENDRYCKS_15, SEVERITIES, corrupt_image, filters, generator_for, weather
from robustpose.corruptions.frost import sheet
from robustpose.data.synthpose.compiled import compiled
from robustpose.geometry import Pixels
from tests.corruptions.sample import sample

FOUND = find_spec("imgcorr")
pytestmark = pytest.mark.skipif(FOUND is None or find_spec("skimage") is None, reason="imgcorr is not installed")

EXACT = tuple(name for name in HENDRYCKS_15 if name not in ("impulse_noise", "glass_blur"))
SIZES = ((96, 64), (125, 167))


class Drawn:
    """numpy's global random numbers, by the names of a Generator's methods."""

    def __init__(self, seed: int) -> None:
        self.state = RandomState(seed)

    def standard_normal(self, size: Any) -> Any:
        return self.state.standard_normal(size)

    def poisson(self, mean: Any) -> Any:
        return self.state.poisson(mean)

    def uniform(self, low: float, high: float, size: Any = None) -> Any:
        return self.state.uniform(low, high, size)

    def integers(self, low: int, high: int | None = None) -> Any:
        return self.state.randint(low, high)


@pytest.fixture(scope="module")
def reference() -> Iterator[Any]:
    """Import the package; it needs pkg_resources only to find its own files."""
    assert FOUND is not None and FOUND.origin is not None
    folder = Path(FOUND.origin).parent
    resources = types.ModuleType("pkg_resources")
    resources.resource_filename = lambda name, path: str(folder / path)  # type: ignore[attr-defined]
    with pytest.MonkeyPatch.context() as patch, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        patch.setitem(sys.modules, "pkg_resources", resources)
        import imgcorr

        yield imgcorr


@pytest.fixture(scope="module")
def frosts(reference: Any) -> list[Pixels]:
    folder = Path(reference.__file__).parent / "frost"
    names = ["frost1.png", "frost2.png", "frost3.png", "frost4.jpg", "frost5.jpg"]
    return [np.asarray(cv2.imread(str(folder / name)), np.uint8)[..., ::-1] for name in names]


def theirs(reference: Any, image: Pixels, name: str, severity: int, *, seed: int = 7) -> Pixels:
    """Corrupt by the package; seeds the global state, which nothing here reads besides."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        np.random.seed(seed)  # noqa: NPY002
        return np.asarray(reference.corrupt(image.copy(), corruption_name=name, severity=severity), np.uint8)


@pytest.mark.slow
@pytest.mark.parametrize("name", EXACT)
def test_the_same_bytes_given_the_same_random_numbers(
    reference: Any, frosts: list[Pixels], name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(weather, "sheet", lambda index: frosts[index])  # whose own sheets are others
    monkeypatch.setattr(filters, "_exp", np.exp)  # which differs from math.exp in a last bit
    for size in SIZES:
        image = sample(*size)
        for severity in SEVERITIES:
            ours = corrupt_image(image, name, severity=severity, generator=cast(Generator, Drawn(7)))
            expected = theirs(reference, image, name, severity)
            assert np.array_equal(ours, expected), (
                f"{name} at {severity}: {np.abs(ours - expected.astype(int)).max()}"
            )


@compiled
def seeded_moves(seed: int, rounds: int, rows: int, columns: int, reach: int) -> Any:
    """Draw the moves of glass blur as the package does: within compiled code, which has a state of its own."""
    np.random.seed(seed)  # noqa: NPY002
    moves = np.empty((rounds, rows, columns, 2), np.int8)
    for i in range(rounds):
        for y in range(rows):
            for x in range(columns):
                drawn = np.random.randint(-reach, reach, size=(2,))  # noqa: NPY002
                moves[i, y, x, 0], moves[i, y, x, 1] = drawn[0], drawn[1]
    return moves


@compiled
def seed_compiled(seed: int) -> None:
    np.random.seed(seed)  # noqa: NPY002


class Moves:
    """Stands in for a Generator and draws the moves of `seeded_moves`."""

    def integers(self, low: int, high: int, *, size: tuple[int, int, int, int], dtype: Any) -> Any:
        assert (low, dtype) == (-high, np.int8)
        return seeded_moves(3, *size[:3], high)


@pytest.mark.slow
@pytest.mark.parametrize("severity", SEVERITIES)
def test_glass_blur_copies_the_published_swap(
    reference: Any, severity: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It overwrites one pixel of two; its compiled loop ignores numpy's seed, so the loop's own is set."""
    monkeypatch.setattr(filters, "_exp", np.exp)
    image = sample(96, 64)
    ours = corrupt_image(image, "glass_blur", severity=severity, generator=cast(Generator, Moves()))
    seed_compiled(3)
    assert np.array_equal(ours, theirs(reference, image, "glass_blur", severity))


@pytest.mark.slow
@pytest.mark.parametrize("severity", SEVERITIES)
def test_impulse_noise_has_the_published_distribution(reference: Any, severity: int) -> None:
    """The package ignores the seed: the shares of 0, 255 and the rest are compared, to five standard errors."""
    image = np.full((400, 400, 3), 100, np.uint8)
    ours = corrupt_image(
        image, "impulse_noise", severity=severity, generator=generator_for("x", "impulse_noise", severity=severity)
    )
    published = theirs(reference, image, "impulse_noise", severity)
    assert set(np.unique(ours)) == set(np.unique(published)) == {0, 100, 255}
    for value in (0, 255):
        shares = [float((each == value).mean()) for each in (ours, published)]
        error = np.sqrt(2 * shares[1] * (1 - shares[1]) / image.size)
        assert abs(shares[0] - shares[1]) < 5 * error
    both = [float(((each == 0).any(2) & (each == 255).any(2)).mean()) for each in (ours, published)]
    error = np.sqrt(2 * both[1] / (400 * 400))
    assert abs(both[0] - both[1]) < 5 * error, "channels are drawn one by one"


def test_the_frost_of_ours_is_as_bright_and_as_strong(frosts: list[Pixels]) -> None:
    for index, photo in enumerate(frosts):
        own = sheet(index)
        assert own.mean(axis=(0, 1)) == pytest.approx(photo.mean(axis=(0, 1)), abs=4)
        assert own.mean(axis=2).std() == pytest.approx(photo.mean(axis=2).std(), rel=0.25)
