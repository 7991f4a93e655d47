"""Model specs: TOML files that say what the inputs and outputs of an imported model mean.

A spec gives the image size and scaling, the keypoints and their encoding, and the training target (`sigma` and
`peak` of heatmaps), which the training loss needs. The package has specs of known files (specs/*.toml), found by
the file's sha256. For any other file the user writes one (docs/your-model.md).
"""

import hashlib
import json
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from robustpose.errors import RobustPoseError, unknown_name
from robustpose.models.heads import HEADS, OutputSpec
from robustpose.models.keys import POSITIVE, SIZE, TEXT, Key, colour, names, one_of, positive_colour, rows
from robustpose.skeletons import MPII_16, SKELETONS, Skeleton

if TYPE_CHECKING:
    from robustpose.models.importers.spec import ImporterSpec

_FIRST_HEAD_KEYS: dict[str, object] = {
    "heatmap_size": None,
    "sigma": 1.0,
    "peak": 1.0,
    "decoding": "argmax",
    "lattice": "centres",
    "unit": "pixels",
    "columns": (),
}
"""These keys are always part of the fingerprint, as in older results; other keys only if they are given."""


@dataclass(frozen=True)
class ModelSpec:
    """The inputs and outputs of an imported model.

    padding                 the crop is the person's box times this
    title, source, licence  text for users; `clean` is a measured clean score and its data
    sha256                  hash of the model's file; empty for a spec for any file
    format                  a name of models.importers.IMPORTERS
    input_size              (H, W)
    channels                channel order of the model's input
    layout                  of the model's input and heatmaps
    scale, mean, std        the model's input is ([0, 1] RGB - mean) / std * scale
    stages                  names of the supervised output tensors, first to last. For torch modules and Python
                            functions "output", or the keys or indices of several outputs
    select                  indices of the channels (heatmaps) or rows (coordinates) that are the skeleton's
                            keypoints, in its order; empty for all
    head                    encoding of keypoints: a name of models.heads.HEADS
    head_keys               values of the head's own keys, as given
    """

    name: str
    format: str
    skeleton: Skeleton
    input_size: tuple[int, int]
    channels: Literal["RGB", "BGR"]
    stages: tuple[str, ...]
    head: str
    head_keys: Mapping[str, Any] = field(default_factory=dict, hash=False)
    scale: float = 1.0
    mean: tuple[float, float, float] = (0.0, 0.0, 0.0)
    std: tuple[float, float, float] = (1.0, 1.0, 1.0)
    layout: Literal["NHWC", "NCHW"] = "NHWC"
    select: tuple[int, ...] = ()
    padding: float = 1.25
    title: str = ""
    source: str = ""
    licence: str = ""
    sha256: str = ""
    clean: str = ""

    @property
    def clean_score(self) -> tuple[str, float] | None:
        """Metric and percentage at the start of `clean` ('PCK@0.1 79.5 on ...'); None without one."""
        match = re.match(r"(PCKh?@[\d.]+)\s+([\d.]+)\b", self.clean)
        return (match[1], float(match[2])) if match else None

    @property
    def fingerprint(self) -> str:
        """A hash of everything that affects predictions and the training loss, without texts for users."""
        words = ("name", "title", "source", "licence", "clean", "sha256")
        told = {key: value for key, value in vars(self).items() if key not in (*words, "skeleton", "head_keys")}
        deciding = {**_FIRST_HEAD_KEYS, **told, **self.head_keys}
        deciding["keypoints"], deciding["uncounted"] = self.skeleton.keypoints, self.skeleton.uncounted
        return hashlib.sha256(json.dumps(deciding, sort_keys=True).encode()).hexdigest()

    @property
    def output_spec(self) -> OutputSpec:
        """The part that describes the model's outputs."""
        parts = (self.name, self.skeleton, self.input_size, self.layout, self.stages, self.select, self.head_keys)
        return OutputSpec(*parts)


def read_spec(path: Path, *, format: str = "") -> ModelSpec:
    """Read and check a spec, which must be for `format` if one is given.

    RobustPoseError names the file, the key, the expected and the given value.
    """
    try:
        given = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise RobustPoseError(f"{path}: no such spec") from None
    except OSError as error:
        raise RobustPoseError(f"{path}: cannot be read: {error.strerror}") from None
    except (ValueError, RecursionError) as error:  # not TOML, not text, or a number of thousands of digits
        raise RobustPoseError(f"{path}: not TOML: {error}") from None
    return make_spec(given, where=str(path), format=format)


def make_spec(given: Mapping[str, object], *, where: str = "spec", format: str = "") -> ModelSpec:
    """Check a spec given as a dictionary; see read_spec. Error messages begin with `where`."""
    path = where
    known = _known_keys(given.get("head"))
    values: dict[str, Any] = {}
    for key, value in given.items():
        if key not in known:
            raise RobustPoseError(f"{path}: {unknown_name('key', key, known)}")
        expected, check = known[key]
        values[key] = check(list(value) if isinstance(value, tuple) else value)
        if values[key] is None:
            raise RobustPoseError(f"{path}: {key} must be {expected}, got {value!r}")
    head = values.get("head")
    kind = str(values.get("format"))
    importer = _importers().get(kind)
    by_format = () if importer and importer.one_output else ("stages",)
    for key in (*_REQUIRED, *by_format, *(HEADS[head].required if head else ())):
        if key not in values:
            raise RobustPoseError(f"{path}: lacks {key} ({known[key][0]})")
    for key in (*dict.fromkeys(key for format in HEADS.values() for key in format.keys), "select"):
        if key in values and head not in _heads_with(key):
            named = " or ".join(map(repr, _heads_with(key)))
            raise RobustPoseError(f"{path}: {key} is for head = {named}, this spec says {head!r}")
    if format and kind != format:
        raise RobustPoseError(
            f"{path}: is a spec for {kind} models (format = {kind!r}), but the model is opened as {format}"
        )
    if "sha256" in values and importer and not importer.one_file:
        raise RobustPoseError(
            f"{path}: sha256 is the hash of one file, but a model of format {kind!r} is not one file"
        )
    parts = HEADS[values["head"]].parts
    if parts and len(values["stages"]) != len(parts):
        raise RobustPoseError(
            f"{path}: stages must name {len(parts)} tensors for head = {head!r} ({', '.join(parts)}), "
            f"got {len(values['stages'])}"
        )
    return _spec(path, values)


def given_spec(spec: Path | ModelSpec, *, format: str) -> ModelSpec:
    """Return a spec, reading it if it is a path; RobustPoseError where it is for another format."""
    if isinstance(spec, Path):
        return read_spec(spec, format=format)
    if spec.format != format:
        raise RobustPoseError(
            f"spec {spec.name!r} is for {spec.format} models, but the model is opened as {format}"
        )
    return spec


def _spec(path: str, values: dict[str, Any]) -> ModelSpec:
    """Make the spec from values that are valid one by one; RobustPoseError where they contradict each other."""
    importer = _importers()[values["format"]]
    values.setdefault("layout", importer.layout)
    values.setdefault("stages", ("output",))
    scaling = [key for key in ("scale", "mean", "std") if key in values]
    if not importer.scales and scaling:
        raise RobustPoseError(
            f"{path}: {scaling[0]} does not apply: a callable gets 8-bit images (N, H, W, 3) and scales them"
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
    head_keys = {key: values.pop(key) for key in HEADS[values["head"]].keys if key in values}
    return ModelSpec(**{**values, "skeleton": skeleton, "head_keys": head_keys})


def shipped_specs() -> tuple[ModelSpec, ...]:
    """Read the package's specs, in the order of their names."""
    with resources.as_file(resources.files("robustpose.models") / "specs") as folder:
        return tuple(read_spec(path) for path in sorted(folder.glob("*.toml"), key=lambda path: path.stem))


def find_spec(sha256: str) -> ModelSpec | None:
    """Return the spec of a known model file, or None."""
    return next((spec for spec in shipped_specs() if spec.sha256 == sha256), None)


def _name(value: object) -> str | None:
    return value if isinstance(value, str) and re.fullmatch(r"[A-Za-z0-9][\w.-]*", value) else None


def _hash(value: object) -> str | None:
    return value if isinstance(value, str) and re.fullmatch(r"[0-9a-f]{64}", value) else None


def _skeleton(value: object) -> str | tuple[str, ...] | None:
    return value if isinstance(value, str) else names(value)


_KEYS: dict[str, Key] = {
    "name": ("a name of letters, digits, '_', '-' and '.'", _name),
    "title": TEXT,
    "source": TEXT,
    "licence": TEXT,
    "clean": TEXT,
    "sha256": ("64 hexadecimal digits in lower case", _hash),
    "skeleton": ("the name of a skeleton or a list of different keypoint names", _skeleton),
    "input_size": SIZE,
    "channels": one_of("RGB", "BGR"),
    "layout": one_of("NHWC", "NCHW"),
    "scale": POSITIVE,
    "mean": ("a number, or three for red, green and blue, in [0, 1] units", colour),
    "std": ("a number > 0, or three for red, green and blue, in [0, 1] units", positive_colour),
    "stages": ("a list of different tensor names", names),
    "select": ("a list of different whole numbers >= 0", rows),
    "padding": POSITIVE,
}
"""The keys of every spec file besides `format`, `head` and the head's own keys; see IMPORTERS and HEADS."""
_REQUIRED = ("name", "format", "skeleton", "input_size", "channels", "head")


def _importers() -> "dict[str, ImporterSpec]":
    """Return IMPORTERS; imported here because its modules import this one."""
    from robustpose.models.importers import IMPORTERS

    return IMPORTERS


def _heads_with(key: str) -> list[str]:
    """Return the names of the heads that take a key."""
    return [name for name, head in HEADS.items() if (head.takes_select if key == "select" else key in head.keys)]


def _known_keys(head: object) -> dict[str, Key]:
    """Return all keys; a key that several heads have is checked as the given head does."""
    of_heads = {key: check for format in reversed(HEADS.values()) for key, check in format.keys.items()}
    own = HEADS[head].keys if isinstance(head, str) and head in HEADS else {}
    return {**_KEYS, "format": one_of(*_importers()), "head": one_of(*HEADS), **of_heads, **own}
