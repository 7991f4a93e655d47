"""The definition of the corruptions study, its options, and the jobs that it needs."""

from dataclasses import dataclass, replace

from robustpose.corruptions import SEVERITIES, Surface, chosen_corruptions, known_severity
from robustpose.corruptions.axes import AXES, axis_named
from robustpose.defences import behind
from robustpose.errors import RobustPoseError, unknown_name
from robustpose.jobs.corruption import Corrupted, CorruptedCell, photos_only
from robustpose.jobs.setting import Setting
from robustpose.studies.grid import budgets_of, listed
from robustpose.study.definition import Study
from robustpose.study.options import ComputedOptions, option
from robustpose.study.plan import Plan, blocks

PROTOCOLS: dict[str, tuple[Surface, bool]] = {
    "crop": ("crop", False),
    "photo": ("photo", False),
    "advmix": ("photo", True),
}
"""What is corrupted, and whether corrupted photos are written as JPEG and read again."""

ATTACKED = 50
"""People who are attacked, to compare with corruptions."""


@dataclass(frozen=True)
class CorruptionOptions(ComputedOptions):
    """ComputedOptions, and which corruptions, of what."""

    corruptions: str = option(
        "15",
        "Corruptions, comma-separated; 15: those of Hendrycks and Dietterich; all",
        names="corruptions",
        several=True,
    )
    severities: str = option("1,2,3,4,5", "Severities, comma-separated")
    protocol: str = option(
        "crop",
        "What is corrupted: crop | photo (before it is cropped) | advmix (photo, saved as JPEG, as AdvMix did)",
    )
    limits: str = option(
        "all", "Axes along which the limits of use are searched: light,blur,noise,size,jpeg,occlusion | all | none"
    )
    attacked: int = option(ATTACKED, "People who are also attacked, to compare; 0: none", least=0)
    attacks: str = option("igsm,autopose", "Attacks to compare with", names="attacks", several=True)
    detections: str = option("", "Detector boxes to use instead of the true boxes: a COCO results JSON file")
    metric: str = option(
        "",
        "pckh | pck | ks; the default depends on data and models, see docs/scores.md",
        names="metrics",
    )


@dataclass(frozen=True)
class CorruptionStudy:
    """The study.

    base     models, data and people, with the attacks to compare with as its settings
    axes     along which limits are searched
    attacked  number of people who are attacked, from the first
    """

    base: Study
    corruptions: tuple[str, ...]
    severities: tuple[int, ...]
    protocol: str
    axes: tuple[str, ...]
    attacked: int

    @property
    def surface(self) -> Surface:
        """What is corrupted."""
        return PROTOCOLS[self.protocol][0]

    def corrupted(self, name: str, severity: int) -> Corrupted:
        """Return what a corruption at a severity does to images."""
        surface, jpeg = PROTOCOLS[self.protocol]
        return Corrupted(name, severity, surface=surface, jpeg=jpeg, seed=self.base.seed)

    def at_level(self, axis: str, level: float) -> Corrupted:
        """Return what an axis at a level does to images."""
        surface, jpeg = PROTOCOLS[self.protocol]
        return Corrupted(axis, level=level, surface=surface, jpeg=jpeg, seed=self.base.seed)


def asked(options: CorruptionOptions) -> CorruptionStudy:
    """Return the study with the options applied; RobustPoseError for invalid options."""
    if options.protocol not in PROTOCOLS:
        raise unknown_name("protocol", options.protocol, PROTOCOLS)
    data = options.data or "synthpose:val"
    if PROTOCOLS[options.protocol][0] == "photo" and data.startswith("synthpose"):
        raise RobustPoseError(
            f"--protocol {options.protocol} corrupts whole photos, and {data} has none: its people are images of "
            "their own; leave it out, or name photos with --data"
        )
    eps = budgets_of(options.eps) if options.eps else (2 / 255,)
    if len(eps) > 1:
        raise RobustPoseError(f"--eps must be one budget, at which the attacks are compared, got {options.eps}")
    base = Study(
        name="corruptions",
        title="What weather, light, cameras and files cost",
        models=behind(options.defence, listed(options.models) or ("shg2", "deeppose", "resdec", "resreg")),
        data=data,
        settings=tuple(Setting(name, eps[0]) for name in listed(options.attacks)),
        n=200 if options.n is None else options.n,
        seed=options.seed,
        spec=options.spec,
        images=options.images,
        min_keypoints=options.min_keypoints,
        min_box=options.min_box,
        detections=options.detections,
        keep_images=0,
        per_cell=options.people_per_cell or 50,
        metric=options.metric,
    )
    return CorruptionStudy(
        base=base if options.attacked else replace(base, settings=()),
        corruptions=_corruptions(options.corruptions),
        severities=_severities(options.severities),
        protocol=options.protocol,
        axes=_axes(options.limits),
        attacked=options.attacked,
    )


def clean_plan(study: CorruptionStudy, plan: Plan) -> Plan:
    """Return the plan without attacks: everybody, clean."""
    if study.surface == "photo":
        photos_only(plan.dataset)
    return replace(plan, study=replace(study.base, settings=()))


def attacked_plan(study: CorruptionStudy, plan: Plan) -> Plan:
    """Return the plan of the people who are attacked."""
    return replace(plan, study=replace(study.base, n=min(study.attacked, plan.n) or 1))


def corrupted_cells(plan: Plan, model: str, what: Corrupted) -> tuple[CorruptedCell, ...]:
    """Return the cells of one model under one corruption, one per block of people."""
    opened = plan.named(model)
    return tuple(
        CorruptedCell(
            model=opened.name,
            model_fingerprint=opened.fingerprint,
            data=plan.dataset.name,
            data_fingerprint=plan.dataset.fingerprint,
            start=clean.start,
            stop=clean.stop,
            corrupted=what,
            photos=clean.photos,
        )
        for clean in plan.cells(opened, None)
    )


def all_corrupted(study: CorruptionStudy, plan: Plan) -> list[CorruptedCell]:
    """Return the cells of all corruptions and severities, block by block: a block's images are read once."""
    each = [
        corrupted_cells(plan, model.name, study.corrupted(name, severity))
        for name in study.corruptions
        for severity in study.severities
        for model in plan.models
    ]
    return [cells[block] for block in range(len(blocks(plan.n, per_cell=plan.study.per_cell))) for cells in each]


def _corruptions(text: str) -> tuple[str, ...]:
    names = chosen_corruptions(text)
    if not names:
        raise RobustPoseError("--corruptions must be one or more names, got none")
    return names


def _severities(text: str) -> tuple[int, ...]:
    parts = listed(text)
    if not parts or not all(part.isdecimal() for part in parts):
        raise RobustPoseError(
            f"--severities must be numbers from 1 to 5 such as {','.join(map(str, SEVERITIES))}, got {text!r}"
        )
    return tuple(sorted({known_severity(int(part)) for part in parts}))


def _axes(text: str) -> tuple[str, ...]:
    if text in ("all", "none"):
        return tuple(AXES) if text == "all" else ()
    for name in listed(text):
        axis_named(name)
    return tuple(dict.fromkeys(listed(text)))
