"""Compare robustpose's attacks with those of other libraries: `python benchmarks/peers.py --quick`.

Three tables, on the models of the package and the people of SynthPose's val: the cost of the same attack (CPU time
on one thread, relative to a loop by hand on the same model in the same round, in rotated order), its side effects
on the model, and PCKh@0.5 under attacks of 100 gradients. Libraries that are not installed are listed and skipped:
`pip install -c constraints.txt .[bench]`.
"""

import argparse
import importlib.util
import statistics
import time
from copy import deepcopy
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from contenders import CONTENDERS, ZOO, Craft, Job, PerPerson, apgd, igsm, ours, with_adv_lib_apgd
from torch import Tensor, nn

from robustpose.attacks import predict
from robustpose.data import open_dataset
from robustpose.jobs.workbench import as_table
from robustpose.metrics import PCK, PCKH, Pck, Table
from robustpose.metrics.bootstrap import Estimate, difference, score
from robustpose.models import open_model
from robustpose.objectives import Margin, Objective, SoftMargin, TrainingLoss
from robustpose.threats import Linf
from robustpose.types import Batch, PoseModel

PACKAGES = {"torchattacks": "torchattacks", "foolbox": "foolbox", "ART": "art", "cleverhans": "cleverhans"}
"""Import names of the libraries that a contender of that name needs."""

OURS, PEER = "APGD-100, margin", "adv-lib's APGD-100, margin"
STRENGTH: dict[str, tuple[Craft, Objective]] = {
    "IGSM-U-100": (ours(igsm), TrainingLoss("last")),
    "IGSM-U-100, margin": (ours(igsm), Margin()),
    OURS: (ours(apgd), Margin()),
    "APGD-100, soft margin": (ours(apgd), SoftMargin()),
    PEER: (with_adv_lib_apgd, Margin()),
}
"""Attacks of 100 gradients, each with its objective."""


@dataclass(frozen=True)
class Size:
    """The extent of the benchmark."""

    speed_models: tuple[str, ...]
    speed_people: int
    rounds: int
    speed_steps: int
    strength_models: tuple[str, ...]
    strength_people: int
    eps: tuple[int, ...]


QUICK = Size(("shg2",), 8, 3, 20, ("shg2", "deeppose"), 8, (4,))
FULL = Size(("shg2", "resdec", "deeppose"), 8, 5, 20, ZOO, 25, (2, 4))


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="one model for speed, two for strength, few people")
    parser.add_argument(
        "--models", default="", help="models of the strength table: shg2,tflite:PATH; omits the others"
    )
    parser.add_argument("--data", default="synthpose", help="its data: synthpose | coco:PATH | mpii:PATH")
    parser.add_argument("--images", default="", help="photo folder")
    parser.add_argument("--eps", default="", help="its budgets, in 255ths: 2,4")
    parser.add_argument("--n", type=int, default=0, help="its number of people")
    parser.add_argument("--steps", type=int, default=0, help="number of gradients in the cost table")
    arguments = parser.parse_args()
    size = QUICK if arguments.quick else FULL
    torch.set_num_threads(1)
    known = contenders()
    size = replace(size, speed_steps=arguments.steps or size.speed_steps)
    if not arguments.models:
        speed(size, known)
        side_effects(known)
    size = replace(
        size,
        strength_models=tuple(arguments.models.split(",")) if arguments.models else size.strength_models,
        strength_people=arguments.n or size.strength_people,
        eps=tuple(int(eps) for eps in arguments.eps.split(",")) if arguments.eps else size.eps,
    )
    strength(size, data=arguments.data, images=Path(arguments.images) if arguments.images else None)


def contenders() -> dict[str, Craft]:
    """Return the contenders whose library is installed, and print the others."""
    missing = [name for name, package in PACKAGES.items() if importlib.util.find_spec(package) is None]
    if importlib.util.find_spec("adv_lib") is None:
        missing.append("adv-lib")
    if missing:
        print(f"not installed, skipped: {', '.join(missing)}\n")
    return {name: craft for name, craft in CONTENDERS.items() if name not in missing}


def job_of(name: str, *, people: int, eps: int, steps: int) -> Job:
    """Make the common attack: on the margin, with steps of eps / 8, on a model with trainable weights."""
    model = as_users_have_it(open_model(name).module)
    batch = open_dataset("synthpose").load(range(people), input_size=model.input_size).in_skeleton(model.skeleton)
    return Job(model, batch, Margin(), eps / 255, steps, 1 / 8)


def as_users_have_it(model: PoseModel) -> PoseModel:
    """Return a model with trainable weights in torch's own layout."""
    assert isinstance(model, nn.Module)
    return deepcopy(model).to(memory_format=torch.contiguous_format).requires_grad_(True)  # type: ignore


def speed(size: Size, known: dict[str, Craft]) -> None:
    """Print the cost and strength of the same attack, relative to the loop by hand, and of robustpose's APGD."""
    names = [*known, "robustpose, APGD"]
    crafts = {**known, names[-1]: ours(apgd)}
    print(f"cost of one attack: {size.speed_steps} gradients, {size.speed_people} people, {size.rounds} rounds\n")
    print("| model | eps | attack | time / loop by hand, median [min, max] | PCKh@0.5 | margin reached |")
    print("|---|---|---|---|---|---|")
    for model in size.speed_models:
        for eps in (1, 8):
            job = job_of(model, people=size.speed_people, eps=eps, steps=size.speed_steps)
            found = {name: crafts[name](fresh(job)) for name in names}  # warms up, too
            ratios = timed(job, crafts, rounds=size.rounds)
            for name in names:
                middle, low, high = statistics.median(ratios[name]), min(ratios[name]), max(ratios[name])
                score_left, margin = left(job, found[name]).value, reached(job, found[name])
                cost = f"{middle:.2f} [{low:.2f}, {high:.2f}]"
                print(f"| {model} | {eps}/255 | {name} | {cost} | {score_left:.1f} | {margin:.3f} |", flush=True)
    print()


def fresh(job: Job) -> Job:
    """Return the job on a new copy of the model, so that side effects of one attack do not reach the next."""
    return replace(job, model=as_users_have_it(job.model))


def timed(job: Job, crafts: dict[str, Craft], *, rounds: int) -> dict[str, list[float]]:
    """Return each contender's CPU time over the first one's in the same round; the order rotates."""
    names = list(crafts)
    ratios: dict[str, list[float]] = {name: [] for name in names}
    for turn in range(rounds):
        seconds = {}
        for name in (*names[turn % len(names) :], *names[: turn % len(names)]):
            own = fresh(job)
            started = time.process_time()
            crafts[name](own)
            seconds[name] = time.process_time() - started
        for name in names:
            ratios[name].append(seconds[name] / seconds[names[0]])
    return ratios


def answered(job: Job, adv: Tensor) -> Table:
    """Return the model's predictions on the images rounded to 8 bits."""
    rounded = Linf(job.eps).round_to_8bit(job.batch.images, adv.detach())
    return as_table(job.batch, predict(job.model, rounded, ids=job.batch.ids).keypoints)


def metric_of(job: Job) -> Pck:
    """Return PCKh@0.5, or PCK@0.1 without head sizes."""
    return PCKH if bool(torch.isfinite(job.batch.head_size).all()) else PCK


def left(job: Job, adv: Tensor) -> Estimate:
    """Return the score, in percent, on the images rounded to 8 bits."""
    return score(answered(job, adv), metric_of(job))["all"]


def reached(job: Job, adv: Tensor) -> float:
    """Return the mean margin on the images before rounding."""
    with torch.no_grad():
        return float(PerPerson(job)(adv).mean())


def side_effects(known: dict[str, Craft]) -> None:
    """Print the side effects of two steps on a model in train mode with frozen batch norms."""
    print("side effects of two steps on a model in train mode with frozen batch norms\n")
    print("| attack | weights with gradients | modules in another mode | buffers changed | random state |")
    print("|---|---|---|---|---|")
    for name, craft in known.items():
        job = job_of("shg2", people=2, eps=4, steps=2)
        model = job.model
        assert isinstance(model, nn.Module)
        model.train()
        for module in model.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.eval()
        modes = [module.training for module in model.modules()]
        buffers = [buffer.clone() for buffer in model.buffers()]
        state = torch.get_rng_state()
        craft(job)
        gradients = sum(parameter.grad is not None for parameter in model.parameters())
        flipped = sum(module.training != mode for module, mode in zip(model.modules(), modes, strict=True))
        changed = sum(not torch.equal(a, b) for a, b in zip(model.buffers(), buffers, strict=True))
        same = "unchanged" if torch.equal(state, torch.get_rng_state()) else "changed"
        print(f"| {name} | {gradients} | {flipped} | {changed} | {same} |", flush=True)
    print()


def strength(size: Size, *, data: str, images: Path | None) -> None:
    """Print the scores under attacks of 100 gradients: IGSM on the training loss, and both APGDs on the margin."""
    peer = importlib.util.find_spec("adv_lib") is not None
    attackers = {name: each for name, each in STRENGTH.items() if peer or each[0] is not with_adv_lib_apgd}
    people, last = size.strength_people, f" {OURS} minus adv-lib's |" if peer else ""
    print(f"correct keypoints of {people} people after 100 gradients, %, 95% intervals over people\n")
    print(f"| model | eps | clean | {' | '.join(attackers)} |{last}")
    print(f"|---|---|---|{'---|' * (len(attackers) + peer)}")
    for name in size.strength_models:
        model = open_model(name).module
        batch = open_dataset(data, images=images).load(range(people), input_size=model.input_size)
        for eps in size.eps:
            print(
                f"| {job_name(name)} | {eps}/255 | {' | '.join(strengths(model, batch, eps, attackers))} |",
                flush=True,
            )


def strengths(
    model: PoseModel, batch: Batch, eps: int, attackers: dict[str, tuple[Craft, Objective]]
) -> list[str]:
    """Return the scores clean and under each attack, and the paired difference of both APGDs on the margin."""
    job = Job(model, batch.in_skeleton(model.skeleton), TrainingLoss("last"), eps / 255, 100, 5 / 12)
    tables = {"clean": answered(job, job.batch.images)}
    for name, (craft, objective) in attackers.items():
        torch.manual_seed(0)  # adv-lib's APGD starts at random
        step = job.step_size if isinstance(objective, TrainingLoss) else 1 / 8
        tables[name] = answered(job, craft(replace(job, objective=objective, step_size=step)))
    cells = [interval(score(table, metric_of(job))["all"]) for table in tables.values()]
    if PEER in tables:
        cells.append(interval(difference(tables[PEER], tables[OURS], metric_of(job))["all"]))
    return cells


def interval(estimate: Estimate) -> str:
    """Write a percentage with its interval."""
    return f"{estimate.value:.1f} [{estimate.low:.1f}, {estimate.high:.1f}]"


def job_name(spec: str) -> str:
    """Write a model's name without the folder of its file."""
    return spec.rpartition("/")[2]


if __name__ == "__main__":
    main()
