"""`robustpose attack PHOTO`: one model, one photo of one's own, one attack."""

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
    path: Path, *, model: str, box: str, setting: Setting, seed: int, card: str, out: Path | None, as_json: bool
) -> None:
    """Attack a photo, read the adversarial one back from its file, and say what the model then sees."""
    if setting.spec.moves_truth:
        raise RobustPoseError(
            f"{setting.attack} moves the truth along, and a photo of one's own has none; take people with truth"
        )
    if setting.spec.kind == "ensemble":
        raise RobustPoseError(
            f"{setting.attack} is for people with truth; attack a photo of one's own with apgd or igsm"
        )
    if not setting.round_to_8bit:
        raise RobustPoseError(f"eps {format_eps(setting.eps)} is under one 8-bit level: no photo can hold it")
    given = parse_box(box)
    photo = read_upright(path)
    size = (photo.shape[0], photo.shape[1])
    opened = open_defended(model, card=Path(card) if card else None)
    padding = padding_of(opened.module)
    used = given or find_box(opened.module, photo, padding=padding)
    outside = beyond(used, size)
    if outside >= 0.005:  # else it rounds to 0%
        terminal.say(f"{outside:.0%} of the box lies outside of the photo; the model sees black there")
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
    with writing_to(folder, "give another folder with --out"):
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
    """Gather what result.json says beside the keypoints."""
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
    """Say what the model sees of the adversarial photo through the box that it then finds."""
    padding = padding_of(opened.module)
    box = find_box(opened.module, adversarial, padding=padding)
    after = see(opened.module, adversarial, box_crop(box, input_size=opened.module.input_size, padding=padding))
    share = kept(attacked.before, after, box=attacked.box, skeleton=attacked.skeleton)
    return {
        "box": [round(number, 3) for number in box],
        "correct": round(sum(attacked.skeleton.counted) * share),
    }
