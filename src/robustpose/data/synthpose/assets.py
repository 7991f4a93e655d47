"""The renderer's asset files: the body and the panoramas, loaded once on first use.

assets/PROVENANCE.toml and docs/synthpose.md give their sources and licences.
"""

import hashlib
import io
import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from robustpose.errors import RobustPoseError

Floats = NDArray[np.float64]
Floats32 = NDArray[np.float32]
Ints = NDArray[np.int64]
Pixels = NDArray[np.uint8]
Mask = NDArray[np.bool_]

FOLDER = Path(__file__).parent / "assets"

RENDERER_VERSION = "b32f2f3aa93f6f5e"
"""16 arbitrary hex digits. Every change of a pixel or a truth needs new ones; cached people are then not reused.

tests/data/test_synthpose_golden.py fails if this was forgotten.
"""


@dataclass(frozen=True)
class BodyAssets:
    """A person in the rest pose, in metres, x to its left, y up, z forward: V vertices, B bones, T blendshapes."""

    vertices: Floats32  # (V, 3) of the neutral body, its eyes and the shells that become clothes and hair
    faces: dict[str, Ints]  # triangles (., 3) of body, left_eye, right_eye, tights, skirt, hair
    target_names: tuple[str, ...]
    targets: Floats32  # (T, 3 V) displacements
    bones: tuple[str, ...]  # parents before children
    parents: Ints  # (B,), -1 at the root
    heads: Floats  # (B, 3) where bones begin
    tails: Floats  # (B, 3) where bones end
    target_heads: Floats  # (T, B, 3) displacements
    target_tails: Floats  # (T, B, 3) displacements
    skin_bones: Ints  # (V, 4)
    skin_weights: Floats32  # (V, 4), rows sum to 1


@dataclass(frozen=True)
class Panorama:
    """A photographed place: the background and the light of a scene."""

    name: str
    image: Pixels  # (256, 512, 3) RGB, equirectangular, +z in the middle
    harmonics: Floats  # (9, 3) irradiance
    key: Floats  # (3,) unit direction of the strongest light


def _checked(name: str) -> io.BytesIO:
    """Read an asset file; RobustPoseError where it is missing or differs from PROVENANCE.toml."""
    path = FOLDER / name
    provenance = FOLDER / "PROVENANCE.toml"
    try:
        sources = tomllib.loads(provenance.read_text(encoding="utf-8"))["source"]
        expected = {source["output"]: source["sha256"] for source in sources}[name]
        content = path.read_bytes()
    except OSError as error:
        raise RobustPoseError(f"{error.filename}: {error.strerror}; reinstall robustpose") from None
    except (ValueError, KeyError, TypeError):  # not text, not TOML, a row or a field missing
        raise RobustPoseError(f"{provenance} has no sha256 of {name}; reinstall robustpose") from None
    found = hashlib.sha256(content).hexdigest()
    if found != expected:
        raise RobustPoseError(
            f"{path}: sha256 is {found[:12]}..., PROVENANCE.toml has {expected[:12]}...; reinstall robustpose"
        )
    return io.BytesIO(content)


@cache
def load_body() -> BodyAssets:
    """Load assets/body.npz; RobustPoseError where it is missing or damaged."""
    with np.load(_checked("body.npz")) as held:
        steps = held["target_steps"]
        weights = held["skin_weights"].astype(np.float32)
        return BodyAssets(
            vertices=held["vertices"],
            faces={
                name.removeprefix("faces_"): held[name].astype(np.int64)
                for name in held.files
                if name.startswith("faces_")
            },
            target_names=tuple(str(name) for name in held["target_names"]),
            targets=(steps.astype(np.float32) * held["target_step"]).reshape(len(steps), -1),
            bones=tuple(str(name) for name in held["bones"]),
            parents=held["parents"].astype(np.int64),
            heads=held["heads"].astype(np.float64),
            tails=held["tails"].astype(np.float64),
            target_heads=held["target_heads"].astype(np.float64),
            target_tails=held["target_tails"].astype(np.float64),
            skin_bones=held["skin_bones"].astype(np.int64),
            skin_weights=weights / weights.sum(axis=1, keepdims=True),
        )


def _decoded(webp: Pixels) -> Pixels:
    """Decode a compressed image to RGB (H, W, 3)."""
    image = np.asarray(cv2.imdecode(webp, cv2.IMREAD_COLOR), dtype=np.uint8)
    return np.ascontiguousarray(image[..., ::-1])


@cache
def load_panoramas() -> dict[str, Panorama]:
    """Load assets/panoramas.npz as panoramas by name; RobustPoseError where it is missing or damaged."""
    with np.load(_checked("panoramas.npz")) as held:
        return {
            str(name): Panorama(
                name=str(name),
                image=_decoded(held[f"webp_{name}"]),
                harmonics=held["harmonics"][row].astype(np.float64),
                key=held["keys"][row].astype(np.float64),
            )
            for row, name in enumerate(held["names"])
        }
