"""Small photos and annotation files for the tests of data sets."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from scipy.io import savemat

from robustpose.geometry import Pixels
from robustpose.skeletons import COCO_17

REAL = Path(__file__).parents[2].parent / "shared" / "data"
HEIGHT, WIDTH = 48, 64


def real_file(name: str) -> Path:
    """Return a file of the real data beside the repository; skip the test if it is missing."""
    if not (REAL / name).is_file():
        pytest.skip(f"the real data set {name} is not on this machine")
    return REAL / name


def noise(*, seed: int = 0) -> Pixels:
    """Return smooth colours that differ everywhere, RGB (48, 64, 3)."""
    coarse = np.random.default_rng(seed).integers(0, 256, (6, 8, 3), dtype=np.uint8)
    return np.asarray(cv2.resize(coarse, (WIDTH, HEIGHT), interpolation=cv2.INTER_CUBIC), dtype=np.uint8)


def write_photo(path: Path, rgb: Pixels | None = None) -> Path:
    """Write RGB pixels, by default some noise, in the format of the name's suffix."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = noise() if rgb is None else rgb
    assert cv2.imwrite(str(path), cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR))
    return path


def write_json(path: Path, content: Any) -> Path:
    """Write a JSON file, making its folder."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content))
    return path


def coco_annotation(number: int, image_id: int, **changes: Any) -> dict[str, Any]:
    """Return a person whose nose (10, 12) is visible, left eye (14, 9) occluded, and the rest unlabelled."""
    keypoints = [10, 12, 2, 14, 9, 1] + [0, 0, 0] * 15
    return {
        "id": number,
        "image_id": image_id,
        "category_id": 1,
        "iscrowd": 0,
        "num_keypoints": 2,
        "keypoints": keypoints,
        "bbox": [4.0, 2.0, 20.0, 40.0],
        "area": 500.0,
    } | changes


def coco_content(annotations: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return a COCO file of two photos, 000007.png (id 7) and 000003.png (id 3)."""
    return {
        "images": [{"id": 7, "file_name": "000007.png"}, {"id": 3, "file_name": "000003.png"}],
        "annotations": list(annotations),
        "categories": [{"id": 1, "name": "person", "keypoints": list(COCO_17.keypoints)}],
    }


def write_coco_people(folder: Path, *, area: float) -> Path:
    """Write people in two photos with every keypoint in their box, a crowd, and one without labelled keypoints.

    Their areas are far larger than their boxes, so that the models of the tests, which know nothing, find some.
    """
    for name, seed in (("000007.png", 7), ("000003.png", 3)):
        write_photo(folder / "images" / name, noise(seed=seed))
    generator = np.random.default_rng(0)
    annotations: list[dict[str, Any]] = []
    for number in range(1, 13):
        x, y, w, h = *generator.uniform(0, 25, 2), *generator.uniform(15, 22, 2)
        points = np.column_stack([generator.uniform(x, x + w, 17), generator.uniform(y, y + h, 17)])
        flags = generator.integers(0, 3, 17)
        if number == 5:
            flags[:] = 0
        annotations.append(
            {
                "id": number,
                "image_id": 7 if number % 3 else 3,
                "category_id": 1,
                "iscrowd": int(number == 6),
                "num_keypoints": int((flags > 0).sum()),
                "keypoints": np.column_stack([points * (flags > 0)[:, None], flags]).round(2).ravel().tolist(),
                "bbox": [x, y, w, h],
                "area": area * number,
            }
        )
    return write_json(folder / "people.json", coco_content(annotations) | {"info": {}})


def mpii_person(image: str = "a.png", **changes: Any) -> dict[str, Any]:
    """Return a JSON person with only a right ankle (11, 31) and a left wrist (21, 13), counted from 1."""
    joints = [[-1.0, -1.0] for _ in range(16)]
    joints[0], joints[15] = [11.0, 31.0], [21.0, 13.0]
    labelled = [1] + [0] * 14 + [1]
    return {
        "image": image,
        "joints": joints,
        "joints_vis": labelled,
        "center": [17.0, 20.0],
        "scale": 0.2,
    } | changes


def structs(rows: Sequence[Mapping[str, Any]]) -> Any:
    """Return a MATLAB struct array (1, n); a field that a row lacks is [], as MATLAB fills it."""
    names = list(dict.fromkeys(name for row in rows for name in row))
    array = np.empty((1, len(rows)), dtype=[(name, object) for name in names])
    for column, row in enumerate(rows):
        for name in names:
            array[name][0, column] = row.get(name, np.zeros((0, 0)))
    return array


def cells(values: Sequence[Any]) -> Any:
    """Return a MATLAB cell column (n, 1)."""
    array = np.empty((len(values), 1), dtype=object)
    for row, value in enumerate(values):
        array[row, 0] = value
    return array


def annorect(points: Sequence[Mapping[str, Any]] | None, **changes: Any) -> dict[str, Any]:
    """Return a person of the release with a 3-4-5 head box of 30 x 40 and centre (17, 20), counted from 1."""
    rect: dict[str, Any] = {"x1": 5, "y1": 2, "x2": 35, "y2": 42, "scale": 0.2, "objpos": {"x": 17.0, "y": 20.0}}
    if points is not None:
        rect["annopoints"] = {"point": structs(points)}
    return {key: value for key, value in (rect | changes).items() if value is not None}


def write_release(
    path: Path, images: Sequence[tuple[str, int, Sequence[Mapping[str, Any]], Sequence[int]]]
) -> Path:
    """Write a .mat nested as MPII's release from (photo, in training, people, single_person) of each image."""
    annolist = structs(
        [
            {"image": {"name": name}, "annorect": structs(people) if people else np.zeros((0, 0))}
            for name, _, people, _ in images
        ]
    )
    release = {
        "annolist": annolist,
        "img_train": np.array([[trains for _, trains, _, _ in images]]),
        "version": "12",
        "single_person": cells([np.array(list(single), dtype=float).reshape(-1, 1) for *_, single in images]),
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    savemat(path, {"RELEASE": release})
    return path
