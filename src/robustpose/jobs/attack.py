"""A cell: one model under one attack on one block of people. Its key is the hash of its fields."""

from dataclasses import asdict, dataclass, field, replace

from robustpose.errors import RobustPoseError
from robustpose.jobs.job import code_version, key_of
from robustpose.jobs.setting import Setting


@dataclass(frozen=True)
class Cell:
    """One model, one block of people, clean or under one attack.

    start, stop  rows of the data set
    photos       a hash of the pictures that the cell reads
    pool         for targeted attacks: target poses are drawn from the first `pool` people
    metric       for targeted attacks: what an accidental hit of the target is; for objectives that ask: the radius
    keep_images  how many people at the block's start keep their adversarial picture; no part of the key, for the
                 result does not depend on it
    """

    model: str
    model_fingerprint: str
    data: str
    data_fingerprint: str
    start: int
    stop: int
    photos: str = ""
    setting: Setting | None = None
    pool: int = 0
    metric: str = ""
    keep_images: int = field(default=0, compare=False)
    seed: int = 0
    version: str = field(default_factory=code_version)

    def __post_init__(self) -> None:
        if not 0 <= self.start < self.stop:
            raise RobustPoseError(f"a cell needs rows 0 <= start < stop, got {self.start} to {self.stop}")

    @property
    def title(self) -> str:
        """What it is, for people."""
        return f"{self.model}: {'clean' if self.setting is None else self.setting.title}"

    def of_version(self, version: str, /) -> "Cell":
        """Return the same cell as another version of the code defines it."""
        return replace(self, version=version)

    def as_dict(self) -> dict[str, object]:
        """Every field that defines the cell, the attack's hyper-parameters spelled out."""
        fields = asdict(self)
        del fields["keep_images"]
        if self.setting is not None:
            del fields["setting"]["steps"]  # None and the attack's own number are one job
            fields["setting"]["numbers"] = self.setting.numbers
        return fields

    @property
    def key(self) -> str:
        """The hash of the fields (32 hex digits)."""
        return key_of(self.as_dict())
