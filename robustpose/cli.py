"""The command line: one function a command. Errors are one line on stderr and exit code 2."""

import re
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from robustpose import console, report
from robustpose.attacks import ATTACKS
from robustpose.data import DATASETS, open_dataset
from robustpose.data.augment import MARGIN, PADDING
from robustpose.data.export import export_people
from robustpose.data.rendered import RenderedPeople
from robustpose.errors import RobustPoseError, unknown_name
from robustpose.metrics import METRICS
from robustpose.models import MODELS
from robustpose.study import (
    STUDIES,
    Outcome,
    Plan,
    Row,
    Setting,
    Store,
    Study,
    load_study,
    open_plan,
    outcome,
    result_rows,
    run_cells,
    save_study,
    write_results,
)
from robustpose.threats import parse_eps
from robustpose.train import Progress, Recipe, input_size_of, train
from robustpose.types import PoseDataset

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="How robust is a human pose estimator? Attack it, measure what breaks, see why.",
)
data_app = typer.Typer(no_args_is_help=True, help="Look at people with their truth, or write them to a folder.")
app.add_typer(data_app, name="data")

ModelsOption = Annotated[str, typer.Option("--models", help="Nets, comma-separated: shg2,tflite:PATH")]
DataOption = Annotated[str, typer.Option("--data", help="synthpose | synthpose:test | coco:PATH | mpii:PATH")]
ImagesOption = Annotated[
    str, typer.Option("--images", help="Photo folder, where it is not beside the annotations")
]
CardOption = Annotated[str, typer.Option("--card", help="Card of a .tflite file that is not among the known ones")]
MinKeypointsOption = Annotated[
    int, typer.Option("--min-keypoints", help="People in photos: labelled at least, face left out", min=0)
]
MinBoxOption = Annotated[
    float, typer.Option("--min-box", help="People in photos: box side in pixels at least", min=0)
]
SeedOption = Annotated[int, typer.Option("--seed", help="Of every random draw", min=0)]


@app.command("list")
def list_names(
    kind: Annotated[str, typer.Argument(help="models, datasets, attacks, metrics or studies")] = "",
) -> None:
    """List what there is, by name."""
    kinds = {
        "models": [*MODELS, "tflite:PATH"],
        "datasets": [*DATASETS],
        "attacks": [*ATTACKS],
        "metrics": [*METRICS],
        "studies": [*STUDIES],
    }
    if kind and kind not in kinds:
        raise unknown_name("kind", kind, kinds)
    for name in [kind] if kind else kinds:
        print(f"{name}: {', '.join(sorted(kinds[name]))}")


@app.command()
def attack(
    model: Annotated[str, typer.Option(help="shg2 | deeppose | shg2:WEIGHTS.safetensors | tflite:PATH")],
    data: DataOption = "synthpose",
    attack: Annotated[str, typer.Option(help="fgsm or igsm; see `robustpose list attacks`")] = "igsm",
    eps: Annotated[str, typer.Option(help="Largest change of a pixel value: 8/255, or 0.03")] = "8/255",
    steps: Annotated[int | None, typer.Option(help="Of an iterated attack; the paper's number by default")] = None,
    targeted: Annotated[bool, typer.Option("--targeted", help="Towards a random pose, not just away")] = False,
    objective: Annotated[str, typer.Option(help="training_loss | training_loss_all")] = "training_loss",
    n: Annotated[int | None, typer.Option("--n", help="People, from the first; all by default")] = None,
    seed: SeedOption = 0,
    images: ImagesOption = "",
    min_keypoints: MinKeypointsOption = 0,
    min_box: MinBoxOption = 0,
    card: CardOption = "",
    out: Annotated[Path | None, typer.Option(help="Folder of the results; one of its own by default")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON and nothing else")] = False,
) -> None:
    """Attack one net on one data set, and say what is left of its score."""
    started = time.perf_counter()
    setting = Setting(attack, parse_eps(eps), steps=steps, targeted=targeted, objective=objective)
    study = Study(
        name="attack",
        title=f"{setting.title} on {data.partition(':')[0]}",
        models=(model,),
        data=data,
        settings=(setting,),
        n=n,
        seed=seed,
        card=card,
        images=images,
        min_keypoints=min_keypoints,
        min_box=min_box,
    )
    folder = out or Path("runs") / re.sub(r"[^\w.-]+", "-", f"attack-{model}-{data}-{setting.title}").lower()
    plan, store, rows = _run(study, folder)
    found = [outcome(plan, store, plan.models[0], each) for each in (None, setting)]
    _report_people_left_out(plan, found)
    if as_json:
        keys = [cell.key for cell in plan.all_cells()]
        seconds = time.perf_counter() - started
        print(console.attack_json(plan, clean=found[0], attacked=found[1], cells=keys, seconds=seconds))
    else:
        console.print_results(plan, rows)
        _say_where(folder)


@app.command()
def study(
    name: Annotated[str, typer.Argument(help="See `robustpose list studies`")],
    models: ModelsOption = "",
    data: DataOption = "",
    n: Annotated[int | None, typer.Option("--n", help="People, from the first")] = None,
    seed: SeedOption = 0,
    images: ImagesOption = "",
    min_keypoints: MinKeypointsOption = 0,
    min_box: MinBoxOption = 0,
    card: CardOption = "",
    out: Annotated[Path | None, typer.Option(help="Folder of the results; runs/NAME by default")] = None,
) -> None:
    """Run a study, or continue it: its cells, results.csv and the report page."""
    if name not in STUDIES:
        raise unknown_name("study", name, STUDIES)
    chosen = replace(
        STUDIES[name], seed=seed, images=images, card=card, min_keypoints=min_keypoints, min_box=min_box
    )
    if models:
        chosen = replace(chosen, models=tuple(model.strip() for model in models.split(",")))
    chosen = replace(chosen, data=data or chosen.data, n=chosen.n if n is None else n)
    folder = out or Path("runs") / name
    plan, store, rows = _run(chosen, folder)
    _report_people_left_out(plan, [outcome(plan, store, model, None) for model in plan.models])
    console.print_results(plan, rows)
    _say_where(folder)


@app.command("report")
def make_report(
    folder: Annotated[Path, typer.Argument(help="Folder of a study")] = Path("runs/quick"),
) -> None:
    """Make results.csv and the page again from a study's stored cells."""
    plan, store = open_plan(load_study(folder)), Store(folder)
    _write_outputs(plan, store, result_rows(plan, store), folder)
    _say_where(folder)


@app.command("train")
def train_net(
    name: Annotated[str, typer.Argument(help="Architecture: shg2, deeppose")],
    data: DataOption = "synthpose:train",
    validation: Annotated[str, typer.Option(help="Where PCKh is measured")] = "synthpose:val",
    size: Annotated[str, typer.Option(help="compact (128x128) or published (256x256)")] = "compact",
    people: Annotated[int, typer.Option(help="Of the training set", min=1)] = Recipe.people,
    samples: Annotated[int, typer.Option(help="Augmented crops to see", min=1)] = Recipe.samples,
    batch: Annotated[int, typer.Option(min=1)] = Recipe.batch,
    lr: Annotated[float, typer.Option(help="Peak learning rate")] = Recipe.lr,
    seed: SeedOption = 0,
    device: Annotated[str, typer.Option(help="cpu or cuda")] = "cpu",
    images: ImagesOption = "",
    out: Annotated[Path | None, typer.Option(help="Folder of the run; runs/train-NAME by default")] = None,
) -> None:
    """Train a net, or continue its training; the weights and their facts lie in --out."""
    if name not in MODELS:
        raise unknown_name("model", name, MODELS)
    recipe = Recipe(architecture=name, size=size, people=people, samples=samples, batch=batch, lr=lr, seed=seed)
    folder = out or Path("runs") / f"train-{name}"
    photos = Path(images) if images else None
    training = open_dataset(data, images=photos)
    # rendered people have no photos; a validation set of photos lies where the training set's do
    validating = open_dataset(validation, images=None if validation.startswith("synthpose") else photos)
    height, width = input_size_of(name, size=size)
    margined = (round(height * MARGIN), round(width * MARGIN))
    _prepare(training, people, input_size=margined, padding=PADDING * MARGIN)
    with console.steps_bar(f"train {name}", total=recipe.steps) as show:

        def on_progress(progress: Progress) -> None:
            show(progress.step, f"loss {progress.loss:.5f}, PCKh {progress.pckh:.1f}")

        facts = train(
            recipe,
            training=training,
            validation=validating,
            out=folder,
            device=device,
            on_progress=on_progress,
        )
    if facts.notes:
        console.say(facts.notes)
    interval = f"{facts.pckh:.1f} [{facts.pckh_low:.1f}, {facts.pckh_high:.1f}], n = {facts.pckh_n}"
    print(f"{folder / (name + '.safetensors')}: PCKh@0.5 {interval}")


@data_app.command("show")
def show_people(
    data: Annotated[str, typer.Argument(help="synthpose | coco:PATH | mpii:PATH")],
    out: Annotated[Path, typer.Option(help="The picture to write")] = Path("sheet.png"),
    n: Annotated[int, typer.Option("--n", min=1)] = 40,
    size: Annotated[int, typer.Option(help="Pixels a crop", min=32)] = 192,
    images: ImagesOption = "",
) -> None:
    """Draw a contact sheet of crops with their true keypoints."""
    dataset = open_dataset(data, images=Path(images) if images else None)
    batch = dataset.load(range(min(n, len(dataset))), input_size=(size, size))
    _report_unreadable(batch.unreadable, min(n, len(dataset)))
    if len(batch) == 0:
        raise RobustPoseError(f"none of the photos could be read; the first: {batch.unreadable[0]}")
    out.parent.mkdir(parents=True, exist_ok=True)
    report.write_sheet(batch, out)
    print(out)


@data_app.command("render")
def render_people(
    data: Annotated[str, typer.Argument(help="synthpose | synthpose:test | any data set")],
    out: Annotated[Path, typer.Option(help="Folder for images/ and annotations.json")],
    n: Annotated[int, typer.Option("--n", min=1)] = 100,
    size: Annotated[int, typer.Option(help="Pixels a crop", min=32)] = 256,
    images: ImagesOption = "",
) -> None:
    """Write crops as PNG with their truth, in MPII's JSON form: readable again as mpii:OUT/annotations.json."""
    dataset = open_dataset(data, images=Path(images) if images else None)
    total = min(n, len(dataset))
    with console.steps_bar("render", total=total) as show:
        unreadable = export_people(dataset, out, n=total, size=size, on_progress=lambda done: show(done, ""))
    _report_unreadable(unreadable, total)
    print(out / "annotations.json")


def _run(study: Study, folder: Path) -> tuple[Plan, Store, list[Row]]:
    """Compute what is missing of a study and write its outputs."""
    plan = open_plan(study)
    store = Store(folder)
    for height, width in sorted({tuple(model.net.input_size) for model in plan.models}):
        _prepare(plan.dataset, plan.n, input_size=(height, width))
    with console.cells_bar(study.name) as show:
        run_cells(plan, store, on_progress=show)
    rows = result_rows(plan, store)
    save_study(study, folder)
    _write_outputs(plan, store, rows, folder)
    return plan, store, rows


def _prepare(dataset: PoseDataset, n: int, *, input_size: tuple[int, int], padding: float = 1.25) -> None:
    """Render people ahead, on all processors, with a progress bar; photos need no such thing."""
    if not isinstance(dataset, RenderedPeople):
        return
    height, width = input_size
    with console.steps_bar(f"render {dataset.name} at {height}x{width}", total=n) as show:
        dataset.prepare(n, input_size=input_size, padding=padding, on_progress=lambda done, total: show(done, ""))


def _write_outputs(plan: Plan, store: Store, rows: list[Row], folder: Path) -> None:
    write_results(rows, folder / "results.csv")
    report.write_report(plan, store, folder / "report")


def _report_people_left_out(plan: Plan, found: list[Outcome]) -> None:
    for line in plan.dataset.left_out:
        console.say(f"left out: {line}")
    _report_unreadable(tuple(dict.fromkeys(line for each in found for line in each.unreadable)), plan.n)


def _report_unreadable(unreadable: tuple[str, ...], people: int) -> None:
    if unreadable:
        console.say(
            f"the photos of {len(unreadable)} of {people} people could not be read; the first: {unreadable[0]}"
        )


def _say_where(folder: Path) -> None:
    print(f"results: {folder / 'results.csv'}\npage:    {folder / 'report' / 'index.html'}")


def main() -> None:
    """Run the command line; every expected error is one line on stderr and exit code 2."""
    try:
        code = app(standalone_mode=False)
    except RobustPoseError as error:
        code = _fail(str(error))
    except typer.TyperException as error:
        code = _fail(error.format_message())
    except OSError as error:  # a folder that cannot be made, a full disk
        code = _fail(f"{error.filename or 'file system'}: {error.strerror or error}")
    except (typer.Abort, KeyboardInterrupt):
        print("\nstopped; the same command continues", file=sys.stderr)
        code = 130
    sys.exit(code if isinstance(code, int) else 0)


def _fail(message: str) -> int:
    print("error: " + " ".join(message.split()), file=sys.stderr)
    return 2
