"""Adversarial images of a batch in memory, from any module, also inside a training loop."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from robustpose import attacks
from robustpose.api.completing import complete_spec
from robustpose.api.losses import loss_of
from robustpose.api.opening import AnyModel, AnySpec, load_model, plain, read_given
from robustpose.attack_types import Attack
from robustpose.attacks import FusedModel, attack_spec, craft, make_attack
from robustpose.attacks.contract import check_input
from robustpose.attacks.ensemble import Ensemble
from robustpose.errors import RobustPoseError, unknown_name
from robustpose.given import device_of, images_of, number_of, whole_of
from robustpose.models import OpenedModel
from robustpose.models.importers.hf import live_spec
from robustpose.models.importers.imported import ImportedPose, StagesOf
from robustpose.models.precision import adapted, in_float32
from robustpose.models.specs import given_spec
from robustpose.models.untouched import untouched
from robustpose.objectives import OBJECTIVES, Aim, correct_radius
from robustpose.threats import make_threat, read_eps
from robustpose.types import Batch, PoseModel

_FEW = 5
"""Steps from which a fused copy of the model saves more time than making it takes."""

LossOfOutput = Callable[..., Tensor]
"""(the module's output, keypoints, visible) -> losses (N,) or (N, ...), or one number for the batch."""


def perturb(
    model: AnyModel,
    images: Tensor | NDArray[Any],
    keypoints: Tensor | NDArray[Any],
    visible: Tensor | NDArray[Any] | None = None,
    *,
    attack: str | Attack | Ensemble = "pgd",
    eps: float | str | Tensor | None = None,
    threat: str = "",
    steps: int | None = None,
    targeted: bool = False,
    objective: str = "",
    loss: LossOfOutput | None = None,
    spec: AnySpec = None,
    boxes: Tensor | NDArray[Any] | None = None,
    head_size: Tensor | NDArray[Any] | None = None,
    seed: int = 0,
    round_to_8bit: bool = False,
    search: str = "fp32",
) -> Tensor:
    """Return adversarial images (N, 3, H, W) for a batch; they have the type and the device of `images`.

    The model is attacked in eval mode, on its own device, and comes back as it was: modes, gradients, buffers and
    random state. Attacks search in float32 outside autocast, also on models in half precision.

    images     (N, 3, H, W) in [0, 1], or uint8. keypoints (N, K, 2) in input pixels and visible (N, K): see
               Batch.from_tensors, as for boxes and head_size, which say when a keypoint is lost
    attack     a name in robustpose.attacks.ATTACKS, or an attack such as PGD(steps=10, restarts=2)
    steps      number of steps of an attack by name; so few that they cannot use the budget are made larger
    eps        the budget of the threat (default linf: 8/255), a number in [0, 1] units or a string such as '8/255'
    targeted   the keypoints are the pose to reach, instead of the one to leave
    objective  a name in robustpose.objectives.OBJECTIVES; default: the attack's own
    loss       a loss of your own to raise: loss(model(images), keypoints, visible), one value per image, or one
               number, which is then computed for each image alone. keypoints and visible may then be any tensors
               with a row per image, such as heatmaps and weights. The model needs no spec; one given as a
               dictionary may have mean, std, scale and channels
    spec       the model spec; as a dictionary it may leave out what module and images tell: {'head': 'heatmap',
               'sigma': 2} is enough for heatmaps
    seed       of random starts; in a training loop the number of the step makes them differ
    round_to_8bit  return images that can be saved with 8 bits; needs such images

    RobustPoseError for what cannot be attacked.
    """
    threat = threat or (attack_spec(attack).default_threat if isinstance(attack, str) else "linf")
    made = _made(attack, threat, steps=steps, targeted=targeted)
    limits = make_threat(threat, read_eps(_eps(eps), threat))
    if objective and objective not in OBJECTIVES:
        raise unknown_name("objective", objective, OBJECTIVES)
    seed = whole_of(seed, "seed", least=0)
    pixels = images_of(images)
    with torch.inference_mode(False), torch.autocast(_home(model, pixels).type, enabled=False):
        if loss is not None:
            if objective or isinstance(made, Ensemble):
                what = f"objective {objective!r}" if objective else f"attack {attack!r}"
                raise RobustPoseError(f"{what} has losses of its own; leave it out, or leave out loss")
            module, raised = loss_of(model, loss, pixels, (keypoints, visible), targeted=targeted, spec=spec)
            seen = pixels.clone().to(device_of(module))
            with untouched(module):
                (crafted,) = craft(
                    made,
                    raised,
                    seen,
                    ids=tuple(map(str, range(len(pixels)))),
                    at=None,
                    threat=limits,
                    seed=seed,
                    round_to_8bit=round_to_8bit,
                ).values()
            return as_given(crafted.images, seen, like=images)
        batch = Batch.from_tensors(pixels.clone(), keypoints, visible, boxes=boxes, head_size=head_size)
        posed = _posed(model, spec, batch)
        batch = _for(posed, batch).to(device_of(posed))
        found = _perturbed(
            made,
            posed,
            batch,
            threat=limits,
            objective=objective or _own_objective(made),
            targeted=targeted,
            seed=seed,
            round_to_8bit=round_to_8bit,
            search=search,
        )
    return as_given(found, batch.images, like=images)


def _perturbed(
    attack: Attack | Ensemble,
    model: PoseModel,
    batch: Batch,
    *,
    threat: Any,
    objective: str,
    targeted: bool,
    seed: int,
    round_to_8bit: bool,
    search: str,
) -> Tensor:
    """Run an attack as attacks.run does, without a last pass that scores its images."""
    target = attacks.Target(batch.keypoints, batch.visible) if targeted else None
    check_input(model, batch, target)
    if isinstance(attack, Ensemble):
        return attacks.run(
            attack,
            model,
            batch,
            threat=threat,
            target=target,
            seed=seed,
            round_to_8bit=round_to_8bit,
            search=search,
        ).images
    aim = Aim(batch.keypoints, batch.visible, correct_radius(batch))
    with untouched(model):
        few = search == "fp32" and getattr(attack, "steps", 1) < _FEW
        searched = in_float32(model) if few else FusedModel(model, search=search)
        raised = OBJECTIVES[objective].bind(searched, aim, targeted=targeted)
        (crafted,) = craft(
            attack,
            raised,
            batch.images,
            ids=batch.ids,
            at=None,
            threat=threat,
            seed=seed,
            round_to_8bit=round_to_8bit,
        ).values()
    return crafted.images


def _made(attack: object, threat: str, *, steps: int | None, targeted: bool) -> Attack | Ensemble:
    """Return the attack; RobustPoseError for one that does not change pixel values."""
    if isinstance(attack, str):
        if attack_spec(attack).moves_truth or not attack_spec(attack).serves(threat):
            served = ", ".join(attack_spec(attack).served)
            raise RobustPoseError(
                f"attack {attack!r} supports {served}; perturb changes pixel values, got {threat}"
            )
        steps = None if steps is None else whole_of(steps, "steps")
        attack = _reaching(make_attack(attack, targeted=targeted, steps=steps))
    elif steps is not None:
        raise RobustPoseError(f"steps is for attacks by name; write {type(attack).__name__}(steps={steps!r})")
    if isinstance(attack, type) or not isinstance(attack, Attack | Ensemble):
        raise RobustPoseError(f"attack must be a name or an attack such as PGD(), got {attack!r:.80}")
    return attack


def _reaching(attack: Any) -> Any:
    """Return an attack whose steps are large enough to use the budget: 2.5 / steps, as in Madry et al. 2018."""
    steps, size = getattr(attack, "steps", 0), getattr(attack, "step_size", None)
    if isinstance(attack, attacks.EotPatch) or not size or steps * size >= 1:
        return attack
    return replace(attack, step_size=min(1.25, 2.5 / steps))


def _own_objective(attack: object) -> str:
    """Return the default objective of an attack of the package; the training loss for any other."""
    for spec in attacks.ATTACKS.values():
        if spec.objective and type(spec.make(targeted=False)) is type(attack):
            return spec.objective
    return "training_loss"


def _eps(eps: object) -> float | str | None:
    return eps if eps is None or isinstance(eps, str) else number_of(eps, "eps")


def _home(model: object, images: Tensor) -> torch.device:
    module = model.module if isinstance(model, OpenedModel) else model
    return device_of(module) if isinstance(module, nn.Module) else images.device


def _posed(model: AnyModel, spec: AnySpec, batch: Batch) -> PoseModel:
    """Return the model to attack. Modules are not checked or hashed, which would take time in a training loop."""
    if isinstance(model, OpenedModel) and spec is None:
        return model.module
    if not isinstance(model, nn.Module):
        return load_model(model, spec=spec).module
    model = plain(model)
    if isinstance(model, PoseModel) and spec is None:
        posed = adapted(model)
        assert isinstance(posed, PoseModel)
        return posed
    graph: nn.Module = model
    if spec is None and type(model).__module__.startswith("transformers."):
        known, graph = live_spec(model, name=type(model).__name__)
    elif spec is None:
        raise RobustPoseError(
            f"{type(model).__name__} has no skeleton, input_size and head: give loss=, or if it returns heatmaps "
            "spec={'head': 'heatmap', 'sigma': 2} (docs/python.md)"
        )
    else:
        filled = complete_spec(spec, model, sample=batch.take([0])) if isinstance(spec, Mapping) else spec
        read = read_given(filled)
        assert read is not None
        known = given_spec(read, format="torch")
    stages = StagesOf(adapted(graph), known.stages, where=type(model).__name__)
    return ImportedPose(stages, known, fingerprint="").to(device_of(model))


def _for(model: PoseModel, batch: Batch) -> Batch:
    """Return the batch in the model's skeleton; RobustPoseError for another number of keypoints."""
    if len(batch.skeleton) != len(model.skeleton):
        raise RobustPoseError(
            f"keypoints must be the {len(model.skeleton)} of {model.skeleton.name}, got {len(batch.skeleton)}"
        )
    return replace(batch, skeleton=model.skeleton)


def as_given(adv: Tensor, images: Tensor, *, like: object) -> Tensor:
    """Return adversarial images with the type and device of `like`, still within the budget around `images`.

    Rounding to half precision goes towards the clean image, so that no change grows. uint8 stays float32.
    """
    adv, images = adv.detach(), images.detach()
    if not isinstance(like, Tensor):
        return adv.cpu()
    if like.is_floating_point() and like.dtype != torch.float32:
        adv = towards(adv, images, like.dtype)
    return adv.to(like.device)


def towards(adv: Tensor, images: Tensor, dtype: torch.dtype) -> Tensor:
    """Round values >= 0 to a type; where that moves one away from `images`, take its neighbour nearer to them."""
    rounded = adv.to(dtype)
    if torch.finfo(dtype).bits > 16:
        return rounded
    over = (rounded.float() - images).abs() > (adv - images).abs()
    bits = rounded.view(torch.int16)  # of values >= 0, the order of the bits is that of the values
    step = torch.where(rounded.float() > images, -1, 1).to(torch.int16)
    return torch.where(over, bits + step, bits).view(dtype)
