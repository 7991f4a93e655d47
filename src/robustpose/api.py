"""The Python interface: `import robustpose as rp`.

    result = rp.attack(rp.load_model("onnx:pose.onnx", spec="pose.toml"), "coco:val.json", eps=8 / 255)
    print(result)               # the scores with their intervals; in a notebook, also drawn
    result.save("attack.png")

Each name does what the command line's does, by the same code: a study of one model.
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
from typing import Any

from matplotlib.figure import Figure
from torch import nn

from robustpose.analysis.scores import Outcome, Row, all_rows, outcome, write_results
from robustpose.attacks import attack_spec
from robustpose.data import open_dataset
from robustpose.data.batches import BatchPeople
from robustpose.defences import open_defended
from robustpose.errors import RobustPoseError
from robustpose.jobs.setting import Setting
from robustpose.jobs.store import Store
from robustpose.metrics import ALL, Estimate
from robustpose.models import OpenedModel
from robustpose.models.importers.python import opened_callable, opened_module
from robustpose.models.specs import ModelSpec, make_spec
from robustpose.report import html
from robustpose.report.html import summary
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
    """Open a model: 'shg2', 'onnx:PATH', ..., or an nn.Module or Python function at hand.

    spec  of a model that others trained: a path, or what the file would say as a dictionary. A module that says
          skeleton, input_size and head itself (types.PoseModel) needs none.

    `card` is the older name of `spec`. RobustPoseError for what cannot be opened.
    """
    known = _spec(spec, card)
    if isinstance(model, OpenedModel):
        if known is not None:
            raise RobustPoseError(f"{model.name} is opened already; give the spec where it is loaded")
        return model
    if isinstance(model, str):
        return open_defended(model, card=known)
    if isinstance(model, nn.Module):
        return opened_module(model, name=type(model).__name__, card=known)
    if callable(model):
        return opened_callable(model, name=getattr(model, "__name__", "function"), card=known)
    raise RobustPoseError(f"a model is a name, an nn.Module or a function, got {type(model).__name__}")


def load_data(
    data: AnyData, *, images: str | Path = "", min_keypoints: int = 0, min_box: float = 0
) -> PoseDataset:
    """Open people with truth: 'synthpose', 'coco:PATH', 'mpii:PATH', or a Batch at hand.

    images                  the photo folder, where it is not beside the annotations
    min_keypoints, min_box  of people in photos, who takes part

    RobustPoseError for what cannot be opened.
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
    attack: str = "igsm",
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
) -> "AttackResult":
    """Attack a model on people, and say what is left of its score. The model comes back as it was.

    attack     of robustpose.attacks.ATTACKS; steps None is the attack's own number
    eps        the threat's budget: of linf the largest change of a pixel value, in [0, 1] units or written
               '8/255', which it is unless told; of spatial degrees; several make a curve
    threat     of robustpose.threats.THREATS; linf, or spatial, unless told
    targeted   towards a random pose, not just away
    objective  of robustpose.objectives.OBJECTIVES; the attack's own unless told
    n          people, from the first; all by default
    out        a folder that keeps what was computed, so that the same call goes on there; none by default

    RobustPoseError for input that cannot be attacked.
    """
    opened, people = load_model(model, spec=spec, card=card), load_data(data)
    each = tuple(eps) if isinstance(eps, Iterable) and not isinstance(eps, str) else (eps,)
    threat = known_threat(threat or attack_spec(attack).default_threat)
    budgets = dict.fromkeys(read_eps(value, threat) for value in each)
    if not budgets:
        raise RobustPoseError("eps must be a number or several, got none")
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
        name="attack",
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
        run_cells(plan, store)
        result = AttackResult(plan=plan, store=store, rows=tuple(all_rows(plan, store)))
    except BaseException:
        if out is None:
            shutil.rmtree(folder, ignore_errors=True)
        raise
    if out is None:  # what was computed goes with the result
        weakref.finalize(result, shutil.rmtree, folder, ignore_errors=True)
    return result


def check_spec(model: AnyModel, data: AnyData = "synthpose", *, spec: AnySpec = None, n: int = 50) -> Checked:
    """Try the usual mistakes of specs on people with truth: `.mends` says what to write instead."""
    return _check_spec(load_model(model, spec=spec), load_data(data), n=n)


def check_card(model: AnyModel, data: AnyData = "synthpose", *, card: AnySpec = None, n: int = 50) -> Checked:
    """Do as check_spec, whose older name this is."""
    return check_spec(model, data, spec=card, n=n)


@dataclass(frozen=True, eq=False)
class AttackResult:
    """What an attack left of a model: prints as a table, draws itself in a notebook.

    rows  every score: clean, attacked and relative, of all and by body part, percent with 95% intervals
    """

    plan: Plan = field(repr=False)
    store: Store = field(repr=False)
    rows: tuple[Row, ...] = field(repr=False)

    def score(self, measure: str = "relative", part: str = ALL, *, eps: float | str | None = None) -> Estimate:
        """Return one score: 'clean', 'attacked', 'relative' or, of a targeted attack, 'target'.

        eps  of the budgets, the last by default. RobustPoseError for a measure or part that there is not.
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
            raise RobustPoseError(f"no score {measure!r} of {part!r}; measures: {measures}; parts: {parts}")
        (row,) = found
        return Estimate(value=row.value, low=row.low, high=row.high, n=row.n)

    def outcome(self, *, eps: float | str | None = None, clean: bool = False) -> Outcome:
        """Return what the model answered: predictions beside the truth, and the pictures that were kept."""
        return outcome(self.plan, self.store, self.plan.models[0], None if clean else self._setting(eps))

    def plot(self, *, eps: float | str | None = None) -> Figure:
        """Draw scores by body part and a few people before and after, at one budget (the last by default)."""
        return summary.summary_figure(self.plan, self.rows, self.outcome(clean=True), self.outcome(eps=eps))

    def save(self, path: str | Path) -> Path:
        """Write what the suffix says: a figure (.png .svg .pdf .jpg), .csv, .json, or a folder with the whole
        page.

        Returns the path. RobustPoseError for another suffix.
        """
        path = Path(path)
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
                f"{path}: can be written as {', '.join((*_PICTURES, '.csv', '.json'))}, or as a folder with the "
                "page"
            )
        return path

    def __str__(self) -> str:
        return summary.as_text(self.plan, self.rows)

    def _repr_html_(self) -> str:
        drawn = io.BytesIO()
        self.plot().savefig(drawn, format="png", dpi=100)
        picture = base64.b64encode(drawn.getvalue()).decode()
        table = summary.as_html(self.plan, self.rows)
        return f'{table}<img alt="before and after" src="data:image/png;base64,{picture}">'

    def _setting(self, eps: float | str | None) -> Setting:
        settings = self.plan.study.settings
        if eps is None:
            return settings[-1]
        eps = read_eps(eps, settings[-1].threat)
        near = [setting for setting in settings if abs(setting.eps - eps) < 1e-9]
        if not near:
            raise RobustPoseError(
                f"eps {eps:g} was not asked for; these were: {', '.join(f'{s.eps:g}' for s in settings)}"
            )
        return near[0]


def _whole(name: str, value: object, *, least: int = 1) -> int | None:
    """Return a whole number as one, whichever type it has; RobustPoseError for what is none, or below `least`."""
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, Integral) or value < least:
        raise RobustPoseError(f"{name} must be a whole number from {least}, got {value!r}")
    return int(value)


def _known(value: object) -> object:
    return None if isinstance(value, float) and value != value else value


def _spec(spec: AnySpec, card: AnySpec = None) -> Path | ModelSpec | None:
    given = card if spec is None else spec
    if isinstance(given, Mapping):
        return make_spec(given)
    return Path(given) if isinstance(given, str) else given
