from pathlib import Path
from typing import Any

import pytest

from robustpose.errors import RobustPoseError
from robustpose.models.heads import HEADS, SimCCHead
from robustpose.models.importers.onnx.ops import OPERATORS
from robustpose.models.specs import ModelSpec, find_spec, read_spec, shipped_specs
from robustpose.skeletons import AIC_14, COCO_17

HEATMAPS: dict[str, str] = {
    "name": '"mine"',
    "format": '"tflite"',
    "skeleton": '"coco_17"',
    "input_size": "[64, 48]",
    "channels": '"RGB"',
    "stages": '["one", "two"]',
    "head": '"heatmap"',
    "heatmap_size": "[16, 12]",
    "sigma": "2",
}
COORDINATES = {key: value for key, value in HEATMAPS.items() if key not in ("heatmap_size", "sigma")} | {
    "head": '"coordinates"',
    "unit": '"0..1"',
    "columns": '["y", "x", "score"]',
}


def written(folder: Path, keys: dict[str, str]) -> Path:
    path = folder / "spec.toml"
    path.write_text("".join(f"{key} = {value}\n" for key, value in keys.items()))
    return path


def spec_of(folder: Path, keys: dict[str, str]) -> ModelSpec:
    return read_spec(written(folder, keys))


def test_heatmap_spec(tmp_path: Path) -> None:
    spec = spec_of(tmp_path, HEATMAPS | {"mean": "[0.4, 0.5, 0.6]", "std": "0.5", "scale": "255"})
    assert spec.skeleton is COCO_17
    assert spec.input_size == (64, 48)
    assert spec.stages == ("one", "two")
    assert spec.head_keys == {"heatmap_size": (16, 12), "sigma": 2.0}
    assert (spec.mean, spec.std, spec.scale) == ((0.4, 0.5, 0.6), (0.5, 0.5, 0.5), 255.0)
    assert spec.layout == "NHWC"


def test_coordinates_spec(tmp_path: Path) -> None:
    spec = spec_of(tmp_path, COORDINATES)
    assert spec.head_keys == {"unit": "0..1", "columns": ("y", "x", "score")}


def test_own_skeleton(tmp_path: Path) -> None:
    spec = spec_of(tmp_path, HEATMAPS | {"skeleton": '["left_eye", "right_eye"]', "select": "[3, 1]"})
    assert spec.skeleton.name == "mine"
    assert spec.skeleton.keypoints == ("left_eye", "right_eye")
    assert spec.skeleton.flip_pairs == ((0, 1),)
    assert spec.select == (3, 1)


def test_the_specs_of_the_page_on_your_model(tmp_path: Path) -> None:
    page = (Path(__file__).parents[2] / "docs" / "your-model.md").read_text()
    specs = []
    for place, block in enumerate(page.split("```toml\n")[1:]):
        path = tmp_path / f"{place}.toml"
        path.write_text(block.split("```")[0])
        specs.append(read_spec(path))
    assert [(spec.format, spec.head) for spec in specs] == [
        ("onnx", "heatmap"),
        ("onnx", "simcc"),
        ("callable", "coordinates"),
    ]
    assert (specs[0].layout, specs[0].head_keys["lattice"]) == ("NCHW", "corners")
    assert (specs[2].layout, specs[2].stages) == ("NHWC", ("output",))
    simcc = HEADS["simcc"].make(specs[1].output_spec)
    assert isinstance(simcc, SimCCHead)
    assert (simcc.bins, simcc.lattice) == ((512, 384), "corners")
    assert specs[2].clean_score == ("PCK@0.1", 79.5)
    assert specs[0].clean_score is None


def test_the_page_counts_the_operators_of_onnx() -> None:
    page = (Path(__file__).parents[2] / "docs" / "your-model.md").read_text()
    assert f"float graphs of {len(OPERATORS) + 1} operators" in page  # and Constant, which is no step


def test_a_spec_is_for_one_format(tmp_path: Path) -> None:
    path = written(tmp_path, HEATMAPS)
    with pytest.raises(RobustPoseError, match="is a spec for tflite models"):
        read_spec(path, format="onnx")
    with pytest.raises(RobustPoseError, match="padding must be a number > 0, got 0"):
        spec_of(tmp_path, HEATMAPS | {"padding": "0"})
    with pytest.raises(RobustPoseError, match="lattice must be 'centres' or 'corners' or 'ends'"):
        spec_of(tmp_path, HEATMAPS | {"lattice": '"edges"'})
    with pytest.raises(RobustPoseError, match="lattice is for head = 'heatmap'"):
        spec_of(tmp_path, COORDINATES | {"lattice": '"ends"'})


def test_shipped_specs_are_valid_and_found() -> None:
    specs = shipped_specs()
    by_name = {spec.name: spec for spec in specs}
    assert [*by_name] == sorted(by_name)
    assert {"cpm_aic", "movenet-lightning", "blazepose-full", "blazepose-full-tflite", "posenet"} < set(by_name)
    assert len({spec.sha256 for spec in specs}) == len(specs)
    for spec in specs:
        assert all((spec.title, spec.source, spec.licence, spec.clean, spec.sha256))
        assert find_spec(spec.sha256) == spec
    assert by_name["cpm_aic"].skeleton is AIC_14
    assert find_spec("0" * 64) is None


def test_fingerprint_follows_what_decides(tmp_path: Path) -> None:
    base = spec_of(tmp_path, HEATMAPS).fingerprint
    assert spec_of(tmp_path, HEATMAPS | {"title": '"words"', "name": '"other"'}).fingerprint == base
    for change in ({"sigma": "3"}, {"channels": '"BGR"'}, {"skeleton": '["a"]'}, {"stages": '["two"]'}):
        assert spec_of(tmp_path, HEATMAPS | change).fingerprint != base


WRONG: list[tuple[str, Any, str]] = [
    ("sigmma", "2", "unknown key 'sigmma'; did you mean 'sigma'"),
    ("skeleton", '"coco_71"', "unknown skeleton 'coco_71'; did you mean 'coco_17'"),
    ("skeleton", "17", "skeleton must be the name of a skeleton or a list"),
    ("skeleton", '["nose", "nose"]', "skeleton must be"),
    ("skeleton", '["left_eye", "nose"]', "skeleton has 'left_eye' but not 'right_eye'"),
    ("name", '"two words"', "name must be a name of letters"),
    ("title", '"two\\nlines"', "title must be a line of text"),
    ("sha256", '"abc"', "sha256 must be 64 hexadecimal digits"),
    ("format", '"onxx"', "format must be 'tflite' or 'tfjs' or"),
    ("input_size", "[64]", "input_size must be [height, width]"),
    ("input_size", "[64, 0]", "input_size must be [height, width]"),
    ("input_size", "[64, 1000000]", "input_size must be [height, width], whole numbers from 1 to 4096, got"),
    (
        "format",
        '"torch"\nsha256 = "' + 64 * "0" + '"',
        "sha256 is the hash of one file, but a model of format 'torch'",
    ),
    ("input_size", "[64.5, 48]", "input_size must be [height, width]"),
    ("input_size", "[true, true]", "input_size must be [height, width]"),
    ("channels", '"GBR"', "channels must be 'RGB' or 'BGR', got 'GBR'"),
    ("layout", '"HWC"', "layout must be 'NHWC' or 'NCHW'"),
    ("scale", "0", "scale must be a number > 0, got 0"),
    ("scale", "inf", "scale must be a number > 0, got inf"),
    ("scale", '"255"', "scale must be a number > 0, got '255'"),
    ("mean", "[0.5, 0.5]", "mean must be a number, or three"),
    ("mean", "nan", "mean must be a number, or three"),
    ("std", "[0.2, 0.2, 0]", "std must be a number > 0, or three"),
    ("stages", '"one"', "stages must be a list"),
    ("stages", "[]", "stages must be a list"),
    ("stages", "[[1], [2]]", "stages must be a list"),
    ("select", "[0, 1]", "select must have one number for each of the 17 keypoints, got 2"),
    ("select", "[-1]", "select must be a list of different whole numbers"),
    ("select", "[[1], [2]]", "select must be a list of different whole numbers"),
    ("head", '"heatmaps"', "head must be 'heatmap' or 'coordinates'"),
    ("sigma", "-1", "sigma must be a number of cells > 0"),
    ("peak", "false", "peak must be a number > 0, got False"),
    ("decoding", '"dark"', "decoding must be 'argmax' or 'quarter'"),
    ("unit", '"0..1"', "unit is for head = 'coordinates', this spec says 'heatmap'"),
    ("head", '"coordinates"', "lacks unit"),
    ("head", '"centre"', "stages must name 4 tensors for head = 'centre' (heatmaps, offsets, regression, centre)"),
    ("head", '"offsets"', "sigma is for head = 'heatmap' or 'centre' or 'simcc', this spec says 'offsets'"),
]


@pytest.mark.parametrize(("key", "value", "message"), WRONG)
def test_wrong_value(tmp_path: Path, key: str, value: str, message: str) -> None:
    with pytest.raises(RobustPoseError) as caught:
        spec_of(tmp_path, HEATMAPS | {key: value})
    assert message in str(caught.value)
    assert str(tmp_path / "spec.toml") in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("keys", [HEATMAPS, COORDINATES])
def test_each_key_is_needed(tmp_path: Path, keys: dict[str, str]) -> None:
    for key in keys:
        with pytest.raises(RobustPoseError, match=f"lacks {key} "):
            spec_of(tmp_path, {name: value for name, value in keys.items() if name != key})


def test_columns_need_x_and_y(tmp_path: Path) -> None:
    with pytest.raises(RobustPoseError, match="columns must be a list"):
        spec_of(tmp_path, COORDINATES | {"columns": '["x", "score"]'})


def test_not_a_spec(tmp_path: Path) -> None:
    with pytest.raises(RobustPoseError, match=r"gone\.toml: no such spec"):
        read_spec(tmp_path / "gone.toml")
    with pytest.raises(RobustPoseError, match="cannot be read"):
        read_spec(tmp_path)
    path = tmp_path / "spec.toml"
    for content in (b"name = ", b"\xff\xfe\x00"):
        path.write_bytes(content)
        with pytest.raises(RobustPoseError, match="not TOML"):
            read_spec(path)


@pytest.mark.parametrize(
    "text",
    [
        "sigma = " + "9" * 5000,
        "stages = " + "[" * 100_000,
        "name = '\ud800'",
        "sigma = 1e999",
        "input_size = [1e999, 1]",
    ],
)
def test_numbers_of_thousands_of_digits_and_deep_nesting_are_one_line(text: str, tmp_path: Path) -> None:
    path = tmp_path / "deep.toml"
    path.write_bytes(text.encode(errors="surrogatepass"))
    with pytest.raises(RobustPoseError, match=r"deep.toml: ") as caught:
        read_spec(path)
    assert "\n" not in str(caught.value)
