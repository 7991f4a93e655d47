"""Cells that stand on others: pictures shown to another net, universal perturbations, nets of other tasks."""

from dataclasses import asdict, dataclass, field, replace

from robustpose.defences import DEFENCES
from robustpose.errors import RobustPoseError, unknown_name
from robustpose.study.cell import Cell, Setting, code_version, key_of
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


AnyCell = Cell | Replay | UniversalCell | TaskCell


def with_sources(cells: "list[AnyCell]") -> "list[AnyCell]":
    """Put what cells stand on before them, each once, in an order that can be computed from first to last.

    Of two cells that differ only in how many pictures they keep, the one that keeps more stays.
    """
    expanded: dict[str, AnyCell] = {}
    for cell in cells:
        if isinstance(cell, Replay) and cell.source is not None:
            _put(expanded, cell.source)
        _put(expanded, cell)
    first = [cell for cell in expanded.values() if not isinstance(cell, Replay)]
    return first + [cell for cell in expanded.values() if isinstance(cell, Replay)]


def _put(into: dict[str, AnyCell], cell: AnyCell) -> None:
    there = into.get(cell.key)
    if isinstance(cell, Cell) and isinstance(there, Cell) and there.keep_images >= cell.keep_images:
        return
    into[cell.key] = cell
