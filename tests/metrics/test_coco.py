import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from robustpose.geometry import crop_points
from robustpose.metrics import METRICS, Table, relative_scores, scores_of, with_intervals
from robustpose.metrics.average_precision import AP, AR, matched, summary
from robustpose.metrics.coco import MEAN, counted, is_ranked
from robustpose.skeletons import AIC_14, COCO_17

K = len(COCO_17)
OKS = METRICS["oks"]


def people(photos: list[str], *, score: list[float], off: list[float], area: float = 10000.0) -> Table:
    """Write people of one size: person i stands 1000 i pixels to the right, and is predicted off[i] pixels off."""
    n = len(photos)
    truth = np.zeros((n, K, 2))
    truth[:, :, 0] = 1000.0 * np.arange(n)[:, None] + np.arange(K)
    truth[:, :, 1] = 10.0 * np.arange(K)
    crops = np.broadcast_to(np.array([[2.0, 0.0, 5.0], [0.0, 2.0, -3.0]]), (n, 2, 3)).copy()
    there = np.stack([crop_points(truth[i] + [off[i], 0.0], crops[i]) for i in range(n)]) if n else truth
    return Table(
        ids=tuple(f"p{i}" for i in range(n)),
        skeleton=COCO_17,
        predicted=there,
        keypoints=np.stack([crop_points(truth[i], crops[i]) for i in range(n)]) if n else truth,
        visible=np.ones((n, K), bool),
        head_size=np.full(n, np.nan),
        box_side=np.full(n, 100.0),
        score=np.array(score),
        area=np.full(n, area),
        crops=crops,
        photo=np.array(photos, dtype=np.str_),
    )


def random_coco(seed: int, *, kind: str = "plain") -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Write a COCO file of 12 photos and answers for it; kinds: plain, crowd, ties, many."""
    generator = np.random.default_rng(seed)
    annotations: list[dict[str, Any]] = []
    answers: list[dict[str, Any]] = []
    for photo in range(12):
        for _ in range(int(generator.integers(0, 5))):
            x, y, w, h = *generator.uniform(0, 300, 2), *generator.uniform(15, 250, 2)
            points = np.column_stack([generator.uniform(x, x + w, K), generator.uniform(y, y + h, K)])
            flags = generator.integers(0, 3, K)
            crowd = int(kind == "crowd" and generator.random() < 0.25)
            if kind == "crowd" and generator.random() < 0.2:
                flags[:] = 0
            annotations.append(
                {
                    "id": len(annotations) + 1,
                    "image_id": photo,
                    "category_id": 1,
                    "iscrowd": crowd,
                    "bbox": [x, y, w, h],
                    "area": w * h * 0.6,
                    "keypoints": np.column_stack([points * (flags > 0)[:, None], flags]).ravel().tolist(),
                    "num_keypoints": int((flags > 0).sum()),
                }
            )
            for _ in range(9 if kind == "many" else int(generator.integers(0, 3))):
                spread = generator.choice([0.01, 0.05, 0.1, 0.3]) * math.sqrt(w * h)
                near = points + generator.normal(0, spread, (K, 2))
                score = generator.integers(1, 4) / 4 if kind == "ties" else generator.random()
                answers.append(
                    {
                        "image_id": photo,
                        "category_id": 1,
                        "keypoints": np.column_stack([near, np.ones(K)]).ravel().tolist(),
                        "score": float(score),
                    }
                )
    content = {
        "info": {},
        "images": [{"id": photo} for photo in range(12)],
        "annotations": annotations,
        "categories": [{"id": 1, "name": "person"}],
    }
    return content, answers


def official(content: dict[str, Any], answers: list[dict[str, Any]]) -> COCOeval:
    truth = COCO()
    truth.dataset = content
    truth.createIndex()
    evaluator = COCOeval(truth, truth.loadRes(answers), iouType="keypoints")
    evaluator.evaluate()
    evaluator.accumulate()
    evaluator.summarize()
    return evaluator


@pytest.mark.parametrize("kind", ["plain", "crowd", "ties", "many"])
@pytest.mark.parametrize("seed", range(8))
def test_sums_are_exactly_the_official_ones(kind: str, seed: int) -> None:
    evaluator = official(*random_coco(seed, kind=kind))
    ours = summary(matched(evaluator), np.ones((1, 12)))
    assert tuple(ours) == (*AP, *AR)
    theirs = np.where(evaluator.stats < 0, np.nan, 100.0 * evaluator.stats)
    np.testing.assert_array_equal([float(value[0]) for value in ours.values()], theirs)
    assert 0 < ours["AP"][0] < 100


@pytest.mark.parametrize("kind", ["plain", "crowd", "ties", "many"])
@pytest.mark.parametrize("seed", range(8))
def test_another_implementation_matches_the_same_people(kind: str, seed: int) -> None:
    hotcoco = pytest.importorskip("hotcoco", reason="hotcoco is not installed")
    content, answers = random_coco(seed, kind=kind)
    truth = hotcoco.COCO(content)
    evaluator = hotcoco.COCOeval(truth, truth.loadRes(answers), iouType="keypoints")
    evaluator.evaluate()
    ours, theirs = matched(official(content, answers)), matched(evaluator)
    for name, each in ours.items():
        for field in ("right", "wrong", "photo", "people"):
            np.testing.assert_array_equal(getattr(theirs[name], field), getattr(each, field))
    assert ours["all"].right.any()


@pytest.mark.parametrize("seed", range(4))
def test_a_photo_taken_many_times_is_that_many_photos(seed: int) -> None:
    content, answers = random_coco(seed, kind="crowd")
    times = np.random.default_rng(seed).multinomial(12, np.full(12, 1 / 12))
    ours = summary(matched(official(content, answers)), times[None].astype(float))
    copies = [(photo, copy) for photo in range(12) for copy in range(times[photo])]
    photos = {place: number for number, place in enumerate(copies)}
    again: dict[str, Any] = content | {"images": [{"id": number} for number in photos.values()]}
    again["annotations"] = [
        each | {"image_id": photos[place]}
        for place in copies
        for each in content["annotations"]
        if each["image_id"] == place[0]
    ]
    again["annotations"] = [each | {"id": i + 1} for i, each in enumerate(again["annotations"])]
    asked = [
        {**each, "image_id": photos[place]} for place in copies for each in answers if each["image_id"] == place[0]
    ]
    theirs = official(again, asked).stats
    theirs = np.where(theirs < 0, np.nan, 100.0 * theirs)
    np.testing.assert_allclose([float(value[0]) for value in ours.values()], theirs, rtol=1e-12)


@pytest.mark.parametrize("kind", ["plain", "crowd", "ties"])
@pytest.mark.parametrize("seed", range(3))
def test_a_table_scores_as_its_people_do_officially(seed: int, kind: str) -> None:
    content, _ = random_coco(seed, kind=kind)
    generator = np.random.default_rng(seed)
    chosen = [a for a in content["annotations"] if a["num_keypoints"] and not a["iscrowd"]]
    n = len(chosen)
    keypoints = np.array([a["keypoints"] for a in chosen]).reshape(n, K, 3)
    area = np.array([a["area"] for a in chosen])
    spread = generator.choice([0.02, 0.1, 0.3], n) * np.sqrt(area)
    predicted = keypoints[:, :, :2] + generator.normal(0, 1, (n, K, 2)) * spread[:, None, None]
    score = generator.integers(1, 5, n) / 4 if kind == "ties" else generator.random(n)
    answers = [
        {
            "image_id": a["image_id"],
            "category_id": 1,
            "keypoints": np.column_stack([predicted[i], np.ones(K)]).ravel().tolist(),
            "score": float(score[i]),
        }
        for i, a in enumerate(chosen)
    ]
    zoom = generator.uniform(0.3, 2.0, n)
    crops = np.zeros((n, 2, 3))
    crops[:, 0, 0] = crops[:, 1, 1] = zoom
    crops[:, :, 2] = generator.uniform(-50, 50, (n, 2))
    table = Table(
        ids=tuple(str(a["id"]) for a in chosen),
        skeleton=COCO_17,
        predicted=predicted * zoom[:, None, None] + crops[:, None, :, 2],
        keypoints=keypoints[:, :, :2] * zoom[:, None, None] + crops[:, None, :, 2],
        visible=keypoints[:, :, 2] > 0,
        head_size=np.full(n, np.nan),
        box_side=np.full(n, 10.0),
        score=score,
        area=area,
        crops=crops,
        photo=np.array([f"{a['image_id']:06d}.jpg" for a in chosen]),
    )
    evaluator = official(content | {"annotations": chosen}, answers)
    ours = scores_of(OKS, table)
    theirs = np.where(evaluator.stats < 0, np.nan, 100.0 * evaluator.stats)
    np.testing.assert_allclose([ours.values[name] for name in (*AP, *AR)], theirs, rtol=1e-12)
    assert ours.people["AP"] == n
    each = [evaluator.computeOks(a["image_id"], 1) for a in chosen]
    assert ours.values[MEAN] < 100 * np.mean([found.max() for found in each]) + 1e-9


def test_by_hand() -> None:
    # Of two people one is found, with the higher score: precision is 1 up to recall 0.5, so at 51 of 101 recalls.
    first = scores_of(OKS, people(["a", "b"], score=[0.9, 0.5], off=[0, 500])).values
    assert first["AP"] == first["AP50"] == first["AP75"] == pytest.approx(100 * 51 / 101)
    assert first["AR"] == first["AR50"] == first["AR75"] == first[MEAN] == pytest.approx(50)
    # Ranked below the wrong answer, it has precision 1/2.
    assert scores_of(OKS, people(["a", "b"], score=[0.4, 0.5], off=[0, 500])).values["AP"] == pytest.approx(
        100 * 51 / 202
    )
    # 100 x 100 pixels are large, and nobody is of medium size.
    assert first["AP(L)"] == first["AP"]
    assert math.isnan(first["AP(M)"]) and math.isnan(first["AR(M)"])
    everyone = scores_of(OKS, people(["a", "a", "b"], score=[0.9, 0.5, 0.1], off=[0, 0, 0], area=2000.0))
    assert {name: round(value, 9) for name, value in everyone.values.items() if not math.isnan(value)} == {
        name: 100.0 for name in (*AP, *AR, MEAN) if "L" not in name
    }
    assert (everyone.people["AP"], everyone.people["AP(M)"], everyone.people["AP(L)"]) == (3, 3, 0)
    assert (everyone.units["AP"], everyone.units["AR(L)"]) == (2, 0)


def test_an_answer_on_another_person_of_the_photo_counts_for_that_one() -> None:
    table = people(["a", "a"], score=[0.9, 0.8], off=[1000, -1000])
    assert scores_of(OKS, table).values["AP"] == pytest.approx(100)
    assert scores_of(OKS, table).values[MEAN] == pytest.approx(0, abs=1e-6)
    apart = replace(table, photo=np.array(["a", "b"]))
    assert scores_of(OKS, apart).values["AP"] == 0.0


def test_a_model_without_scores_is_ranked_by_the_order_of_the_table() -> None:
    table = people(["a", "b"], score=[1.0, 1.0], off=[0, 500])
    constant = scores_of(OKS, table)
    assert not is_ranked(table)
    assert constant.values["AP"] == pytest.approx(100 * 51 / 101)
    other = scores_of(OKS, people(["a", "b"], score=[1.0, 1.0], off=[500, 0]))
    assert other.values["AP"] == pytest.approx(100 * 51 / 202)
    assert constant.values["AR"] == other.values["AR"] == 50
    assert is_ranked(replace(table, score=np.array([1.0, 0.9])))


def test_who_takes_part() -> None:
    table = people(["a", "b", "c", "d"], score=[0.9, 0.8, 0.7, 0.6], off=[500, 500, 0, 0])
    assert table.area is not None
    table.area[0] = np.nan
    table.visible[1] = False
    assert OKS.defined(table)
    assert counted(table).ids == ("p2", "p3")
    found = scores_of(OKS, table)
    assert found.values["AP"] == pytest.approx(100)
    assert (found.people["AP"], found.units["AP"]) == (2, 2)
    table.area[:] = np.nan
    assert not OKS.defined(table)
    none = scores_of(OKS, table)
    assert all(math.isnan(value) for value in none.values.values())
    assert all(math.isnan(each.low) and each.n == 0 for each in with_intervals(none).values())
    assert not OKS.defined(replace(table, area=None))
    with pytest.raises(ValueError, match="need areas, crops, scores and photos"):
        scores_of(OKS, replace(table, area=None))
    with pytest.raises(ValueError, match="need areas, crops, scores and photos"):
        scores_of(OKS, replace(table, photo=None))


def test_a_broken_answer_is_wrong_and_not_ignored() -> None:
    table = people(["a", "b"], score=[0.9, 0.8], off=[0, 0])
    table.predicted[0] = np.nan
    found = scores_of(OKS, table).values
    assert found["AR"] == found[MEAN] == 50
    assert found["AP"] == pytest.approx(100 * 51 / 202)
    table.predicted[1, 0] = np.inf
    assert scores_of(OKS, table).values[MEAN] == pytest.approx(100 * 16 / 34)


def test_keypoints_without_a_constant_do_not_count() -> None:
    rows = [row for row, name in enumerate(AIC_14.keypoints) if name in COCO_17.keypoints]
    coco = people(["a", "b"], score=[0.9, 0.8], off=[3, 8])
    shared = frozenset(AIC_14.keypoints)
    table = replace(
        coco,
        skeleton=AIC_14,
        predicted=np.full((2, 14, 2), 1e5),
        keypoints=np.zeros((2, 14, 2)),
        visible=np.ones((2, 14), bool),
    )
    for row in rows:
        column = COCO_17.index(AIC_14.keypoints[row])
        table.predicted[:, row], table.keypoints[:, row] = coco.predicted[:, column], coco.keypoints[:, column]
    mine, theirs = scores_of(OKS, table), scores_of(OKS, coco.over(shared))
    for name in ("AP", "AR", MEAN):
        assert 0 < mine.values[name] < 100
        assert mine.values[name] == pytest.approx(theirs.values[name], rel=1e-12)


def test_intervals_redraw_photos() -> None:
    generator = np.random.default_rng(0)
    photos = [f"{i // 2:02d}" for i in range(40)]
    table = people(photos, score=generator.random(40).tolist(), off=generator.uniform(0, 20, 40).tolist())
    found = with_intervals(scores_of(OKS, table))
    assert found["AP"].n == 40
    for name in ("AP", "AP50", "AR", MEAN):
        assert 1 < found[name].low < found[name].value < found[name].high < 99, name
    assert repr(with_intervals(scores_of(OKS, table))) == repr(found)
    assert with_intervals(scores_of(OKS, table, seed=1))["AP"].low != found["AP"].low
    one = with_intervals(scores_of(OKS, replace(table, photo=np.array(["a"] * 40))))
    assert math.isnan(one["AP"].low) and not math.isnan(one["AP"].value)


def test_the_mean_is_redrawn_by_photo_too() -> None:
    """Two photos, one all right and one all wrong: a draw takes the one, the other, or both."""
    table = people(["a", "b", "b", "b"], score=[0.9, 0.8, 0.7, 0.6], off=[0, 500, 500, 500])
    draws = np.unique(scores_of(OKS, table).draws[MEAN].round(6))
    np.testing.assert_allclose(draws, [0.0, 25.0, 100.0], atol=1e-6)


def test_relative_redraws_the_same_photos_clean_and_attacked() -> None:
    generator = np.random.default_rng(1)
    clean = people([str(i) for i in range(30)], score=generator.random(30).tolist(), off=[5.0] * 30)
    same = relative_scores(scores_of(OKS, clean), scores_of(OKS, clean))
    assert (same["AP"].value, same["AP"].low, same["AP"].high, same["AP"].n) == (100, 100, 100, 30)
    shifted = people(
        [str(i) for i in range(30)], score=generator.random(30).tolist(), off=[5.0] * 15 + [200.0] * 15
    )
    found = relative_scores(scores_of(OKS, clean), scores_of(OKS, shifted))
    assert found[MEAN].value == pytest.approx(50, abs=1)
    assert 25 < found["AR"].low < found["AR"].value < found["AR"].high < 75
    nothing = relative_scores(
        scores_of(OKS, shifted.take(range(15, 30))), scores_of(OKS, clean.take(range(15, 30)))
    )
    assert math.isnan(nothing["AP"].value)


def test_nothing_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    scores_of(OKS, people(["a", "b"], score=[0.9, 0.5], off=[0, 3]))
    assert capsys.readouterr() == ("", "")
