"""What each version of an attack, threat, objective, defence and architecture computes, in a few numbers.

Where a number differs, what is computed has changed. Raise the version of the piece, and write the new numbers by
`python -m tests.jobs.test_golden`, which adds what is missing and changes nothing else. Numbers are compared
within a tolerance, for another processor rounds otherwise.
"""

import json
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
import torch
from torch import nn

from robustpose.attacks import ATTACKS
from robustpose.defences import DEFENCES, defended
from robustpose.errors import RobustPoseError
from robustpose.faults import FAULTS, IMPERCEPTIBLE, FaultSpec, OnCut, OnModel
from robustpose.faults.cutting import Cutting
from robustpose.jobs.setting import Setting
from robustpose.jobs.store import Store
from robustpose.jobs.workbench import input_size_of
from robustpose.models.architectures import MODELS, TASKS, build
from robustpose.models.architectures.tasks import VERSION as TASK_VERSION
from robustpose.objectives import OBJECTIVES
from robustpose.study.plan import run_cells
from robustpose.threats import THREATS
from robustpose.types import Batch, PoseOutput
from tests.conftest import TINY, aim_at
from tests.study.study_fakes import NoisePeople, plan, tiny_models

FILE = Path(__file__).with_name("golden.json")
EPS = 8 / 255

ATTACKED = {
    "fgsm": Setting("fgsm", EPS),
    "igsm": Setting("igsm", EPS, steps=4),
    "pgd": Setting("pgd", EPS, steps=4),
    "apgd": Setting("apgd", EPS, steps=8, objective="margin"),
    "fmn": Setting("fmn", EPS, steps=8, objective="margin"),
    "fmn_each": Setting("fmn_each", EPS, steps=8, objective="margin"),
    "square": Setting("square", EPS, steps=20, objective="margin"),
    "rays": Setting("rays", EPS, steps=20, objective="margin"),
    "mi": Setting("mi", EPS, steps=4),
    "di": Setting("di", EPS, steps=4),
    "ti": Setting("ti", EPS, steps=4),
    "eot_patch": Setting("eot_patch", 3, steps=4, threat="patch"),
    "autopose": Setting("autopose", EPS),
    "spatial": Setting("spatial", 15, threat="spatial"),
    "worst_of_k": Setting("worst_of_k", 15, threat="spatial"),
    "spatial_gradient": Setting("spatial_gradient", 15, threat="spatial"),
}
"""How an attack is run here; one that is not named is run with its defaults, at the smallest budget for tests."""

WITHIN = {
    "linf": Setting("pgd", 2 / 255, steps=3),
    "l2": Setting("pgd", 1.0, steps=3, threat="l2"),
    "l1": Setting("pgd", 10.0, steps=3, threat="l1"),
    "l0": Setting("pgd", 6, steps=3, threat="l0"),
    "patch": Setting("pgd", 3, steps=3, threat="patch"),
    "spatial": Setting("worst_of_k", 10, threat="spatial"),
    "rotation": Setting("worst_of_k", 10, threat="rotation"),
    "translation": Setting("worst_of_k", 0.2, threat="translation"),
    "scaling": Setting("worst_of_k", 0.2, threat="scaling"),
}
"""The attack within a threat; one that is not named gets PGD, or for motions the worst of some."""

RECORD = "record it by `python -m tests.jobs.test_golden`"


@dataclass(frozen=True)
class Found(NoisePeople):
    """People whose truth lies a third of a pixel from what a model answers, and counts within two."""

    people: int = 3
    of: str = "linear"

    def load(self, rows: Sequence[int], *, input_size: tuple[int, int], padding: float = 1.25) -> Batch:
        batch = super().load(rows, input_size=input_size, padding=padding)
        (module,) = [model.module for model in tiny_models() if model.name == self.of]
        with torch.no_grad():
            keypoints = module(batch.images).keypoints + 1 / 3
        return replace(batch, keypoints=keypoints, visible=batch.visible | True, box_side=batch.box_side * 0 + 20)


def attacked(setting: Setting) -> list[float]:
    """How far two people's pictures changed, where, and where two models then find three people's keypoints."""
    numbers: list[float] = []
    for model in tiny_models():
        made = plan(n=3, people=Found(of=model.name), settings=(setting,), models=(model,))
        with TemporaryDirectory() as folder:
            store = Store(Path(folder))
            run_cells(made, store)
            (cell,) = made.cells(model, setting)
            kept, result = store.pictures(cell), store.read(cell)
        change = kept.adversarial.astype(float) - kept.clean.astype(float)
        where = np.cos(np.arange(change[0].size)).reshape(change[0].shape)
        numbers += [result.forwards, result.backwards]
        numbers += [*np.abs(change).mean(axis=(1, 2, 3)), *(change * where).mean(axis=(1, 2, 3))]
        numbers += [*result.table.predicted.mean(axis=(1, 2))]
        if "smallest" in result.signals:
            numbers += [*np.nan_to_num(result.signals["smallest"], posinf=1).mean(axis=1) * 255]
    return numbers


def raised(name: str) -> list[float]:
    """The losses of an objective, away from and towards a pose, of two models."""
    numbers: list[float] = []
    for model in tiny_models():
        batch = Found(of=model.name).load(range(3), input_size=TINY)
        for targeted in (False, True):
            loss = OBJECTIVES[name].bind(model.module, aim_at(batch), targeted=targeted)
            with torch.no_grad():
                numbers += loss(batch.images, torch.arange(3)).tolist()
    return numbers


def defending(name: str) -> list[float]:
    """What a model behind a defence answers to two people's pictures, in units of its mean answer."""
    model = tiny_models()[1]
    images = NoisePeople().load(range(2), input_size=TINY).images
    torch.manual_seed(0)  # of a defence that draws
    with torch.no_grad():
        raw = defended(model, name).module(images).stages[-1]
        plain = model.module(images).stages[-1]
    return (raw.flatten()[:: raw.numel() // 12] / plain.abs().mean()).tolist()


def faulty(fault: FaultSpec) -> list[float]:
    """What a fault at each level makes of a photo of waves, of how a crop is cut, or of a model's answer."""
    rows, columns, channels = np.mgrid[:36, :45, :3]
    photo = np.asarray(127 * (1 + np.sin(0.31 * rows + 0.17 * columns + channels)), dtype=np.uint8)
    right = Cutting(box=(5.2, 7.9, 23.0, 18.0), input_size=TINY)
    model, numbers = tiny_models()[1].module, list[float]()
    images = NoisePeople().load(range(2), input_size=TINY).images
    for level in fault.levels:
        rng = np.random.default_rng(0)
        if isinstance(fault.act, OnModel):
            try:
                with torch.no_grad():
                    numbers += (
                        fault.act.change(model, level, images)(images).keypoints.mean(dim=0).flatten().tolist()
                    )
            except RobustPoseError:
                numbers.append(-1.0)
        elif isinstance(fault.act, OnCut):
            cutting = fault.act.change(right, level, rng)
            numbers += [*cutting.crop.flatten().tolist(), float(cutting.cut(photo).mean())]
        else:
            made = fault.act.change(photo, level, rng).astype(float)
            numbers += [made.mean(), (made * np.cos(np.arange(made.size)).reshape(made.shape)).mean()]
    return [float(number) for number in numbers]


def answered(name: str) -> list[float]:
    """What an architecture of fixed weights answers to one picture of waves."""
    torch.manual_seed(0)
    model = build(name).eval()
    generator = np.random.default_rng(0)
    with torch.no_grad():
        for parameter in model.parameters():
            fan_in = parameter[0].numel() if parameter.ndim > 1 else 0
            drawn = torch.from_numpy(generator.standard_normal(tuple(parameter.shape))).float()
            parameter.copy_(drawn / math.sqrt(fan_in) if fan_in else 1 + drawn / 10)
        height, width = input_size_of(model)
        waves = torch.arange(3 * height * width, dtype=torch.float64).mul(0.01).sin().add(1).div(2)
        answer = model(waves.float().reshape(1, 3, height, width))
    raw = answer.stages[-1] if isinstance(answer, PoseOutput) else answer
    keypoints = answer.keypoints.mean(dim=(0, 1)).tolist() if isinstance(answer, PoseOutput) else []
    scale = float(raw.abs().mean())
    return [scale, *(raw.flatten()[:: raw.numel() // 4] / scale).tolist(), *keypoints]


def setting_of(attack: str) -> Setting:
    """How an attack is run here."""
    if attack in ATTACKED:
        return ATTACKED[attack]
    spec = ATTACKS[attack]
    (eps, *_) = THREATS[spec.default_threat].budgets or (0.1,)
    return Setting(attack, eps, threat=spec.default_threat, objective=spec.default_objective)


def setting_within(threat: str) -> Setting:
    """How the images within a threat are found here."""
    if threat in WITHIN:
        return WITHIN[threat]
    (eps, *_) = THREATS[threat].budgets or (0.1,)
    moves = THREATS[threat].kind == "motion"
    return Setting("worst_of_k", eps, threat=threat) if moves else Setting("pgd", eps, steps=3, threat=threat)


def _pieces() -> dict[str, Callable[[], list[float]]]:
    """Every registered piece with its version, and how its numbers are computed."""
    pieces: dict[str, Callable[[], list[float]]] = {}
    for name in ATTACKS:
        setting = setting_of(name)
        pieces[f"attack {name} {setting.versions()[f'attack {name}']}"] = partial(attacked, setting)
    for name in THREATS:
        pieces[f"threat {name} {THREATS[name].version}"] = partial(attacked, setting_within(name))
    for name, objective in OBJECTIVES.items():
        pieces[f"objective {name} {objective.version}"] = partial(raised, name)
    for name, defence in DEFENCES.items():
        pieces[f"defence {name} {defence.version}"] = partial(defending, name)
    for name, fault in {**FAULTS, **IMPERCEPTIBLE}.items():
        pieces[f"fault {name} {fault.version}"] = partial(faulty, fault)
    for name, model in MODELS.items():
        pieces[f"architecture {name} {model.version}"] = partial(answered, name)
    for name in TASKS:
        pieces[f"architecture {name} {TASK_VERSION}"] = partial(answered, name)
    return pieces


PIECES = _pieces()


def test_every_registered_piece_has_golden_numbers() -> None:
    missing = set(PIECES) - set(json.loads(FILE.read_text()))
    assert not missing, f"{FILE.name} lacks {', '.join(sorted(missing))}: {RECORD}"


def test_a_new_attack_and_threat_are_run_with_their_defaults(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(ATTACKS, "newer", replace(ATTACKS["fgsm"], version=7))
    monkeypatch.setitem(THREATS, "smaller", replace(THREATS["l2"], version=5))
    assert {"attack newer 7", "threat smaller 5"} <= set(_pieces())
    assert setting_of("newer") == Setting("newer", THREATS["linf"].budgets[0])
    assert setting_within("smaller") == Setting("pgd", THREATS["l2"].budgets[0], steps=3, threat="smaller")


@pytest.mark.parametrize("piece", PIECES)
def test_a_version_computes_what_it_did(piece: str) -> None:
    golden = json.loads(FILE.read_text()).get(piece)
    if golden is None:
        pytest.fail(f"{FILE.name} lacks {piece}: {RECORD}", pytrace=False)
    np.testing.assert_allclose(
        PIECES[piece](),
        golden,
        rtol=0.02,
        atol=0.02,
        err_msg=f"{piece} computes something else: raise its version",
    )


def test_a_changed_attack_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    """An IGSM of steps of other signs, under the old version."""
    igsm = import_module("robustpose.attacks.igsm")  # the package has a class of that name
    gradient = igsm.input_gradient
    monkeypatch.setattr(igsm, "input_gradient", lambda *given, **named: -gradient(*given, **named))
    igsm_1 = next(piece for piece in PIECES if piece.startswith("attack igsm "))
    with pytest.raises(AssertionError, match="raise its version"):
        test_a_version_computes_what_it_did(igsm_1)


def test_a_changed_architecture_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    forward = nn.Conv2d.forward
    monkeypatch.setattr(nn.Conv2d, "forward", lambda self, values: forward(self, values).roll(1, dims=-1))
    deeppose = next(piece for piece in PIECES if piece.startswith("architecture deeppose "))
    with pytest.raises(AssertionError, match="raise its version"):
        test_a_version_computes_what_it_did(deeppose)


if __name__ == "__main__":
    there = json.loads(FILE.read_text()) if FILE.exists() else {}
    missing = {name: [round(float(n), 4) for n in PIECES[name]()] for name in PIECES if name not in there}
    lines = [f"{json.dumps(name)}: {json.dumps(numbers)}" for name, numbers in {**there, **missing}.items()]
    FILE.write_text("{\n" + ",\n".join(lines) + "\n}\n")
    print(f"added: {', '.join(missing) or 'nothing'}")
