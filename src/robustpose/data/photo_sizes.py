"""The size of a photo as its file's header says, before any of it is decoded: a small file may hold a huge one."""

import struct

MOST_PIXELS = 100_000_000
"""Of a photo that is decoded; more take gigabytes of memory."""


def size_in_header(content: bytes) -> tuple[int, int] | None:
    """Return the size (H, W) of a PNG, JPEG, BMP, WebP, TIFF, GIF or PNM; None for others and damaged ones.

    >>> size_in_header(b"P6 640 480 255 ")
    (480, 640)
    """
    for start, read in _READERS.items():
        if content.startswith(start):
            try:
                return read(content)
            except (struct.error, ValueError, IndexError):
                return None
    return None


def _png(content: bytes) -> tuple[int, int]:
    width, height = struct.unpack_from(">II", content, 16)
    return height, width


def _jpeg(content: bytes) -> tuple[int, int]:
    at = 2
    while True:
        if content[at] != 0xFF:
            raise ValueError("no marker")
        marker = content[at + 1]
        if marker == 0xFF:  # a fill byte
            at += 1
        elif 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            height, width = struct.unpack_from(">HH", content, at + 5)
            return height, width
        elif marker == 0xDA:
            raise ValueError("pixels before a size")
        elif marker == 0x01 or 0xD0 <= marker <= 0xD8:  # markers without a length
            at += 2
        else:
            at += 2 + max(2, struct.unpack_from(">H", content, at + 2)[0])


def _bmp(content: bytes) -> tuple[int, int]:
    if struct.unpack_from("<I", content, 14)[0] == 12:  # OS/2's header
        width, height = struct.unpack_from("<HH", content, 18)
    else:
        width, height = struct.unpack_from("<ii", content, 18)
    return abs(height), abs(width)


def _webp(content: bytes) -> tuple[int, int]:
    kind = content[12:16]
    if kind == b"VP8 ":
        width, height = struct.unpack_from("<HH", content, 26)
        return height & 0x3FFF, width & 0x3FFF
    if kind == b"VP8L":
        bits = struct.unpack_from("<I", content, 21)[0]
        return (bits >> 14 & 0x3FFF) + 1, (bits & 0x3FFF) + 1
    if kind == b"VP8X":
        width, height = (int.from_bytes(content[at : at + 3], "little") for at in (24, 27))
        return height + 1, width + 1
    raise ValueError("no WebP")


def _tiff(content: bytes) -> tuple[int, int]:
    order = "<" if content.startswith(b"II") else ">"
    at = struct.unpack_from(f"{order}I", content, 4)[0]
    found = {}
    for entry in range(struct.unpack_from(f"{order}H", content, at)[0]):
        tag, kind, count = struct.unpack_from(f"{order}HHI", content, at + 2 + 12 * entry)
        if tag in (256, 257) and count == 1 and kind in (3, 4):
            found[tag] = struct.unpack_from(order + "HI"[kind - 3], content, at + 10 + 12 * entry)[0]
    if len(found) < 2:
        raise ValueError("no size")
    return found[257], found[256]


def _gif(content: bytes) -> tuple[int, int]:
    width, height = struct.unpack_from("<HH", content, 6)
    return height, width


def _pnm(content: bytes) -> tuple[int, int]:
    lines = [line.partition(b"#")[0] for line in content[2:1000].splitlines()]
    width, height = (int(word) for word in b" ".join(lines).split()[:2])
    return height, width


_READERS = {
    b"\x89PNG\r\n\x1a\n": _png,
    b"\xff\xd8": _jpeg,
    b"BM": _bmp,
    b"RIFF": _webp,
    b"II*\0": _tiff,
    b"MM\0*": _tiff,
    b"GIF8": _gif,
    **{f"P{number}".encode(): _pnm for number in range(1, 7)},
}
"""By the first bytes of a file."""
