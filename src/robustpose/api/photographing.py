"""Attacks an unlabelled photo from Python: the same attack as `robustpose attack PHOTO`."""

import base64
import io
import itertools
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from torch import Tensor

from robustpose.api.attacking import AnyAttackGiven, settings_of
from robustpose.api.opening import AnyModel, AnySpec, open_for
from robustpose.data.photos import read_upright
from robustpose.errors import RobustPoseError, writing_to
from robustpose.folders import write_atomically
from robustpose.geometry import Floats, Pixels
from robustpose.given import number_of, whole_of
from robustpose.jobs.setting import Setting
from robustpose.jobs.workbench import padding_of
from robustpose.models.placed import placed
from robustpose.objectives import OBJECTIVES
from robustpose.ownphoto import Box, PhotoAttacked, attack_people, find_box
from robustpose.report import terminal
from robustpose.report.html.pictures import amplify, draw_pose, png
from robustpose.threats import make_threat

AUTO = "auto"


@dataclass(frozen=True, eq=False)
class PhotoResult:
    """A photo under attack: the adversarial photo, and what the model predicts for its people.

    clean, adversarial  (H, W, 3) uint8 RGB
    people              for each person the box, the predictions before and after, and how far keypoints moved
    """

    clean: Pixels = field(repr=False)
    people: tuple[PhotoAttacked, ...] = field(repr=False)
    setting: Setting = field(repr=False)
    model: str

    @property
    def adversarial(self) -> Pixels:
        """The adversarial photo (H, W, 3), uint8 RGB."""
        return self.people[0].photo

    @property
    def keypoints(self) -> Floats:
        """The predictions (P, K, 2) for the adversarial photo, in photo pixels."""
        return np.stack([person.after.keypoints for person in self.people])

    @property
    def kept(self) -> float:
        """The percentage of keypoints, over all people, within a tenth of the box of the clean prediction."""
        return 100 * float(np.mean([person.kept for person in self.people]))

    def plot(self) -> Figure:
        """Draw the predictions for the clean and the adversarial photo, and the perturbation enlarged."""
        change = amplify(self.clean, self.adversarial, eps=self.setting.eps)
        tiles = [
            ("clean", self._drawn(self.clean, [person.before.keypoints for person in self.people])),
            ("attacked", self._drawn(self.adversarial, [person.after.keypoints for person in self.people])),
            (f"perturbation x {change.factor}", change.image),
        ]
        height, width = self.clean.shape[:2]
        figure = Figure(figsize=(10, 10 / 3 * height / width + 0.4), layout="constrained")
        for axes, (title, image) in zip(figure.subplots(1, 3), tiles, strict=True):
            axes.imshow(image)
            axes.set_axis_off()
            axes.set_title(title, fontsize=9)
        return figure

    def save(self, path: str | Path) -> Path:
        """Write the adversarial photo as .png, which keeps every value; RobustPoseError for other formats."""
        path = Path(path)
        if path.suffix.lower() != ".png":
            raise RobustPoseError(f"{path}: an adversarial photo must be saved as .png, other formats change it")
        with writing_to(path, "choose another place"):
            path.parent.mkdir(parents=True, exist_ok=True)
            write_atomically(path, png(self.adversarial))
        return path

    def __str__(self) -> str:
        number = len(self.people)
        who = f"{number} people" if number > 1 else "1 person"
        return (
            f"{self.model} on a photo of {who}, {self.setting.title}: {self.kept:.0f}% of the keypoints are still "
            "predicted where they are in the clean photo (PCK@0.1 of the box)"
        )

    def _repr_html_(self) -> str:
        drawn = io.BytesIO()
        self.plot().savefig(drawn, format="png", dpi=100)
        image = base64.b64encode(drawn.getvalue()).decode()
        return f'<p>{self}</p><img alt="before and after" src="data:image/png;base64,{image}">'

    def _drawn(self, photo: Pixels, poses: Sequence[Floats]) -> Pixels:
        for pose in poses:
            scale = photo.shape[1] / self.clean.shape[1]
            photo = draw_pose(photo, (pose + 0.5) * scale - 0.5, self.people[0].skeleton)
        return photo


def attack_photo(
    photo: str | Path | Pixels,
    model: AnyModel,
    *,
    box: str | Box | Sequence[Box] = AUTO,
    attack: AnyAttackGiven = "",
    eps: float | str | Tensor | None = None,
    threat: str = "",
    steps: int | None = None,
    targeted: bool = False,
    objective: str = "",
    jitter: float = 0.0,
    spec: AnySpec = None,
    device: str | None = None,
    seed: int = 0,
    progress: bool = True,
) -> PhotoResult:
    """Attack an unlabelled photo; the model's clean prediction stands for the truth.

    photo     a path, or an array (H, W, 3) of uint8, RGB
    box       x, y, w and h of the person in photo pixels, or a list of such boxes for several people, who are then
              attacked together; 'auto': found by the model itself, for a photo of one person
    jitter    largest change of a box's position and sides, as a fraction: the attack then holds for such boxes

    The other arguments are those of `attack`. RobustPoseError for invalid input.
    """
    pixels = _read(photo)
    (setting,) = settings_of(attack, eps, threat=threat, steps=steps, targeted=targeted, objective=objective)
    if setting.spec.moves_truth:
        raise RobustPoseError(f"attack {setting.attack!r} moves labels with the image, and a photo has none")
    if not setting.round_to_8bit:
        raise RobustPoseError(f"eps {setting.budget} is less than one 8-bit level, so no 8-bit photo can store it")
    seed = whole_of(seed, "seed", least=0)
    opened = open_for(model, spec=spec)
    padding = padding_of(opened.module)
    title = f"{opened.name} on a photo"
    with (
        placed(opened.module, device),
        terminal.steps_bar(title, total=setting.gradients, silent=not progress) as show,
    ):
        passes = itertools.count(1)
        people = attack_people(
            setting.make(),
            opened.module,
            pixels,
            boxes=_boxes(box) or [find_box(opened.module, pixels, padding=padding)],
            threat=make_threat(setting.threat, setting.eps),
            objective=None if setting.spec.objective is None else OBJECTIVES[setting.objective],
            targeted=targeted,
            jitter=number_of(jitter, "jitter"),
            padding=padding,
            seed=seed,
            on_pass=lambda: show(next(passes), ""),
        )
    return PhotoResult(clean=pixels, people=people, setting=setting, model=opened.name)


def _read(photo: object) -> Pixels:
    if isinstance(photo, str | Path):
        return read_upright(Path(photo))
    pixels = np.asarray(photo) if hasattr(photo, "__array__") and not isinstance(photo, Tensor) else None
    if pixels is None or pixels.ndim != 3 or pixels.shape[2] != 3 or pixels.dtype != np.uint8:
        what = type(photo).__name__ if pixels is None else f"{pixels.dtype} {pixels.shape}"
        raise RobustPoseError(f"photo must be a path or an array (H, W, 3) of uint8, got {what}")
    return np.ascontiguousarray(pixels)


def _boxes(given: Any) -> list[Box]:
    """Read a box, or a list of them; empty for 'auto'."""
    if isinstance(given, str) and given == AUTO:
        return []
    try:
        boxes = np.atleast_2d(np.asarray(given, dtype=float))
    except (TypeError, ValueError):
        boxes = np.zeros((0, 0))
    if boxes.ndim != 2 or boxes.shape[1:] != (4,) or not np.isfinite(boxes).all() or (boxes[:, 2:] <= 0).any():
        raise RobustPoseError(
            "box must be 'auto', (x, y, w, h) in photo pixels with w and h above 0, or a list of these, "
            f"got {given!r:.80}"
        )
    return [(x, y, w, h) for x, y, w, h in boxes.tolist()]
