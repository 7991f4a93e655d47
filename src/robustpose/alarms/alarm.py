"""The type of an alarm."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Alarm:
    """A sign that an attack failed.

    name  its key in ALARMS and its section in docs/alarms.md
    says  the observation, with numbers
    """

    name: str
    says: str

    @property
    def line(self) -> str:
        """The alarm as one line of text."""
        return f"alarm: {self.says} (docs/alarms.md#{self.name})"
