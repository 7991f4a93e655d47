"""The page as a file, and in a real browser: keys, clicks, a reload, the answers that it hands out."""

import base64
import json
import re
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from robustpose.errors import RobustPoseError
from robustpose.userstudy import Design, UserStudy, draw_trials, read_answers, write_page
from robustpose.userstudy.page import render_page
from tests.userstudy.browser import CHROMIUM, Page, browser
from tests.userstudy.observers import stimuli

SMALL = Design(trials=9, catch=3, scale=5)
READY = (
    "document.body.dataset.screen === 'end' || (document.body.dataset.screen === 'question'"
    " && !document.getElementById('pair').classList.contains('away'))"
)


def small(**change: Any) -> UserStudy:
    return draw_trials(stimuli(people=3, eps=(4 / 255, 16 / 255)), Design(**{**vars(SMALL), **change}))


def parts(page: str) -> tuple[dict[str, Any], list[str]]:
    """The material and the pictures that lie in a page."""
    found = [
        re.search(rf'<script type="[^"]*" id="{name}">(.*?)</script>', page, re.S)
        for name in ("material", "pictures")
    ]
    assert found[0] is not None
    assert found[1] is not None
    return json.loads(base64.b64decode(found[0][1])), json.loads(found[1][1])


def pixels(url: str) -> Any:
    content = base64.b64decode(url.removeprefix("data:image/png;base64,"))
    image = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR)
    assert image is not None
    return image[..., ::-1]


def test_the_page_holds_the_pictures_pixel_by_pixel() -> None:
    study = small()
    material, pictures = parts(render_page(study))
    assert (material["study"], material["scale"]) == (study.fingerprint, 5)
    for trial, row in zip(study.trials, material["trials"], strict=True):
        other = {"left": "right", "right": "left"}[trial.tampered]
        assert (pixels(pictures[row[trial.tampered]]) == trial.altered).all()
        assert (pixels(pictures[row[other]]) == trial.clean).all()
        assert row["trial"] == trial.id
    assert len(pictures) == len({trial.clean.tobytes() for trial in study.trials}) + len(study.trials)


def test_the_page_needs_nothing_else() -> None:
    page = re.sub(r"base64,[^\"]*", "", render_page(small()))
    assert [each for each in re.findall(r"(?:src|href)=\"([^\"]*)\"", page) if not each.startswith("data:")] == []
    for word in (
        "http:",
        "https:",
        "@import",
        "url(",
        "fetch(",
        "XMLHttpRequest",
        "sendBeacon",
        "import(",
        "userAgent",
    ):
        assert word not in page


def test_the_page_gives_nothing_away() -> None:
    page = render_page(small())
    body = re.sub(r"base64,[^\"]*", "", page.split("<script", 1)[0])
    names = re.findall(r'(?:id|class|name)="([^"]*)"', body)
    assert "left-picture" in names
    for word in ("adv", "attack", "clean", "noise", "catch", "correct", "tamper", "eps"):
        assert not any(word in name for name in names)
    for word in ("IGSM", "sign noise", "8/255", '"correct"', '"tampered"'):
        assert word not in page.split('id="pictures"')[0]


def test_a_time_limit_is_said() -> None:
    assert "go away after 1.5 seconds" in render_page(small(seconds=1.5))
    assert "go away after 1 second." in render_page(small(seconds=1))
    assert "go away" not in render_page(small())


def test_a_folder_keeps_its_study(tmp_path: Path) -> None:
    page = write_page(small(), tmp_path / "a")
    before = page.read_bytes()
    assert write_page(small(), tmp_path / "a").read_bytes() == before
    with pytest.raises(RobustPoseError, match="contains another user study"):
        write_page(small(seed=1), tmp_path / "a")
    assert page.read_bytes() == before


needs_browser = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium is installed")


def shown(page: Page, side: str) -> str:
    url: str = page.eval(f"document.getElementById('{side}-picture').src")
    return url


@needs_browser
def test_a_participant_with_keys_alone(tmp_path: Path) -> None:
    """Right on every even pair, wrong on every odd one; the browser is reloaded in between."""
    study = small()
    path = write_page(study, tmp_path / "page")
    altered = {trial.altered.tobytes() for trial in study.trials}
    expected = []
    with browser(tmp_path / "profile") as page:
        page.screen(1000, 800)
        page.open(path)
        page.key("Tab")
        assert page.eval("document.activeElement.id") == "go"
        page.key("Enter")
        for number in range(12):
            page.wait(READY)
            if number == 5:
                page.open(path)
                assert page.eval("document.getElementById('so-far').textContent") == "5"
                page.click("#go")
                page.wait(READY)
            assert page.eval("document.getElementById('progress').textContent") == f"Pair {number + 1} of 12"
            assert page.eval("document.getElementById('left-picture').getBoundingClientRect().width") == 60
            on_the_left = np.ascontiguousarray(pixels(shown(page, "left"))).tobytes() in altered
            expected.append(number % 2 == 0)
            page.key("ArrowLeft" if on_the_left == expected[-1] else "ArrowRight")
        page.wait("document.body.dataset.screen === 'end'")
        text = page.eval("document.getElementById('copy').value")
        assert page.eval("fetch(document.getElementById('download').href).then((file) => file.text())") == text
        name = page.eval("document.getElementById('download').download")
        page.open(path)
        assert page.eval("document.body.dataset.screen") == "end"
    assert "userAgent" not in text
    assert "Mozilla" not in text
    file = tmp_path / name
    file.write_text(text)
    content = json.loads(text)
    assert name == f"answers-{content['participant']}.json"
    assert content["screen"]["device_pixel_ratio"] == 1
    [them] = read_answers([file], page=tmp_path / "page").participants
    assert [answer.correct for answer in them.answers] == expected
    assert {answer.trial for answer in them.answers} == {trial.id for trial in study.trials}
    assert all(0 < answer.reaction_ms < 60_000 for answer in them.answers)


@needs_browser
def test_pictures_go_away_in_time_and_clicks_count(tmp_path: Path) -> None:
    path = write_page(small(seconds=0.2), tmp_path / "page")
    away = "document.getElementById('pair').classList.contains('away')"
    with browser(tmp_path / "profile") as page:
        page.screen(400, 700, ratio=2)
        page.open(path)
        page.key("ArrowLeft")  # on the first screen, an arrow answers nothing
        page.click("#go")
        page.wait(READY)
        zoom = page.eval(
            "parseFloat(getComputedStyle(document.documentElement).getPropertyValue('--wide')) * 2 / 12"
        )
        assert zoom == 10  # 5 CSS pixels are 10 of this screen
        page.wait(away)
        assert page.eval("getComputedStyle(document.getElementById('left-picture')).visibility") == "hidden"
        page.click("#right")
        page.wait("document.getElementById('progress').textContent === 'Pair 2 of 12'")
        kept = json.loads(page.eval("localStorage.getItem(Object.keys(localStorage)[0])"))
    [answer] = kept["answers"]
    assert (answer["side"], answer["zoom"]) == ("right", 10)
    assert answer["reaction_ms"] >= 200
