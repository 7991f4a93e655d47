"""Trials: balanced, drawn by their seed, and each with a right answer."""

from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from robustpose.errors import RobustPoseError
from robustpose.jobs.run import LocalEngine, run_all
from robustpose.jobs.setting import Setting
from robustpose.jobs.store import Store
from robustpose.study.plan import workbench
from robustpose.userstudy import CATCH_EPS, Design, UserStudy, draw_trials, read_stimuli, sign_noise
from tests.study.study_fakes import plan
from tests.userstudy.observers import EPS, stimuli


def drawn(**change: float) -> UserStudy:
    return draw_trials(stimuli(), Design(**change))  # type: ignore[arg-type]


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("trials", [36, 40, 61])
def test_trials_are_balanced(seed: int, trials: int) -> None:
    made = drawn(trials=trials, seed=seed)
    assert Counter(trial.kind for trial in made.trials) == {
        "attack": trials - round(trials / 3),
        "noise": round(trials / 3),
        "catch": 6,
    }
    for kind in ("attack", "noise", "catch"):
        those = [trial for trial in made.trials if trial.kind == kind]
        by_eps = Counter(trial.eps for trial in those)
        assert set(by_eps) == ({CATCH_EPS} if kind == "catch" else set(EPS))
        assert max(by_eps.values()) - min(by_eps.values()) <= 1
        for group in [those, *([trial for trial in those if trial.eps == eps] for eps in by_eps)]:
            left = sum(trial.tampered == "left" for trial in group)
            assert abs(2 * left - len(group)) <= 1
        for eps in by_eps:
            people = Counter(trial.person for trial in those if trial.eps == eps)
            assert max(people.values()) - min(people.values(), default=0) <= 1


def test_the_trials_are_what_they_say() -> None:
    for trial in drawn().trials:
        change = np.abs(trial.altered.astype(int) - trial.clean.astype(int))
        assert change.max() == round(trial.eps * 255)
        assert trial.rms <= trial.eps * 255 + 1e-9
        assert trial.attack == ("IGSM-U-10" if trial.kind == "attack" else "sign noise")


def test_numbers_say_nothing_of_the_kind() -> None:
    kinds = [trial.kind for trial in drawn(trials=60).trials]
    assert kinds != sorted(kinds)
    assert [trial.id for trial in drawn().trials] == [f"t{number:03d}" for number in range(1, 47)]


def test_a_seed_is_a_study_and_another_seed_another() -> None:
    assert drawn(seed=3).trials == drawn(seed=3).trials
    assert drawn(seed=3).fingerprint == drawn(seed=3).fingerprint
    others = (drawn(seed=4), drawn(seed=3, seconds=2), drawn(seed=3, scale=2), drawn(seed=3, trials=41))
    assert len({drawn(seed=3).fingerprint, *(each.fingerprint for each in others)}) == 5


def test_the_fingerprint_sees_a_pixel() -> None:
    made = drawn()
    before = made.fingerprint
    made.trials[0].altered[0, 0, 0] ^= 1
    assert made.fingerprint != before


def test_sign_noise_is_plus_or_minus_eps_and_clipped() -> None:
    grey = np.full((50, 50, 3), 100, np.uint8)
    noisy = sign_noise(grey, eps=8 / 255, generator=np.random.default_rng(0))
    assert set(np.unique(noisy)) == {92, 108}
    assert 0.45 < (noisy == 108).mean() < 0.55
    white = sign_noise(np.full_like(grey, 250), eps=8 / 255, generator=np.random.default_rng(0))
    assert set(np.unique(white)) == {242, 255}


@pytest.mark.parametrize(
    ("change", "line"),
    [
        ({"trials": 8}, "raise --trials"),
        ({"trials": 0}, "--trials must be between 1"),
        ({"catch": 2}, "--catch must be between 3"),
        ({"controls": 1}, "--controls is a share"),
        ({"scale": 0}, "--scale must be"),
        ({"seconds": -1}, "--seconds must be"),
    ],
)
def test_designs_that_cannot_be(change: dict[str, float], line: str) -> None:
    with pytest.raises(RobustPoseError, match=line):
        drawn(**change)


def test_no_controls_is_allowed() -> None:
    assert {trial.kind for trial in drawn(trials=6, controls=0).trials} == {"attack", "catch"}


SETTINGS = tuple(Setting("igsm", level / 255, steps=2) for level in (0.5, 8, 2, 0))


def test_stimuli_are_the_kept_pictures_of_budgets_that_8_bits_hold(tmp_path: Path) -> None:
    made = plan(n=3, settings=SETTINGS)
    store = Store(tmp_path)
    run_all(list(made.all_cells()), workbench(made), store, engine=LocalEngine())
    found = read_stimuli(made, store, model="linear", attack="IGSM-U-2")
    assert found.budgets == (2 / 255, 8 / 255)
    assert [(round(pair.eps * 255), pair.person) for pair in found.pairs] == [
        (2, "p0"),
        (2, "p1"),
        (8, "p0"),
        (8, "p1"),
    ]
    kept = store.pictures(made.cells(made.named("linear"), SETTINGS[1])[0])
    assert (found.pairs[2].altered == kept.adversarial[0]).all()
    with pytest.raises(RobustPoseError, match="unknown model of the study 'liner'; did you mean 'linear'"):
        read_stimuli(made, store, model="liner", attack="IGSM-U-2")
    with pytest.raises(RobustPoseError, match="'IGSM-U-3'; did you mean 'IGSM-U-2'"):
        read_stimuli(made, store, model="linear", attack="IGSM-U-3")
    with pytest.raises(RobustPoseError, match="has no images of linear: IGSM-U-2 at 2/255"):
        read_stimuli(made, Store(tmp_path / "empty"), model="linear", attack="IGSM-U-2")


def test_a_picture_that_the_attack_left_alone_is_not_shown(tmp_path: Path) -> None:
    made = plan(n=3, settings=SETTINGS[1:2])
    store = Store(tmp_path)
    run_all(list(made.all_cells()), workbench(made), store, engine=LocalEngine())
    cell = made.cells(made.named("linear"), SETTINGS[1])[0]
    kept = store.pictures(cell)
    kept.adversarial[0] = kept.clean[0]
    store.put(cell, store.read(cell), kept)
    found = read_stimuli(made, store, model="linear", attack="IGSM-U-2")
    assert [pair.person for pair in found.pairs] == ["p1"]
    assert found.without == ("p0 at 8/255: the attack changed nothing",)
