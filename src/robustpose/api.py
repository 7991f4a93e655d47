"""The Python interface: `import robustpose as rp`.

    result = rp.attack(rp.load_model("onnx:pose.onnx", spec="pose.toml"), "coco:val.json", eps=8 / 255)
    print(result)               # the scores with their intervals; in a notebook, also drawn
    result.save("attack.png")

Each function does the same as the command of that name, with the same code: a study of one model.
"""

import base64
import io
import json
import shutil
import weakref
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from numbers import Integral
from pathlib import Path
from tempfile import mkdtemp
from typing import Any, overload

import numpy as np
from matplotlib.figure import Figure
from torch import nn

from robustpose.analysis.doubts import doubts_of
from robustpose.analysis.scores import Outcome, Row, all_rows, outcome, write_results
from robustpose.attacks import attack_spec, default_attack
from robustpose.corruptions import corrupt_image, generator_for, known_severity
from robustpose.corruptions.people import corrupt_batch
from robustpose.data import open_dataset
from robustpose.data.batches import BatchPeople
from robustpose.defences import open_defended
from robustpose.errors import RobustPoseError, writing_to
from robustpose.geometry import Pixels
from robustpose.jobs.setting import Setting
from robustpose.jobs.store import Store
from robustpose.metrics import ALL, Estimate
from robustpose.models import OpenedModel
from robustpose.models.importers.python import opened_callable, opened_module
from robustpose.models.specs import ModelSpec, make_spec
from robustpose.report import html, terminal
from robustpose.report.html import summary
from robustpose.report.stronger import FROM_PYTHON
from robustpose.selfcheck import Checked
from robustpose.selfcheck import check_spec as _check_spec
from robustpose.study.definition import Study
from robustpose.study.plan import Plan, make_plan, run_cells
from robustpose.threats import known_threat, read_eps
from robustpose.types import Batch, PoseDataset

AnyModel = str | OpenedModel | nn.Module | Callable[..., Any]
AnySpec = str | Path | ModelSpec | Mapping[str, object] | None
AnyData = str | PoseDataset | Batch
_PICTURES = (".png", ".svg", ".pdf", ".jpg")


def load_model(model: AnyModel, *, spec: AnySpec = None, card: AnySpec = None) -> OpenedModel:
    """Open a model: 'shg2', 'onnx:PATH', ..., or an nn.Module or Python function.

    spec  the model spec of a third-party model: a path, or the content of the file as a dictionary. A module with
          the attributes skeleton, input_size and head (types.PoseModel) needs none.

    `card` is the older name of `spec`. RobustPoseError if the model cannot be opened.
    """
    known = _spec(spec, card)
    if isinstance(model, OpenedModel):
        if known is not None:
            raise RobustPoseError(f"{model.name} is already open; pass the spec to load_model when you open it")
        return model
    if isinstance(model, str):
        return open_defended(model, spec=known)
    if isinstance(model, nn.Module):
        return opened_module(model, name=type(model).__name__, spec=known)
    if callable(model):
        return opened_callable(model, name=getattr(model, "__name__", "function"), spec=known)
    raise RobustPoseError(f"a model must be a name, an nn.Module or a function, got {type(model).__name__}")


def load_data(
    data: AnyData, *, images: str | Path = "", min_keypoints: int = 0, min_box: float = 0
) -> PoseDataset:
    """Open a data set of labelled people: 'synthpose', 'coco:PATH', 'mpii:PATH', or a Batch.

    images         the photo folder, if the photos are not next to the annotation file
    min_keypoints  minimum number of labelled, non-face keypoints per person in photos
    min_box        minimum longer side of a person's box, in photo pixels

    RobustPoseError if the data set cannot be opened.
    """
    if isinstance(data, Batch):
        return BatchPeople(data)
    if not isinstance(data, str):
        return data
    return open_dataset(
        data, images=Path(images) if images else None, min_keypoints=min_keypoints, min_box=min_box
    )


def attack(
    model: AnyModel,
    data: AnyData = "synthpose",
    *,
    attack: str = "",
    eps: float | str | Sequence[float | str] | None = None,
    threat: str = "",
    steps: int | None = None,
    targeted: bool = False,
    objective: str = "",
    n: int | None = None,
    seed: int = 0,
    spec: AnySpec = None,
    card: AnySpec = None,
    out: str | Path | None = None,
    progress: bool = True,
) -> "AttackResult":
    """Attack a model on people and return its scores, clean and under attack. The model is not changed.

    attack     a name in robustpose.attacks.ATTACKS; default: the strongest under the threat, autopose with linf:
               up to 500 gradients per person (`steps` sets another number)
    eps        the budget of the threat. linf: the largest change of a pixel value, in [0, 1] units or as a string
               such as '8/255' (default); spatial: degrees. Several budgets make a curve
    threat     a name in robustpose.threats.THREATS; default: linf, or spatial for spatial attacks
    steps      number of steps; None: the attack's own
    targeted   attack towards a random target pose
    objective  a name in robustpose.objectives.OBJECTIVES; default: the attack's own
    n          number of people, from the start of the data set; default: all
    out        a folder to store the results in, from which the same call resumes; default: none
    progress   whether to show a bar in a terminal or a notebook

    RobustPoseError for invalid input.
    """
    opened, people = load_model(model, spec=spec, card=card), load_data(data)
    each = tuple(eps) if isinstance(eps, Iterable) and not isinstance(eps, str) else (eps,)
    attack = attack or default_attack(threat)
    threat = known_threat(threat or attack_spec(attack).default_threat)
    budgets = dict.fromkeys(read_eps(value, threat) for value in each)
    if not budgets:
        raise RobustPoseError("eps must be one or more numbers, got none")
    settings = tuple(
        Setting(
            attack,
            budget,
            steps=_whole("steps", steps),
            targeted=targeted,
            objective=objective or attack_spec(attack).default_objective,
            threat=threat,
        )
        for budget in budgets
    )
    study = Study(
        name=FROM_PYTHON,
        title=f"{opened.name} on {people.name}",
        models=(opened.name,),
        data=people.name,
        settings=settings,
        n=_whole("n", n),
        seed=_whole("seed", seed, least=0) or 0,
    )
    plan = make_plan(study, models=[opened], dataset=people)
    folder = Path(mkdtemp(prefix="robustpose-") if out is None else out)
    store = Store(folder)
    try:
        with terminal.cells_bar(study.title, silent=not progress) as show:
            run_cells(plan, store, on_progress=show)
        result = AttackResult(plan=plan, store=store, rows=tuple(all_rows(plan, store)))
    except BaseException:
        if out is None:
            shutil.rmtree(folder, ignore_errors=True)
        raise
    if out is None:  # delete the stored results together with the result object
        weakref.finalize(result, shutil.rmtree, folder, ignore_errors=True)
    return result


@overload
def corrupt(images: Batch, name: str, *, severity: int = 3, seed: int = 0) -> Batch: ...


@overload
def corrupt(images: Pixels, name: str, *, severity: int = 3, seed: int = 0) -> Pixels: ...


def corrupt(images: Batch | Pixels, name: str, *, severity: int = 3, seed: int = 0) -> Batch | Pixels:
    """Return corrupted copies of a batch's people, or of one image, uint8 (H, W, 3) RGB.

    name      a name in robustpose.corruptions.CORRUPTIONS
    severity  1 to 5
    seed      of the random numbers, which also depend on the person's id, or on the image's pixels

    RobustPoseError for an unknown name, another severity, and an image that cannot be corrupted.
    """
    if isinstance(images, Batch):
        return corrupt_batch(images, name, severity=severity, seed=_whole("seed", seed, least=0) or 0)
    if not isinstance(images, np.ndarray):
        raise RobustPoseError(f"images to corrupt must be a Batch or an array, got {type(images).__name__}")
    generator = generator_for(
        images, name, severity=known_severity(severity), seed=_whole("seed", seed, least=0) or 0
    )
    return corrupt_image(images, name, severity=severity, generator=generator)


def check_spec(model: AnyModel, data: AnyData = "synthpose", *, spec: AnySpec = None, n: int = 50) -> Checked:
    """Test a model spec for common mistakes, on labelled people: `.mends` lists the corrections."""
    return _check_spec(load_model(model, spec=spec), load_data(data), n=n)


def check_card(model: AnyModel, data: AnyData = "synthpose", *, card: AnySpec = None, n: int = 50) -> Checked:
    """Call check_spec; this is its older name."""
    return check_spec(model, data, spec=card, n=n)


@dataclass(frozen=True, eq=False)
class AttackResult:
    """The scores of a model under attack: prints as a table, and as a table and figure in a notebook.

    rows  every score: clean, attacked and relative, overall and by body part, in percent with 95% intervals
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
        return summary.as_text(self.plan, self.rows, doubts_of(self.plan, self.store))

    def _repr_html_(self) -> str:
        drawn = io.BytesIO()
        self.plot().savefig(drawn, format="png", dpi=100)
        picture = base64.b64encode(drawn.getvalue()).decode()
        table = summary.as_html(self.plan, self.rows, doubts_of(self.plan, self.store))
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


def _whole(name: str, value: object, *, least: int = 1) -> int | None:
    """Convert an integer of any type to int; RobustPoseError for other values and below `least`."""
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, Integral) or value < least:
        raise RobustPoseError(f"{name} must be an integer of at least {least}, got {value!r}")
    return int(value)


def _known(value: object) -> object:
    return None if isinstance(value, float) and value != value else value


def _spec(spec: AnySpec, card: AnySpec = None) -> Path | ModelSpec | None:
    given = card if spec is None else spec
    if isinstance(given, Mapping):
        return make_spec(given)
    return Path(given) if isinstance(given, str) else given
