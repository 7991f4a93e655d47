from dataclasses import replace

import pytest

from robustpose.errors import RobustPoseError
from robustpose.jobs.attack import Cell
from robustpose.jobs.job import identity_of, key_of
from robustpose.jobs.setting import Setting

CELL = Cell(
    model="net",
    model_fingerprint="a",
    data="people",
    data_fingerprint="b",
    start=0,
    stop=25,
    setting=Setting("igsm", 8 / 255),
)


@pytest.mark.parametrize(
    "change",
    [
        {"model_fingerprint": "c"},
        {"data_fingerprint": "c"},
        {"photos": "d"},
        {"start": 1},
        {"stop": 24},
        {"setting": None},
        {"setting": Setting("fgsm", 8 / 255)},
        {"setting": Setting("igsm", 4 / 255)},
        {"setting": Setting("igsm", 8 / 255, steps=11)},
        {"setting": Setting("igsm", 8 / 255, targeted=True)},
        {"setting": Setting("igsm", 8 / 255, objective="training_loss_all")},
        {"seed": 1},
        {"pool": 10},
        {"metric": "pck"},
        {"model": "other"},
        {"data": "others"},
    ],
)
def test_every_field_changes_the_key(change: dict[str, object]) -> None:
    assert key_of(replace(CELL, **change)) != key_of(CELL)  # type: ignore[arg-type]


def test_how_many_pictures_are_kept_is_no_part_of_the_key() -> None:
    """What the model answers does not depend on it; a store asks for the pictures apart."""
    more = replace(CELL, keep_images=25)
    assert key_of(more) == key_of(CELL)
    assert more == CELL
    assert "keep_images" not in more.fields()


def test_the_same_fields_give_the_same_key_in_every_process() -> None:
    # Typed in: a change of this value makes every stored study start anew, so it must be meant.
    assert identity_of(CELL) == "7cc30c90ea50c01640bf6491ef32a2de"


def test_no_steps_given_and_the_attacks_own_number_are_one_cell() -> None:
    assert key_of(CELL) == key_of(replace(CELL, setting=Setting("igsm", 8 / 255, steps=10)))


def test_another_torch_changes_the_key_and_not_the_identity(monkeypatch: pytest.MonkeyPatch) -> None:
    key, identity = key_of(CELL), identity_of(CELL)
    monkeypatch.setattr("torch.__version__", "1.0")
    assert key_of(CELL) != key
    assert identity_of(CELL) == identity
    assert key_of(CELL).startswith(identity)


def test_the_default_number_of_steps_and_the_same_number_given_are_one_label() -> None:
    assert Setting("igsm", 8 / 255).label == Setting("igsm", 8 / 255, steps=10).label == "IGSM-U-10"


@pytest.mark.parametrize(
    ("setting", "label"),
    [
        (Setting("fgsm", 8 / 255), "FGSM-U"),
        (Setting("fgsm", 8 / 255, targeted=True), "FGSM-T"),
        (Setting("igsm", 8 / 255, targeted=True), "IGSM-T-20"),
        (Setting("igsm", 8 / 255, steps=100), "IGSM-U-100"),
        (Setting("igsm", 8 / 255, objective="training_loss_all"), "IGSM-U-10-ALL"),
    ],
)
def test_labels_are_the_papers_names(setting: Setting, label: str) -> None:
    assert setting.label == label


def test_pictures_are_rounded_from_one_level_on() -> None:
    rounded = {levels: Setting("fgsm", levels / 255).round_to_8bit for levels in (0, 0.25, 0.5, 0.99, 1, 2, 32)}
    assert rounded == {0: True, 0.25: False, 0.5: False, 0.99: False, 1: True, 2: True, 32: True}
    assert [Setting("fgsm", eps, threat="l2").round_to_8bit for eps in (0.002, 0.5)] == [False, True]


def test_a_budget_is_written_as_its_threat_has_it() -> None:
    assert Setting("igsm", 8 / 255).title == "IGSM-U-10 at 8/255"
    assert Setting("igsm", 2.0, threat="l2").title == "IGSM-U-10 at 2 in L2"
    assert Setting("igsm", 100, threat="l0").budget == "100 pixels"


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Setting("igms", 0.1), "unknown attack 'igms'; did you mean 'igsm'"),
        (lambda: Setting("igsm", 8.0), "did you mean 8/255"),
        (lambda: Setting("fgsm", 0.1, steps=3), "one step, got 3"),
        (lambda: Setting("igsm", 0.1, steps=0), "at least 1, got 0"),
        (lambda: Setting("igsm", 0.1, objective="ce"), "unknown objective 'ce'"),
        (lambda: Setting("igsm", 0.1, threat="l3"), "unknown threat 'l3'"),
        (lambda: replace(CELL, start=5, stop=5), "0 <= start < stop"),
    ],
)
def test_wrong_fields_are_refused(make: object, message: str) -> None:
    with pytest.raises(RobustPoseError, match=message.replace("?", r"\?")):
        make()  # type: ignore[operator]
