"""Reads photos, and says what is wrong with a file that cannot be read.

COCO and MPII annotate the pixels as stored, so `read_photo` does NOT apply an EXIF orientation. The user's own
photos have no annotations, so `read_upright` rotates them as viewers do. libjpeg fills the missing part of a
truncated JPEG with grey without an error, so a JPEG or PNG must contain its end marker.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from robustpose.data.names import open_photo
from robustpose.data.photo_sizes import MOST_PIXELS, size_in_header
from robustpose.errors import RobustPoseError
from robustpose.geometry import Pixels

_PHOTOS_TRIED = 20


class UnreadablePhoto(RobustPoseError):  # noqa: N818 - names the state of the photo
    """A photo is missing, empty, truncated or not an image; the message names the file and the fault."""


def read_photo(path: Path, *, folder: Path | None = None) -> Pixels:
    """Read a photo as stored, uint8 RGB (H, W, 3); grey becomes three equal channels, 16 bits become 8.

    folder  where given, the photo must lie in it after links are followed

    Raises UnreadablePhoto.
    """
    return _rgb(_decoded(_content(path, folder=folder), path, _AS_STORED))


def read_upright(path: Path) -> Pixels:
    """Read a photo as viewers show it, uint8 RGB (H, W, 3): with its EXIF orientation, transparency on white.

    Grey becomes three equal channels, 16 bits become 8, CMYK becomes RGB without its colour profile. Raises
    UnreadablePhoto.
    """
    content = _content(path)
    stored = _decoded(content, path, cv2.IMREAD_UNCHANGED)
    shown = _rgb(_decoded(content, path, cv2.IMREAD_COLOR))
    if stored.ndim < 3 or stored.shape[2] != 4:
        return shown
    alpha = stored[..., 3:].astype(np.float64) / np.iinfo(stored.dtype).max
    if (alpha == 1).all():
        return shown
    if not np.array_equal(shown, _rgb(_decoded(content, path, _AS_STORED))):
        raise UnreadablePhoto(
            f"{path}: has both transparency and an EXIF rotation; save it without one of the two"
        )
    return np.asarray((shown * alpha + 255 * (1 - alpha)).round(), dtype=np.uint8)


_AS_STORED = cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION


def _content(path: Path, *, folder: Path | None = None) -> bytes:
    """Return a photo file's bytes; UnreadablePhoto if it is missing, empty, truncated, too large or no file."""
    try:
        content = open_photo(path, folder=folder)
    except RobustPoseError as error:
        raise UnreadablePhoto(str(error)) from None
    except FileNotFoundError:
        raise UnreadablePhoto(f"{path}: missing") from None
    except OSError as error:
        raise UnreadablePhoto(f"{path}: cannot be read: {error.strerror}") from None
    except ValueError as error:  # an invalid file name, with a NUL
        raise UnreadablePhoto(f"{str(path)!r}: cannot be read: {error}") from None
    if not content:
        raise UnreadablePhoto(f"{path}: empty")
    if _truncated(content):
        raise UnreadablePhoto(f"{path}: truncated")
    size = size_in_header(content)
    if size is None:
        raise UnreadablePhoto(f"{path}: not an image that can be decoded")
    if size[0] * size[1] > MOST_PIXELS:
        most = MOST_PIXELS // 1_000_000
        raise UnreadablePhoto(f"{path}: has {size[1]} x {size[0]} pixels, at most {most} million are read")
    return content


def _decoded(content: bytes, path: Path, how: int) -> NDArray[Any]:
    """Decode an image with cv2."""
    try:
        decoded = cv2.imdecode(np.frombuffer(content, np.uint8), how)
    except cv2.error:  # too large for cv2
        decoded = None
    if decoded is None:
        raise UnreadablePhoto(f"{path}: not an image that can be decoded")
    return np.asarray(decoded)


def _rgb(bgr: NDArray[Any]) -> Pixels:
    return np.asarray(cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB), dtype=np.uint8)


def _truncated(content: bytes) -> bool:
    """Say whether a JPEG or PNG lacks its end marker; False for other formats."""
    if content.startswith(b"\x89PNG\r\n\x1a\n"):
        return b"IEND\xaeB`\x82" not in content
    if content.startswith(b"\xff\xd8"):
        scan = _first_scan(content)
        return scan is None or content.find(b"\xff\xd9", scan) < 0
    return False


def _first_scan(content: bytes) -> int | None:
    """Return the start of a JPEG's pixels; an end marker before it belongs to a thumbnail in the header."""
    at = 2
    while at + 4 <= len(content) and content[at] == 0xFF:
        if content[at + 1] == 0xFF:  # a fill byte before the marker
            at += 1
            continue
        if content[at + 1] == 0xDA:
            return at
        at += 2 + int.from_bytes(content[at + 2 : at + 4], "big")
    return None


def photo_folder(
    annotations: Path, names: Sequence[str], *, images: Path | None, guesses: Sequence[Path] = ()
) -> Path:
    """Return the folder with the photos of an annotation file.

    Candidates are `images` if given, else `images/` beside the file, the file's own folder and `guesses`. The
    first one with any of the first 20 photos is returned. RobustPoseError where there is none.
    """
    own = annotations.parent
    folders = [images] if images is not None else [own / "images", own, *guesses]
    first = list(dict.fromkeys(names))[:_PHOTOS_TRIED]
    for folder in folders:
        if any((folder / name).is_file() for name in first):
            return folder
    looked = ", ".join(str(folder) + ("" if folder.is_dir() else " (no such folder)") for folder in folders)
    raise RobustPoseError(
        f"{annotations}: none of its first {len(first)} photos, such as {first[0]!r}, is in {looked}; "
        "give their folder with --images DIR"
    )
