"""OpenedModel: a model ready to be attacked, whatever it was opened from."""

from dataclasses import dataclass

from robustpose.types import PoseModel


@dataclass(frozen=True)
class OpenedModel:
    """A model ready to be attacked, with what identifies it in results.

    fingerprint  a hash of the weights (and of the spec, for an imported model)
    """

    name: str
    module: PoseModel
    fingerprint: str
