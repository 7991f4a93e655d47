import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import pytest

from robustpose.metrics import ALL, METRICS, PCKH, Estimate, Metric, Table, bootstrap, relative, score, scores_of
from robustpose.metrics.bootstrap import Unit
from robustpose.metrics.table import Bools
from robustpose.skeletons import MPII_16

HEAD = MPII_16.index("head_top")


def heads(hits: Bools, *, prefix: str = "p") -> Table:
    """People of whom only the head top is labelled, found or not as told: one trial a person."""
    n = len(hits)
    predicted = np.zeros((n, 16, 2))
    predicted[~hits, HEAD] = 99.0
    visible = np.zeros((n, 16), bool)
    visible[:, HEAD] = True
    return Table(
        ids=tuple(f"{prefix}{i}" for i in range(n)),
        skeleton=MPII_16,
        predicted=predicted,
        keypoints=np.zeros((n, 16, 2)),
        visible=visible,
        head_size=np.full(n, 10.0),
        box_side=np.full(n, 50.0),
    )


def first(n: int, of: int) -> Bools:
    hits: Bools = np.arange(of) < n
    return hits


@pytest.mark.parametrize("share", [0.5, 0.7, 0.9])
def test_the_interval_of_independent_hits_is_the_binomials(share: float) -> None:
    n = 400
    got = score(heads(first(round(share * n), n)), PCKH)[ALL]
    half = 100 * 1.96 * math.sqrt(share * (1 - share) / n)
    assert got.value == pytest.approx(100 * share)
    assert got.low == pytest.approx(100 * share - half, abs=0.6)
    assert got.high == pytest.approx(100 * share + half, abs=0.6)
    assert got.n == n


def test_people_are_redrawn_not_keypoints() -> None:
    """Ten equal keypoints per person add no information: the interval must not shrink by sqrt(10)."""
    one = heads(first(120, 200))
    all_found = np.repeat(first(120, 200)[:, None], 16, axis=1)
    many = replace(
        one,
        predicted=np.where(all_found[..., None], 0.0, 99.0) * np.ones((1, 1, 2)),
        visible=np.ones((200, 16), bool),
    )
    few, lots = score(one, PCKH)[ALL], score(many, PCKH)[ALL]
    assert lots.high - lots.low == pytest.approx(few.high - few.low)


def test_deterministic_and_seeded() -> None:
    table = heads(first(70, 100))
    assert repr(score(table, PCKH, seed=1)) == repr(score(table, PCKH, seed=1))
    assert repr(score(table, PCKH, seed=1)) != repr(score(table, PCKH, seed=2))
    before = np.random.get_state()[1].copy()  # type: ignore[index] # noqa: NPY002
    score(table, PCKH)
    assert (before == np.random.get_state()[1]).all()  # type: ignore[index] # noqa: NPY002


def test_relative_of_identical_tables_is_100() -> None:
    generator = np.random.default_rng(0)
    for hits in range(1, 40):
        table = heads(generator.permutation(first(hits, 40)))
        got = relative(table, table, PCKH)[ALL]
        assert got == Estimate(value=100.0, low=100.0, high=100.0, n=40), hits


def test_relative_by_hand() -> None:
    clean, attacked = heads(first(80, 100)), heads(first(20, 100))
    got = relative(clean, attacked, PCKH)
    assert got[ALL].value == pytest.approx(25.0)
    assert got["head_top"] == got[ALL]
    assert got[ALL].low < 25 < got[ALL].high
    assert got[ALL].n == 100


def test_pairing_makes_the_interval_tighter() -> None:
    """Attacked hits are a share of clean hits: redrawing the same people cancels what they have in common."""
    generator = np.random.default_rng(1)
    clean_hits = generator.random(300) < 0.6
    attacked_hits = clean_hits & (generator.random(300) < 0.9)
    clean, attacked = heads(clean_hits), heads(attacked_hits)
    paired = relative(clean, attacked, PCKH)[ALL]
    draws = []
    for _ in range(2000):
        above = attacked_hits[generator.integers(0, 300, 300)].mean()
        below = clean_hits[generator.integers(0, 300, 300)].mean()
        draws.append(100 * above / below)
    low, high = np.percentile(draws, [2.5, 97.5])
    assert paired.high - paired.low < 0.6 * (high - low)
    # Given the clean hits, what is left is a binomial of the share kept.
    kept, trials = attacked_hits.sum() / clean_hits.sum(), clean_hits.sum()
    half = 100 * 1.96 * math.sqrt(kept * (1 - kept) / trials)
    assert (paired.high - paired.low) / 2 == pytest.approx(half, rel=0.15)


def test_relative_is_over_the_people_both_have() -> None:
    clean, attacked = heads(first(50, 100)), heads(first(25, 100))
    shuffled = attacked.take(np.random.default_rng(0).permutation(100)[:60].tolist())
    got = relative(clean, shuffled, PCKH)[ALL]
    rows = [int(name[1:]) for name in shuffled.ids]
    assert got.n == 60
    assert got.value == pytest.approx(100 * sum(r < 25 for r in rows) / sum(r < 50 for r in rows))
    strangers = relative(clean, heads(first(5, 10), prefix="q"), PCKH)[ALL]
    assert math.isnan(strangers.value)
    assert strangers.n == 0


def assert_nothing(got: Estimate, n: int) -> None:
    assert math.isnan(got.value)
    assert math.isnan(got.low)
    assert math.isnan(got.high)
    assert got.n == n


def test_nothing_is_nan_with_its_n() -> None:
    nobody = heads(first(0, 0))
    for got in (*score(nobody, PCKH).values(), *relative(nobody, nobody, PCKH).values()):
        assert_nothing(got, 0)
    table = heads(first(3, 5))
    assert_nothing(score(table, PCKH)["wrist"], 0)
    assert_nothing(score(table, PCKH)["pelvis"], 0)
    assert set(score(table, PCKH)) == {ALL, *MPII_16.groups}
    wrong = heads(first(0, 5))
    assert score(wrong, PCKH)[ALL] == Estimate(value=0.0, low=0.0, high=0.0, n=5)
    assert_nothing(relative(wrong, wrong, PCKH)[ALL], 5)  # nothing was right, so nothing can be lost


def test_n_counts_people_with_something_that_counts() -> None:
    table = heads(first(3, 5))
    table.visible[0] = False
    table.visible[1, MPII_16.index("left_wrist")] = True
    table.visible[1, MPII_16.index("right_wrist")] = True
    table.visible[2, MPII_16.index("right_wrist")] = True
    got = score(table, PCKH)
    assert (got[ALL].n, got["head_top"].n, got["wrist"].n, got["knee"].n) == (4, 4, 2, 0)


def test_one_person_has_no_interval() -> None:
    alone = score(heads(first(1, 1)), PCKH)[ALL]
    assert (alone.value, alone.n) == (100.0, 1)
    assert math.isnan(alone.low)
    assert math.isnan(alone.high)


@dataclass(frozen=True)
class TableByTable:
    """Another metric without its redraws: every redraw is then scored as a table."""

    of: Metric
    redraws: Unit

    @property
    def name(self) -> str:
        return self.of.name

    def defined(self, table: Table) -> bool:
        return self.of.defined(table)

    def __call__(self, table: Table) -> Mapping[str, float]:
        return self.of(table)


@pytest.mark.parametrize("name", ["pckh", "mpii", "oks"])
def test_redraws_scored_table_by_table_are_the_same(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bootstrap, "DRAWS", 20)
    generator = np.random.default_rng(0)
    n, k = 12, len(MPII_16)
    truth = generator.uniform(0, 100, (n, k, 2))
    table = Table(
        ids=tuple(f"p{i}" for i in range(n)),
        skeleton=MPII_16,
        predicted=truth + generator.normal(0, 5, (n, k, 2)),
        keypoints=truth,
        visible=generator.random((n, k)) < 0.8,
        head_size=np.full(n, 10.0),
        box_side=np.full(n, 100.0),
        score=generator.random(n),
        area=np.full(n, 2000.0),
        crops=np.broadcast_to(np.eye(2, 3), (n, 2, 3)).copy(),
        photo=np.array([f"photo {i % 5}" for i in range(n)]),
    )
    metric = METRICS[name]
    own, plain = scores_of(metric, table, seed=3), scores_of(TableByTable(metric, metric.redraws), table, seed=3)
    assert list(own.values) == list(plain.values)
    for number, draws in own.draws.items():
        np.testing.assert_allclose(plain.draws[number], draws)
        np.testing.assert_allclose(plain.values[number], own.values[number])
    first = next(iter(own.values))
    assert np.ptp(own.draws[first]) > 0
    assert plain.people[first] == n
    assert plain.units[first] == (5 if metric.redraws == "photos" else n)
    relative_to_itself = relative(table, table, TableByTable(metric, metric.redraws))[first]
    assert (relative_to_itself.low, relative_to_itself.high) == pytest.approx((100, 100))


def test_photos_that_are_not_known_cannot_be_redrawn() -> None:
    with pytest.raises(ValueError, match="photos cannot be redrawn"):
        scores_of(TableByTable(PCKH, "photos"), heads(np.ones(3, bool)))
