import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from robustpose.analysis.evidence import ModelAsk
from robustpose.errors import RobustPoseError
from robustpose.findings import Chart, Found, Picture, Tabular, perceptibility
from robustpose.findings.perceptibility import PERCEPTIBILITY
from robustpose.jobs.results import CellResult, Pictures
from robustpose.metrics import Estimate
from robustpose.study.definition import Grid, View
from robustpose.study.plan import Plan
from tests.findings.mpii_fakes import SIZE, apart, fill, silent_plan

PEOPLE = 3
GRID = Grid(eps=(0.5 / 255, 1 / 255, 8 / 255))


def planned(*, grid: Grid = GRID, n: int = PEOPLE) -> Plan:
    plan = silent_plan({"deeppose": False, "shg2": True}, n=n)
    return replace(plan, study=replace(plan.study, grid=grid))


def answer(model: str, view: View) -> CellResult:
    return CellResult(apart(PEOPLE))


def shown(model: str, view: View, *, people: int = PEOPLE, equal: int = 0) -> Pictures:
    """FGSM brightens every value by eps, IGSM a quarter of them; the first `equal` people stay as they are."""
    assert view.setting is not None
    rows = np.arange(20, 20 + SIZE[0], dtype=np.uint8)[None, :, None, None]
    clean = np.broadcast_to(rows, (people, *SIZE, 3)) + np.arange(people, dtype=np.uint8)[:, None, None, None]
    adversarial = clean.copy()
    level = round(view.setting.eps * 255)
    part = slice(None) if view.setting.attack == "fgsm" else slice(0, SIZE[1] // 4)
    adversarial[equal:, :, part] += np.uint8(level)
    return Pictures(clean, adversarial)


def found(folder: Path, plan: Plan | None = None, *, equal: int = 0) -> Found:
    plan = plan or planned()
    return PERCEPTIBILITY.find(
        fill(plan, PERCEPTIBILITY, folder, answer, pictures=lambda model, view: shown(model, view, equal=equal))
    )


def numbers(result: Found) -> dict[str, dict[str, Estimate | float | str | None]]:
    (table,) = (each for each in result.exhibits if isinstance(each, Tabular))
    return {label: dict(zip(table.columns, values, strict=True)) for label, values in table.rows}


def test_pictures_are_asked_for_at_budgets_that_eight_bits_can_hold() -> None:
    asks = PERCEPTIBILITY.asks(planned())
    assert all(isinstance(ask, ModelAsk) and ask.view.pictures for ask in asks)
    settings = [
        (ask.model, ask.view.setting.title) for ask in asks if isinstance(ask, ModelAsk) and ask.view.setting
    ]
    assert settings == [
        (model, title)
        for model in ("deeppose", "shg2")
        for title in ("FGSM-U at 1/255", "FGSM-U at 8/255", "IGSM-U-10 at 1/255", "IGSM-U-10 at 8/255")
    ]


def test_psnr_by_hand(tmp_path: Path) -> None:
    rows = numbers(found(tmp_path))
    every, quarter = rows["shg2: PSNR, dB"]["FGSM-U at 8/255"], rows["shg2: PSNR, dB"]["IGSM-U-10 at 8/255"]
    assert isinstance(every, Estimate) and isinstance(quarter, Estimate)
    assert every.value == pytest.approx(20 * math.log10(255 / 8))
    assert quarter.value == pytest.approx(20 * math.log10(255 / 8) + 10 * math.log10(4))
    assert every.n == PEOPLE
    structure = rows["shg2: SSIM"]["FGSM-U at 8/255"]
    assert isinstance(structure, Estimate) and 0 < structure.value < 1


def test_the_verdicts_are_of_the_mean_ssim_over_models_at_8(tmp_path: Path) -> None:
    result = found(tmp_path)
    rows = numbers(result)
    assert [each.claim.partition(" changes")[0] for each in result.verdicts] == [
        "FGSM-U at 8/255",
        "IGSM-U-10 at 8/255",
    ]
    for verdict in result.verdicts:
        title = verdict.claim.partition(" changes")[0]
        each = [rows[f"{model}: SSIM"][title] for model in ("deeppose", "shg2")]
        assert verdict.effect is not None
        assert verdict.effect.value == pytest.approx(np.mean([x.value for x in each if isinstance(x, Estimate)]))
        assert verdict.holds == "undecided" and "here are 3" in verdict.measured


def test_charts_have_a_curve_for_each_model_and_attack(tmp_path: Path) -> None:
    charts = {each.stem: each for each in found(tmp_path).exhibits if isinstance(each, Chart)}
    names = ["deeppose, FGSM-U", "deeppose, IGSM-U-10", "shg2, FGSM-U", "shg2, IGSM-U-10"]
    assert [curve.name for curve in charts["perceptibility_ssim"].curves] == names
    floor, *others = charts["perceptibility_psnr"].curves
    assert floor.slot is None and floor.y == pytest.approx((48.1308, 30.0690), abs=1e-4)
    assert [curve.name for curve in others] == names
    assert others[0].x == (1.0, 8.0) and others[0].y == pytest.approx(floor.y)


def test_the_strip_shows_pixels_as_they_are(tmp_path: Path) -> None:
    (strip,) = (each for each in found(tmp_path).exhibits if isinstance(each, Picture))
    expected = [
        shown("shg2", ask.view)
        for ask in PERCEPTIBILITY.asks(planned())
        if isinstance(ask, ModelAsk)
        and ask.model == "shg2"
        and ask.view.setting
        and ask.view.setting.attack == "igsm"
    ]
    tiles = [expected[0].clean[0], *(each.adversarial[0] for each in expected)]
    gap = (strip.image.shape[1] - 3 * SIZE[1]) // 2
    for place, tile in enumerate(tiles):
        start = place * (SIZE[1] + gap)
        assert (strip.image[:, start : start + SIZE[1]] == tile).all()
    assert "shg2" in strip.title and "eps 1, 8 of 255" in strip.title


def test_what_is_left_out_is_said(tmp_path: Path) -> None:
    result = found(tmp_path, equal=1)
    assert any(remark.startswith("Left out: 0.5/255.") for remark in result.remarks)
    assert any("1 of 3 images equal the clean ones" in remark for remark in result.remarks)
    psnr = numbers(result)["shg2: PSNR, dB"]["FGSM-U at 8/255"]
    assert isinstance(psnr, Estimate) and psnr.n == PEOPLE - 1
    assert psnr.value == pytest.approx(20 * math.log10(255 / 8))
    assert any("PSNR 30.1 dB" in remark and "n = 2" in remark for remark in result.remarks)


def test_a_grid_below_one_level_has_no_pictures(tmp_path: Path) -> None:
    plan = planned(grid=Grid(eps=(0.25 / 255, 0.5 / 255)))
    assert list(PERCEPTIBILITY.asks(plan)) == []
    result = found(tmp_path, plan)
    assert result.exhibits == () and result.remarks[0].startswith("Left out: 0.25/255, 0.5/255.")


def test_only_so_many_people_are_measured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(perceptibility, "MOST", 2)
    psnr = numbers(found(tmp_path))["shg2: PSNR, dB"]["FGSM-U at 8/255"]
    assert isinstance(psnr, Estimate) and psnr.n == 2


@pytest.mark.parametrize("lacking", [0, 7])
def test_every_cell_asked_for_is_needed(tmp_path: Path, lacking: int) -> None:
    evidence = fill(planned(), PERCEPTIBILITY, tmp_path, answer, pictures=shown, without=lacking)
    with pytest.raises(RobustPoseError, match="not computed"):
        PERCEPTIBILITY.find(evidence)


def test_all_pictures_of_a_cell_are_needed(tmp_path: Path) -> None:
    few = fill(
        planned(), PERCEPTIBILITY, tmp_path, answer, pictures=lambda model, view: shown(model, view, people=2)
    )
    with pytest.raises(RobustPoseError, match="too few images are stored"):
        PERCEPTIBILITY.find(few)


def test_photos_that_cannot_be_read_are_an_error(tmp_path: Path) -> None:
    nobody = fill(
        planned(),
        PERCEPTIBILITY,
        tmp_path,
        lambda model, view: CellResult(apart(0), unreadable=("p0: broken", "p1: broken", "p2: broken")),
        pictures=lambda model, view: shown(model, view, people=0),
    )
    with pytest.raises(RobustPoseError, match="none of the photos could be read"):
        PERCEPTIBILITY.find(nobody)
