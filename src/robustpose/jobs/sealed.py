"""The bytes of a stored object: named arrays and metadata in a zip that numpy reads, and a checksum over all.

The last 64 bytes are the SHA-256 of everything before them, in hex. They are the zip's comment, so numpy and unzip
open the file as any other. Objects of formats 3 and 4 have no checksum.

Nothing of a file is believed before it is looked at: sizes and types are compared with what the archive holds
before an array is made, so a forged header costs no memory, and nothing is unpickled.
"""

import hashlib
import io
import json
import math
import zipfile
import zlib
from typing import Any

import numpy as np

from robustpose.jobs.results import Arrays

MOST_BYTES = 1_000_000_000
"""Of the arrays of one object."""
SEALED_FORMAT = 5
"""The first format whose objects have a checksum."""

DAMAGE = (
    *(zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError, MemoryError, RecursionError),
    *(ValueError, TypeError, KeyError, EOFError, OSError, AttributeError, IndexError, OverflowError, SyntaxError),
)
"""The errors that reading a damaged file can raise, from the archive or its content."""

_ABOUT = "about"
_DIGITS = 64
_MARK = b"sha256 "
_KINDS = "biufU"
"""Kinds of numpy arrays in results: bool, whole numbers, floats, text."""


def seal(about: dict[str, object], arrays: Arrays) -> bytes:
    """Return the bytes of an object; ValueError where it would be too large to be read."""
    named = {**arrays, _ABOUT: np.frombuffer(_json({**about, "format": SEALED_FORMAT}), dtype=np.uint8)}
    size = sum(array.nbytes for array in named.values())
    if size > MOST_BYTES:
        raise ValueError(f"a result of {size / 1e9:.1f} GB, at most {MOST_BYTES / 1e9:g} GB are stored")
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **named)  # type: ignore[arg-type]
    with zipfile.ZipFile(buffer, "a") as archive:
        archive.comment = _MARK + b"0" * _DIGITS
    content = buffer.getvalue()[:-_DIGITS]
    return content + hashlib.sha256(content).hexdigest().encode()


def unseal(content: bytes) -> tuple[dict[str, Any], Arrays]:
    """Return metadata and arrays; one of the errors in DAMAGE where they are not what `seal` was given."""
    sealed = content[-_DIGITS - len(_MARK) : -_DIGITS] == _MARK
    if sealed and hashlib.sha256(content[:-_DIGITS]).hexdigest().encode() != content[-_DIGITS:]:
        raise ValueError("its checksum is not that of its bytes")
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        entries = archive.infolist()
        if sum(entry.file_size for entry in entries) > MOST_BYTES:
            raise ValueError(f"it unpacks to more than {MOST_BYTES / 1e9:g} GB")
        if len({entry.filename for entry in entries}) < len(entries):
            raise ValueError("it holds an array twice")
        arrays = {entry.filename.removesuffix(".npy"): _array(archive.read(entry)) for entry in entries}
    about = json.loads(arrays.pop(_ABOUT).tobytes())
    if not isinstance(about, dict):
        raise ValueError("its metadata are not an object")
    if not sealed and about.get("format", 0) >= SEALED_FORMAT:
        raise ValueError("its checksum is missing")
    return about, arrays


def is_sealed(content: bytes) -> bool:
    """Say whether an object has a checksum."""
    return content[-_DIGITS - len(_MARK) : -_DIGITS] == _MARK


def _array(content: bytes) -> np.ndarray[Any, Any]:
    """Make an array of the bytes of an .npy file, whose size must be what its header says."""
    file = io.BytesIO(content)
    version = np.lib.format.read_magic(file)
    if version not in ((1, 0), (2, 0)):
        raise ValueError(f"an array of version {version}")
    read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    shape, fortran, dtype = read(file)
    held = len(content) - file.tell()
    if dtype.hasobject or dtype.kind not in _KINDS or dtype.itemsize == 0:
        raise ValueError(f"an array of type {dtype}")
    if math.prod(shape) * dtype.itemsize != held:
        raise ValueError(f"an array of shape {shape} in {held} bytes")
    flat = np.frombuffer(content, dtype=dtype, offset=file.tell())
    return flat.reshape(shape, order="F" if fortran else "C").copy(order="C")


def _json(about: dict[str, object]) -> bytes:
    return json.dumps(about, sort_keys=True).encode()
