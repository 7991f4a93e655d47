"""Changes to files that a disk, a copy or somebody else may make: bytes, and values of what JSON files hold."""

import json
import random
from copy import deepcopy
from typing import Any

VALUES: tuple[Any, ...] = (
    *(None, True, False, 0, -1, 1, 3, 10**18, 10**400, 1e308, -1e308, 1e-308, float("nan"), float("inf")),
    *("", " ", "a\0b", "\ud800", "../../etc/passwd", "/dev/zero", "a" * 5000, "<script>alert(1)</script>"),
    *(
        "=cmd|' /C calc'!A0",
        "\x1b[2J",
        "\u202e",
        [],
        {},
        [[]],
        [None],
        {"": 0},
        [1e308] * 51,
        [-1] * 4,
        [[1, 2]] * 16,
    ),
)
"""Values that stand in the place of others."""


def changed_bytes(content: bytes, chance: random.Random) -> bytes:
    """Flip, cut, repeat, insert or swap bytes, one to four times."""
    data = bytearray(content)
    for _ in range(chance.randint(1, 4)):
        size = len(data)
        kind = chance.choice(("flip", "byte", "cut", "drop", "insert", "repeat", "zero", "large"))
        at = chance.randrange(size) if size else 0
        span = min(size - at, chance.choice((1, 2, 4, 8, 64, 1024)))
        if kind == "flip" and size:
            data[at] ^= 1 << chance.randrange(8)
        elif kind == "byte" and size:
            data[at] = chance.randrange(256)
        elif kind == "cut":
            del data[at:]
        elif kind == "drop":
            del data[at : at + span]
        elif kind == "insert":
            data[at:at] = chance.randbytes(chance.choice((1, 4, 16)))
        elif kind == "repeat":
            data[at:at] = data[at : at + span] * chance.choice((1, 2, 50))
        elif kind == "zero":
            data[at : at + span] = bytes(span)
        else:
            data[at : at + span] = b"\xff" * span
    return bytes(data)


def changed_json(content: bytes, chance: random.Random) -> bytes:
    """Replace, remove or repeat values of a JSON document, one to three times."""
    document = json.loads(content)
    for _ in range(chance.randint(1, 3)):
        places = list(_places(document))
        if not places:
            break
        holder, key = chance.choice(places)
        kind = chance.choice(("value", "value", "remove", "repeat", "nest"))
        if kind == "value":
            holder[key] = deepcopy(chance.choice(VALUES))
        elif kind == "remove":
            del holder[key]
        elif kind == "repeat" and isinstance(holder, list):
            holder.insert(key, holder[key])
        else:
            holder[key] = [holder[key]]
    try:
        return json.dumps(document).encode("utf-8", errors="surrogatepass")
    except ValueError:  # a number of more digits than json writes
        return b"[" * 100_000


def _places(document: Any) -> Any:
    """Yield every holder and key of a document, each holder once a visit."""
    waiting = [document]
    while waiting:
        holder = waiting.pop()
        keys = list(holder) if isinstance(holder, dict) else range(len(holder)) if isinstance(holder, list) else ()
        for key in keys:
            yield holder, key
            waiting.append(holder[key])
