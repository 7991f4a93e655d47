"""A net shown pictures that were made elsewhere: on another net, or changed on their way."""

from dataclasses import dataclass, replace

from robustpose.defences import DEFENCES
from robustpose.errors import RobustPoseError, unknown_name
from robustpose.jobs.attack import Cell
from robustpose.jobs.job import key_of
from robustpose.jobs.universal import UniversalCell


@dataclass(frozen=True)
class Replay:
    """A net shown pictures that were made elsewhere, or changed on their way.

    people  the net's own clean cell: who is shown
    source  whose pictures: a cell that keeps all of them, a universal perturbation, None for the clean ones
    change  a name of DEFENCES, or empty
    """

    people: Cell
    source: Cell | UniversalCell | None = None
    change: str = ""

    def __post_init__(self) -> None:
        if self.change and self.change not in DEFENCES:
            raise unknown_name("defence", self.change, DEFENCES)
        setting = self.source.setting if isinstance(self.source, Cell) else None
        if setting is not None and not setting.round_to_8bit:
            raise RobustPoseError(
                f"{setting.title} is under one 8-bit level: its pictures cannot be kept and shown again"
            )

    @property
    def title(self) -> str:
        """What it is, for people."""
        made = f"pictures of {self.source.model}" if self.source else "clean pictures"
        return f"{self.people.model}: {made} {self.change}".rstrip()

    def of_version(self, version: str, /) -> "Replay":
        """Return the same job as another version of the code defines it."""
        source = None if self.source is None else self.source.of_version(version)
        return replace(self, people=self.people.of_version(version), source=source)

    def as_dict(self) -> dict[str, object]:
        """Every field that defines it."""
        source = None if self.source is None else self.source.key
        return {"kind": "replay", "people": self.people.as_dict(), "source": source, "change": self.change}

    @property
    def key(self) -> str:
        """The hash of the fields (32 hex digits)."""
        return key_of(self.as_dict())
