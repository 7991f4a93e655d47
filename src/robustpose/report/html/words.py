"""The sentences of the page: the score, the threat, the attacks, the headline."""

import math
from collections.abc import Sequence

from robustpose.analysis.scores import Row
from robustpose.jobs.setting import Setting
from robustpose.objectives import OBJECTIVES
from robustpose.report.html.scores import Family, Model
from robustpose.study.described import is_imported
from robustpose.study.plan import Plan, metric_of
from robustpose.threats import THREATS
from robustpose.types import DescribedHead, Head


def listed(names: Sequence[str]) -> str:
    """Join names with commas and 'and'.

    >>> listed(["a", "b", "c"])
    'a, b and c'
    """
    return " and ".join([", ".join(names[:-1]), names[-1]]) if len(names) > 1 else "".join(names)


def spoken(part: str) -> str:
    """Write a body part's name in words: 'upper_neck' becomes 'upper neck'."""
    return part.replace("_", " ")


def counted(number: int, thing: str) -> str:
    """Write a number with its noun.

    >>> counted(2, "query")
    '2 queries'
    """
    many = f"{thing[:-1]}ies" if thing.endswith("y") else f"{thing}s"
    return f"{number} {thing if number == 1 else many}"


def lede(plan: Plan, models: Sequence[str], *, people: int) -> str:
    """State what was measured: models, people, data."""
    crowd = "1 person" if people == 1 else f"{people} people"
    if len(models) == 1:
        finds = f"{models[0]} finds"
    else:
        finds = f"{listed(models)} find"
    return f"This page shows how well {finds} the keypoints of {crowd} of {plan.dataset.name}, clean and attacked."


def data_in_full(plan: Plan) -> str:
    """Name the people of a study in full: the data set with its path, the detector's boxes, who was chosen."""
    study = plan.study
    chosen = [f"at least {study.min_keypoints} labelled keypoints"] if study.min_keypoints else []
    chosen += [f"a box of at least {study.min_box:g} pixels"] if study.min_box else []
    parts = [study.data if ":" in study.data else plan.dataset.name]
    parts += [f"boxes of {study.detections}"] if study.detections else []
    parts += [f"photos in {study.images}"] if study.images else []
    parts += [f"people with {listed(chosen)}"] if chosen else []
    total = len(plan.dataset)
    parts.append(
        counted(total, "person").replace("persons", "people")
        if plan.n == total
        else f"the first {plan.n} of {total} people"
    )
    return ", ".join(parts)


def score_rule(plan: Plan) -> str:
    """State when a keypoint is correct, and which keypoints are not counted."""
    metric = metric_of(plan)
    skeletons = [plan.dataset.skeleton, *(model.module.skeleton for model in plan.models)]
    uncounted = list(dict.fromkeys(spoken(name) for skeleton in skeletons for name in skeleton.uncounted))
    rule = f"{metric.name}: {metric.rule}"
    if not uncounted:
        return f"{rule}."
    return f"{rule}; {listed(uncounted)} {'is' if len(uncounted) == 1 else 'are'} not counted."


def threat_rule(settings: Sequence[Setting]) -> str:
    """State what the attacker of a study may change."""
    named = dict.fromkeys(setting.threat for setting in settings)
    return f"The attacker {', or '.join(THREATS[name].rule for name in named or ('linf',))}."


def how(family: Family) -> str:
    """Describe an attack in a sentence."""
    first = family.settings[0]
    way = "towards the pose of another person" if first.targeted else "away from the true pose"
    if first.spec.sentence:
        return first.spec.sentence.format(**first.numbers, way=way)
    if first.spec.objective is None:
        return f"{first.spec.summary[:1].lower()}{first.spec.summary[1:]}"
    steps = int(first.numbers.get("steps", 1))
    thing = "step" if first.spec.needs == "gradients" else "query"
    return f"{counted(steps, thing)} {way}, by {OBJECTIVES[first.objective].phrase}"


def answer(plan: Plan, found: Sequence[Model], worst: Sequence[tuple[Setting, Row | None]]) -> str:
    """Give in one sentence the score of each model under the attack of the headline that lowers it most."""
    said = [
        (row.value, model.name)
        for model, (_, row) in zip(found, worst, strict=True)
        if row is not None and math.isfinite(row.value)
    ]
    if not said:
        return "No relative score is given for these models and people."
    setting, metric = worst[0][0], metric_of(plan).name
    titles = list(dict.fromkeys(setting.title for setting, _ in worst))
    attack = titles[0] if len(titles) == 1 else f"the most damaging attack of this study at eps {setting.budget}"
    if setting.targeted:
        best = max(said)
        return (
            f"{attack[:1].upper()}{attack[1:]} moves {best[0]:.1f} % of the keypoints of {best[1]} to the target "
            "pose."
        )
    if len(said) <= 3:
        scores = listed([f"{value:.1f} % for {name}" for value, name in said])
        return f"Under {attack}, the relative score (% of clean {metric}) is {scores}."
    low, high = min(said), max(said)
    return (
        f"Under {attack}, the relative score (% of clean {metric}) ranges from "
        f"{low[0]:.1f} % ({low[1]}) to {high[0]:.1f} % ({high[1]})."
    )


def guessed_losses(plan: Plan) -> str:
    """Name the loss that replaces the unknown training loss of imported models; empty without such models."""
    standing_in = {model.name: _loss_name(model.module.head) for model in plan.models if is_imported(model.module)}
    if not standing_in:
        return ""
    said = listed([f"{loss} for {name}" for name, loss in standing_in.items()])
    return f"The training loss of imported models is unknown; the attacks use {said} instead."


def _loss_name(head: Head) -> str:
    return head.loss_name if isinstance(head, DescribedHead) else "the loss of its head"


def why_undefined(measure: str, row: Row | None) -> str:
    """Give the reason why a score is not defined."""
    if row is None or row.n == 0:
        if measure == "target":
            return "no person with a target pose can be scored"
        return "no keypoint of these people can be scored"
    if measure == "relative":
        return "the clean score is 0"
    return "not enough people to score"
