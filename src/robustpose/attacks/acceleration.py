"""Two ways to make attacks faster: a fused copy of the model, and no passes for people who are finished.

**Fused copy.** In eval mode a batch norm is a scale and a shift. After a convolution it is folded into that
convolution's weights; elsewhere it becomes one fused multiply-add. Weights and images are stored channels last.
The copy is used only if its outputs and gradients agree with the model's on an image of the batch. Otherwise the
model itself is searched. Scores never come from the copy.

**Finished people.** A saturating loss (CappedLoss) states the highest value that each person can reach. Once
an image of a person reaches it, no other image scores higher, and the gradient is 0. An attack that returns the
best image, or that stops moving where the gradient is 0, needs no further passes for this person; it declares
`stops_at_cap` (StopsAtCap). An attack that shrinks a successful perturbation does not.
"""

from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

import torch
from torch import Tensor, nn

from robustpose.attack_types import Loss
from robustpose.attacks.gradient import check_differentiable
from robustpose.errors import unknown_name
from robustpose.models.precision import in_float32
from robustpose.skeletons import Skeleton
from robustpose.types import Head, PoseModel, PoseOutput

Search = Literal["fp32", "bf16"]
SEARCHES: tuple[str, ...] = get_args(Search)
"""Precisions of the search. bf16 has an 8-bit mantissa inside the model; scores are always computed in fp32."""

_COMPARED = 1
"""Number of images on which a copy must agree with its model."""
_SAME_OUTPUT = 1e-3
"""Largest difference of an output from the model's, relative to the largest output: rounding over many layers."""
_SAME_SIGNS = 0.999
"""Share of gradient signs that must agree: rounding may move a value to the other side of a ReLU."""
_SAME_GRADIENT = 0.05
"""Largest difference of the gradient from the model's, relative to its length, for the same reason."""
_NEAR_CAP = 1e-6
"""Rounding error of a mean over keypoints."""


class FusedModel:
    """A PoseModel with the outputs of another one, for the search only.

    The first pass uses the model itself, because a one-step attack gains nothing from a copy. The second pass
    makes the copy and compares it with the model. A model in float64 or half precision is copied to float32 first.
    RobustPoseError for an unknown precision.
    """

    def __init__(self, model: PoseModel, *, search: str = "fp32") -> None:
        if search not in SEARCHES:
            raise unknown_name("search", search, SEARCHES)
        self._model, self._search = in_float32(model), search
        self._searched: PoseModel | None = None
        self._passes = 0

    @property
    def skeleton(self) -> Skeleton:
        """The model's."""
        return self._model.skeleton

    @property
    def input_size(self) -> tuple[int, int]:
        """The model's."""
        return self._model.input_size

    @property
    def head(self) -> Head:
        """The model's."""
        return self._model.head

    def __call__(self, images: Tensor, /) -> PoseOutput:
        """Predict keypoints in images (N, 3, H, W); outputs are float32."""
        if images.requires_grad:
            check_differentiable(self._model)
        self._passes += 1
        if self._passes > 1 and self._searched is None and len(images):
            self._searched = fused_copy(self._model, images.detach()[:_COMPARED]) or self._model
        searched = self._searched or self._model
        if searched is not self._model:
            images = images.contiguous(memory_format=torch.channels_last)
        if self._search == "fp32":
            return searched(images)
        with torch.autocast(images.device.type, dtype=torch.bfloat16):
            output = searched(images)
        return PoseOutput(
            keypoints=output.keypoints.float(),
            scores=output.scores.float(),
            stages=tuple(stage.float() for stage in output.stages),
        )


def fused_copy(model: PoseModel, images: Tensor) -> PoseModel | None:
    """Return a fused copy that agrees with a model in eval mode on images (N, 3, H, W), or None.

    None for models without plain convolutions, with hooks or with random layers, and where the copy differs.
    """
    if not isinstance(model, nn.Module) or not _may_be_copied(model):
        return None
    try:
        copy: Any = deepcopy(model)
        _fold(copy, images[:1])
        copy.to(memory_format=torch.channels_last)
        return copy if _agree(model, copy, images) else None
    except (RuntimeError, TypeError, AttributeError, NotImplementedError):
        return None  # a user's model may not support copying or forward hooks; then it is searched itself


def _may_be_copied(model: nn.Module) -> bool:
    """Say whether a model has plain convolutions and no hooks, which a copy would not run."""
    modules = list(model.modules())
    hooked = any(
        module._forward_hooks or module._forward_pre_hooks or module._backward_hooks or module._backward_pre_hooks
        for module in modules
    )
    return not hooked and any(type(module) in (nn.Conv2d, nn.ConvTranspose2d) for module in modules)


class _Affine(nn.Module):
    """Batch norm in eval mode as one operation."""

    scale: Tensor
    shift: Tensor

    def __init__(self, scale: Tensor, shift: Tensor) -> None:
        super().__init__()
        self.register_buffer("scale", scale[:, None, None])
        self.register_buffer("shift", shift[:, None, None])

    def forward(self, x: Tensor) -> Tensor:
        return torch.addcmul(self.shift, x, self.scale)


def _fold(model: nn.Module, images: Tensor) -> None:
    """Fold each batch norm into the convolution that it follows, where there is one.

    A forward pass shows which convolution a batch norm follows. A convolution whose output is also used elsewhere
    is folded too; then the outputs differ, and the copy is not used.
    """
    replaced: dict[nn.Module, nn.Module] = {}
    for norm, convolutions in _pairs(model, images).items():
        scale, shift = _scale_and_shift(norm)
        if len(convolutions) == 1 and convolutions[0] is not None:
            _absorb(convolutions[0], scale, shift)
            replaced[norm] = nn.Identity()
        else:
            replaced[norm] = _Affine(scale, shift)
    for module in list(model.modules()):
        for name, child in list(module.named_children()):
            if child in replaced:
                setattr(module, name, replaced[child])


def _pairs(model: nn.Module, images: Tensor) -> dict[nn.BatchNorm2d, list[nn.Module | None]]:
    """Return for each batch norm with fixed statistics the convolution before it, per call; None for none.

    A convolution that runs twice does not count: both calls share its weights.
    """
    # The outputs are stored because Python may reuse the id of a freed tensor.
    made: list[tuple[nn.Module, Tensor]] = []
    given: list[tuple[nn.BatchNorm2d, Tensor]] = []
    hooks = []
    for module in model.modules():
        if type(module) in (nn.Conv2d, nn.ConvTranspose2d):
            hooks.append(module.register_forward_hook(lambda m, _, out: made.append((m, out))))
        elif type(module) is nn.BatchNorm2d and module.running_mean is not None and not module.training:
            hooks.append(module.register_forward_pre_hook(lambda m, args: given.append((m, args[0]))))
    with torch.no_grad():
        model(images)
    for hook in hooks:
        hook.remove()
    makers = [module for module, _ in made]
    source = {id(out): module for module, out in made if makers.count(module) == 1 and _absorbs(module)}
    pairs: dict[nn.BatchNorm2d, list[nn.Module | None]] = {}
    for norm, x in given:
        pairs.setdefault(norm, []).append(source.get(id(x)))
    return pairs


def _absorbs(module: nn.Module) -> bool:
    return type(module) is nn.Conv2d or (type(module) is nn.ConvTranspose2d and module.groups == 1)


def _scale_and_shift(norm: nn.BatchNorm2d) -> tuple[Tensor, Tensor]:
    """Return the scale and the shift (C,) of a batch norm with fixed statistics."""
    mean, variance = norm.running_mean, norm.running_var
    assert mean is not None
    assert variance is not None
    scale = (variance.cpu().double() + norm.eps).rsqrt()  # on the CPU, because mps has no float64
    scale = scale if norm.weight is None else scale * norm.weight.detach().cpu().double()
    shift = -mean.cpu().double() * scale
    shift = shift if norm.bias is None else shift + norm.bias.detach().cpu().double()
    return scale.to(mean), shift.to(mean)


def _absorb(convolution: nn.Module, scale: Tensor, shift: Tensor) -> None:
    """Fold the scale and shift of the following batch norm into a convolution."""
    assert isinstance(convolution, nn.Conv2d | nn.ConvTranspose2d)
    outputs = (-1, 1, 1, 1) if isinstance(convolution, nn.Conv2d) else (1, -1, 1, 1)
    bias = torch.zeros_like(shift) if convolution.bias is None else convolution.bias.detach()
    weight = convolution.weight.detach() * scale.reshape(outputs)
    convolution.weight = nn.Parameter(weight, requires_grad=False)
    convolution.bias = nn.Parameter(bias * scale + shift, requires_grad=False)


def _agree(model: PoseModel, copy: PoseModel, images: Tensor) -> bool:
    """Say whether two models give the same outputs and gradients on images (N, 3, H, W); NaN never agrees."""
    weights = torch.Generator().manual_seed(0)
    stages, gradient = _answer(model, images, weights)
    others, other = _answer(copy, images.contiguous(memory_format=torch.channels_last), weights.manual_seed(0))
    close = all(
        ours.shape == theirs.shape and bool((ours - theirs).abs().max() <= _SAME_OUTPUT * ours.abs().max())
        for ours, theirs in zip(stages, others, strict=True)
    )
    same = (gradient.sign() == other.sign()).float().mean()
    apart = torch.linalg.vector_norm(gradient - other)
    return (
        close and bool(same >= _SAME_SIGNS) and bool(apart <= _SAME_GRADIENT * torch.linalg.vector_norm(gradient))
    )


def _answer(model: PoseModel, images: Tensor, weights: torch.Generator) -> tuple[tuple[Tensor, ...], Tensor]:
    """Return the stages, and the gradient of a randomly weighted sum of them with respect to the images."""
    images = images.detach().requires_grad_(True)
    with torch.enable_grad():
        stages = model(images).stages
        total = torch.stack(
            [(stage * torch.randn(stage.shape, generator=weights).to(stage)).sum() for stage in stages]
        ).sum()
    (gradient,) = torch.autograd.grad(total, images)
    return tuple(stage.detach() for stage in stages), gradient


@dataclass
class Unfinished:
    """A loss that runs the model only for people none of whose images has reached their `cap` (N,).

    For the others it returns the loss -inf, so that no image replaces the one at the cap, and the gradient 0.
    """

    loss: Loss
    cap: Tensor
    finished: Tensor = field(init=False)

    def __post_init__(self) -> None:
        self.finished = torch.zeros_like(self.cap, dtype=torch.bool)

    def __call__(self, adv: Tensor, rows: Tensor) -> Tensor:
        """Return the losses (M,) of images (M, 3, H, W) of the people `rows`."""
        alive = ~self.finished[rows]
        if bool(alive.all()):
            losses = self.loss(adv, rows)
        elif bool(alive.any()):
            # Images of finished people stay in the graph, so that their gradient is 0 rather than missing.
            losses = adv.new_full((len(rows),), -torch.inf).masked_scatter(
                alive, self.loss(adv[alive], rows[alive])
            )
        else:
            return adv.flatten(1).sum(dim=1) * 0 - torch.inf
        there = losses.detach() >= self.cap[rows] - _NEAR_CAP
        self.finished[rows[there]] = True
        return losses
