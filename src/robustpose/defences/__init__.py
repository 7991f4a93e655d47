"""Defences: functions PoseModel -> PoseModel. Attacks on a defended model are computed through the defence.

A defended model is written NAME:MODEL, as in 'flip:shg2' or 'median3:onnx:PATH'. With several defences the first
one is applied to the images first.
"""

import hashlib
from pathlib import Path

from torch import nn

from robustpose.defences.defended import DefenceSpec, Defended
from robustpose.defences.flip import flip_tested
from robustpose.defences.purification import fewer_bits, jpeg, straight_through, total_variation
from robustpose.defences.randomised import noise_averaged, resized_and_padded
from robustpose.defences.smoothing import box, gaussian, median, smoothed
from robustpose.errors import RobustPoseError, unknown_name
from robustpose.models import OpenedModel, is_model, open_model, takes_spec
from robustpose.models.specs import ModelSpec
from robustpose.types import PoseModel, versioned

DEFENCES: dict[str, DefenceSpec] = {
    "flip": DefenceSpec(flip_tested, summary="Average with the prediction on the mirrored image"),
    "box3": DefenceSpec(smoothed(lambda images: box(images, size=3)), summary="Box filter, 3x3 pixels"),
    "box5": DefenceSpec(smoothed(lambda images: box(images, size=5)), summary="Box filter, 5x5 pixels"),
    "gaussian1": DefenceSpec(
        smoothed(lambda images: gaussian(images, sigma=1.0)),
        summary="Gaussian filter, sigma 1 pixel",
    ),
    "gaussian2": DefenceSpec(
        smoothed(lambda images: gaussian(images, sigma=2.0)),
        summary="Gaussian filter, sigma 2 pixels",
    ),
    "median3": DefenceSpec(smoothed(lambda images: median(images, size=3)), summary="Median filter, 3x3 pixels"),
    "median5": DefenceSpec(smoothed(lambda images: median(images, size=5)), summary="Median filter, 5x5 pixels"),
    "jpeg75": DefenceSpec(
        smoothed(straight_through(lambda images: jpeg(images, quality=75))),
        summary="JPEG of quality 75",
        gradient="straight-through",
    ),
    "jpeg25": DefenceSpec(
        smoothed(straight_through(lambda images: jpeg(images, quality=25))),
        summary="JPEG of quality 25",
        gradient="straight-through",
    ),
    "bits4": DefenceSpec(
        smoothed(straight_through(lambda images: fewer_bits(images, bits=4))),
        summary="Values rounded to 4 bits",
        gradient="straight-through",
    ),
    "tv": DefenceSpec(
        smoothed(lambda images: total_variation(images, weight=0.03)), summary="Total variation, weight 0.03"
    ),
    "noise8": DefenceSpec(
        noise_averaged(sigma=0.05, copies=8), summary="Mean over 8 noisy copies, sigma 0.05", draws=2
    ),
    "resize_pad": DefenceSpec(
        resized_and_padded(smallest=0.85), summary="Random resize (0.85 to 1) and padding", draws=8
    ),
}


def defence_named(name: str) -> DefenceSpec:
    """Return a defence by name; RobustPoseError for an unknown one."""
    if name not in DEFENCES:
        raise unknown_name("defence", name, DEFENCES)
    return DEFENCES[name]


def defended(opened: OpenedModel, name: str) -> OpenedModel:
    """Put a defence in front of an opened model; RobustPoseError where the model does not support it."""
    spec = defence_named(name)
    title = f"{name}:{opened.name}"
    try:
        model = spec.make(opened.module)
    except RobustPoseError as error:
        raise RobustPoseError(f"{title}: {error}") from None
    if not isinstance(model, PoseModel):
        raise RobustPoseError(
            f"{title}: a defence must return a model with skeleton, input_size and head, got "
            f"{type(model).__name__}"
        )
    taken, given = (tuple(map(int, each.input_size)) for each in (opened.module, model))
    if taken != given or model.skeleton != opened.module.skeleton:
        raise RobustPoseError(
            f"{title}: a defence must not change the model's input size and skeleton, {taken} and "
            f"{opened.module.skeleton.name}, got {given} and {model.skeleton.name}"
        )
    if isinstance(model, nn.Module):
        model.eval()
    if isinstance(model, Defended):
        model.draws = max(model.draws, spec.draws)
    what = "flip test" if name == "flip" else name  # the fingerprints of older results
    fingerprint = hashlib.sha256(f"{what} of {opened.fingerprint}".encode()).hexdigest()
    return OpenedModel(name=title, module=model, fingerprint=versioned(fingerprint, spec.version))


def split_defences(spec: str) -> tuple[list[str], str]:
    """Split NAME:...:MODEL into the names of the defences, the outermost first, and the model."""
    names: list[str] = []
    while (first := spec.partition(":"))[0] in DEFENCES:
        names.append(first[0])
        spec = first[2]
    return names, spec


def open_defended(name: str, *, spec: Path | ModelSpec | None = None) -> OpenedModel:
    """Open a model by name with the defences written before it: see open_model.

    RobustPoseError for a model that cannot be opened, and for an unknown defence.
    """
    names, model = split_defences(name)
    if names and not model:
        raise RobustPoseError(f"{names[-1]} needs a model to defend, such as {names[-1]}:shg2")
    first, colon, rest = model.partition(":")
    if colon and not is_model(model) and is_model(split_defences(rest)[1]):
        raise unknown_name("defence", first, DEFENCES)
    opened = open_model(model, spec=spec)
    for defence in reversed(names):
        opened = defended(opened, defence)
    return opened


def behind(defence: str, models: tuple[str, ...]) -> tuple[str, ...]:
    """Return the names of models behind a defence; unchanged for ''. RobustPoseError for an unknown defence."""
    if not defence:
        return models
    defence_named(defence)
    return tuple(f"{defence}:{model}" for model in models)


def spec_is_for(spec: str) -> bool:
    """Say whether a model, with or without defences, is described by a model spec."""
    return takes_spec(split_defences(spec)[1])
