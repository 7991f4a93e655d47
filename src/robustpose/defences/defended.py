"""DefenceSpec, and a model behind a defence."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from torch import Tensor, nn

from robustpose.skeletons import Skeleton
from robustpose.types import Head, PoseModel, PoseOutput

Answer = Callable[[PoseModel, Tensor], PoseOutput]


@dataclass(frozen=True)
class DefenceSpec:
    """A defence.

    make      returns the defended model, which must have the same input size and skeleton
    summary   one line that says what it does
    gradient  'exact', or 'straight-through' if an attack takes the gradient of the identity instead (BPDA)
    draws     number of evaluations over which an attack averages its loss; above 1 for a defence that draws
    version   raised when it computes something else; part of the keys of stored results
    """

    make: Callable[[PoseModel], PoseModel]
    summary: str
    gradient: Literal["exact", "straight-through"] = "exact"
    draws: int = 1
    version: int = 1


class Defended(nn.Module):
    """A model whose output is `answer(model, images)`; satisfies PoseModel.

    forward: images (N, 3, H, W) in [0, 1] -> PoseOutput. Gradients flow through `answer`.
    """

    def __init__(self, model: PoseModel, answer: Answer) -> None:
        super().__init__()
        self.model, self.answer = model, answer
        self.differentiable = bool(getattr(model, "differentiable", True))
        self.draws = int(getattr(model, "draws", 1))
        if hasattr(model, "padding"):
            self.padding = model.padding

    @property
    def skeleton(self) -> Skeleton:
        """The model's."""
        return self.model.skeleton

    @property
    def input_size(self) -> tuple[int, int]:
        """The model's."""
        return self.model.input_size

    @property
    def head(self) -> Head:
        """The model's."""
        return self.model.head

    def forward(self, images: Tensor) -> PoseOutput:
        """Predict keypoints; see the class for shapes."""
        return self.answer(self.model, images)
