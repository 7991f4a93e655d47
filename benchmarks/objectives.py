"""Compare objectives at equal numbers of gradients: `python benchmarks/objectives.py --eps 4 --n 16 --steps 50`.

APGD maximises each objective on the same people of SynthPose's val, for every model of the package. The last
column is the paired difference between the last two objectives.
"""

import argparse

import torch
from contenders import ZOO

from robustpose import attacks
from robustpose.attacks import APGD
from robustpose.data import open_dataset
from robustpose.jobs.workbench import as_table
from robustpose.metrics import PCKH, Table, score
from robustpose.metrics.bootstrap import Estimate, difference
from robustpose.models import open_model
from robustpose.objectives import OBJECTIVES
from robustpose.threats import Linf


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", "--nets", dest="models", default=",".join(ZOO))
    parser.add_argument("--objectives", default="training_loss,margin,soft_margin")
    parser.add_argument("--eps", type=int, default=4, help="in 255ths")
    parser.add_argument("--n", type=int, default=16, help="people")
    parser.add_argument("--steps", type=int, default=50, help="gradients per person")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    names = arguments.objectives.split(",")
    if len(names) < 2:
        parser.error("--objectives: name two or more, to compare")
    print(f"PCKh@0.5 of {arguments.n} people under APGD-{arguments.steps} at {arguments.eps}/255, 95% intervals\n")
    print(f"| model | clean | {' | '.join(names)} | {names[-1]} minus {names[-2]} |")
    print(f"|---|---|{'---|' * len(names)}---|")
    for model in arguments.models.split(","):
        tables = tables_of(model, names, eps=arguments.eps, n=arguments.n, steps=arguments.steps)
        cells = [written(score(table, PCKH)["all"]) for table in tables]
        change = difference(tables[-2], tables[-1], PCKH)["all"]
        print(f"| {model} | {' | '.join(cells)} | {written(change)} |", flush=True)


def tables_of(name: str, objectives: list[str], *, eps: int, n: int, steps: int) -> list[Table]:
    """Return a model's predictions, clean and under each objective."""
    model = open_model(name).module
    batch = open_dataset("synthpose").load(range(n), input_size=model.input_size).in_skeleton(model.skeleton)
    tables = [as_table(batch, attacks.predict(model, batch.images, ids=batch.ids).keypoints)]
    for objective in objectives:
        found = attacks.run(
            APGD(steps=steps), model, batch, threat=Linf(eps / 255), objective=OBJECTIVES[objective], metric=PCKH
        )
        tables.append(as_table(batch, found.output.keypoints))
    return tables


def written(estimate: Estimate) -> str:
    """Write a percentage with its interval."""
    return f"{estimate.value:.1f} [{estimate.low:.1f}, {estimate.high:.1f}]"


if __name__ == "__main__":
    main()
