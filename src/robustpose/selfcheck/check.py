"""Scores a model under its spec and under variants of the spec, and reports the variants that correct it.

A variant is a correction if its score is higher by at least 3 points and the 95% interval of the paired difference
lies above 0. The best correction is adopted and the others are tried again on top of it. Variants of the places of
heatmap cells move keypoints by less than a cell, so they are tried last and judged by the mean distance of correct
keypoints, which must fall by at least 5%, with an interval above 0.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from robustpose import attacks
from robustpose.alarms import Alarm, useless
from robustpose.errors import RobustPoseError
from robustpose.given import device_of
from robustpose.jobs.workbench import as_table
from robustpose.metrics import ALL, Estimate, KeypointMetric, Table, difference, join, main_metric, score
from robustpose.metrics.bootstrap import from_draws, redraws
from robustpose.metrics.hits import radius_of
from robustpose.metrics.table import Floats, pair
from robustpose.models import OpenedModel
from robustpose.models.importers.imported import ImportedPose
from robustpose.models.specs import ModelSpec
from robustpose.selfcheck.variants import SIDES, Variant, variants_of
from robustpose.study.plan import choose_metric
from robustpose.types import PoseDataset

_AT_ONCE = 25
_POINTS = 3.0
_SHARE = 5.0
_FAR = 10.0
"""A score is far below the expected one if it is lower by more than this many points."""
_LOW = 50.0
"""Below this score, in percent, two mistakes may hide each other; variants are also tried with sides swapped."""
_ROUNDS = 3


@dataclass(frozen=True)
class Tried:
    """The result of one variant.

    score     percent
    change    difference from the spec at that time, in points
    distance  mean distance of correct keypoints from the truth, in percent of the metric's radius
    closer    reduction of this distance from the spec at that time, in percent
    """

    variant: Variant
    score: Estimate
    change: Estimate
    distance: Estimate
    closer: Estimate

    @property
    def mends(self) -> bool:
        """Whether the variant is a significant correction."""
        if self.variant.kind == "place":
            return self.closer.value >= _SHARE and self.closer.low > 0
        return self.change.value >= _POINTS and self.change.low > 0


@dataclass(frozen=True)
class Checked:
    """The result of a check.

    before    the spec as given
    after     the spec with all corrections
    tried     every variant of the first round
    mends     the corrections, in order
    expected  metric and score stated in the spec; None if there are none
    useless   alarms about the predictions with all corrections: none correct, or not better than chance
    """

    metric: str
    people: int
    before: Tried
    after: Tried
    tried: tuple[Tried, ...]
    mends: tuple[Tried, ...]
    expected: tuple[str, float] | None
    useless: tuple[Alarm, ...] = ()

    @property
    def far_under(self) -> bool:
        """Whether the score is significantly far below the one stated in the spec, for the same metric."""
        if self.expected is None or self.expected[0] != self.metric:
            return False
        return self.before.score.high < self.expected[1] - _FAR

    @property
    def fine(self) -> bool:
        """Whether no mistake was found."""
        return not (self.mends or self.far_under or self.useless)


def check_spec(
    model: OpenedModel,
    dataset: PoseDataset,
    *,
    n: int = 50,
    on_progress: Callable[[int, str], None] = lambda done, what: None,
) -> Checked:
    """Check an imported model's spec on the first n people of a data set.

    RobustPoseError for a model without a spec, unreadable photos, or no keypoint shared by model and data.
    """
    if not isinstance(model.module, ImportedPose):
        raise RobustPoseError(
            f"{model.name} has no spec file: it is a model of the package, or defines its input and output itself"
        )
    if n < 2:
        raise RobustPoseError(f"a check needs at least 2 people, got {n}")
    chosen = main_metric(choose_metric([model], dataset))
    bench = _Bench(model.module, dataset, min(n, len(dataset)), chosen, on_progress)
    variant = Variant("as the spec says", "", model.module.spec)
    before = bench.tried(variant, against=None)
    now, mends, tried = before, list[Tried](), list[Tried]()
    for turn in range(_ROUNDS):
        found = [bench.tried(each, against=now) for each in variants_of(now.variant.spec) if each.kind == "score"]
        tried = tried or found
        better = [each for each in found if each.mends]
        if not (better or mends) and before.score.value < _LOW:
            both = [each for one in found for each in _with_sides(one.variant)]
            better = [each for each in (bench.tried(two, against=now) for two in both) if each.mends]
        if not better:
            break
        now = max(better, key=lambda each: each.score.value)
        mends.append(now)
        if turn + 1 == _ROUNDS:
            break
    places = [bench.tried(each, against=now) for each in variants_of(now.variant.spec) if each.kind == "place"]
    nearer = [each for each in places if each.mends]
    if nearer:
        now = max(nearer, key=lambda each: each.closer.value)
        mends.append(now)
    return Checked(
        metric=chosen.name,
        people=len(bench.table(variant)),
        before=before,
        after=now,
        tried=(*tried, *places),
        mends=tuple(mends),
        expected=model.module.spec.clean_score,
        useless=tuple(useless(bench.table(now.variant), chosen)),
    )


def _with_sides(variant: Variant) -> list[Variant]:
    """Return a variant with left and right also swapped; empty for the swap itself."""
    return [
        Variant(f"{variant.name}; {each.name}", f"{variant.mend}; {each.mend}", each.spec)
        for each in variants_of(variant.spec)
        if each.name == SIDES != variant.name
    ]


class _Bench:
    """Predictions of one model under many specs, each computed once."""

    def __init__(
        self,
        model: ImportedPose,
        dataset: PoseDataset,
        n: int,
        metric: KeypointMetric,
        on_progress: Callable[[int, str], None],
    ) -> None:
        self.model, self.dataset, self.n, self.metric, self.on_progress = model, dataset, n, metric, on_progress
        shared = {*dataset.skeleton.keypoints} & {*model.skeleton.keypoints}
        if not shared:
            raise RobustPoseError(f"{model.name} and {dataset.name} share no keypoint")
        self.joints = frozenset(shared)
        self.device = device_of(model)
        self.asked: dict[ModelSpec, Table] = {}

    def table(self, variant: Variant) -> Table:
        """Return the model's predictions under a variant's spec."""
        spec = variant.spec
        if spec not in self.asked:
            self.on_progress(len(self.asked) + 1, variant.name)
            model = type(self.model)(self.model.graph, spec, fingerprint="").to(self.device)
            tables, unreadable = [], ""
            for start in range(0, self.n, _AT_ONCE):
                rows = range(start, min(start + _AT_ONCE, self.n))
                batch = self.dataset.load(rows, input_size=spec.input_size, padding=spec.padding)
                batch = batch.in_skeleton(spec.skeleton)
                unreadable = unreadable or next(iter(batch.unreadable), "")
                if len(batch):
                    output = attacks.predict(model, batch.images.to(self.device), ids=batch.ids)
                    tables.append(as_table(batch, output.keypoints, scores=output.scores))
            if sum(map(len, tables)) < 2:
                raise RobustPoseError(f"fewer than 2 of {self.n} photos could be read; the first: {unreadable}")
            self.asked[spec] = join(tables).over(self.joints)
        return self.asked[spec]

    def tried(self, variant: Variant, *, against: Tried | None) -> Tried:
        """Score a variant, and compare it with another."""
        table = self.table(variant)
        base = table if against is None else self.table(against.variant)
        closer, distance = _distances(base, table, self.metric)
        return Tried(
            variant=variant,
            score=score(table, self.metric)[ALL],
            change=difference(base, table, self.metric)[ALL],
            distance=distance,
            closer=closer,
        )


def _distances(before: Table, after: Table, metric: KeypointMetric) -> tuple[Estimate, Estimate]:
    """Return the reduction of the mean distance in percent, and the distance in percent of the metric's radius.

    Over keypoints that are correct in either table; the distance of a wrong one is counted as the radius.
    """
    before, after = pair(before, after)
    shares = [_share_of_radius(table, metric) for table in (before, after)]
    found = np.fmin(*shares) <= 1
    old, new = (np.where(found, np.clip(share, 0, 1), 0.0).sum(axis=1) for share in shares)
    weights = redraws(len(before), seed=0)
    counts = found.sum(axis=1).astype(float)
    with np.errstate(invalid="ignore", divide="ignore"):
        closer = from_draws(
            np.asarray(100 * (1 - new.sum() / old.sum())), 100 * (1 - weights @ new / (weights @ old)), len(before)
        )
        distance = from_draws(
            np.asarray(100 * new.sum() / counts.sum()), 100 * (weights @ new) / (weights @ counts), len(before)
        )
    return closer, distance


def _share_of_radius(table: Table, metric: KeypointMetric) -> Floats:
    """Return each keypoint's distance from the truth (N, K) in radii; NaN where it is not counted."""
    counts = np.isfinite(metric.hits(table))
    distance = np.linalg.norm(table.predicted - table.keypoints, axis=2)
    return np.where(counts, distance / radius_of(metric, table), np.nan)
