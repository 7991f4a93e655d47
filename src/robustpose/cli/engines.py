"""Options that say where a study is computed."""

import re
from typing import TYPE_CHECKING, Annotated

import typer

from robustpose.errors import RobustPoseError, unknown_name

if TYPE_CHECKING:
    from robustpose.cli.running import How
    from robustpose.jobs.run import Shard

EngineOption = Annotated[str, typer.Option("--engine", help="local, this process; ray, many (extra `ray`)")]
AddressOption = Annotated[
    str, typer.Option("--address", help="Of a running Ray cluster, or auto; one is started here where empty")
]
WorkersOption = Annotated[int, typer.Option("--workers", help="Of ray; 0: as many as there are processors", min=0)]
ThreadsOption = Annotated[
    int | None,
    typer.Option("--threads", help="Of torch; of each ray worker, 1 by default; of this process, all", min=1),
]
GpusOption = Annotated[
    float, typer.Option("--gpus", help="Of each ray worker; 0.5: two workers share a GPU", min=0)
]
ShardOption = Annotated[
    str, typer.Option("--shard", help="2/8: compute the second of eight shares, for job arrays")
]
DeviceOption = Annotated[str, typer.Option("--device", help="cpu or cuda, of the local engine")]


def how_of(
    *, engine: str, address: str, workers: int, threads: int | None, gpus: float, shard: str, device: str
) -> "How":
    """Read the options; RobustPoseError for what does not go together."""
    from robustpose.cli.running import How
    from robustpose.jobs.local import LocalEngine
    from robustpose.jobs.ray import RayEngine

    if engine not in ("local", "ray"):
        raise unknown_name("engine", engine, ("local", "ray"))
    if engine == "local":
        if address or workers or gpus:
            raise RobustPoseError("--address, --workers and --gpus are of --engine ray")
        return How(engine=LocalEngine(threads=threads or 0), device=device, shard=_shard(shard))
    ray = RayEngine(address=address, workers=workers, threads=threads or 1, gpus=gpus)
    return How(engine=ray, device="cpu", shard=_shard(shard))


def _shard(text: str) -> "Shard":
    from robustpose.jobs.run import Shard

    if not text:
        return Shard()
    match = re.fullmatch(r"(\d+)/(\d+)", text)
    if match is None:
        raise RobustPoseError(f"--shard must be i/n such as 2/8, got {text!r}")
    return Shard(index=int(match[1]), count=int(match[2]))
