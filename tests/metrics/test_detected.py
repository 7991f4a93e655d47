"""Detector boxes: the scores equal those of pycocotools for the same file and predictions."""

import contextlib
import io
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from robustpose.data.annotations import Detected
from robustpose.data.detections import open_detected
from robustpose.data.people import PhotoPeople
from robustpose.geometry import crop_points
from robustpose.metrics import METRICS, Scores, Table, scores_of
from robustpose.metrics.average_precision import AP, AR
from robustpose.metrics.coco import photos_asked
from robustpose.skeletons import COCO_17, MPII_16

from ..data.files import real_file, write_json, write_photo

K = len(COCO_17)
DETECTED = METRICS["oks_detected"]


def a_set(folder: Path, seed: int) -> tuple[Path, Path]:
    """Write 12 photos with people, crowds, people without labels; and detections near them, of one photo none."""
    generator = np.random.default_rng(seed)
    annotations: list[dict[str, Any]] = []
    detections: list[dict[str, Any]] = []
    for photo in range(12):
        write_photo(folder / "images" / f"{photo:02}.png")
        for _ in range(int(generator.integers(0, 5))):
            x, y, w, h = *generator.uniform(0, 300, 2), *generator.uniform(15, 250, 2)
            points = np.column_stack([generator.uniform(x, x + w, K), generator.uniform(y, y + h, K)])
            flags = generator.integers(0, 3, K)
            if generator.random() < 0.2:
                flags[:] = 0
            annotations.append(
                {
                    "id": len(annotations) + 1,
                    "image_id": photo,
                    "category_id": 1,
                    "iscrowd": int(generator.random() < 0.2),
                    "bbox": [x, y, w, h],
                    "area": w * h * 0.6,
                    "keypoints": np.column_stack([points * (flags > 0)[:, None], flags]).ravel().tolist(),
                    "num_keypoints": int((flags > 0).sum()),
                }
            )
            for _ in range(int(generator.integers(0, 3)) if photo != 5 else 0):
                near = np.array([x, y, w, h]) + generator.normal(0, 0.1, 4) * [w, h, w, h]
                near[2:] = np.abs(near[2:])
                detections.append(
                    {
                        "image_id": photo,
                        "category_id": 1,
                        "bbox": near.tolist(),
                        "score": float(generator.random()),
                    }
                )
    content = {
        "images": [{"id": photo, "file_name": f"{photo:02}.png"} for photo in range(12)],
        "annotations": annotations,
        "categories": [{"id": 1, "name": "person", "keypoints": list(COCO_17.keypoints)}],
    }
    return write_json(folder / "people.json", content), write_json(folder / "detections.json", detections)


def answered(people: PhotoPeople, *, seed: int, spread: float = 0.03) -> tuple[Table, list[list[float]]]:
    """Make predictions for every detection, near its truth if it has one; also in photo pixels."""
    generator = np.random.default_rng(seed)
    n = len(people)
    crops = np.array([[[2.0, 0.0, 5.0 + i], [0.0, 2.0, -3.0]] for i in range(n)])
    there = []
    for person in people.people:
        x, y, w, h = person.box
        at = generator.uniform((x, y), (x + w, y + h), (K, 2))
        near = person.keypoints + generator.normal(0, spread * np.sqrt(w * h), (K, 2))
        there.append(np.where(person.visible[:, None], near, at))
    table = Table(
        ids=tuple(person.id for person in people.people),
        skeleton=COCO_17,
        predicted=np.stack([crop_points(points, crop) for points, crop in zip(there, crops, strict=True)]),
        keypoints=np.stack([crop_points(p.keypoints, c) for p, c in zip(people.people, crops, strict=True)]),
        visible=np.stack([person.visible for person in people.people]),
        head_size=np.full(n, np.nan),
        box_side=np.full(n, 100.0),
        score=generator.random(n),
        area=np.array([person.area for person in people.people]),
        crops=crops,
        photo=np.array([person.photo for person in people.people], dtype=np.str_),
    )
    return table, [np.column_stack([points, np.ones(K)]).ravel().tolist() for points in there]


def scored(table: Table, people: PhotoPeople) -> Scores:
    return scores_of(DETECTED, replace(table, detected=people.detected))


def official(path: Path, people: PhotoPeople, table: Table, keypoints: list[list[float]]) -> list[float]:
    """Score the same predictions with pycocotools, from the file."""
    assert people.detected is not None
    assert table.score is not None
    numbers = {image["file_name"]: image["id"] for image in json.loads(path.read_text())["images"]}
    answers = [
        {
            "image_id": numbers[person.photo],
            "category_id": 1,
            "keypoints": points,
            "score": people.detected.scores[person.id] * float(score),
        }
        for person, points, score in zip(people.people, keypoints, table.score, strict=True)
    ]
    with contextlib.redirect_stdout(io.StringIO()):
        truth = COCO(str(path))
        evaluator = COCOeval(truth, truth.loadRes(answers), iouType="keypoints")
        evaluator.evaluate()
        evaluator.accumulate()
        evaluator.summarize()
    stats: list[float] = np.where(evaluator.stats < 0, np.nan, 100 * evaluator.stats).tolist()
    return stats


@pytest.mark.parametrize("seed", range(6))
def test_on_made_up_people_the_scores_are_pycocotools(tmp_path: Path, seed: int) -> None:
    path, detections = a_set(tmp_path, seed)
    people = open_detected(path, detections)
    table, keypoints = answered(people, seed=seed)
    assert people.detected is not None
    ours = scored(table, people)
    np.testing.assert_allclose(
        [ours.values[name] for name in (*AP, *AR)], official(path, people, table, keypoints)
    )
    assert 0 < ours.values["AP"] < 100


@pytest.mark.parametrize("spread", [0.02, 0.04])
def test_on_real_annotations_and_detections_the_scores_are_pycocotools(spread: float) -> None:
    path = real_file("coco_format/test_coco.json")
    people = open_detected(path, real_file("coco_format/test_coco_det_AP_H_56.json"))
    table, keypoints = answered(people, seed=1, spread=spread)
    assert people.detected is not None
    ours = scored(table, people)
    np.testing.assert_allclose(
        [ours.values[name] for name in (*AP, *AR)], official(path, people, table, keypoints)
    )
    assert ours.people["AP"] == 12
    assert 0 < ours.values["AP"] < 100


def test_people_whom_no_detection_found_are_missed(tmp_path: Path) -> None:
    path, detections = a_set(tmp_path, 3)
    all_of_them = json.loads(detections.read_text())
    people = open_detected(path, detections)
    perfect, _ = answered(people, seed=0, spread=0.0)
    assert people.detected is not None
    recall = scored(perfect, people).values["AR"]
    half = write_json(tmp_path / "half.json", [each for each in all_of_them if each["image_id"] > 5])
    fewer = open_detected(path, half)
    table, _ = answered(fewer, seed=0, spread=0.0)
    assert fewer.detected is not None
    scores = scored(table, fewer)
    assert scores.values["AR"] < recall
    assert scores.people["AR"] == scored(perfect, people).people["AR"]


def test_photos_of_which_a_part_was_asked_do_not_count(tmp_path: Path) -> None:
    path, detections = a_set(tmp_path, 3)
    people = open_detected(path, detections)
    table, _ = answered(people, seed=0)
    assert people.detected is not None
    names = [person.photo for person in people.people]
    first = next(row for row in range(1, len(names)) if names[row] == names[row - 1] and names[row] > "06")
    photos = photos_asked(table.take(range(first)), people.detected)
    assert names[first] not in photos
    last = max(name for name in names if name < names[first])  # later ones without detections are not known of
    assert photos == sorted(name for name in people.detected.annotations if name <= last)


def test_only_the_joints_that_are_asked_for_count(tmp_path: Path) -> None:
    path, detections = a_set(tmp_path, 2)
    people = open_detected(path, detections)
    table, _ = answered(people, seed=0, spread=0.0)
    table.predicted[:, COCO_17.index("nose")] += 1e4
    assert people.detected is not None
    body = frozenset(COCO_17.keypoints) & frozenset(MPII_16.keypoints)
    right = scored(table.over(body), people).values["AR"]
    assert right > scored(table, people).values["AR"]


def test_intervals_redraw_photos(tmp_path: Path) -> None:
    path, detections = a_set(tmp_path, 1)
    people = open_detected(path, detections)
    table, _ = answered(people, seed=1)
    assert isinstance(people.detected, Detected)
    scores = scored(table, people)
    assert scores.draws["AP"].shape == (1000,)
    assert scores.draws["AP"].min() < scores.values["AP"] < scores.draws["AP"].max()
