"""How a spec turns a model's outputs into keypoints, on tiny models with outputs known by hand."""

from pathlib import Path

import numpy as np
import pytest
import torch

from robustpose.errors import RobustPoseError
from robustpose.models.heads import CentreHead, CoordinateHead, HeatmapHead, OffsetHead, SimCCHead
from robustpose.models.importers.imported import ImportedPose
from robustpose.models.importers.tflite import load_tflite
from robustpose.types import PoseModel
from tests.models.importers.tflite_files import Array, Op, tflite_bytes

SIZE = (8, 6)
PICTURE = (1, *SIZE, 3)
HEATMAPS = """
name = "colours"
format = "tflite"
skeleton = ["left_hand", "right_hand", "nose"]
input_size = [8, 6]
channels = "RGB"
stages = ["out"]
head = "heatmap"
heatmap_size = [8, 6]
sigma = 1.0
"""
POINTS = """
name = "points"
format = "tflite"
skeleton = ["left_hand", "right_hand"]
input_size = [8, 6]
channels = "RGB"
stages = ["out"]
head = "coordinates"
unit = "pixels"
columns = ["x", "y"]
"""
COLOURS = Op("MUL", ("picture", np.ones((1, 1, 1, 3), np.float32)), table="MulOptions")


def points(numbers: Array) -> bytes:
    """Return a model that gives the same numbers (1, ...) for every image."""
    flat = numbers.reshape(1, -1).astype(np.float32)
    weights = np.zeros((flat.shape[1], 144), np.float32)
    return tflite_bytes(
        Op("FULLY_CONNECTED", ("picture", weights, flat[0]), ("flat",), "FullyConnectedOptions"),
        Op("RESHAPE", ("flat", np.array(numbers.shape, np.int32)), table="ReshapeOptions"),
        picture=PICTURE,
    )


def opened(folder: Path, content: bytes, spec: str) -> ImportedPose:
    model, spec_path = folder / "net.tflite", folder / "spec.toml"
    model.write_bytes(content)
    spec_path.write_text(spec)
    return load_tflite(model, spec_path)


def refusal(folder: Path, content: bytes, spec: str) -> str:
    with pytest.raises(RobustPoseError) as caught:
        opened(folder, content, spec)
    assert str(caught.value).startswith(str(folder / "net.tflite"))
    assert "\n" not in str(caught.value)
    return str(caught.value)


def colours() -> bytes:
    return tflite_bytes(COLOURS, picture=PICTURE)


def lights() -> torch.Tensor:
    """Return an image whose brightest red, green and blue are at (x, y) = (1, 2), (3, 4), (5, 6)."""
    images = torch.full((1, 3, *SIZE), 0.25)
    for channel, (x, y) in enumerate([(1, 2), (3, 4), (5, 6)]):
        images[0, channel, y, x] = 0.75
    return images


def test_heatmaps_in_rgb(tmp_path: Path) -> None:
    model = opened(tmp_path, colours(), HEATMAPS)
    assert isinstance(model, PoseModel)
    assert isinstance(model.head, HeatmapHead)
    output = model(lights())
    assert torch.equal(output.stages[0], lights())
    assert output.keypoints[0].tolist() == [[1, 2], [3, 4], [5, 6]]
    assert output.scores[0].tolist() == [0.75] * 3


def test_bgr(tmp_path: Path) -> None:
    model = opened(tmp_path, colours(), HEATMAPS.replace("RGB", "BGR"))
    assert model(lights()).keypoints[0].tolist() == [[5, 6], [3, 4], [1, 2]]


def test_scaling(tmp_path: Path) -> None:
    model = opened(tmp_path, colours(), HEATMAPS + "mean = [0.25, 0.5, 0.75]\nstd = [0.5, 0.25, 1]\nscale = 4\n")
    corner = model(lights()).stages[0][0, :, 0, 0]
    assert corner.tolist() == pytest.approx([0.0, -4.0, -2.0])


def test_select(tmp_path: Path) -> None:
    spec = HEATMAPS.replace('"right_hand", "nose"]', '"right_hand"]\nselect = [2, 0]')
    assert opened(tmp_path, colours(), spec)(lights()).keypoints[0].tolist() == [[5, 6], [1, 2]]


def test_channels_first(tmp_path: Path) -> None:
    content = tflite_bytes(Op("RELU", ("picture",)), picture=(1, 3, *SIZE))
    model = opened(tmp_path, content, HEATMAPS + 'layout = "NCHW"\n')
    assert model(lights()).keypoints[0].tolist() == [[1, 2], [3, 4], [5, 6]]


def test_several_stages(tmp_path: Path) -> None:
    content = tflite_bytes(
        Op("NEG", ("picture",), ("first",), "NegOptions"),
        Op("NEG", ("first",), table="NegOptions"),
        picture=PICTURE,
    )
    model = opened(tmp_path, content, HEATMAPS.replace('["out"]', '["first", "out"]'))
    first, last = model(lights()).stages
    assert torch.equal(first, -lights())
    assert torch.equal(last, lights())


def test_gradient_reaches_the_image(tmp_path: Path) -> None:
    model = opened(tmp_path, colours(), HEATMAPS.replace("RGB", "BGR") + "scale = 255\n")
    images = lights().requires_grad_()
    model(images).stages[0][0, 0].sum().backward()
    assert images.grad is not None
    assert {*images.grad[0, 2].flatten().tolist()} == {255.0}
    assert not images.grad[0, :2].any()


def test_pixels(tmp_path: Path) -> None:
    # 3 and 4 of 6 x 8 pixels from the edges are the middle of the image, which is the point (2.5, 3.5)
    model = opened(tmp_path, points(np.array([[3.0, 4.0, 0.5, 0.5]])), POINTS)
    assert isinstance(model.head, CoordinateHead)
    output = model(torch.rand(2, 3, *SIZE))
    assert output.stages[0].shape == (2, 2, 2)
    assert output.stages[0][0, 0].tolist() == [0.0, 0.0]
    assert output.keypoints[1].tolist() == [[2.5, 3.5], pytest.approx([0.0, 0.0], abs=1e-5)]
    assert output.scores.tolist() == [[1.0, 1.0]] * 2


def test_columns_units_and_selection(tmp_path: Path) -> None:
    rows = np.array([[[[0.0, 0.0, 0.1], [0.25, 0.5, 0.9], [1.0, 0.0, 0.3]]]])
    spec = POINTS.replace('"pixels"', '"0..1"').replace('["x", "y"]', '["y", "x", "score"]') + "select = [2, 1]\n"
    output = opened(tmp_path, points(rows), spec)(torch.rand(1, 3, *SIZE))
    assert output.stages[0].tolist() == [[[-0.5, 0.5], [0.0, -0.25]]]
    assert output.keypoints.tolist() == [[[-0.5, 7.5], [2.5, 1.5]]]
    assert output.scores.tolist() == [[pytest.approx(0.3), pytest.approx(0.9)]]


def test_centred_unit(tmp_path: Path) -> None:
    model = opened(tmp_path, points(np.array([[-0.5, 0.25, 0.5, 0.0]])), POINTS.replace("pixels", "-0.5..0.5"))
    assert model(torch.rand(1, 3, *SIZE)).stages[0].tolist() == [[[-0.5, 0.25], [0.5, 0.0]]]


def test_other_size_of_images(tmp_path: Path) -> None:
    model = opened(tmp_path, colours(), HEATMAPS)
    with pytest.raises(
        RobustPoseError, match=r"colours: images must have shape \(N, 3, 8, 6\), got \(1, 3, 6, 8\)"
    ):
        model(torch.rand(1, 3, 6, 8))


def test_no_spec_says_how_to_write_one(tmp_path: Path) -> None:
    path = tmp_path / "net.tflite"
    path.write_bytes(colours())
    with pytest.raises(RobustPoseError) as caught:
        load_tflite(path)
    message = str(caught.value)
    assert "'picture' of shape [1, 8, 6, 3]" in message
    assert "'out' of shape [1, 8, 6, 3]" in message
    assert "--spec" in message
    assert "input_size" in message
    assert "\n" not in message


def test_spec_of_another_file(tmp_path: Path) -> None:
    spec = HEATMAPS + f'sha256 = "{"0" * 64}"\n'
    assert "spec 'colours' is for 000000000000..." in refusal(tmp_path, colours(), spec)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (('["out"]', '["oute"]'), "did you mean 'out'"),
        (
            ("input_size = [8, 6]", "input_size = [6, 8]"),
            "has input_size = [6, 8] in NHWC, which is [1, 6, 8, 3]",
        ),
        (("heatmap_size = [8, 6]", "heatmap_size = [4, 3]"), "spec 'colours' has NHWC heatmaps of 4 x 3"),
        (
            ('"right_hand", "nose"]', '"right_hand"]'),
            "has 3 heatmaps for the 2 keypoints of colours; choose those",
        ),
        (("sigma", "select = [0, 1, 3]\nsigma"), "select of spec 'colours' has index 3"),
    ],
)
def test_spec_that_does_not_fit(tmp_path: Path, change: tuple[str, str], message: str) -> None:
    assert message in refusal(tmp_path, colours(), HEATMAPS.replace(*change))


def test_rows_that_do_not_fit(tmp_path: Path) -> None:
    spec = POINTS.replace('["x", "y"]', '["x", "y", "score"]')
    assert "has 4 numbers, which is not a multiple of the 3 columns" in refusal(
        tmp_path, points(np.ones((1, 4))), spec
    )
    assert "has 3 rows for the 2 keypoints" in refusal(tmp_path, points(np.ones((1, 6))), POINTS)


@pytest.mark.parametrize(
    "op",
    [
        Op("SOFTMAX", ("rows",), ("mixed",), "SoftmaxOptions", {"Beta": 1.0}),
        Op("SLICE", ("rows", np.zeros(1, np.int32), np.full(1, 143, np.int32)), ("mixed",), "SliceOptions"),
    ],
)
def test_people_must_not_mix(tmp_path: Path, op: Op) -> None:
    # the batch is folded into the only axis there is, and the model computes along it
    content = tflite_bytes(
        Op("RESHAPE", ("picture", np.array([144], np.int32)), ("rows",), "ReshapeOptions"),
        op,
        picture=PICTURE,
        outputs=("mixed",),
    )
    message = refusal(tmp_path, content, HEATMAPS.replace('["out"]', '["mixed"]'))
    assert "depends on the others" in message or "heatmaps" in message


def test_fingerprint(tmp_path: Path) -> None:
    first = opened(tmp_path, colours(), HEATMAPS).fingerprint
    assert opened(tmp_path, colours(), HEATMAPS).fingerprint == first
    assert opened(tmp_path, colours(), HEATMAPS.replace("sigma = 1.0", "sigma = 1.5")).fingerprint != first
    other = tflite_bytes(Op("RELU", ("picture",)), picture=PICTURE)
    assert opened(tmp_path, other, HEATMAPS).fingerprint != first


def parts(*channels: int) -> bytes:
    """Return a model of as many tensors, each of so many maps: the image's red, times 1, 2, ..."""
    red = Op(
        "SLICE", ("picture", np.zeros(4, np.int32), np.array([1, *SIZE, 1], np.int32)), ("red",), "SliceOptions"
    )
    numbers, ops = iter(range(1, 100)), [red]
    for name, count in zip("abcd", channels, strict=False):
        factors = np.array([[[[next(numbers) for _ in range(count)]]]], np.float32)
        ops.append(Op("MUL", ("red", factors), (name,), "MulOptions"))
    return tflite_bytes(*ops, picture=PICTURE, outputs=["a", "b", "c", "d"][: len(channels)])


OFFSETS = """
name = "parts"
format = "tflite"
skeleton = ["left_hand", "right_hand"]
input_size = [8, 6]
channels = "RGB"
stages = ["a", "b"]
head = "offsets"
heatmap_size = [8, 6]
"""
CENTRE = OFFSETS.replace('["a", "b"]', '["a", "b", "c", "d"]').replace('"offsets"', '"centre"') + "sigma = 1.0\n"


@pytest.mark.parametrize(
    ("spec", "channels", "head"), [(OFFSETS, (2, 4), OffsetHead), (CENTRE, (2, 4, 4, 1), CentreHead)]
)
def test_parts_are_one_stage_in_the_specs_order(
    tmp_path: Path, spec: str, channels: tuple[int, ...], head: type
) -> None:
    model = opened(tmp_path, parts(*channels), spec)
    assert isinstance(model.head, head)
    assert isinstance(model, PoseModel)
    images = torch.rand(3, 3, *SIZE)
    output = model(images)
    expected = images[:, :1] * torch.arange(1.0, sum(channels) + 1)[:, None, None]
    torch.testing.assert_close(output.stages, (expected,))
    keypoints, scores = model.head.decode(expected)
    assert torch.equal(output.keypoints, keypoints)
    assert torch.equal(output.scores, scores)
    assert float(scores.max()) <= 1


@pytest.mark.parametrize(
    ("spec", "channels", "message"),
    [
        (OFFSETS, (2, 3), "stage 'b' has 3 maps, but the offsets of spec 'parts' are 4 for the 2 keypoints"),
        (OFFSETS, (3, 4), "stage 'a' has 3 maps, but the heatmaps of spec 'parts' are 2"),
        (CENTRE, (2, 4, 2, 1), "stage 'c' has 2 maps, but the regression of spec 'parts' are 4"),
        (CENTRE, (2, 4, 4, 2), "stage 'd' has 2 maps, but the centre of spec 'parts' are 1"),
    ],
)
def test_parts_that_do_not_fit(tmp_path: Path, spec: str, channels: tuple[int, ...], message: str) -> None:
    assert message in refusal(tmp_path, parts(*channels), spec)


def test_a_logit_becomes_a_score(tmp_path: Path) -> None:
    spec = POINTS.replace('["x", "y"]', '["x", "y", "logit"]')
    output = opened(tmp_path, points(np.array([[3.0, 4.0, 0.0, 0.5, 0.5, 2.0]])), spec)(torch.rand(1, 3, *SIZE))
    assert output.scores.tolist() == [[0.5, pytest.approx(1 / (1 + np.exp(-2.0)))]]


SIMCC = """
name = "bins"
format = "tflite"
skeleton = ["left_hand", "right_hand"]
input_size = [8, 6]
channels = "RGB"
stages = ["x", "y"]
head = "simcc"
split = 2
sigma = 3.0
"""


def bins(x: Array, y: Array) -> bytes:
    """Return a model that gives the same logits of x and of y for every image."""
    ops = []
    for name, numbers in (("x", x), ("y", y)):
        weights = np.zeros((numbers.size, 144), np.float32)
        line = numbers.reshape(-1).astype(np.float32)
        ops.append(Op("FULLY_CONNECTED", ("picture", weights, line), (f"flat {name}",), "FullyConnectedOptions"))
        ops.append(
            Op("RESHAPE", (f"flat {name}", np.array(numbers.shape, np.int32)), (name,), table="ReshapeOptions")
        )
    return tflite_bytes(*ops, picture=PICTURE, outputs=["x", "y"])


def likeliest(length: int, *places: int) -> Array:
    """Return logits (1, K, length) that are log 3 at each keypoint's place and 0 elsewhere."""
    logits = np.zeros((1, len(places), length))
    logits[0, np.arange(len(places)), places] = np.log(3)
    return logits


@pytest.mark.parametrize(
    ("lattice", "expected"),
    [
        ("centres", [[2.25, 4.75], [0.75, -0.25]]),  # the middle of half a pixel: bin 5 is at 5 / 2 - 1/4
        ("corners", [[2.5, 5.0], [1.0, 0.0]]),
    ],
)
def test_classes_of_x_and_y(tmp_path: Path, lattice: str, expected: list[list[float]]) -> None:
    content = bins(likeliest(12, 5, 2), likeliest(16, 10, 0))
    model = opened(tmp_path, content, SIMCC + f'lattice = "{lattice}"\n')
    assert isinstance(model, PoseModel)
    assert isinstance(model.head, SimCCHead)
    output = model(torch.rand(2, 3, *SIZE))
    assert output.stages[0].shape == (2, 2, 12 + 16)
    assert output.keypoints[0].tolist() == expected
    assert output.scores[0].tolist() == [pytest.approx(3 / (3 + 15))] * 2  # of y, which has more bins
    swapped = opened(tmp_path, content, SIMCC + f'lattice = "{lattice}"\nselect = [1, 0]\n')
    assert swapped(torch.rand(1, 3, *SIZE)).keypoints[0].tolist() == expected[::-1]


@pytest.mark.parametrize(
    ("shapes", "change", "message"),
    [
        (
            (11, 16),
            ("", ""),
            "'x' has shape [1, 2, 11], but spec 'bins' says 12 bins of x: 6 pixels x split = 2",
        ),
        (
            (12, 12),
            ("", ""),
            "'y' has shape [1, 2, 12], but spec 'bins' says 16 bins of y: 8 pixels x split = 2",
        ),
        (
            (12, 16),
            ('["left_hand", "right_hand"]', '["nose"]'),
            "'x' has 2 rows for the 1 keypoints of bins",
        ),
        ((12, 16), ('["x", "y"]', '["x"]'), "stages must name 2 tensors for head = 'simcc' (x, y), got 1"),
        ((12, 16), ("split = 2\n", ""), "lacks split (a number of bins per pixel > 0)"),
        ((12, 16), ("sigma = 3.0", 'lattice = "ends"'), "lattice must be 'centres' or 'corners', got 'ends'"),
    ],
)
def test_classes_that_do_not_fit(
    tmp_path: Path, shapes: tuple[int, int], change: tuple[str, str], message: str
) -> None:
    content = bins(likeliest(shapes[0], 5, 2), likeliest(shapes[1], 10, 0))
    with pytest.raises(RobustPoseError) as caught:
        opened(tmp_path, content, SIMCC.replace(*change))
    assert message in str(caught.value)
