"""The result of an attack on people: scores, images, predictions, figures and files."""

import base64
import io
import json
import math
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np
import polars as pl
import torch
from matplotlib.figure import Figure
from torch import Tensor

from robustpose.analysis.doubts import Doubts, doubts_of
from robustpose.analysis.scores import Outcome, Row, outcome, write_results
from robustpose.errors import RobustPoseError, writing_to
from robustpose.jobs.setting import Setting
from robustpose.jobs.store import Store
from robustpose.metrics import ALL, Estimate
from robustpose.report import html
from robustpose.report.html import summary
from robustpose.study.plan import Plan
from robustpose.threats import read_eps

_PICTURES = (".png", ".svg", ".pdf", ".jpg")


@dataclass(frozen=True, eq=False)
class AttackResult:
    """A model under attack: its scores, and the images. Prints as a table; in a notebook also as a figure.

    rows  every score: clean, attacked and relative, overall and by body part, in percent with 95% intervals

    `adversarial`, `clean`, `perturbation` and `keypoints` are of the last budget, read when they are asked for;
    `images` and `outcome` are of any.
    """

    plan: Plan = field(repr=False)
    store: Store = field(repr=False)
    rows: tuple[Row, ...] = field(repr=False)

    def score(self, measure: str = "relative", part: str = ALL, *, eps: float | str | None = None) -> Estimate:
        """Return one score: 'clean', 'attacked', 'relative' or, for a targeted attack, 'target'.

        eps  one of the budgets; default: the last. RobustPoseError for an unknown measure or part.
        """
        setting = self._setting(eps)
        found = [
            row
            for row in self.rows
            if (row.measure, row.part) == (measure, part)
            and row.metric.removeprefix("target ") == self.rows[0].metric
            and (measure == "clean" or row.eps == setting.budget)
        ]
        if not found:
            measures = ", ".join(dict.fromkeys(row.measure for row in self.rows))
            parts = ", ".join(dict.fromkeys(row.part for row in self.rows if row.metric == self.rows[0].metric))
            raise RobustPoseError(f"no score {measure!r} for {part!r}; measures: {measures}; parts: {parts}")
        (row,) = found
        return Estimate(value=row.value, low=row.low, high=row.high, n=row.n)

    def outcome(self, *, eps: float | str | None = None, clean: bool = False) -> Outcome:
        """Return the model's predictions with the true keypoints, and the stored images."""
        return outcome(self.plan, self.store, self.plan.models[0], None if clean else self._setting(eps))

    def metrics(self) -> dict[str, float]:
        """Return the scores of the whole body in percent by name, as loggers take them.

        Relative scores that are no robustness (docs/alarms.md) and undefined ones are left out.
        """
        several = len(self.plan.study.settings) > 1
        return {
            f"{row.measure} {row.metric.removeprefix('target ')}"
            + (f" at {row.eps}" if several and row.measure != "clean" else ""): row.value
            for row in self.doubts.withheld(self.rows)
            if row.part == ALL and math.isfinite(row.value)
        }

    def to_polars(self) -> pl.DataFrame:
        """Return `rows` as a table; numbers that are unknown are null."""
        return pl.DataFrame([{key: _known(value) for key, value in asdict(row).items()} for row in self.rows])

    @cached_property
    def doubts(self) -> Doubts:
        """Which of the scores are no robustness, and why."""
        return doubts_of(self.plan, self.store)

    @property
    def ids(self) -> tuple[str, ...]:
        """The people whose images could be read, in the order of all images and predictions."""
        return self.outcome().table.ids

    @cached_property
    def adversarial(self) -> Tensor:
        """The adversarial images (N, 3, H, W) in [0, 1]."""
        return self.images()

    @cached_property
    def clean(self) -> Tensor:
        """The clean images (N, 3, H, W) in [0, 1]."""
        return self.images(clean=True)

    @property
    def perturbation(self) -> Tensor:
        """The adversarial minus the clean images (N, 3, H, W)."""
        return self.adversarial - self.clean

    @cached_property
    def keypoints(self) -> Tensor:
        """The model's predictions (N, K, 2) for the adversarial images, in input pixels."""
        return torch.from_numpy(self.outcome().table.predicted.astype(np.float32))

    def images(self, *, eps: float | str | None = None, clean: bool = False) -> Tensor:
        """Return the images (N, 3, H, W) in [0, 1] of one budget (default: the last), or the clean ones.

        RobustPoseError where they are not stored: with `keep_images` below n, and below one 8-bit level.
        """
        setting = self._setting(eps)
        if not (clean or setting.round_to_8bit):
            raise RobustPoseError(
                f"images of {setting.budget} are not stored, because it is below one 8-bit level; use rp.perturb"
            )
        pictures = [self.store.pictures(cell) for cell in self.plan.cells(self.plan.models[0], setting)]
        parts = [each.clean if clean else each.adversarial for each in pictures if len(each.clean)]
        stored, people = sum(map(len, parts)), len(self.ids)
        if stored < people:
            raise RobustPoseError(
                f"images of {stored} of {people} people are stored; call attack without keep_images"
            )
        found = np.concatenate(parts)
        return torch.from_numpy(found).permute(0, 3, 1, 2).to(torch.float32) / 255

    def plot(self, *, eps: float | str | None = None) -> Figure:
        """Draw scores by body part, and a few people before and after, at one budget (default: the last)."""
        return summary.summary_figure(self.plan, self.rows, self.outcome(clean=True), self.outcome(eps=eps))

    def save(self, path: str | Path) -> Path:
        """Write the result in the format given by the suffix: a figure (.png .svg .pdf .jpg), .csv or .json.

        Without a suffix, writes a folder with the report page. Returns the path. RobustPoseError for others.
        """
        path = Path(path)
        with writing_to(path, "choose another place"):
            return self._save(path)

    def _save(self, path: Path) -> Path:
        if not path.suffix:
            return html.write_report(self.plan, self.store, path)
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.suffix == ".csv":
            write_results(self.rows, path)
        elif path.suffix == ".json":
            scores = [{key: _known(value) for key, value in asdict(row).items()} for row in self.rows]
            path.write_text(json.dumps(scores, indent=2, allow_nan=False), encoding="utf-8")
        elif path.suffix in _PICTURES:
            self.plot().savefig(path, dpi=150)
        else:
            raise RobustPoseError(
                f"{path}: the suffix must be one of {', '.join((*_PICTURES, '.csv', '.json'))}, or none for a "
                "folder with the page"
            )
        return path

    def __str__(self) -> str:
        return summary.as_text(self.plan, self.rows, self.doubts)

    def __repr__(self) -> str:
        shown = {name: round(value, 1) for name, value in self.metrics().items()}
        setting = self._setting(None)
        return f"AttackResult({self.plan.study.title}, {setting.title}, n={len(self.ids)}, {shown})"

    def _repr_html_(self) -> str:
        drawn = io.BytesIO()
        self.plot().savefig(drawn, format="png", dpi=100)
        picture = base64.b64encode(drawn.getvalue()).decode()
        table = summary.as_html(self.plan, self.rows, self.doubts)
        return f'{table}<img alt="before and after" src="data:image/png;base64,{picture}">'

    def _setting(self, eps: float | str | None) -> Setting:
        settings = self.plan.study.settings
        if eps is None:
            return settings[-1]
        eps = read_eps(eps, settings[-1].threat)
        near = [setting for setting in settings if abs(setting.eps - eps) < 1e-9]
        if not near:
            raise RobustPoseError(
                f"there are no results for eps {eps:g}; available: {', '.join(f'{s.eps:g}' for s in settings)}"
            )
        return near[0]


def _known(value: object) -> object:
    return None if isinstance(value, float) and value != value else value
