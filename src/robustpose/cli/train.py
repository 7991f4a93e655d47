"""`robustpose train`: train one model with one recipe; resumable."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from robustpose.cli.catalogue import known, literal
from robustpose.cli.options import DataOption, ImagesOption, SeedOption, completing
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
            help="Architecture, see `robustpose list models`; or one of the tasks action, parts",
            autocompletion=_trainable,
        ),
    ],
    data: DataOption = "synthpose:train",
    validation: Annotated[
        str,
        typer.Option(
            help="Data set to score the model on; default: synthpose:val for rendered people; required for photos"
        ),
    ] = "",
    size: Annotated[
        str, typer.Option(help="Model size: compact (128x128 input) or published (256x256 input)")
    ] = "compact",
    people: Annotated[
        int | None,
        typer.Option(
            help="Number of training people, from the start of the data set; default: 10,000, or all if fewer",
            min=1,
        ),
    ] = None,
    samples: Annotated[int, typer.Option(help="Number of augmented crops to train on", min=1)] = _RECIPE[
        "samples"
    ],
    batch: Annotated[int, typer.Option(help="Batch size", min=1)] = _RECIPE["batch"],
    lr: Annotated[float, typer.Option(help="Peak learning rate")] = _RECIPE["lr"],
    half_body: Annotated[
        float, typer.Option(help="Fraction of crops that show only half of the body", min=0, max=1)
    ] = _RECIPE["half_body"],
    adversarial: Annotated[
        str,
        typer.Option(
            help="Attack every batch: pgd:N (N steps), fgsm_rs, free:N, trades:N",
            autocompletion=completing("adversarial_training"),
        ),
    ] = "",
    eps: Annotated[str, typer.Option(help="Linf budget of --adversarial, such as 4/255")] = "",
    noise: Annotated[
        float, typer.Option(help="Standard deviation of Gaussian noise on every crop, in [0, 1] units", min=0)
    ] = 0.0,
    seed: SeedOption = 0,
    device: Annotated[str, typer.Option(help="cpu or cuda")] = "cpu",
    workers: Annotated[
        int, typer.Option(help="Number of processes that prepare crops; useful with a GPU", min=0)
    ] = 0,
    warm_start: Annotated[
        Path | None,
        typer.Option(help="Weight file to start from; tensors with matching name and shape are loaded"),
    ] = None,
    images: ImagesOption = "",
    out: Annotated[Path | None, typer.Option(help="Folder for the run; default: runs/train-NAME")] = None,
) -> None:
    """Train a model, or resume its training; writes the weights and facts about them to --out."""
    from robustpose.data.augment import MARGIN, PADDING
    from robustpose.models import MODELS, TASKS
    from robustpose.report import terminal
    from robustpose.studies.running import render_ahead
    from robustpose.threats import parse_eps
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
        adversarial=adversarial,
        eps=parse_eps(eps) if eps else 0.0,
        noise=noise,
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
    """Open the training and the validation set; RobustPoseError if they share people.

    synthpose without a split means the training split here. A model trained on photos is scored on rendered people
    only on request.
    """
    from robustpose.data import open_dataset
    from robustpose.data.joined import people_named
    from robustpose.data.rendered import RenderedPeople

    training = open_dataset(
        "synthpose:train" if data.rstrip(":") == "synthpose" else data, images=photos, to_learn=True
    )
    if not validation:
        if not isinstance(training, RenderedPeople):
            raise RobustPoseError(f"{data}: name a validation set with --validation, such as {training.name}:PATH")
        validation = "synthpose:val"
    # rendered people have no photos; the photos of a validation set are in the same folder as the training set's
    validating = open_dataset(validation, images=None if validation.startswith("synthpose") else photos)
    if both := people_named(training) & people_named(validating):
        raise RobustPoseError(
            f"{data}: the training set contains people of the validation set, {sorted(both)[0]} among them; "
            "a model is scored on people it has not seen"
        )
    return training, validating
