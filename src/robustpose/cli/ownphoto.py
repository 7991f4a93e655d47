"""`robustpose attack PHOTO`: attack one model on one unlabelled photo."""

import re
from pathlib import Path
from typing import Any

import numpy as np

from robustpose.attacks import make_perturbing
from robustpose.data.photos import read_photo, read_upright
from robustpose.defences import open_defended
from robustpose.errors import RobustPoseError, writing_to
from robustpose.geometry import Pixels, box_crop
from robustpose.jobs.setting import Setting
from robustpose.jobs.store import write_atomically
from robustpose.jobs.workbench import padding_of
from robustpose.models import OpenedModel
from robustpose.objectives import OBJECTIVES
from robustpose.ownphoto import PhotoAttacked, Seen, attack_photo, beyond, find_box, kept, parse_box, see
from robustpose.report import html, terminal
from robustpose.report.html.ownphoto import ADVERSARIAL, RESULT, lines
from robustpose.report.html.pictures import png
from robustpose.threats import format_eps, make_threat


def attack_own_photo(
    path: Path, *, model: str, box: str, setting: Setting, seed: int, spec: str, out: Path | None, as_json: bool
) -> None:
    """Attack a photo, read the adversarial photo back from its file, and report the prediction for it."""
    if setting.spec.moves_truth:
        raise RobustPoseError(
            f"{setting.attack} transforms the labels with the image, and a photo has none; use a data set"
        )
    if setting.spec.kind == "ensemble":
        raise RobustPoseError(f"{setting.attack} needs people with labels; attack a photo with apgd or igsm")
    if not setting.round_to_8bit:
        raise RobustPoseError(
            f"eps {format_eps(setting.eps)} is less than one 8-bit level, so no 8-bit photo can store it"
        )
    given = parse_box(box)
    photo = read_upright(path)
    size = (photo.shape[0], photo.shape[1])
    opened = open_defended(model, spec=Path(spec) if spec else None)
    padding = padding_of(opened.module)
    used = given or find_box(opened.module, photo, padding=padding)
    outside = beyond(used, size)
    if outside >= 0.005:  # else it rounds to 0%
        terminal.say(f"{outside:.0%} of the box lies outside the photo and is black in the model's input")
    attacked = attack_photo(
        make_perturbing(setting.attack, targeted=setting.targeted, steps=setting.steps),
        opened.module,
        photo,
        box=used,
        threat=make_threat(setting.threat, setting.eps),
        objective=OBJECTIVES[setting.objective],
        padding=padding,
        seed=seed,
        search=setting.search,
    )
    stem = re.sub(r"[^\w.-]+", "-", f"attack-{model}-{path.name}-{setting.title}").lower()
    folder = out or Path("runs") / stem
    with writing_to(folder, "choose another folder with --out"):
        folder.mkdir(parents=True, exist_ok=True)
        write_atomically(folder / ADVERSARIAL, png(attacked.photo))
        reloaded = read_photo(folder / ADVERSARIAL)
        after = see(opened.module, reloaded, attacked.crop)
        facts = _facts(path, photo, opened, attacked, after, reloaded, setting=setting, seed=seed)
        facts["box_from"] = "given" if given else "found by the model itself"
        facts["box_found_anew"] = None if given else _anew(opened, reloaded, attacked)
        page = html.write_photo_page(photo, attacked, after, facts=facts, folder=folder)
    if as_json:
        print((folder / RESULT).read_text(), end="")
        return
    terminal.print_photo(facts, lines(attacked, after))
    print(f"photo:   {folder / ADVERSARIAL}\npage:    {page}")


def _facts(
    path: Path,
    photo: Pixels,
    opened: OpenedModel,
    attacked: PhotoAttacked,
    after: Seen,
    reloaded: Pixels,
    *,
    setting: Setting,
    seed: int,
) -> dict[str, Any]:
    """Gather the contents of result.json except the keypoints."""
    counted = sum(attacked.skeleton.counted)
    return {
        "model": opened.name,
        "photo": path.name,
        "size": [photo.shape[1], photo.shape[0]],
        "truth": "the clean prediction: the photo has no labels",
        "attack": setting.label,
        "threat": setting.threat,
        "eps": setting.budget,
        "objective": setting.objective,
        "seed": seed,
        "box": [round(number, 3) for number in attacked.box],
        "padding": padding_of(opened.module),
        "metric": "PCK@0.1",
        "counted": counted,
        "correct": round(counted * kept(attacked.before, after, box=attacked.box, skeleton=attacked.skeleton)),
        "largest_change": int(np.abs(reloaded.astype(int) - photo).max()),
        "share_read": round(attacked.share, 4),
        "forwards": attacked.forwards,
        "backwards": attacked.backwards,
    }


def _anew(opened: OpenedModel, adversarial: Pixels, attacked: PhotoAttacked) -> dict[str, Any]:
    """Return the result for the adversarial photo with the box that the model finds in that photo."""
    padding = padding_of(opened.module)
    box = find_box(opened.module, adversarial, padding=padding)
    after = see(opened.module, adversarial, box_crop(box, input_size=opened.module.input_size, padding=padding))
    share = kept(attacked.before, after, box=attacked.box, skeleton=attacked.skeleton)
    return {
        "box": [round(number, 3) for number in box],
        "correct": round(sum(attacked.skeleton.counted) * share),
    }
