"""Writes docs/zoo.md and its pictures from the weights in the package: `python tools/write_zoo.py`.

Everything is measured here and now: parameters, MACs, PCKh by joint on SynthPose val, speed as a ratio in one run.
"""

import json
import time
from pathlib import Path

import matplotlib as mpl
import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils.flop_counter import FlopCounterMode

from robustpose.data import open_dataset
from robustpose.data.rendered import RenderedPeople
from robustpose.metrics import ALL, Estimate
from robustpose.models import MODELS, TASKS, build, open_model, open_task
from robustpose.models.weights import WeightFacts, load_facts, shipped_architectures, shipped_weights
from robustpose.report.pictures import draw_pose, jpeg
from robustpose.train import evaluate
from robustpose.train.courses import course_of
from robustpose.types import Batch, PoseModel

DOCS = Path(__file__).parents[1] / "docs"
GROUPS = ("head_top", "upper_neck", "shoulder", "elbow", "wrist", "hip", "knee", "ankle")
SIDE = 128
PEOPLE = 10


def main() -> None:
    """Measure every shipped net and write the page."""
    names = [name for name in MODELS if name in shipped_architectures()]
    people = validation_people()
    nets = {name: open_model(name).net for name in names}
    scores = {name: evaluate(net, people) for name, net in nets.items()}  # type: ignore[arg-type]
    for name in names:
        facts = load_facts(shipped_weights(name))
        if abs(scores[name][ALL].value - facts.score) > 0.1:
            raise SystemExit(f"{name}: scores {scores[name][ALL].value:.2f}, its facts say {facts.score}")
    tasks = [name for name in TASKS if name in shipped_architectures()]
    task_scores = {name: score_task(name) for name in tasks}
    speeds = {name: images_per_second(net, people.images[:25]) for name, net in nets.items()}
    (DOCS / "pictures").mkdir(exist_ok=True)
    draw_people(nets, people, DOCS / "pictures" / "zoo.jpg")
    draw_curves(names, DOCS / "pictures" / "zoo_training.svg")
    (DOCS / "zoo.md").write_text(page(names, scores, speeds) + tasks_section(task_scores))


def validation_people() -> Batch:
    """Load SynthPose val, rendered on all processors."""
    dataset = open_dataset("synthpose:val")
    assert isinstance(dataset, RenderedPeople)
    dataset.prepare(len(dataset), input_size=(SIDE, SIDE))
    return dataset.load(range(len(dataset)), input_size=(SIDE, SIDE))


def score_task(name: str) -> Estimate:
    """Score a net of another task on SynthPose val; SystemExit where its facts say otherwise."""
    net, facts = open_task(name).net, load_facts(shipped_weights(name))
    dataset = open_dataset("synthpose:val")
    scored = course_of(name, net).score(net, dataset, n=len(dataset))
    if abs(scored.value - facts.score) > 0.1:
        raise SystemExit(f"{name}: scores {scored.value:.2f}, its facts say {facts.score}")
    return scored


def images_per_second(net: PoseModel, images: torch.Tensor) -> float:
    """Time forward passes on one thread; the best of five."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    seconds = []
    with torch.no_grad():
        net(images)
        for _ in range(5):
            started = time.perf_counter()
            net(images)
            seconds.append(time.perf_counter() - started)
    torch.set_num_threads(threads)
    return len(images) / min(seconds)


def multiply_adds(name: str) -> float:
    """Count multiply-adds of one picture, in millions."""
    with FlopCounterMode(display=False) as counter:
        build(name).eval()(torch.zeros(1, 3, SIDE, SIDE))
    return float(counter.get_total_flops()) / 2e6


def draw_people(nets: dict[str, PoseModel], people: Batch, path: Path) -> None:
    """Draw what every net predicts for the same people: truth first, a row a net."""
    images = (people.images[:PEOPLE] * 255).round().to(torch.uint8).permute(0, 2, 3, 1).numpy()
    truth, visible = people.keypoints[:PEOPLE].double().numpy(), people.visible[:PEOPLE].numpy()
    rows = [
        [
            draw_pose(image, points, people.skeleton, shown=shown)
            for image, points, shown in zip(images, truth, visible, strict=True)
        ]
    ]
    for net in nets.values():
        with torch.no_grad():
            found = net(people.images[:PEOPLE]).keypoints.double().numpy()
        rows.append([draw_pose(image, points, net.skeleton) for image, points in zip(images, found, strict=True)])
    sheet: NDArray[np.uint8] = np.concatenate([np.concatenate(row, axis=1) for row in rows])
    path.write_bytes(jpeg(np.ascontiguousarray(sheet[::3, ::3])))


def draw_curves(names: list[str], path: Path) -> None:
    """Draw PCKh on the watched people over samples seen."""
    mpl.use("Agg")
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(figsize=(7, 4))
    for name in names:
        log = shipped_weights(name).with_suffix(".log.jsonl")
        if log.exists():
            lines = [json.loads(line) for line in log.read_text().splitlines()]
            batch = int(load_facts(shipped_weights(name)).recipe["batch"])
            axes.plot(
                [line["step"] * batch / 1000 for line in lines], [_score(line) for line in lines], label=name
            )
    axes.set_xlabel("thousand samples seen")
    axes.set_ylabel("PCKh@0.5 on the first 200 people of val")
    axes.grid(alpha=0.3)
    axes.legend(fontsize=8)
    figure.tight_layout()
    with mpl.rc_context({"svg.hashsalt": "zoo"}):
        figure.savefig(path, metadata={"Date": None})


def _score(line: dict[str, float]) -> float:
    return next(value for key, value in line.items() if key not in ("step", "loss", "seconds"))


def page(names: list[str], scores: dict[str, dict[str, Estimate]], speeds: dict[str, float]) -> str:
    """Write the page."""
    slowest = speeds[names[0]]
    columns = (
        "net",
        "parameters",
        "million MACs",
        f"images/s : {names[0]}",
        "PCKh@0.5",
        "samples seen",
        "device, s",
    )
    lines = [
        "# The zoo",
        "",
        "Written by `python tools/write_zoo.py`; every number is measured by it. Compact nets, 128 x 128, trained",
        "on SynthPose's training split. PCKh@0.5 in percent on its validation set, n = 1,000, no flip test,",
        "with 95% bootstrap intervals over people. Speed: forward passes on one thread, in one run.",
        "",
        "| " + " | ".join(columns) + " |",
        "|---" * len(columns) + "|",
    ]
    for name in names:
        facts = load_facts(shipped_weights(name))
        count = sum(parameter.numel() for parameter in build(name).parameters())
        lines.append(
            f"| {name} | {count:,} | {multiply_adds(name):.0f} | {speeds[name] / slowest:.2f} | "
            f"{interval(scores[name][ALL])} | {facts.samples:,} | {facts.device}, {facts.seconds:,.0f} |"
        )
    lines += ["", "By joint, left and right averaged:", "", "| net | " + " | ".join(GROUPS) + " |"]
    lines.append("|---" * (len(GROUPS) + 1) + "|")
    for name in names:
        lines.append(f"| {name} | " + " | ".join(interval(scores[name][group]) for group in GROUPS) + " |")
    missing = sorted(set(MODELS) - set(names))
    lines += [
        "",
        "![Truth in the first row, then each net's prediction for the same ten people](pictures/zoo.jpg)",
        "",
        f"First row: the truth. Then, from above: {', '.join(names)}.",
        "",
        "![Training curves](pictures/zoo_training.svg)",
        "",
        "## Recipes",
        "",
        *(f"- `{command(load_facts(shipped_weights(name)))}`" for name in names),
    ]
    if missing:
        lines += ["", f"Defined, and without weights in the package yet: {', '.join(missing)}."]
    return "\n".join(lines) + "\n"


def tasks_section(scores: dict[str, Estimate]) -> str:
    """Write the nets of other tasks, that stand on resdec's backbone."""
    if not scores:
        return ""
    lines = [
        "",
        "## Other tasks on resdec's backbone",
        "",
        "| net | parameters | million MACs | score | samples seen |",
    ]
    lines.append("|---" * 5 + "|")
    for name, scored in scores.items():
        facts = load_facts(shipped_weights(name))
        count = sum(parameter.numel() for parameter in build(name).parameters())
        lines.append(
            f"| {name} | {count:,} | {multiply_adds(name):.0f} | {facts.metric} {interval(scored)} | "
            f"{facts.samples:,} |"
        )
    return (
        "\n".join([*lines, "", *(f"- `{command(load_facts(shipped_weights(name)))}`" for name in scores)]) + "\n"
    )


def command(facts: WeightFacts) -> str:
    """Return the command that trains a net again."""
    recipe = facts.recipe
    words = [f"--{word} {recipe[word]}" for word in ("people", "samples", "batch", "lr")]
    if recipe.get("warm_start"):
        words.append(f"--warm-start {weights_with(str(recipe['warm_start']))}")
    return f"robustpose train {facts.architecture} " + " ".join(words)


def weights_with(sha256: str) -> str:
    """Name the shipped weights of a hash."""
    for name in shipped_architectures():
        if load_facts(shipped_weights(name)).sha256 == sha256:
            return f"{name}.safetensors"
    return f"weights of sha256 {sha256[:12]}"


def interval(estimate: Estimate) -> str:
    """Write an estimate with its interval."""
    return f"{estimate.value:.1f} [{estimate.low:.1f}, {estimate.high:.1f}]"


if __name__ == "__main__":
    main()
