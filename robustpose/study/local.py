"""The local engine: computes walks one after the other in this process."""

from collections.abc import Iterator, Sequence

from robustpose.study.compute import Computed, Sources, compute
from robustpose.study.derived import AnyCell
from robustpose.study.workbench import Workbench


class LocalEngine:
    """This process."""

    def compute(
        self, walks: Sequence[Sequence[AnyCell]], bench: Workbench, sources: Sources
    ) -> Iterator[list[Computed]]:
        """Yield what each walk computed, in order."""
        for walk in walks:
            yield compute(walk, bench, sources)
