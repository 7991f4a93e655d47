"""The images shown to participants: a study's stored clean and attacked images, and noise of the same budget."""

import math
from dataclasses import dataclass

import numpy as np

from robustpose.errors import RobustPoseError, unknown_name
from robustpose.jobs.results import Pixels
from robustpose.jobs.setting import Setting
from robustpose.jobs.store import Store
from robustpose.study.plan import Plan
from robustpose.threats import format_eps, norm_of

_TINY = 1e-9


@dataclass(frozen=True)
class Pair:
    """The clean and the altered image of one person.

    eps             in [0, 1] units
    clean, altered  (H, W, 3) uint8; they differ
    """

    eps: float
    person: str
    clean: Pixels
    altered: Pixels


@dataclass(frozen=True)
class Stimuli:
    """A study's stored images of one model under one attack, at every budget of at least one 8-bit level.

    attack   the paper's name, IGSM-U-10
    without  one line for each image that the attack did not change, which has no correct answer
    """

    model: str
    data: str
    attack: str
    pairs: tuple[Pair, ...]
    without: tuple[str, ...] = ()

    @property
    def budgets(self) -> tuple[float, ...]:
        """All eps in ascending order."""
        return tuple(sorted({pair.eps for pair in self.pairs}))


def read_stimuli(plan: Plan, store: Store, *, model: str, attack: str) -> Stimuli:
    """Read the stored images of a model under an attack.

    RobustPoseError if the study has no such model or attack, or no stored images of it.
    """
    names = [model.name for model in plan.models]
    if model not in names:
        raise unknown_name("model of the study", model, names)
    # Budgets of other threats are not 8-bit levels, and sign noise is not a control for them.
    settings = [
        each for each in plan.study.settings if norm_of(each.threat) == math.inf and each.eps * 255 >= 1 - _TINY
    ]
    chosen = sorted((each for each in settings if each.label == attack), key=lambda each: each.eps)
    if not chosen:
        raise unknown_name(
            "attack of the study with eps of 1/255 or more", attack, {each.label for each in settings}
        )
    pairs = [pair for setting in chosen for pair in _kept(plan, store, model, setting)]
    changed = [pair for pair in pairs if (pair.clean != pair.altered).any()]
    return Stimuli(
        model=model,
        data=plan.dataset.name,
        attack=attack,
        pairs=tuple(changed),
        without=tuple(
            f"{pair.person} at {format_eps(pair.eps)}: the attack changed nothing"
            for pair in pairs
            if not (pair.clean != pair.altered).any()
        ),
    )


def sign_noise(clean: Pixels, *, eps: float, generator: np.random.Generator) -> Pixels:
    """Add plus or minus eps at random to every value of an image (H, W, 3); clip to 0 to 255.

    eps in [0, 1] units, rounded down to whole levels
    """
    level = math.floor(eps * 255 + _TINY)
    signs = generator.choice(np.array([-1, 1]), size=clean.shape)
    noisy = np.clip(clean.astype(np.int64) + level * signs, 0, 255)
    return np.asarray(noisy, np.uint8)


def _kept(plan: Plan, store: Store, model: str, setting: Setting) -> list[Pair]:
    """Pair the images of a study's first people under one setting."""
    cell = plan.cells(plan.named(model), setting)[0]
    kept = store.pictures(cell)
    if len(kept.clean) == 0:
        raise RobustPoseError(
            f"{store.folder} has no images of {cell.title} computed by this version; run the study again into "
            "this folder"
        )
    people = store.read(cell).table.ids
    return [
        Pair(eps=setting.eps, person=person, clean=clean, altered=altered)
        for person, clean, altered in zip(people, kept.clean, kept.adversarial, strict=False)
    ]
