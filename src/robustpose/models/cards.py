"""Cards: what must be known of a net that others trained before it can be attacked, as a TOML file.

A net's file says which numbers go in and out, not what they mean. The card says it: the picture's size and
scaling, which keypoints come out and how they are written, and what the net was trained towards (`sigma` and
`peak` of the heatmaps), which the training loss that an attack raises needs. Cards of known files come with the
package (cards/*.toml) and are found by the file's sha256; for any other file the user writes one
(docs/your-model.md).
"""

import hashlib
import json
import re
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any, Literal

from robustpose.errors import RobustPoseError, unknown_name
from robustpose.fields import finite_number
from robustpose.geometry import Lattice
from robustpose.skeletons import MPII_16, SKELETONS, Skeleton

Format = Literal["tflite", "tfjs", "onnx", "torch", "torchscript", "hf", "callable"]
FORMATS: tuple[Format, ...] = ("tflite", "tfjs", "onnx", "torch", "torchscript", "hf", "callable")
ONE_OUTPUT = ("torch", "torchscript", "hf", "callable")
"""Formats whose nets mostly return one tensor, so that a card need not name it."""
_CHANNELS_LAST = ("tflite", "tfjs", "callable")
"""Formats whose pictures and heatmaps are NHWC unless the card says otherwise; the others' are NCHW."""


_LARGEST = 4096
"""Side of a picture or a heatmap: no pose net takes a larger one, and memory would end first."""
_NO_FILE = ("torch", "hf", "callable")
"""Formats whose nets are not one file, so that a card cannot name its hash."""


@dataclass(frozen=True)
class Card:
    """What a net that others trained takes and gives.

    padding                 the crop is the person's box times this
    title, source, licence  for people; `clean` is a clean score that was measured, and on what
    sha256                  of the net's file; empty where the card is for any file
    format                  what reads the net: one of FORMATS
    input_size              (H, W)
    channels                the order that the net wants
    layout                  of the net's input and heatmaps
    scale, mean, std        the net's input is ([0, 1] RGB - mean) / std * scale
    stages                  names of the supervised output tensors, first to last; of torch modules and Python
                            functions "output", or where they return several, their keys or numbers
    select                  which channels (heatmaps) or rows (coordinates) are the skeleton's keypoints, in its
                            order; empty for all
    lattice                 where the cells of heatmaps lie in the picture: geometry.Lattice
    head                    "heatmap" with heatmap_size (h, w), and sigma, peak, decoding as in HeatmapHead;
                            "coordinates" with the columns of a row ("x", "y", perhaps "score", others are ignored)
                            and the unit of x and y, which count from the picture's outer edges; a column "logit"
                            is the score before its sigmoid;
                            "offsets": PoseNet's, stages = [heatmaps, offsets]; "centre": MoveNet's, stages =
                            [heatmaps, offsets, regression, centre]: see offset_heads
    """

    name: str
    format: Format
    skeleton: Skeleton
    input_size: tuple[int, int]
    channels: Literal["RGB", "BGR"]
    stages: tuple[str, ...]
    head: Literal["heatmap", "coordinates", "offsets", "centre"]
    scale: float = 1.0
    mean: tuple[float, float, float] = (0.0, 0.0, 0.0)
    std: tuple[float, float, float] = (1.0, 1.0, 1.0)
    layout: Literal["NHWC", "NCHW"] = "NHWC"
    select: tuple[int, ...] = ()
    heatmap_size: tuple[int, int] | None = None
    sigma: float = 1.0
    peak: float = 1.0
    decoding: Literal["argmax", "quarter"] = "argmax"
    lattice: Lattice = "centres"
    unit: Literal["pixels", "0..1", "-0.5..0.5"] = "pixels"
    columns: tuple[str, ...] = ()
    padding: float = 1.25
    title: str = ""
    source: str = ""
    licence: str = ""
    sha256: str = ""
    clean: str = ""

    @property
    def clean_score(self) -> tuple[str, float] | None:
        """The metric's name and the percent that `clean` begins with ('PCK@0.1 79.5 on ...'); None without one."""
        match = re.match(r"(PCKh?@[\d.]+)\s+([\d.]+)\b", self.clean)
        return (match[1], float(match[2])) if match else None

    @property
    def fingerprint(self) -> str:
        """A hash of what decides the net's answers and its training loss; words for people do not enter."""
        words = ("name", "title", "source", "licence", "clean", "sha256")
        deciding = {key: value for key, value in vars(self).items() if key not in (*words, "skeleton")}
        deciding["keypoints"], deciding["uncounted"] = self.skeleton.keypoints, self.skeleton.uncounted
        return hashlib.sha256(json.dumps(deciding, sort_keys=True).encode()).hexdigest()


def read_card(path: Path, *, format: str = "") -> Card:
    """Read and check a card, of a net of `format` where one is named.

    RobustPoseError names the file, the key, what was expected and what came.
    """
    try:
        given = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise RobustPoseError(f"{path}: no such card") from None
    except OSError as error:
        raise RobustPoseError(f"{path}: cannot be read: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise RobustPoseError(f"{path}: not TOML: {error}") from None
    return make_card(given, where=str(path), format=format)


def make_card(given: Mapping[str, object], *, where: str = "card", format: str = "") -> Card:
    """Check what a card says, given as a dictionary; see read_card, whose errors begin with `where` here."""
    path = where
    values: dict[str, Any] = {}
    for key, value in given.items():
        if key not in _KEYS:
            raise RobustPoseError(f"{path}: {unknown_name('key', key, _KEYS)}")
        expected, check = _KEYS[key]
        values[key] = check(list(value) if isinstance(value, tuple) else value)
        if values[key] is None:
            raise RobustPoseError(f"{path}: {key} must be {expected}, got {value!r}")
    head = values.get("head")
    kind = str(values.get("format"))
    by_format = () if kind in ONE_OUTPUT else ("stages",)
    for key in (*_REQUIRED, *by_format, *_REQUIRED_BY_HEAD.get(str(head), ())):
        if key not in values:
            raise RobustPoseError(f"{path}: lacks {key} ({_KEYS[key][0]})")
    for key, heads in _ONLY_FOR_HEADS.items():
        if key in values and head not in heads:
            named = " or ".join(map(repr, heads))
            raise RobustPoseError(f"{path}: {key} is for head = {named}, this card says {head!r}")
    if format and kind != format:
        raise RobustPoseError(
            f"{path}: is a card for {kind} nets (format = {kind!r}), the net is opened as {format}"
        )
    if "sha256" in values and kind in _NO_FILE:
        raise RobustPoseError(f"{path}: sha256 is of a net's file, and a net of format {kind!r} is not one file")
    parts = PARTS_OF_HEAD.get(str(head), ())
    if parts and len(values["stages"]) != len(parts):
        raise RobustPoseError(
            f"{path}: stages must name {len(parts)} tensors for head = {head!r} ({', '.join(parts)}), "
            f"got {len(values['stages'])}"
        )
    return _card(path, values)


def given_card(card: Path | Card, *, format: str) -> Card:
    """Return a card given as it is or as a file; RobustPoseError where it is for nets of another format."""
    if isinstance(card, Path):
        return read_card(card, format=format)
    if card.format != format:
        raise RobustPoseError(f"card {card.name!r} is for {card.format} nets, the net is opened as {format}")
    return card


def _card(path: str, values: dict[str, Any]) -> Card:
    """Make the card of values that are each right, where they are right together."""
    if values["format"] not in _CHANNELS_LAST:
        values.setdefault("layout", "NCHW")
    values.setdefault("stages", ("output",))
    scaling = [key for key in ("scale", "mean", "std") if key in values]
    if values["format"] == "callable" and scaling:
        raise RobustPoseError(
            f"{path}: {scaling[0]} is for nets; a callable is given pictures (N, H, W, 3) of 8 bits and scales "
            "them"
        )
    chosen = values["skeleton"]
    if isinstance(chosen, str):
        if chosen not in SKELETONS:
            raise RobustPoseError(f"{path}: {unknown_name('skeleton', chosen, SKELETONS)}")
        skeleton = SKELETONS[chosen]
    else:
        for keypoint in chosen:
            partner = keypoint.replace("left_", "right_", 1)
            if keypoint.startswith("left_") and partner not in chosen:
                raise RobustPoseError(f"{path}: skeleton has {keypoint!r} but not {partner!r}")
        uncounted = tuple(keypoint for keypoint in chosen if keypoint in MPII_16.uncounted)
        skeleton = Skeleton(name=values["name"], keypoints=chosen, limbs=(), uncounted=uncounted)
    select = values.get("select", ())
    if select and len(select) != len(skeleton):
        raise RobustPoseError(
            f"{path}: select must have one number for each of the {len(skeleton)} keypoints, got {len(select)}"
        )
    return Card(**{**values, "skeleton": skeleton})


def shipped_cards() -> tuple[Card, ...]:
    """Read the cards that come with the package, in the order of their names."""
    with resources.as_file(resources.files("robustpose.models") / "cards") as folder:
        return tuple(read_card(path) for path in sorted(folder.glob("*.toml"), key=lambda path: path.stem))


def find_card(sha256: str) -> Card | None:
    """Return the card of a known net file, or None."""
    return next((card for card in shipped_cards() if card.sha256 == sha256), None)


# Each check returns the value as the card holds it, or None where it is wrong.


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value.strip() and value.isprintable() else None


def _name(value: object) -> str | None:
    return value if isinstance(value, str) and re.fullmatch(r"[A-Za-z0-9][\w.-]*", value) else None


def _hash(value: object) -> str | None:
    return value if isinstance(value, str) and re.fullmatch(r"[0-9a-f]{64}", value) else None


def _one_of(*known: str) -> tuple[str, Callable[[object], str | None]]:
    return " or ".join(
        map(repr, known)
    ), lambda value: value if isinstance(value, str) and value in known else None


def _whole(value: object, *, least: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= least


def _size(value: object) -> tuple[int, int] | None:
    fits = isinstance(value, list) and len(value) == 2 and all(_whole(side, least=1) for side in value)
    return (value[0], value[1]) if fits and isinstance(value, list) and max(value) <= _LARGEST else None


def _positive(value: object) -> float | None:
    return float(value) if finite_number(value) and value > 0 else None


def _colour(value: object) -> tuple[float, ...] | None:
    three: list[Any] = value if isinstance(value, list) else [value] * 3
    return tuple(map(float, three)) if len(three) == 3 and all(map(finite_number, three)) else None


def _positive_colour(value: object) -> tuple[float, ...] | None:
    three = _colour(value)
    return three if three and min(three) > 0 else None


def _names(value: object) -> tuple[str, ...] | None:
    fits = isinstance(value, list) and value and all(map(_text, value)) and len({*value}) == len(value)
    return tuple(value) if fits and isinstance(value, list) else None


def _skeleton(value: object) -> str | tuple[str, ...] | None:
    return value if isinstance(value, str) else _names(value)


def _rows(value: object) -> tuple[int, ...] | None:
    fits = isinstance(value, list) and value and all(_whole(row, least=0) for row in value)
    return tuple(value) if fits and isinstance(value, list) and len({*value}) == len(value) else None


def _columns(value: object) -> tuple[str, ...] | None:
    names = _names(value)
    return names if names and "x" in names and "y" in names else None


_KEYS: dict[str, tuple[str, Callable[[object], Any]]] = {
    "name": ("a name of letters, digits, '_', '-' and '.'", _name),
    "title": ("a line of text", _text),
    "source": ("a line of text", _text),
    "licence": ("a line of text", _text),
    "clean": ("a line of text", _text),
    "sha256": ("64 hexadecimal digits in lower case", _hash),
    "format": _one_of(*FORMATS),
    "skeleton": ("the name of a skeleton or a list of different keypoint names", _skeleton),
    "input_size": (f"[height, width], whole numbers from 1 to {_LARGEST}", _size),
    "channels": _one_of("RGB", "BGR"),
    "layout": _one_of("NHWC", "NCHW"),
    "scale": ("a number > 0", _positive),
    "mean": ("a number, or three for red, green and blue, in [0, 1] units", _colour),
    "std": ("a number > 0, or three for red, green and blue, in [0, 1] units", _positive_colour),
    "stages": ("a list of different tensor names", _names),
    "select": ("a list of different whole numbers >= 0", _rows),
    "head": _one_of("heatmap", "coordinates", "offsets", "centre"),
    "heatmap_size": (f"[height, width], whole numbers from 1 to {_LARGEST}", _size),
    "sigma": ("a number of cells > 0", _positive),
    "peak": ("a number > 0", _positive),
    "decoding": _one_of("argmax", "quarter"),
    "padding": ("a number > 0", _positive),
    "lattice": _one_of("centres", "corners", "ends"),
    "unit": _one_of("pixels", "0..1", "-0.5..0.5"),
    "columns": ("a list of different names with 'x' and 'y' among them", _columns),
}
_REQUIRED = ("name", "format", "skeleton", "input_size", "channels", "head")
_REQUIRED_BY_HEAD = {
    "heatmap": ("heatmap_size", "sigma"),
    "coordinates": ("unit", "columns"),
    "offsets": ("heatmap_size",),
    "centre": ("heatmap_size", "sigma"),
}
_ONLY_FOR_HEADS = {
    "heatmap_size": ("heatmap", "offsets", "centre"),
    "sigma": ("heatmap", "centre"),
    "peak": ("heatmap",),
    "decoding": ("heatmap",),
    "lattice": ("heatmap",),
    "unit": ("coordinates",),
    "columns": ("coordinates",),
    "select": ("heatmap", "coordinates"),
}
PARTS_OF_HEAD: dict[str, tuple[str, ...]] = {
    "offsets": ("heatmaps", "offsets"),
    "centre": ("heatmaps", "offsets", "regression", "centre"),
}
"""What the stages of heads are that read several tensors as one output."""
