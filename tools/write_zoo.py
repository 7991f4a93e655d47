"""Writes docs/zoo.md and its images from the weights in the package: `python -m tools.write_zoo [FOLDER]`.

Measures every shipped model: parameters, MACs, speed, and its score on SynthPose val, which must agree with its
facts.
"""

import sys
import time
from pathlib import Path
from statistics import median

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from robustpose.data import open_dataset
from robustpose.data.rendered import RenderedPeople
from robustpose.metrics import ALL, Estimate
from robustpose.models import MODELS, TASKS, build, open_model, open_task
from robustpose.models.weights import load_facts, shipped_architectures, shipped_weights
from robustpose.train import evaluate
from robustpose.train.tasks import training_task_of
from robustpose.types import Batch
from tools.zoo_page import Entry, Timing, page
from tools.zoo_pictures import draw_curves, draw_people

DOCS = Path(__file__).parents[1] / "docs"
SIDE = 128
PEOPLE = 10
PADDING = 1.25
BATCH, REPEATS = 25, 9


def main() -> None:
    """Measure every shipped model and write the page."""
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else DOCS
    dataset = open_dataset("synthpose:val")
    assert isinstance(dataset, RenderedPeople)
    dataset.prepare(len(dataset), input_size=(SIDE, SIDE))
    people = dataset.load(range(len(dataset)), input_size=(SIDE, SIDE))
    shipped = shipped_architectures()
    poses = {name: open_model(name).module for name in MODELS if name in shipped}
    tasks = {name: open_task(name).module for name in TASKS if name in shipped}
    models: dict[str, nn.Module] = {**poses, **tasks}  # type: ignore[dict-item]  # our own models are modules
    scores = {name: scored(name, model, dataset, people) for name, model in models.items()}
    speeds = images_per_second(models, people.images[:BATCH])
    entries = [
        Entry(
            facts=load_facts(shipped_weights(name)),
            parameters=sum(parameter.numel() for parameter in model.parameters()),
            million_macs=million_macs(name),
            images_per_second=speeds[name],
            scores=scores[name],
        )
        for name, model in models.items()
    ]
    (folder / "pictures").mkdir(parents=True, exist_ok=True)
    ten = dataset.load(range(PEOPLE), input_size=(SIDE, SIDE))
    labels = dataset.task_labels(range(PEOPLE), input_size=(SIDE, SIDE), padding=PADDING)
    draw_people(poses, tasks, ten, labels, folder / "pictures" / "zoo.jpg")
    draw_curves([entry.facts for entry in entries], folder / "pictures" / "zoo_training.svg")
    (folder / "zoo.md").write_text(page(entries, Timing(batch=BATCH, threads=1, repeats=REPEATS, cpu=cpu())))


def scored(name: str, model: nn.Module, dataset: RenderedPeople, people: Batch) -> dict[str, Estimate]:
    """Score a model on all people; SystemExit if its facts state another score."""
    if name in MODELS:
        scores = evaluate(model, people)
    else:
        scores = {ALL: training_task_of(name, model).score(model, dataset, n=len(dataset))}
    facts = load_facts(shipped_weights(name))
    if abs(scores[ALL].value - facts.score) > 0.1:
        raise SystemExit(f"{name}: scores {scores[ALL].value:.2f}, its facts say {facts.score}")
    return scores


@torch.no_grad()
def images_per_second(models: dict[str, nn.Module], images: Tensor) -> dict[str, float]:
    """Measure forward passes on one thread: the median of rounds in which the models alternate."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    seconds: dict[str, list[float]] = {name: [] for name in models}
    for repeat in range(REPEATS + 1):
        for name, model in models.items():
            started = time.perf_counter()
            model(images)
            if repeat:  # the first round warms up
                seconds[name].append(time.perf_counter() - started)
    torch.set_num_threads(threads)
    return {name: len(images) / median(each) for name, each in seconds.items()}


def million_macs(name: str) -> float:
    """Count the multiply-adds of one image, in millions."""
    with FlopCounterMode(display=False) as counter:
        build(name).eval()(torch.zeros(1, 3, SIDE, SIDE))
    return float(counter.get_total_flops()) / 2e6


def cpu() -> str:
    """Return the name of the processor."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return "an unnamed CPU"
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else "an unnamed CPU"


if __name__ == "__main__":
    main()
