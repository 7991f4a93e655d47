"""`robustpose train`: one model, one recipe, resumable."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from robustpose.cli.catalogue import known, literal
from robustpose.cli.options import DataOption, ImagesOption, SeedOption
from robustpose.errors import RobustPoseError, unknown_name

if TYPE_CHECKING:
    from robustpose.types import PoseDataset

_RECIPE: dict[str, Any] = literal("robustpose.train.recipe", "Recipe")


def _trainable(incomplete: str) -> list[tuple[str, str]]:
    names = {**known("tasks"), **known("models")}
    return [(name, line) for name, line in names.items() if name.startswith(incomplete) and ":" not in name]


def train_model(
    name: Annotated[
        str,
        typer.Argument(
            help="Architecture of `robustpose list`, or the tasks action and parts", autocompletion=_trainable
        ),
    ],
    data: DataOption = "synthpose:train",
    validation: Annotated[
        str,
        typer.Option(help="Where the model is scored; synthpose:val for rendered people, to be named for photos"),
    ] = "",
    size: Annotated[str, typer.Option(help="compact (128x128) or published (256x256)")] = "compact",
    people: Annotated[
        int | None, typer.Option(help="Of the training set, from the first; 10,000 or all there are", min=1)
    ] = None,
    samples: Annotated[int, typer.Option(help="Augmented crops to see", min=1)] = _RECIPE["samples"],
    batch: Annotated[int, typer.Option(min=1)] = _RECIPE["batch"],
    lr: Annotated[float, typer.Option(help="Peak learning rate")] = _RECIPE["lr"],
    half_body: Annotated[float, typer.Option(help="Share of crops that show half a body", min=0, max=1)] = _RECIPE[
        "half_body"
    ],
    seed: SeedOption = 0,
    device: Annotated[str, typer.Option(help="cpu or cuda")] = "cpu",
    workers: Annotated[
        int, typer.Option(help="Processes that draw crops ahead of the model; for GPUs", min=0)
    ] = 0,
    warm_start: Annotated[
        Path | None, typer.Option(help="Weights whose fitting tensors the model begins with")
    ] = None,
    images: ImagesOption = "",
    out: Annotated[Path | None, typer.Option(help="Folder of the run; runs/train-NAME by default")] = None,
) -> None:
    """Train a model, or continue its training; the weights and their facts lie in --out."""
    from robustpose.cli.running import render_ahead
    from robustpose.data.augment import MARGIN, PADDING
    from robustpose.models import MODELS, TASKS
    from robustpose.report import terminal
    from robustpose.train import Progress, Recipe, input_size_of, is_main_process, train

    if name not in (known := {**MODELS, **TASKS}):
        raise unknown_name("model", name, known)
    folder = out or Path("runs") / f"train-{name}"
    photos = Path(images) if images else None
    training, validating = _open_both(data, validation, photos=photos)
    count = min(Recipe.people, len(training)) if people is None else people
    recipe = Recipe(
        architecture=name,
        size=size,
        people=count,
        samples=samples,
        batch=batch,
        lr=lr,
        half_body=half_body,
        seed=seed,
    )
    height, width = input_size_of(name, size=size)
    margined = (round(height * MARGIN), round(width * MARGIN))

    def render() -> None:
        render_ahead(training, count, input_size=margined, padding=PADDING * MARGIN)

    with terminal.steps_bar(f"train {name}", total=recipe.steps, silent=not is_main_process()) as show:

        def on_progress(progress: Progress) -> None:
            show(progress.step, f"loss {progress.loss:.5f}, {progress.metric} {progress.score:.1f}")

        facts = train(
            recipe,
            training=training,
            validation=validating,
            out=folder,
            device=device,
            workers=workers,
            warm_start=warm_start,
            on_checked=render,
            on_progress=on_progress,
        )
    if not is_main_process():
        return
    if facts.notes:
        terminal.say(facts.notes)
    interval = f"{facts.score:.1f} [{facts.low:.1f}, {facts.high:.1f}], n = {facts.n}"
    print(f"{folder / (name + '.safetensors')}: {facts.metric} {interval}")


def _open_both(data: str, validation: str, *, photos: Path | None) -> tuple["PoseDataset", "PoseDataset"]:
    """Open what a model learns from and what it is scored on; RobustPoseError where these are the same people.

    synthpose, with no split named, is here the training split. What learned from photos is not scored on rendered
    people unless that is asked for.
    """
    from robustpose.data import open_dataset
    from robustpose.data.joined import people_named
    from robustpose.data.rendered import RenderedPeople

    training = open_dataset(
        "synthpose:train" if data.rstrip(":") == "synthpose" else data, images=photos, to_learn=True
    )
    if not validation:
        if not isinstance(training, RenderedPeople):
            raise RobustPoseError(
                f"{data}: name who the model is scored on with --validation, such as {training.name}:PATH"
            )
        validation = "synthpose:val"
    # rendered people have no photos; a validation set of photos lies where the training set's do
    validating = open_dataset(validation, images=None if validation.startswith("synthpose") else photos)
    if both := people_named(training) & people_named(validating):
        raise RobustPoseError(
            f"{data}: the training set holds people of the validation set, {sorted(both)[0]} among them; "
            "a model is scored on people it has not seen"
        )
    return training, validating
