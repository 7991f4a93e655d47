"""OpenedModel: a net ready to be attacked, whatever it was opened from."""

from dataclasses import dataclass

from robustpose.types import PoseModel


@dataclass(frozen=True)
class OpenedModel:
    """A net ready to be attacked, with what identifies it in results.

    fingerprint  a hash of the weights (and of the spec, for an imported net)
    """

    name: str
    net: PoseModel
    fingerprint: str
