import hashlib
import shutil
import tomllib
from pathlib import Path

import pytest

from robustpose.data.synthpose import RENDERER_VERSION, SPLITS, render_person
from robustpose.data.synthpose.assets import FOLDER, load_body, load_panoramas
from robustpose.data.synthpose.colours import palette, texture_stack
from robustpose.data.synthpose.splits import split_named
from robustpose.errors import RobustPoseError


def test_splits_share_nothing() -> None:
    splits = [split_named(name) for name in SPLITS]
    assert len({split.number for split in splits}) == 3
    for i, one in enumerate(splits):
        for other in splits[i + 1 :]:
            assert not set(one.panoramas) & set(other.panoramas)
            assert not set(one.textures) & set(other.textures)
            assert not set(one.palettes) & set(other.palettes)
    assert {name for split in splits for name in split.panoramas} == set(load_panoramas())


def test_textures_and_palettes_are_their_seeds() -> None:
    held = texture_stack(range(2, 5))
    assert held.shape == (3, 128, 128, 3)
    assert (held[1] == texture_stack(range(3, 4))[0]).all()
    assert 0 <= held.min() <= held.max() <= 1
    assert palette(7) != palette(8)
    assert all(0 <= channel <= 1 for colour in palette(7) for channel in colour)


def test_provenance_names_every_asset_and_its_hash() -> None:
    sources = tomllib.loads((FOLDER / "PROVENANCE.toml").read_text())["source"]
    files = {path.name for path in FOLDER.iterdir()} - {"PROVENANCE.toml"}
    assert {source["output"] for source in sources} == files
    for source in sources:
        assert hashlib.sha256((FOLDER / source["output"]).read_bytes()).hexdigest() == source["sha256"]
        assert source["licence"] == "CC0-1.0"
        assert len(bytes.fromhex(source["package_sha256"])) == 32
        assert {"package", "package_file", "version", "taken", "author", "licence_text"} <= set(source)
    assert sum(path.stat().st_size for path in FOLDER.iterdir()) < 5e6


@pytest.mark.parametrize("name", ["body.npz", "panoramas.npz"])
@pytest.mark.parametrize("damage", ["missing", "changed"])
def test_a_missing_or_changed_asset_is_named(
    name: str, damage: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = shutil.copytree(FOLDER, tmp_path / "assets")
    content = bytearray((folder / name).read_bytes())
    content[len(content) // 2] ^= 1
    (folder / name).write_bytes(content)
    if damage == "missing":
        (folder / name).unlink()
    monkeypatch.setattr("robustpose.data.synthpose.assets.FOLDER", folder)
    load = {"body.npz": load_body, "panoramas.npz": load_panoramas}[name].__wrapped__
    with pytest.raises(RobustPoseError, match=f"{name}: .*reinstall robustpose"):
        load()


@pytest.mark.parametrize(
    "written", [b"\xff\xfe", b"[[source", b"", b"source = 3", b"[[source]]\noutput = 'other.npz'\nsha256 = 'f00d'"]
)
def test_a_provenance_that_says_nothing_is_named(
    written: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = shutil.copytree(FOLDER, tmp_path / "assets")
    (folder / "PROVENANCE.toml").write_bytes(written)
    monkeypatch.setattr("robustpose.data.synthpose.assets.FOLDER", folder)
    with pytest.raises(RobustPoseError, match=r"PROVENANCE.toml has no sha256 of body.npz; reinstall"):
        load_body.__wrapped__()


def test_the_renderers_version_is_short_hex() -> None:
    assert len(RENDERER_VERSION) == 16
    int(RENDERER_VERSION, 16)


@pytest.mark.parametrize(
    ("split", "index", "options", "message"),
    [
        ("vall", 0, {}, "unknown split of synthpose 'vall'; did you mean 'val'"),
        ("val", 1000, {}, "people are 0 to 999, got 1000"),
        ("train", -1, {}, "people are 0 and up, got -1"),
        ("val", 0, {"size": 31}, "expected at least 32 pixels and at most 2048, got 31"),
        ("val", 0, {"padding": 0.9}, "expected at least 1 and at most 10, got 0.9"),
        ("val", 0, {"padding": float("nan")}, "expected at least 1 and at most 10, got nan"),
        ("val", 0, {"padding": float("inf")}, "expected at least 1 and at most 10, got inf"),
        ("val", 0, {"padding": "1"}, "expected at least 1 and at most 10, got '1'"),
        ("val", 0, {"size": 1_000_000}, "expected at least 32 pixels and at most 2048, got 1000000"),
        ("val", 0, {"size": 64.5}, "size of synthpose: expected a whole number, got 64.5"),
        ("val", 0, {"size": float("nan")}, "size of synthpose: expected a whole number, got nan"),
        ("val", 1.5, {}, "person of synthpose: expected a whole number, got 1.5"),
        ("val", "3", {}, "person of synthpose: expected a whole number, got '3'"),
    ],
)
def test_what_cannot_be_rendered_is_said(split: str, index: int, options: dict[str, float], message: str) -> None:
    with pytest.raises(RobustPoseError, match=message):
        render_person(split, index, **options)  # type: ignore[arg-type]
