"""`robustpose attack PHOTO` or a folder of photos: attack one model on unlabelled photos."""

import json
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from robustpose.cli.naming import folder_named
from robustpose.cli.photo_facts import Asked, as_csv, facts_of, found_anew, mark_of, together
from robustpose.data.photos import UnreadablePhoto, read_photo, read_upright
from robustpose.defences import open_defended
from robustpose.errors import RobustPoseError, writing_to
from robustpose.folders import write_atomically
from robustpose.geometry import Pixels
from robustpose.given import device_of
from robustpose.jobs.setting import Setting
from robustpose.jobs.workbench import padding_of
from robustpose.models import OpenedModel
from robustpose.models.placed import placed
from robustpose.objectives import OBJECTIVES
from robustpose.ownphoto import Box, attack_people, beyond, find_box, parse_box, see
from robustpose.ownphoto.attack import DRAWS
from robustpose.ownphoto.boxes import boxes_from, names_boxes
from robustpose.report import html, terminal
from robustpose.report.html.ownphoto import ADVERSARIAL, PAGE, RESULT, Line, lines, write_photos_page
from robustpose.report.html.pictures import png
from robustpose.study.cost import duration, seconds_per_gradient
from robustpose.threats import format_eps, make_threat

SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff")


def attack_own_photos(path: Path, asked: Asked, *, out: Path | None, device: str = "cpu", as_json: bool) -> None:
    """Attack a photo, or every photo of a folder, and report the predictions for the adversarial photos."""
    _check(asked)
    find = _finder(asked)
    photos = _photos_in(path) if path.is_dir() else [path]
    if not path.is_dir():
        read_upright(path)  # what is wrong with the photo comes before what is wrong with the model
    opened = open_defended(asked.model, spec=Path(asked.spec) if asked.spec else None)
    folder = out or folder_named(
        "attack",
        [asked.model, path.resolve().name, asked.setting.title],
        of={**asdict(asked), "path": str(path.resolve()), "weights": opened.fingerprint},
    )
    with placed(opened.module, device):
        if path.is_dir():
            _attack_folder(path, photos, opened, asked, find, folder, as_json=as_json)
            return
        facts, shown = _attack_one(path, opened, asked, find, folder)
    if as_json:
        print((folder / RESULT).read_text(), end="")
        return
    terminal.print_photo(facts, shown)
    print(f"photo:   {folder / ADVERSARIAL}\npage:    {folder / PAGE}")


Finder = Callable[[OpenedModel, Path, Pixels], tuple[list[Box], str]]
"""(model, path, photo) -> the boxes of its people, and where they are from."""


def _finder(asked: Asked) -> Finder:
    """Read --box; RobustPoseError for a box, a file or a function that cannot be used."""
    if names_boxes(asked.box):
        many = boxes_from(asked.box)
        return lambda model, path, photo: (many(path, photo), f"from {asked.box}")
    given = parse_box(asked.box)
    if given is not None:
        return lambda model, path, photo: ([given], "given")
    return lambda model, path, photo: (
        [find_box(model.module, photo, padding=padding_of(model.module))],
        "found by the model itself",
    )


def _check(asked: Asked) -> None:
    """RobustPoseError for attacks that photos cannot have."""
    setting = asked.setting
    if setting.spec.moves_truth:
        raise RobustPoseError(
            f"{setting.attack} transforms the labels with the image, and a photo has none; use a data set"
        )
    if not setting.round_to_8bit:
        raise RobustPoseError(
            f"eps {format_eps(setting.eps)} is less than one 8-bit level, so no 8-bit photo can store it"
        )
    if not 0 <= asked.jitter <= 0.5:
        raise RobustPoseError(f"--box-jitter must be in [0, 0.5], a fraction of the box, got {asked.jitter:g}")


def _photos_in(folder: Path) -> list[Path]:
    found = sorted(each for each in folder.iterdir() if each.suffix.lower() in SUFFIXES and each.is_file())
    if not found:
        raise RobustPoseError(f"{folder}: no photo in this folder ({', '.join(SUFFIXES)})")
    return found


def _attack_folder(
    path: Path, photos: list[Path], opened: OpenedModel, asked: Asked, find: Finder, folder: Path, *, as_json: bool
) -> None:
    """Attack every photo of a folder; a photo whose result is stored already is not attacked again."""
    done: list[dict[str, Any]] = []
    left_out: list[str] = []
    for number, photo in enumerate(photos, start=1):
        own = folder / photo.name.replace(".", "-")
        facts = _stored(own, opened, asked, photo)
        if facts is None:
            terminal.say(f"photo {number} of {len(photos)}: {photo.name}")
            try:
                facts, _ = _attack_one(photo, opened, asked, find, own)
            except UnreadablePhoto as error:
                left_out.append(str(error))
                continue
            except NobodyThere as error:
                left_out.append(str(error))
                continue
        done.append({**facts, "folder": own.name})
    for line in left_out:
        terminal.say(f"left out: {line}")
    if not done:
        raise RobustPoseError(f"{path}: no photo could be attacked; the first: {left_out[0]}")
    facts = together(done, opened, asked, path, left_out)
    with writing_to(folder, "choose another folder with --out"):
        write_atomically(folder / "results.csv", as_csv(facts["photos"]))
        page = write_photos_page(facts, folder)
    if as_json:
        print((folder / RESULT).read_text(), end="")
        return
    terminal.print_photos(facts)
    print(f"results: {folder / 'results.csv'}\npage:    {page}")


class NobodyThere(RobustPoseError):  # noqa: N818 - names the state of the photo
    """A photo without a box."""


def _attack_one(
    path: Path, opened: OpenedModel, asked: Asked, find: Finder, folder: Path
) -> tuple[dict[str, Any], list[list[Line]]]:
    """Attack a photo, read the adversarial photo back from its file, and write its page."""
    photo, setting = read_upright(path), asked.setting
    padding = padding_of(opened.module)
    boxes, origin = find(opened, path, photo)
    if not boxes:
        raise NobodyThere(f"{path.name}: no box of a person in {asked.box}")
    for box in boxes:
        outside = beyond(box, (photo.shape[0], photo.shape[1]))
        if outside >= 0.005:  # else it rounds to 0%
            terminal.say(f"{outside:.0%} of the box lies outside the photo and is black in the model's input")
    crops = len(boxes) * (DRAWS if asked.jitter else 1)
    _say_cost(opened, setting, people=len(boxes), crops=crops)
    with terminal.steps_bar(f"attack {path.name}", total=setting.gradients) as show:
        passes = iter(range(1, 10**9))
        attacked = attack_people(
            setting.make(),
            opened.module,
            photo,
            boxes=boxes,
            threat=make_threat(setting.threat, setting.eps),
            objective=None if setting.spec.objective is None else OBJECTIVES[setting.objective],
            targeted=setting.targeted,
            jitter=asked.jitter,
            padding=padding,
            seed=asked.seed,
            search=setting.search,
            on_pass=lambda: show(next(passes), ""),
        )
    with writing_to(folder, "choose another folder with --out"):
        folder.mkdir(parents=True, exist_ok=True)
        write_atomically(folder / ADVERSARIAL, png(attacked[0].photo))
        reloaded = read_photo(folder / ADVERSARIAL)
        after = [see(opened.module, reloaded, each.crop) for each in attacked]
        facts = facts_of(path, photo, opened, attacked, after, reloaded, asked=asked)
        facts["box_from"] = origin
        by_itself = len(boxes) == 1 and origin.startswith("found")
        facts["box_found_anew"] = found_anew(opened, reloaded, attacked[0]) if by_itself else None
        html.write_photo_page(photo, attacked, after, facts=facts, folder=folder)
    return facts, [[*lines(each, seen)] for each, seen in zip(attacked, after, strict=True)]


def _say_cost(opened: OpenedModel, setting: Setting, *, people: int, crops: int) -> None:
    each = seconds_per_gradient(
        opened,
        people=crops,
        gradient=setting.spec.needs == "gradients",
        device=str(device_of(opened.module)),
    )
    thing = "gradients" if setting.spec.needs == "gradients" else "queries"
    hint = "; --quick takes 20" if setting.attack == "autopose" else ""
    who = "1 person" if people == 1 else f"{people} people"
    many = "" if crops == people else f", {crops} crops"
    seconds = duration(each * crops * setting.gradients)
    terminal.say(
        f"{setting.title}: {who}{many}, at most {setting.gradients} {thing}, at most {seconds} here{hint}"
    )


def _stored(folder: Path, opened: OpenedModel, asked: Asked, photo: Path) -> dict[str, Any] | None:
    """Return the stored result of a photo if it is of the same model, attack, boxes and photo."""
    try:
        facts = json.loads((folder / RESULT).read_text())
    except (OSError, ValueError):
        return None
    same = isinstance(facts, dict) and facts.get("asked") == mark_of(opened, asked, photo)
    return facts if same else None
