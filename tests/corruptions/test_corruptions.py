"""Every corruption of the registry: contracts, closed forms, and what each version computes."""

import json
import subprocess
import sys
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest

from robustpose.corruptions import (
    CORRUPTIONS,
    HENDRYCKS_15,
    SEVERITIES,
    Truth,
    chosen_corruptions,
    corrupt_image,
    generator_for,
)
from robustpose.corruptions.blur import disk
from robustpose.corruptions.filters import gaussian, smear, warp
from robustpose.corruptions.light import LINEAR, to_linear, to_srgb
from robustpose.corruptions.occlusion import hidden_joints, occluded
from robustpose.errors import RobustPoseError
from robustpose.geometry import Pixels
from tests.corruptions.sample import person, sample

FILE = Path(__file__).with_name("golden.json")
NAMES = tuple(CORRUPTIONS)


def corrupted(name: str, severity: int, *, image: Pixels | None = None, seed: int = 0) -> Pixels:
    held = sample() if image is None else image
    generator = generator_for("sample", name, severity=severity, seed=seed)
    return corrupt_image(held, name, severity=severity, generator=generator, truth=person())


def hashes(name: str) -> list[str]:
    return [sha256(corrupted(name, severity).tobytes()).hexdigest()[:16] for severity in SEVERITIES]


@pytest.mark.parametrize("name", NAMES)
def test_what_each_version_computes(name: str) -> None:
    """Where this fails, raise the corruption's version and run `python -m tests.corruptions.test_corruptions`."""
    golden = json.loads(FILE.read_text())
    assert name in golden, "record it: python -m tests.corruptions.test_corruptions"
    assert golden[name] == {"version": CORRUPTIONS[name].version, "hashes": hashes(name)}


@pytest.mark.parametrize("name", NAMES)
def test_contract(name: str) -> None:
    image = sample()
    before = image.copy()
    for severity in SEVERITIES:
        out = corrupted(name, severity, image=image)
        assert out.shape == image.shape and out.dtype == np.uint8
        assert np.array_equal(image, before), "the argument is not written to"
        assert not np.shares_memory(out, image)
        assert not np.array_equal(out, image), f"{name} does nothing at {severity}"
    readonly = image.copy()
    readonly.flags.writeable = False
    assert np.array_equal(corrupted(name, 3, image=readonly), corrupted(name, 3))
    apart = np.zeros((160, 224, 3), np.uint8)
    apart[:, ::2] = image
    assert np.array_equal(corrupted(name, 3, image=apart[:, ::2]), corrupted(name, 3)), "any memory layout"
    empty = np.zeros((0, 112, 3), np.uint8)
    assert corrupted(name, 3, image=empty).shape == empty.shape


@pytest.mark.parametrize("name", NAMES)
def test_more_severity_changes_more(name: str) -> None:
    """The mean change over five seeds rises from severity 1 to 5."""
    image = sample().astype(int)
    ends = [np.mean([np.abs(corrupted(name, s, seed=seed) - image).mean() for seed in range(5)]) for s in (1, 5)]
    assert ends[0] < ends[1]


@pytest.mark.parametrize("size", [(32, 32), (33, 57), (200, 40)])
@pytest.mark.parametrize("name", NAMES)
def test_small_and_long_images(name: str, size: tuple[int, int]) -> None:
    image = sample(*size)
    truth = person(*size)
    for severity in (1, 5):
        generator = generator_for("x", name, severity=severity)
        out = corrupt_image(image, name, severity=severity, generator=generator, truth=truth)
        assert out.shape == image.shape


@pytest.mark.parametrize("name", NAMES)
def test_flat_images_stay_finite(name: str) -> None:
    """Black and white images have no range and no spread to divide by."""
    for level in (0, 255):
        image = np.full((48, 40, 3), level, np.uint8)
        with np.errstate(all="raise", under="ignore"):
            corrupted(name, 5, image=image)


def test_the_random_numbers_are_keyed() -> None:
    def drawn(*given: object, **more: int) -> int:
        return int(generator_for(*given, **more).integers(2**62))  # type: ignore[arg-type]

    image = sample()
    alike = drawn("a", "fog", severity=1)
    assert alike == drawn("a", "fog", severity=1, seed=0)
    others = [
        drawn("b", "fog", severity=1),
        drawn("a", "snow", severity=1),
        drawn("a", "fog", severity=2),
        drawn("a", "fog", severity=1, seed=1),
        drawn(image, "fog", severity=1),
        drawn(image[:, ::-1], "fog", severity=1),
        drawn(image.reshape(112, 160, 3), "fog", severity=1),
    ]
    assert len({alike, *others}) == 8
    assert drawn(image, "fog", severity=1) == drawn(image.copy(), "fog", severity=1)


@pytest.mark.slow
def test_the_same_bytes_in_another_process_and_order() -> None:
    """Global random states, hash seeds and what was computed before change nothing."""
    code = (
        "import json, numpy as np; np.random.seed(5)\n"
        "from tests.corruptions.test_corruptions import NAMES, hashes\n"
        "print(json.dumps({name: hashes(name) for name in reversed(NAMES)}))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == {name: hashes(name) for name in NAMES}


def test_published_levels() -> None:
    """Typed from the paper's code, apart from the tables."""
    assert (
        *("gaussian_noise", "shot_noise", "impulse_noise"),
        *("defocus_blur", "glass_blur", "motion_blur", "zoom_blur"),
        *("snow", "frost", "fog", "brightness"),
        *("contrast", "elastic_transform", "pixelate", "jpeg_compression"),
    ) == HENDRYCKS_15
    assert CORRUPTIONS["gaussian_noise"].level(5) == 0.38
    assert CORRUPTIONS["jpeg_compression"].level(5) == 7
    assert [len(level) for level in CORRUPTIONS["zoom_blur"].levels] == [12, 16, 11, 13, 11]


def test_by_hand() -> None:
    """Answers that need no code: a grey image, and four values."""
    grey = np.full((40, 40, 3), 100, np.uint8)
    assert (corrupted("brightness", 1, image=grey) == 125).all()  # 100 / 255 + 0.1 is 125.5 of 255, cut
    assert (corrupted("colour_quantisation", 1, image=grey) == 96).all()
    assert (corrupted("contrast", 5, image=grey) == 100).all()
    assert (corrupted("darkness", 1, image=grey) == 71).all()  # 100 is 0.1274 of the light; half of it is 71.4
    coloured = np.full((40, 40, 3), (200, 100, 0), np.uint8)
    assert (corrupted("brightness", 5, image=coloured) == (255, 127, 0)).all()  # V is 1, hue and saturation stay
    half = grey.copy()
    half[:20], half[20:] = 50, 150
    low = corrupted("contrast", 3, image=half)
    assert (low[:20] == 89).all() and (low[20:] == 110).all()  # a fifth of 50 off the mean of 100: 89.99.. is cut


def test_filters_in_closed_form() -> None:
    """A Gaussian of a line is the line, of a point is a bell of mass 1; shifts shift; a disk has mass 1."""
    y, x = np.mgrid[:41, :31].astype(float)
    line = 2 * x - 3 * y
    assert gaussian(line, (2.0, 1.0))[10:-10, 10:-10] == pytest.approx(line[10:-10, 10:-10])
    point = np.zeros((41, 31))
    point[20, 15] = 1
    bell = gaussian(point, (2.0, 2.0))
    assert bell.sum() == pytest.approx(1) and bell[20, 17] / bell[20, 15] == pytest.approx(np.exp(-0.5))
    mirrored = gaussian(np.arange(8.0)[:, None] * np.ones((1, 8)), (1.0, 1.0), reflect=True)
    assert mirrored.sum() == pytest.approx(28 * 8), "what leaves at an edge comes back"
    image = sample().astype(np.float32)
    moved = warp(image, np.full(image.shape[:2], 3, np.float32), np.full(image.shape[:2], -2, np.float32))
    assert np.array_equal(moved[:150, 2:], image[3:153, :-2])
    smeared = smear(image, np.array([[0, 0], [4, -5]]), np.array([0.5, 0.5]))
    assert smeared[4:, :-5] == pytest.approx((image[4:, :-5] + image[:-4, 5:]) / 2)
    for radius in (3, 8, 10):
        assert disk(radius, 0.5).sum() == pytest.approx(1, abs=0.02)
    assert to_srgb(to_linear(np.linspace(0, 1, 99))) == pytest.approx(np.linspace(0, 1, 99), abs=1e-3)
    assert LINEAR[0] == 0 and LINEAR[255] == pytest.approx(1)


def test_noise_has_its_moments() -> None:
    grey = np.full((200, 200, 3), 128, np.uint8)
    noisy = corrupted("gaussian_noise", 1, image=grey).astype(float) / 255
    assert noisy.std() == pytest.approx(0.08, rel=0.02)
    counted = corrupted("shot_noise", 1, image=grey).astype(float) / 255
    assert counted.var() == pytest.approx(128 / 255 / 60, rel=0.05)
    dark = [corrupted("low_light", s, image=grey).astype(float) for s in SEVERITIES]
    means, spreads = [each.mean() for each in dark], [each.std() / each.mean() for each in dark]
    assert means == sorted(means, reverse=True) and spreads == sorted(spreads)


def test_occluders_hide_the_joints_they_are_told_to() -> None:
    image, truth = sample(), person()
    assert len(hidden_joints(truth, 0.5, generator_for("x", "o", severity=1))) == 7  # of 14 labelled
    unlabelled = truth.skeleton.keypoints[-1]
    same = occluded(
        image, truth, joints=(unlabelled,), diameter=0.1, generator=generator_for("x", "o", severity=1)
    )
    assert np.array_equal(same, image)
    seen = truth.skeleton.keypoints[5]
    out = occluded(image, truth, joints=(seen,), diameter=0.1, generator=generator_for("x", "o", severity=1))
    changed = np.argwhere((out != image).any(axis=2))
    x, y = truth.keypoints[5]
    assert changed.mean(axis=0) == pytest.approx((y, x), abs=1.5)
    assert np.ptp(changed, axis=0).max() <= 0.1 * truth.box_side * 1.25 + 2
    with pytest.raises(RobustPoseError, match="unknown joint 'left_wirst'; did you mean 'left_wrist'"):
        occluded(image, truth, joints=("left_wirst",), diameter=0.1, generator=generator_for("x", "o", severity=1))


def test_truncation_cuts_a_share_of_the_person() -> None:
    truth = person()
    white = np.full((160, 112, 3), 255, np.uint8)
    points = truth.keypoints[truth.visible]
    for seed in range(8):
        out = corrupted("truncation", 3, image=white, seed=seed)
        x, y = np.round(points).astype(int).T
        lost = float((out[y, x] == 0).all(axis=1).mean())
        assert 0.1 <= lost <= 0.55
        kept = np.argwhere((out > 0).all(axis=2))
        assert len(kept) == np.prod(np.ptp(kept, axis=0) + 1), "what remains is a rectangle"


def test_low_resolution_leaves_small_people_alone() -> None:
    image = sample()
    small = Truth(person().keypoints, person().visible, person().skeleton, box_side=20.0)
    out = corrupt_image(
        image, "low_resolution", severity=1, generator=generator_for("x", "l", severity=1), truth=small
    )
    assert np.array_equal(out, image)


def test_a_person_without_labels_is_left_alone() -> None:
    truth = Truth(person().keypoints, np.zeros(16, bool), person().skeleton, box_side=50.0)
    for name in ("limb_blur", "occluder", "truncation"):
        out = corrupt_image(
            sample(), name, severity=5, generator=generator_for("x", name, severity=5), truth=truth
        )
        assert np.array_equal(out, sample())


@pytest.mark.parametrize(
    ("image", "message"),
    [
        (np.zeros((40, 40), np.uint8), r"must be \(H, W, 3\), got \(40, 40\)"),
        (np.zeros((40, 40, 4), np.uint8), r"must be \(H, W, 3\), got \(40, 40, 4\)"),
        (np.zeros((40, 40, 3), np.uint16), "must be of 8 bits, uint8, got uint16"),
        (np.zeros((40, 40, 3)), "must be of 8 bits, uint8, got float64"),
        (np.zeros((1, 1, 3), np.uint8), "at least 32 x 32 pixels, got 1 x 1"),
        ([[1]], "an array of uint8, got list"),
    ],
)
def test_wrong_images(image: Pixels, message: str) -> None:
    with pytest.raises(RobustPoseError, match=message):
        corrupt_image(image, "fog", severity=1, generator=generator_for("x", "fog", severity=1))


def test_wrong_names_severities_and_missing_truth() -> None:
    generator = generator_for("x", "fog", severity=1)
    with pytest.raises(RobustPoseError, match="unknown corruption 'motion_blurr'; did you mean 'motion_blur'"):
        corrupt_image(sample(), "motion_blurr", severity=1, generator=generator)
    for severity in (0, 6, 2.5, True, "3"):
        with pytest.raises(RobustPoseError, match="severity must be an integer from 1 to 5, got"):
            corrupt_image(sample(), "fog", severity=severity, generator=generator)  # type: ignore[arg-type]
    with pytest.raises(RobustPoseError, match="occluder needs the keypoints of the person"):
        corrupt_image(sample(), "occluder", severity=1, generator=generator)
    with pytest.raises(RobustPoseError, match=r"must be \(16, 2\) keypoints"):
        Truth(np.zeros((3, 2)), np.zeros(3, bool), person().skeleton, box_side=1.0)


def test_chosen_corruptions() -> None:
    assert chosen_corruptions("15") == HENDRYCKS_15
    assert chosen_corruptions("darkness, fog,fog") == ("darkness", "fog")
    assert chosen_corruptions("all") == NAMES
    with pytest.raises(RobustPoseError, match="unknown corruption 'fogg'; did you mean 'fog'"):
        chosen_corruptions("fogg")


def main() -> None:
    """Record what is computed now."""
    found = {name: {"version": CORRUPTIONS[name].version, "hashes": hashes(name)} for name in NAMES}
    FILE.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
