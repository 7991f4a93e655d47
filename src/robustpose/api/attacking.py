"""Attacks a model on people and scores it: the same study of one model as `robustpose attack` runs."""

import shutil
import weakref
from collections.abc import Iterable, Sequence
from pathlib import Path
from tempfile import mkdtemp

from torch import Tensor

from robustpose.analysis.scores import all_rows
from robustpose.api.opening import AnyData, AnyModel, AnySpec, load_data, open_for
from robustpose.api.result import AttackResult
from robustpose.attack_types import Attack
from robustpose.attacks import attack_spec, default_attack
from robustpose.attacks.ensemble import Ensemble
from robustpose.attacks.spatial import SpatialAttack
from robustpose.data.batches import BatchPeople
from robustpose.errors import RobustPoseError, writing_to
from robustpose.given import number_of, whole_of
from robustpose.jobs.setting import Changed, Setting, setting_of
from robustpose.jobs.store import Store
from robustpose.models.placed import placed
from robustpose.report import terminal
from robustpose.report.stronger import FROM_PYTHON
from robustpose.skeletons import Skeleton
from robustpose.study.definition import Study
from robustpose.study.plan import make_plan, run_cells
from robustpose.threats import known_threat, read_eps
from robustpose.types import Batch, PoseDataset

AnyAttackGiven = str | Attack | Ensemble | SpatialAttack


def attack(
    model: AnyModel,
    data: AnyData = "synthpose",
    *,
    attack: AnyAttackGiven = "",
    eps: float | str | Tensor | Sequence[float | str] | None = None,
    threat: str = "",
    steps: int | None = None,
    targeted: bool = False,
    objective: str = "",
    n: int | None = None,
    seed: int = 0,
    spec: AnySpec = None,
    card: AnySpec = None,
    skeleton: Skeleton | str | None = None,
    device: str | None = None,
    keep_images: int | None = None,
    out: str | Path | None = None,
    progress: bool = True,
) -> AttackResult:
    """Attack a model on people and return its scores and adversarial images. The model is left as it came.

    model      see load_model. In float64 or half precision it is searched in float32, and scores in its own
    data       see load_data: a name, a Batch, or a DataLoader of (images, keypoints, visible)
    attack     a name in robustpose.attacks.ATTACKS, or one of their objects such as PGD(steps=10, restarts=5);
               default: the strongest under the threat, autopose with linf: up to 500 gradients per person (`steps`
               sets another number)
    eps        the budget of the threat. linf: the largest change of a pixel value, in [0, 1] units or as a string
               such as '8/255' (default); spatial: degrees. Several budgets make a curve
    threat     a name in robustpose.threats.THREATS; default: linf, or spatial for spatial attacks
    steps      number of steps; None: the attack's own
    targeted   attack towards a random target pose
    objective  a name in robustpose.objectives.OBJECTIVES; default: the attack's own
    n          number of people, from the start of the data; default: all
    skeleton   of a DataLoader's keypoints; default: the model's if it has as many
    device     'cpu', 'cuda', 'cuda:1' or 'mps', where the model is moved for the attack; default: where it is
    keep_images  number of people whose images are stored, 8 bit; default: all, about 0.3 MB each at 256 x 192
    out        a folder to store the results in, from which the same call resumes; default: none
    progress   whether to show a bar in a terminal or a notebook

    RobustPoseError for invalid input.
    """
    people_asked = None if n is None else whole_of(n, "n")
    people = load_data(data, skeleton=skeleton, n=people_asked)
    opened = open_for(model, spec=card if spec is None else spec, people=people)
    if skeleton is None and isinstance(people, BatchPeople) and not isinstance(data, Batch | BatchPeople):
        people = _in_skeleton_of(opened.module.skeleton, people)
    settings = settings_of(attack, eps, threat=threat, steps=steps, targeted=targeted, objective=objective)
    kept = min(len(people), people_asked or len(people)) if keep_images is None else keep_images
    study = Study(
        name=FROM_PYTHON,
        title=f"{opened.name} on {people.name}",
        models=(opened.name,),
        data=people.name,
        settings=settings,
        n=people_asked,
        seed=whole_of(seed, "seed", least=0),
        keep_images=whole_of(kept, "keep_images", least=0),
    )
    plan = make_plan(study, models=[opened], dataset=people)
    if out is not None and Path(out).is_file():
        raise RobustPoseError(f"out must be a folder, got the file {out}")
    folder = Path(mkdtemp(prefix="robustpose-") if out is None else out)
    try:
        with writing_to(folder, "choose another folder with out="):
            store = Store(folder)
            with (
                placed(opened.module, device) as where,
                terminal.cells_bar(study.title, silent=not progress) as show,
            ):
                run_cells(plan, store, device=str(where), on_progress=show)
        result = AttackResult(plan=plan, store=store, rows=tuple(all_rows(plan, store)))
    except BaseException:
        if out is None:
            shutil.rmtree(folder, ignore_errors=True)
        raise
    if out is None:  # delete the stored results together with the result object
        weakref.finalize(result, shutil.rmtree, folder, ignore_errors=True)
    return result


def settings_of(
    attack: AnyAttackGiven,
    eps: object,
    *,
    threat: str,
    steps: int | None,
    targeted: bool,
    objective: str,
) -> tuple[Setting, ...]:
    """Return the settings, one per budget."""
    each = tuple(eps) if isinstance(eps, Iterable) and not isinstance(eps, str | Tensor) else (eps,)
    steps = None if steps is None else whole_of(steps, "steps")
    attack = attack or default_attack(threat)
    if isinstance(attack, str):
        name, changed = attack, Changed()
    else:
        if steps is not None:
            raise RobustPoseError(f"steps is for attacks by name; write {type(attack).__name__}(steps={steps})")
        name, steps, changed = setting_of(attack, targeted=targeted)
    threat = known_threat(threat or attack_spec(name).default_threat)
    numbers = (value if value is None or isinstance(value, str) else number_of(value, "eps") for value in each)
    budgets = dict.fromkeys(read_eps(value, threat) for value in numbers)
    if not budgets:
        raise RobustPoseError("eps must be one or more numbers, got none")
    return tuple(
        Setting(
            name,
            budget,
            steps=steps,
            targeted=targeted,
            objective=objective or attack_spec(name).default_objective,
            threat=threat,
            changed=changed,
        )
        for budget in budgets
    )


def _in_skeleton_of(skeleton: Skeleton, people: PoseDataset) -> PoseDataset:
    """Return people of a DataLoader in the model's skeleton if it has as many keypoints."""
    same = isinstance(people, BatchPeople) and len(people.skeleton) == len(skeleton)
    return people.in_skeleton(skeleton) if same and isinstance(people, BatchPeople) else people
