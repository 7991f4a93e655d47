"""DefenceSpec, and a model behind a defence."""

from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor, nn

from robustpose.skeletons import Skeleton
from robustpose.types import Head, PoseModel, PoseOutput

Answer = Callable[[PoseModel, Tensor], PoseOutput]


@dataclass(frozen=True)
class DefenceSpec:
    """A defence.

    make     returns the defended model, which must have the same input size and skeleton
    summary  one line that says what it does
    version  raised when it computes something else; part of the keys of stored results
    """

    make: Callable[[PoseModel], PoseModel]
    summary: str
    version: int = 1


class Defended(nn.Module):
    """A model whose output is `answer(model, images)`; satisfies PoseModel.

    forward: images (N, 3, H, W) in [0, 1] -> PoseOutput. Gradients flow through `answer`.
    """

    def __init__(self, model: PoseModel, answer: Answer) -> None:
        super().__init__()
        self.model, self.answer = model, answer
        self.differentiable = bool(getattr(model, "differentiable", True))
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
