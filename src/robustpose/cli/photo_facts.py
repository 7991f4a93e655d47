"""What is asked of photos, and the facts of results: the contents of result.json, of a photo and of a folder."""

import csv
import hashlib
import io
import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from robustpose.alarms import ALARMS, Alarm
from robustpose.geometry import Floats, Pixels, box_crop
from robustpose.jobs.setting import Setting
from robustpose.jobs.workbench import padding_of
from robustpose.metrics.bootstrap import redraws
from robustpose.models import OpenedModel
from robustpose.ownphoto import PhotoAttacked, Seen, find_box, hit, kept, kept_with_fresh_boxes, see
from robustpose.ownphoto.attack import DRAWS
from robustpose.ownphoto.box import AUTO
from robustpose.report.html.ownphoto import lines
from robustpose.report.stronger import photo_weakness

FRESH, FRESH_JITTER = 16, 0.1
"""Fresh boxes per person that every result is scored with; how far they move without --box-jitter."""


@dataclass(frozen=True)
class Asked:
    """What is asked of each photo.

    box     'auto', 'x,y,w,h', or the file or function of boxes.boxes_from
    jitter  see ownphoto.attack_people
    """

    model: str
    setting: Setting
    box: str
    jitter: float
    seed: int
    spec: str

    def weakness(self, path: Path) -> str:
        """Say that the attack is weaker than autopose, with the command of autopose; empty if it is not."""
        options = {"--box": self.box if self.box != AUTO else "", "--spec": self.spec}
        options |= {"--box-jitter": f"{self.jitter:g}" if self.jitter else ""}
        return photo_weakness(self.setting, model=self.model, photo=path, options=options)


def facts_of(
    path: Path,
    photo: Pixels,
    opened: OpenedModel,
    attacked: tuple[PhotoAttacked, ...],
    after: list[Seen],
    reloaded: Pixels,
    *,
    asked: Asked,
) -> dict[str, Any]:
    """Gather the contents of result.json; those of the first person stand outside `people`, too, if alone."""
    setting, padding = asked.setting, padding_of(opened.module)
    jitter = asked.jitter or FRESH_JITTER
    people = [
        _of_person(opened, photo, reloaded, each, seen, jitter=jitter, padding=padding, seed=asked.seed)
        for each, seen in zip(attacked, after, strict=True)
    ]
    only = {name: people[0][name] for name in ("box", "keypoints")} if len(people) == 1 else {}
    still = all(
        np.array_equal(each.before.keypoints, seen.keypoints) for each, seen in zip(attacked, after, strict=True)
    )
    alarm = Alarm("nothing-moved", f"{setting.title}: {ALARMS['nothing-moved']}")
    return {
        "model": opened.name,
        "photo": path.name,
        "size": [photo.shape[1], photo.shape[0]],
        "truth": "the clean prediction: the photo has no labels",
        "attack": setting.label,
        "threat": setting.threat,
        "eps": setting.budget,
        "objective": None if setting.spec.objective is None else setting.objective,
        "targeted": setting.targeted,
        "seed": asked.seed,
        "weakness": asked.weakness(path),
        "alarms": [alarm.line] if still else [],
        "padding": padding,
        "metric": "PCK@0.1",
        "counted": sum(each["counted"] for each in people),
        "correct": sum(each["correct"] for each in people),
        "target_asked": sum(each["target_asked"] for each in people),
        "target_hit": sum(each["target_hit"] for each in people),
        "fresh_box": {
            "boxes": FRESH,
            "jitter": jitter,
            "correct": round(sum(each["correct_fresh"] for each in people), 2),
            "correct_clean": round(sum(each["correct_fresh_clean"] for each in people), 2),
        },
        "box_jitter": asked.jitter,
        "boxes_attacked": DRAWS if asked.jitter else 1,
        "largest_change": int(np.abs(reloaded.astype(int) - photo).max()),
        "share_read": round(attacked[0].share, 4),
        "forwards": attacked[0].forwards,
        "backwards": attacked[0].backwards,
        **only,
        "people": people,
        "asked": mark_of(opened, asked, path),
    }


def _of_person(
    opened: OpenedModel,
    photo: Pixels,
    reloaded: Pixels,
    attacked: PhotoAttacked,
    after: Seen,
    *,
    jitter: float,
    padding: float,
    seed: int,
) -> dict[str, Any]:
    """Score one person: with the box of the attack, and with fresh boxes, attacked and clean."""
    counted = sum(attacked.skeleton.counted)
    fresh = [
        kept_with_fresh_boxes(
            opened.module, each, attacked, jitter=jitter, number=FRESH, padding=padding, seed=seed + 1
        )
        for each in (reloaded, photo)
    ]
    reached = (0, 0)
    if attacked.target is not None:
        reached = hit(attacked.target, after, box=attacked.box, skeleton=attacked.skeleton)
    return {
        "box": [round(number, 3) for number in attacked.box],
        "counted": counted,
        "correct": round(counted * kept(attacked.before, after, box=attacked.box, skeleton=attacked.skeleton)),
        "correct_fresh": round(counted * fresh[0], 3),
        "correct_fresh_clean": round(counted * fresh[1], 3),
        "target_asked": reached[1],
        "target_hit": reached[0],
        "keypoints": [vars(line) for line in lines(attacked, after)],
    }


def found_anew(opened: OpenedModel, adversarial: Pixels, attacked: PhotoAttacked) -> dict[str, Any]:
    """Return the result for the adversarial photo with the box that the model finds in that photo."""
    padding = padding_of(opened.module)
    box = find_box(opened.module, adversarial, padding=padding)
    after = see(opened.module, adversarial, box_crop(box, input_size=opened.module.input_size, padding=padding))
    share = kept(attacked.before, after, box=attacked.box, skeleton=attacked.skeleton)
    return {
        "box": [round(number, 3) for number in box],
        "correct": round(sum(attacked.skeleton.counted) * share),
    }


def mark_of(opened: OpenedModel, asked: Asked, path: Path) -> str:
    """Return a hash of what decides a photo's result, so that a folder continues where it stopped."""
    of_boxes = Path(asked.box).read_bytes() if asked.box.endswith(".json") else b""
    told = json.dumps([asdict(asked), opened.fingerprint], sort_keys=True).encode()
    return hashlib.sha256(told + of_boxes + path.read_bytes()).hexdigest()[:16]


def together(
    done: list[dict[str, Any]], opened: OpenedModel, asked: Asked, path: Path, left_out: list[str]
) -> dict[str, Any]:
    """Gather the results of a folder's photos, with 95% intervals over photos."""
    counted = np.array([each["counted"] for each in done], dtype=float)
    setting = asked.setting
    return {
        "model": opened.name,
        "folder": path.resolve().name,
        "attack": setting.label,
        "threat": setting.threat,
        "eps": setting.budget,
        "targeted": setting.targeted,
        "weakness": asked.weakness(path),
        "people": sum(len(each["people"]) for each in done),
        "kept": _share(np.array([each["correct"] for each in done], dtype=float), counted),
        "kept_fresh": _share(np.array([each["fresh_box"]["correct"] for each in done], dtype=float), counted),
        "photos": [
            {
                **{
                    name: each[name]
                    for name in ("photo", "folder", "correct", "counted", "target_hit", "target_asked")
                },
                "people": len(each["people"]),
                "correct_fresh": each["fresh_box"]["correct"],
            }
            for each in done
        ],
        "left_out": left_out,
    }


def _share(correct: Floats, counted: Floats) -> dict[str, Any]:
    """Return 100 x correct / counted over photos, with its 95% bootstrap interval."""
    value = 100 * correct.sum() / counted.sum()
    if len(correct) < 2:
        return {"value": round(value, 3), "low": None, "high": None, "text": f"{value:.1f} % (no interval)"}
    weights = redraws(len(correct), seed=0)
    low, high = np.percentile(100 * (weights @ correct) / (weights @ counted), (2.5, 97.5)).tolist()
    text = f"{value:.1f} % [{low:.1f}, {high:.1f}]"
    return {"value": round(value, 3), "low": round(low, 3), "high": round(high, 3), "text": text}


def as_csv(rows: list[dict[str, Any]]) -> bytes:
    """Write rows of the same names as CSV."""
    text = io.StringIO()
    writer = csv.DictWriter(text, fieldnames=[*rows[0]])
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode()
