"""`robustpose corrupt PHOTO`: look at a photo in bad weather, in the dark, out of focus, ..."""

from pathlib import Path
from typing import Annotated

import typer

from robustpose.cli.options import SeedOption, completing
from robustpose.errors import RobustPoseError, at_work, writing_to

_SHEET = "sheet.jpg"


def corrupt(
    photo: Annotated[Path | None, typer.Argument(help="A photo; not needed with --list")] = None,
    name: Annotated[
        str,
        typer.Option(
            help="Corruptions, comma-separated, or 15 for those of Hendrycks and Dietterich; default: all "
            "that need no keypoints",
            autocompletion=completing("corruptions", several=True),
        ),
    ] = "",
    severity: Annotated[int | None, typer.Option(help="1 to 5; default: all five")] = None,
    out: Annotated[Path | None, typer.Option(help="Folder to write to; default: runs/corrupt-PHOTO")] = None,
    seed: SeedOption = 0,
    show_list: Annotated[
        bool, typer.Option("--list", help="List corruptions, and what their severities mean")
    ] = False,
) -> None:
    """Write corrupted copies of a photo, and a contact sheet of them."""
    from robustpose.corruptions import CORRUPTIONS, chosen_corruptions, known_severity

    if show_list:
        _print_list()
        return
    if photo is None:
        raise RobustPoseError("name a photo: robustpose corrupt PHOTO; or --list for the corruptions")
    names = chosen_corruptions(name) if name else tuple(n for n, s in CORRUPTIONS.items() if not s.needs_truth)
    severities = (1, 2, 3, 4, 5) if severity is None else (known_severity(severity),)
    if lacking := [each for each in names if CORRUPTIONS[each].needs_truth]:
        raise RobustPoseError(
            f"{', '.join(lacking)}: needs the keypoints of the person in the image, and a photo has none; "
            "see `robustpose study corruptions`, or rp.corrupt with labelled people"
        )
    _write(
        photo,
        names,
        severities,
        out or Path("runs") / f"corrupt-{photo.stem}",
        seed=seed,
        each=bool(name or severity),
    )


def _write(
    photo: Path, names: tuple[str, ...], severities: tuple[int, ...], folder: Path, *, seed: int, each: bool
) -> None:
    """Write the contact sheet, and with `each` every corrupted photo; nothing is written if one fails."""
    from robustpose.corruptions import corrupt_image, generator_for
    from robustpose.data.photos import read_upright
    from robustpose.folders import write_atomically
    from robustpose.report.html.corrupted import contact_sheet
    from robustpose.report.html.pictures import jpeg, png

    image = read_upright(photo)
    files: dict[str, bytes] = {}
    with at_work(str(photo)):
        for name in names if each else ():
            for severity in severities:
                generator = generator_for(image, name, severity=severity, seed=seed)
                files[f"{photo.stem}-{name}-{severity}.png"] = png(
                    corrupt_image(image, name, severity=severity, generator=generator)
                )
        sheet = contact_sheet(image, names, key=image, seed=seed, severities=severities)
    files[_SHEET] = jpeg(sheet)
    with writing_to(folder, "choose another folder with --out"):
        folder.mkdir(parents=True, exist_ok=True)
        for file, content in files.items():
            write_atomically(folder / file, content)
    for file in files:
        print(folder / file)


def _print_list() -> None:
    from robustpose.corruptions import CORRUPTIONS

    width = max(map(len, CORRUPTIONS))
    family = ""
    for name, spec in sorted(CORRUPTIONS.items(), key=lambda each: each[1].family):
        if spec.family != family:
            family = spec.family
            print(f"{family}:")
        levels = "; ".join(_short(level) for level in spec.levels)
        needs = " (needs keypoints)" if spec.needs_truth else ""
        print(f"  {name:<{width}}  {spec.summary}{needs}")
        for line in (f"{spec.unit}: {levels}", spec.source):
            print(f"  {'':<{width}}  {line}")


def _short(level: object) -> str:
    """Write a level: numbers, long ones by their ends."""
    if not isinstance(level, tuple):
        return f"{level:g}"
    numbers = [f"{each:g}" for each in level]
    return ", ".join(numbers) if len(numbers) <= 7 else f"{numbers[0]} to {numbers[-1]} in {len(numbers)} steps"
