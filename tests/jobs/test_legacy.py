"""Stores of format 3 are read: old_store was written by the code before jobs had versions of their own."""

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from robustpose.jobs.attack import Cell
from robustpose.jobs.job import Job
from robustpose.jobs.legacy import legacy_key
from robustpose.jobs.setting import Setting
from robustpose.jobs.store import Store
from robustpose.jobs.task import TaskCell
from robustpose.jobs.transfer import Replay
from robustpose.jobs.universal import UniversalCell, UniversalResult
from robustpose.study.saved import load_study, open_store, save_study

OLD = Path(__file__).parent / "old_store"
VERSION = "0.1.0+135bf79a448a+torch2.13.0+cpu"
VAL, EPS = "synthpose:val:b32f2f3aa93f6f5e", 8 / 255

CLEAN = Cell(
    model="deeppose",
    model_fingerprint="4d02779ea09a566d228a183f32db41d8cc9dcd40b6dcec01f455abe9c5307243",
    data="synthpose:val",
    data_fingerprint=VAL,
    start=0,
    stop=2,
)
IGSM = replace(CLEAN, setting=Setting("igsm", EPS, steps=2))
FLIPPED = Replay(people=CLEAN, source=replace(CLEAN, setting=Setting("fgsm", EPS)), change="mirrored")
UNIVERSAL = UniversalCell(
    model=CLEAN.model,
    model_fingerprint=CLEAN.model_fingerprint,
    data="synthpose:train",
    data_fingerprint="synthpose:train:b32f2f3aa93f6f5e",
    start=0,
    stop=4,
    eps=EPS,
    samples=4,
    batch=2,
)
ACTION = TaskCell(
    task="action",
    fingerprint="38e5c000ec33ba8b00244a76ba7bf09aa87e9d563a1bb54f007dad15ce5bac51",
    data="synthpose:val",
    data_fingerprint=VAL,
    start=0,
    stop=2,
    setting=Setting("fgsm", EPS),
)
KEYS: dict[str, Job[Any]] = {
    "503d968abab5668be139c9944fb6ef82": CLEAN,
    "c39df87d5ca8dd1dc0b302f490096b4a": IGSM,
    "6fe7cacffa603c4bd8c804a83b52b438": FLIPPED,
    "885a735dcd897d1f279fa5fa30c4d979": UNIVERSAL,
    "0ae76d713a9f229eea8f7aee90737cad": Replay(people=CLEAN, source=UNIVERSAL),
    "a8eb9cece7a5a4e7594d848cf0fa97cd": ACTION,
}


@pytest.mark.parametrize("key", KEYS)
def test_every_kind_of_job_has_its_old_key(key: str) -> None:
    assert legacy_key(KEYS[key], VERSION) == key
    assert legacy_key(KEYS[key], VERSION + "1") != key


@pytest.mark.parametrize(
    "line", json.loads((OLD / "keys.json").read_text()), ids=lambda line: " ".join(map(str, line[:7]))
)
def test_every_attack_has_its_old_key(line: list[Any]) -> None:
    attack, threat, eps, steps, targeted, search, objective, key = line
    setting = Setting(attack, eps, steps, targeted, objective, threat, search)
    cell = Cell("m", "f", "d", "g", 0, 2, setting=setting)
    assert legacy_key(cell, "old") == key


def test_an_old_store_is_read_where_other_versions_are_asked_for() -> None:
    jobs: list[Job[Any]] = [CLEAN, IGSM, FLIPPED, ACTION]
    assert not [job for job in jobs if job in Store(OLD)]
    store = open_store(OLD)
    assert [job for job in jobs if job in store] == jobs
    clean, attacked = store.read(CLEAN), store.read(IGSM)
    assert clean.table.ids == attacked.table.ids
    assert len(clean.table) == 2
    assert (attacked.forwards, attacked.backwards) == (4, 4)
    assert store.read(ACTION).correct is not None
    assert store.read(FLIPPED).table.skeleton == clean.table.skeleton
    assert replace(IGSM, seed=1) not in store
    assert UNIVERSAL not in store
    assert store.taken_over(jobs) == [f"code {VERSION}, now None (4 jobs)"]


def test_a_study_that_goes_on_in_an_old_store_still_reads_it(tmp_path: Path) -> None:
    folder = tmp_path / "old"
    shutil.copytree(OLD, folder)
    study = load_study(folder)
    assert study.models == ("deeppose",)
    save_study(study, folder)
    learned = UniversalResult(perturbation=np.zeros((3, 8, 8), np.float32), losses=np.zeros(2))
    open_store(folder).put(UNIVERSAL, learned)
    assert [job in open_store(folder) for job in (CLEAN, UNIVERSAL)] == [True, True]
