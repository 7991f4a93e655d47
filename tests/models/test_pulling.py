"""Pulling models, with clients and archives made here: no network."""

import hashlib
import io
import stat
import sys
import tarfile
import tracemalloc
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from robustpose.errors import RobustPoseError
from robustpose.models import open_model, pulled
from robustpose.models.fetching import pull
from robustpose.models.importers import IMPORTERS, opening
from robustpose.models.pulled import PULLS, Package, Pull, folder_of, is_here, pulled_path
from robustpose.models.specs import read_spec
from tests.models.importers.test_tfjs import SMALL, SPEC_TOML

NPM = Package("npm", "@someone/nets", "1.2.3", "MIT", 2_000_000)
PIP = Package("pip", "models", "4.5.6", "MIT", 3_000_000)


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


MEMBERS = {f"package/small/{name}": content for name, content in SMALL.items()}
OTHER = {"package/other.bin": b"other"}
WHEEL = {"nets/whole.tflite": b"wheel"}
MADE = {
    "small": Pull(
        "Small model", NPM, ("tfjs", "model.json"), {m: sha256(c) for m, c in MEMBERS.items()}, "CC0", 9
    ),
    "other": Pull("Other model", NPM, ("tfjs", "other.bin"), {m: sha256(c) for m, c in OTHER.items()}, "CC0", 9),
    "whole": Pull(
        "Of a wheel", PIP, ("tflite", "whole.tflite"), {m: sha256(c) for m, c in WHEEL.items()}, "CC0", 9
    ),
}


def tgz(path: Path, members: dict[str, bytes]) -> Path:
    with tarfile.open(path, "w:gz") as packed:
        for name, content in members.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            packed.addfile(entry, io.BytesIO(content))
    return path


def wheel(path: Path, members: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w") as zipped:
        for name, content in members.items():
            zipped.writestr(name, content)
    return path


def script(path: Path, lines: str) -> Path:
    path.write_text("#!/bin/sh\n" + lines)
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path


@pytest.fixture(autouse=True)
def made_pulls(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Models and a cache of the test's own; no client is installed."""
    for name in [*PULLS]:
        monkeypatch.delitem(PULLS, name)
    for name, each in MADE.items():
        monkeypatch.setitem(PULLS, name, each)
    monkeypatch.setenv("ROBUSTPOSE_CACHE", str(tmp_path / "cache"))
    (tmp_path / "bin").mkdir()
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.setattr(sys, "executable", str(tmp_path / "bin" / "python"))


Client = Callable[[str], None]


@pytest.fixture
def npm(tmp_path: Path) -> Client:
    """Return what makes npm run these lines of shell; $4 is where it must pack to."""

    def write(lines: str) -> None:
        script(tmp_path / "bin" / "npm", lines)

    return write


def said(names: Sequence[str], **how: Path) -> list[str]:
    lines: list[str] = []
    pull(names, say=lines.append, **how)
    return lines


def refusal(*names: str, **how: Path) -> str:
    with pytest.raises(RobustPoseError) as caught:
        said(names, **how)
    assert "\n" not in str(caught.value)
    assert not any(is_here(name) for name in names if name in PULLS)
    return str(caught.value)


def leavings() -> list[str]:
    models = folder_of("small").parent
    return [path.name for path in models.iterdir() if path.name.startswith(".")] if models.exists() else []


def test_npm_brings_all_models_of_its_archive_once(tmp_path: Path, npm: Client) -> None:
    packed = tgz(tmp_path / "packed.tgz", MEMBERS | OTHER | {"package/index.js": b"evil()"})
    npm(f'echo "$@" >> {tmp_path}/asked\n/bin/cp {packed} "$4/someone-nets-1.2.3.tgz"\n')
    assert said(["small"]) == ["npm downloads @someone/nets 1.2.3 (2 MB)"]
    asked = (tmp_path / "asked").read_text().split()
    assert asked[:3] == ["pack", "@someone/nets@1.2.3", "--pack-destination"]
    assert "--ignore-scripts" in asked
    assert is_here("small")
    assert is_here("other")
    assert {path.name for path in folder_of("small").iterdir()} == {*SMALL}
    assert said(["small", "other", "small"]) == []  # nothing is fetched again
    assert leavings() == []
    assert pulled_path("small") == ("tfjs", tmp_path / "cache" / "nets" / "small" / "model.json")


def test_pip_downloads_one_wheel_whatever_runs_here(tmp_path: Path) -> None:
    made = wheel(tmp_path / "made.whl", WHEEL)
    script(
        tmp_path / "bin" / "python",
        f'echo "$@" >> {tmp_path}/asked\nwhile [ "$1" != --dest ]; do shift; done\n'
        f'/bin/cp {made} "$2/nets-4.5.6-x.whl"\n',
    )
    assert said(["whole"]) == ["pip downloads models 4.5.6 (3 MB)"]
    assert pulled_path("whole")[1].read_bytes() == b"wheel"
    asked = (tmp_path / "asked").read_text()
    assert asked.startswith("-m pip ")
    assert asked.strip().endswith(" models==4.5.6")
    for option in ("download", "--no-deps", "--only-binary :all:", "--python-version 3.11"):
        assert f" {option} " in asked


def test_an_archive_at_hand_needs_no_client(tmp_path: Path) -> None:
    assert said(["small"], archive=tgz(tmp_path / "here.tgz", MEMBERS | OTHER)) == []
    assert said(["whole"], archive=wheel(tmp_path / "here.whl", WHEEL)) == []
    assert is_here("small")
    assert is_here("whole")


def test_a_pulled_model_is_opened_by_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spec = tmp_path / "spec.toml"
    spec.write_text(SPEC_TOML)
    said(["small"], archive=tgz(tmp_path / "here.tgz", MEMBERS | OTHER))
    monkeypatch.setattr(opening, "find_spec", lambda _: read_spec(spec))
    opened = open_model("small")
    direct = IMPORTERS["tfjs"].open_model(str(folder_of("small") / "model.json"), spec)
    assert (opened.name, opened.fingerprint) == ("small", direct.fingerprint)
    images = torch.rand(1, 3, *direct.module.input_size)
    assert torch.equal(opened.module(images).stages[0], direct.module(images).stages[0])


def test_what_is_not_here_says_how_to_bring_it() -> None:
    with pytest.raises(
        RobustPoseError, match=r"not on this machine yet; `robustpose pull small` downloads it \(CC0; 2"
    ):
        open_model("small")
    with pytest.raises(RobustPoseError, match=r"unknown model 'smal'; did you mean 'small'"):
        open_model("smal")


def test_damage_is_seen_and_mended(tmp_path: Path) -> None:
    packed = tgz(tmp_path / "here.tgz", MEMBERS | OTHER)
    said(["small"], archive=packed)
    shard = next(path for path in folder_of("small").iterdir() if path.suffix == ".bin")
    shard.write_bytes(shard.read_bytes()[:-1])
    with pytest.raises(
        RobustPoseError, match=rf"{shard.name}: is damaged or missing; run `robustpose pull small` to download"
    ):
        pulled_path("small")
    said(["small"], archive=packed)
    assert is_here("small")
    shard.unlink()
    assert not is_here("small")


def test_npm_missing() -> None:
    message = refusal("small")
    assert message.startswith("npm, which downloads @someone/nets, was not found; it comes with Node.js")
    assert "--archive someone-nets-1.2.3.tgz" in message


def test_npm_offline(npm: Client) -> None:
    npm(
        'echo "npm error code ENOTFOUND" >&2\necho "npm error network request failed" >&2\n'
        'echo "npm error A complete log of this run can be found in: /home/x.log" >&2\nexit 1\n'
    )
    assert refusal("small") == (
        "npm could not download @someone/nets 1.2.3; is this machine online? Its message: "
        "npm error code ENOTFOUND npm error network request failed"
    )
    assert leavings() == []


def test_npm_that_leaves_nothing(npm: Client) -> None:
    npm("exit 0\n")
    assert "it wrote 0 archives, expected someone-nets-1.2.3.tgz" in refusal("small")


def test_pip_offline_and_missing(tmp_path: Path) -> None:
    python = tmp_path / "bin" / "python"
    assert "pip could not download models 4.5.6: No such file" in refusal("whole")
    script(python, f'echo "{python}: No module named pip" >&2\nexit 1\n')
    assert f"this Python has no pip; `{python} -m ensurepip` installs it" in refusal("whole")
    script(python, 'echo "WARNING: Retrying" >&2\necho "ERROR: No matching distribution found" >&2\nexit 1\n')
    assert refusal("whole").endswith("is this machine online? Its message: ERROR: No matching distribution found")


def test_files_that_are_not_what_they_must_be(tmp_path: Path) -> None:
    name = next(iter(MEMBERS))
    wrong = tgz(tmp_path / "wrong.tgz", MEMBERS | OTHER | {name: b"changed"})
    assert f"{name} is not the expected file: sha256 {sha256(b'changed')[:12]}" in refusal("small", archive=wrong)
    missing = tgz(tmp_path / "missing.tgz", OTHER)
    assert f"has no {name}; expected someone-nets-1.2.3.tgz" in refusal("small", archive=missing)


@pytest.mark.parametrize("suffix", ["tgz", "whl"])
def test_archives_that_cannot_be_read(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"archive.{suffix}"
    assert "archive." in refusal("small", archive=path)
    assert "no such file" in refusal("small", archive=path)
    path.write_bytes(b"nothing of the kind")
    assert "is not a package's archive, or is damaged" in refusal("small", archive=path)
    whole = (
        tgz(tmp_path / "whole.tgz", MEMBERS).read_bytes()
        if suffix == "tgz"
        else wheel(tmp_path / "w", MEMBERS).read_bytes()
    )
    path.write_bytes(whole[: len(whole) // 2])
    refusal("small", archive=path)


def test_members_are_read_by_name_alone(tmp_path: Path) -> None:
    """Other members of an archive, links and paths with .. included, are never unpacked."""
    path = tmp_path / "trap.tgz"
    with tarfile.open(path, "w:gz") as packed:
        link = tarfile.TarInfo(next(iter(MEMBERS)))
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        packed.addfile(link)
        climbing = tarfile.TarInfo("../../climbed")
        packed.addfile(climbing, io.BytesIO(b""))
    message = refusal("small", archive=path)
    assert message.startswith(str(path))
    assert not [*tmp_path.rglob("climbed")]


def test_a_folder_that_cannot_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("ROBUSTPOSE_CACHE", str(tmp_path / "file"))
    assert "set ROBUSTPOSE_CACHE to another folder" in refusal(
        "small", archive=tgz(tmp_path / "a.tgz", MEMBERS | OTHER)
    )


def test_a_kill_between_writing_and_renaming_leaves_nothing_half(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Path, "rename", killed)
    with pytest.raises(KeyboardInterrupt):
        said(["small"], archive=tgz(tmp_path / "here.tgz", MEMBERS | OTHER))
    assert not folder_of("small").exists()
    assert leavings() == []


def test_another_process_may_bring_it_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rename = Path.rename

    def late(aside: Path, folder: Path) -> None:
        rename(aside, folder)  # the other's
        raise OSError(39, "Directory not empty")

    monkeypatch.setattr(Path, "rename", late)
    said(["small"], archive=tgz(tmp_path / "here.tgz", MEMBERS | OTHER))
    assert is_here("small")


def test_unknown_name() -> None:
    assert "unknown model to pull 'smal'; did you mean 'small'" in refusal("smal")


def test_the_registered_models_have_specs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    for name, each in pulled.PULLS.items():
        spec = read_spec(Path(pulled.__file__).with_name("specs") / f"{name}.toml")
        assert (spec.name, spec.format, spec.licence) == (name, each.opened[0], each.licence)
        assert each.opened[1] in {Path(member).name for member in each.files}
        assert replace(each.package, size=1).version in spec.source


@pytest.mark.parametrize("kind", ["tgz", "wheel"])
def test_an_archive_that_unpacks_to_gigabytes_is_not_unpacked(kind: str, tmp_path: Path) -> None:
    zeros = bytes(200_000_000)
    if kind == "tgz":
        path, name = tgz(tmp_path / "here.tgz", {"package/other.bin": zeros}), "other"
    else:
        path, name = tmp_path / "here.whl", "whole"
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as zipped:
            zipped.writestr("nets/whole.tflite", zeros)
    assert path.stat().st_size < 1_000_000
    tracemalloc.start()
    assert "unpacks to more than the 50 MB that the package has" in refusal(name, archive=path)
    assert tracemalloc.get_traced_memory()[1] < 150_000_000
    tracemalloc.stop()


def test_an_encrypted_wheel_is_one_line(tmp_path: Path) -> None:
    path = wheel(tmp_path / "here.whl", WHEEL)
    content = bytearray(path.read_bytes())
    for mark, flags in ((b"PK\x01\x02", 8), (b"PK\x03\x04", 6)):
        content[content.index(mark) + flags] |= 1  # encrypted
    path.write_bytes(content)
    assert "is not a package's archive, or is damaged" in refusal("whole", archive=path)
