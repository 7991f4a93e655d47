"""A net of another task under the attacks of a study."""

from dataclasses import asdict, dataclass, field, replace

from robustpose.errors import RobustPoseError
from robustpose.jobs.job import code_version, key_of
from robustpose.jobs.setting import Setting


@dataclass(frozen=True)
class TaskCell:
    """A net of another task on one block of people, clean or under an attack on its own loss."""

    task: str
    fingerprint: str
    data: str
    data_fingerprint: str
    start: int
    stop: int
    setting: Setting | None = None
    seed: int = 0
    version: str = field(default_factory=code_version)

    def __post_init__(self) -> None:
        if self.setting is not None and self.setting.targeted:
            raise RobustPoseError(f"{self.task} is attacked away from the truth only; {self.setting.label} aims")

    @property
    def title(self) -> str:
        """What it is, for people."""
        return f"{self.task}: {'clean' if self.setting is None else self.setting.title}"

    def of_version(self, version: str, /) -> "TaskCell":
        """Return the same job as another version of the code defines it."""
        return replace(self, version=version)

    def as_dict(self) -> dict[str, object]:
        """Every field that defines it, the attack's hyper-parameters spelled out."""
        fields = asdict(self)
        if self.setting is not None:
            del fields["setting"]["steps"]
            fields["setting"]["numbers"] = self.setting.numbers
        return {"kind": "task", **fields}

    @property
    def key(self) -> str:
        """The hash of the fields (32 hex digits)."""
        return key_of(self.as_dict())
