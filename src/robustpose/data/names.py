"""Names of photos in annotation files, and the files that they lead to: none leads out of the photo folder.

An annotation file comes from others. A name in it may be a path to any file of the machine, a symlink may lie in
the photo folder, and what is there may be a pipe that never ends. So a photo is a plain file inside its folder.
"""

import stat
from pathlib import Path

from robustpose.errors import RobustPoseError

_LONGEST = 1000


def wrong_name(name: str) -> str:
    """Say what is wrong with a photo's name in an annotation file; '' for nothing."""
    if not name.strip() or name.endswith("/") or name in (".", ".."):
        return "names no file"
    if len(name) > _LONGEST:
        return f"is of {len(name)} characters"
    if "\0" in name or any(0xD800 <= ord(letter) <= 0xDFFF for letter in name):
        return "holds characters that no file name has"
    if Path(name).is_absolute() or ".." in Path(name).parts:
        return "leads out of the photo folder"
    return ""


def open_photo(path: Path, *, folder: Path | None) -> bytes:
    """Read a photo's file, which must be a plain file, inside `folder` where that is given.

    RobustPoseError for a pipe, a device, a file of more than half a GB, and a link that leads out of the folder;
    OSError and ValueError as open raises them. A folder that is a link itself counts as what it leads to.
    """
    if folder is not None and not path.resolve().is_relative_to(folder.resolve()):
        raise RobustPoseError(f"{path}: a link leads out of the photo folder, to {path.resolve()}")
    about = path.stat()
    if not stat.S_ISREG(about.st_mode) and not stat.S_ISDIR(about.st_mode):  # which read_bytes refuses
        raise RobustPoseError(f"{path}: is a pipe or device, not a photo")
    if about.st_size > _MOST:
        raise RobustPoseError(f"{path}: is of {about.st_size / 1e9:.1f} GB, photos have at most {_MOST / 1e9:g}")
    return path.read_bytes()


_MOST = 500_000_000
"""Bytes of a photo's file."""
