"""The same attacks on third-party models, on rendered people and on photos: do the rankings agree?

Each side is a `real` study in its own folder, so it can be computed on any machine by `robustpose study real`;
comparison.py compares the two sides.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from robustpose.defences import behind
from robustpose.errors import RobustPoseError
from robustpose.jobs.setting import Setting
from robustpose.studies.grid import budgets_of, listed, over
from robustpose.studies.real import REAL
from robustpose.study.definition import Study
from robustpose.study.options import ComputedOptions
from robustpose.study.plan import Plan, open_plan

RENDERED, PHOTOS = "rendered", "photos"
"""The two sides, and the folders of their results."""

METRIC = "pck"
"""The metric of both sides. PCKh is not defined on COCO, which has no head sizes."""


@dataclass(frozen=True)
class Validity:
    """The study: third-party models, on rendered people and on people in photos.

    photos         a data set of people in photos, 'coco:PATH'
    n              number of people of each side, from the start; None: all
    images         photo folder, if the photos are not next to the annotations
    min_keypoints, min_box  people in photos: minimum number of labelled keypoints, longer side in photo pixels
    """

    name: str = "validity"
    title: str = "Do rendered people rank models as photos do?"
    models: tuple[str, ...] = REAL.models
    rendered: str = "synthpose:val"
    photos: str = ""
    settings: tuple[Setting, ...] = REAL.settings
    n: int | None = 500
    seed: int = 0
    spec: str = ""
    images: str = ""
    min_keypoints: int = 0
    min_box: float = 0
    per_cell: int = REAL.per_cell


def asked(options: ComputedOptions) -> Validity:
    """Return the study with the options applied."""
    named = Validity()
    return replace(
        named,
        models=behind(options.defence, listed(options.models) or named.models),
        photos=options.data,
        settings=over(named.settings, budgets_of(options.eps)) if options.eps else named.settings,
        n=named.n if options.n is None else options.n,
        seed=options.seed,
        spec=options.spec,
        images=options.images,
        min_keypoints=options.min_keypoints,
        min_box=options.min_box,
        per_cell=options.people_per_cell or named.per_cell,
    )


def studies_of(study: Validity) -> dict[str, Study]:
    """Return the two sides: the study `real` with the same options, on each side's data.

    RobustPoseError for fewer than two models, and for rendered people in place of photos.
    """
    if not study.photos:
        raise RobustPoseError(f"study {study.name} needs photos: name them with --data, such as coco:PATH")
    if study.photos.partition(":")[0] == "synthpose":
        raise RobustPoseError(
            f"study {study.name} compares rendered people with photos, so --data must be photos; "
            f"got --data {study.photos}"
        )
    if len(study.models) < 2:
        raise RobustPoseError(f"a ranking needs at least two models, got {', '.join(study.models) or 'none'}")
    rendered = replace(
        REAL,
        models=study.models,
        data=study.rendered,
        settings=study.settings,
        n=study.n,
        seed=study.seed,
        spec=study.spec,
        per_cell=study.per_cell,
        metric=METRIC,
    )
    photos = replace(
        rendered,
        data=study.photos,
        images=study.images,
        min_keypoints=study.min_keypoints,
        min_box=study.min_box,
    )
    return {RENDERED: rendered, PHOTOS: photos}


def open_sides(study: Validity) -> dict[str, Plan]:
    """Open both sides with the same models: {'rendered' | 'photos': plan}.

    RobustPoseError for fewer than two keypoints that all share, and as open_plan.
    """
    studies = studies_of(study)
    rendered = open_plan(studies[RENDERED])
    photos = open_plan(studies[PHOTOS], models=rendered.models)
    sides = {RENDERED: rendered, PHOTOS: photos}
    if len(shared := shared_joints(sides)) < 2:
        raise RobustPoseError(
            f"study {study.name} needs at least two keypoints that {rendered.dataset.name}, {photos.dataset.name} "
            f"and all models share; they share {', '.join(sorted(shared)) or 'none'}"
        )
    return sides


def shared_joints(sides: Mapping[str, Plan]) -> frozenset[str]:
    """Return the keypoints that both sides and all models have, without those that any of them does not count."""
    skeletons = [plan.dataset.skeleton for plan in sides.values()]
    skeletons += [model.module.skeleton for plan in sides.values() for model in plan.models]
    left_out = {name for skeleton in skeletons for name in skeleton.uncounted}
    return frozenset(skeletons[0].keypoints).intersection(*(each.keypoints for each in skeletons)) - left_out
