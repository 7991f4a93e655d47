"""A universal perturbation to be learned."""

from dataclasses import asdict, dataclass, field, replace

from robustpose.jobs.job import code_version, key_of
from robustpose.threats import format_eps


@dataclass(frozen=True)
class UniversalCell:
    """A universal perturbation to be learned: see attacks.Universal.

    start, stop  rows of the training set that it may see
    photos       a hash of their pictures
    eps          in [0, 1] units
    """

    model: str
    model_fingerprint: str
    data: str
    data_fingerprint: str
    start: int
    stop: int
    eps: float
    samples: int
    batch: int = 16
    step_size: float = 1 / 200
    objective: str = "training_loss"
    photos: str = ""
    seed: int = 0
    version: str = field(default_factory=code_version)

    @property
    def title(self) -> str:
        """What it is, for people."""
        return f"{self.model}: universal perturbation at {format_eps(self.eps)}"

    def of_version(self, version: str, /) -> "UniversalCell":
        """Return the same job as another version of the code defines it."""
        return replace(self, version=version)

    def as_dict(self) -> dict[str, object]:
        """Every field that defines it."""
        return {"kind": "universal", **asdict(self)}

    @property
    def key(self) -> str:
        """The hash of the fields (32 hex digits)."""
        return key_of(self.as_dict())
