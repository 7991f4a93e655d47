"""Two sides of tiny models and people of noise."""

from collections.abc import Mapping
from pathlib import Path

from robustpose.jobs.setting import Setting
from robustpose.jobs.store import Store
from robustpose.models import OpenedModel
from robustpose.studies.validity.comparison import Comparison, compare
from robustpose.studies.validity.sides import PHOTOS, RENDERED
from robustpose.study.plan import Plan, run_cells
from tests.conftest import LinearPose, TinyHeatmaps
from tests.study.study_fakes import NoisePeople, plan

FGSM = Setting("fgsm", 8 / 255)
IGSM = Setting("igsm", 4 / 255, steps=2)
ON_NOISE = NoisePeople()
ON_OTHERS = NoisePeople(people=20, broken=(3,), name="others", fingerprint="noise-2")


def models() -> tuple[OpenedModel, ...]:
    made = [LinearPose(seed=seed) for seed in range(3)] + [TinyHeatmaps(seed=seed) for seed in range(2)]
    return tuple(
        OpenedModel(name=f"net-{i}", module=model.eval(), fingerprint=f"net-{i}") for i, model in enumerate(made)
    )


def sides(rendered: NoisePeople = ON_NOISE, photos: NoisePeople = ON_OTHERS) -> dict[str, Plan]:
    return {
        RENDERED: plan(n=None, people=rendered, settings=(FGSM, IGSM), models=models()),
        PHOTOS: plan(n=None, people=photos, settings=(FGSM, IGSM), models=models()),
    }


def computed(plans: Mapping[str, Plan], folder: Path) -> tuple[Comparison, dict[str, Store]]:
    stores = {side: Store(folder / side) for side in plans}
    for side, each in plans.items():
        run_cells(each, stores[side])
    return compare(plans, stores), stores
