"""What an alarm says."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Alarm:
    """A sign that an attack failed.

    name  of ALARMS, and of its section in docs/alarms.md
    says  what was seen, with its numbers
    """

    name: str
    says: str

    @property
    def line(self) -> str:
        """One line for people."""
        return f"alarm: {self.says} (docs/alarms.md#{self.name})"
