"""Opens and runs a TorchScript archive in a separate process with limits on time and memory.

The process runs this file by its path, so that it imports torch but not this package.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

SECONDS = 120
"""CPU time for opening the archive and running it three times; wall time may be twice as long."""
MEMORY = 4_000_000_000
"""Bytes in addition to torch's own memory and to eight times the archive's size."""


def try_archive(archive: bytes, *, shape: tuple[int, ...]) -> tuple[str, str] | None:
    """Open an archive and run it on random inputs (N, *shape), N = 1 and 2, in a child process.

    Returns None on success, else what failed ("loaded" or "run") and the reason in one line.
    """
    limits = json.dumps({"shape": shape, "seconds": SECONDS, "memory": MEMORY + 8 * len(archive)})
    environment = os.environ | {"OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": "", "PYTHONWARNINGS": "ignore"}
    command = [sys.executable, "-P", str(Path(__file__)), limits]
    try:
        done = subprocess.run(
            command, input=archive, capture_output=True, env=environment, timeout=2 * SECONDS, check=False
        )
    except subprocess.TimeoutExpired:
        return "run", f"it took more than {2 * SECONDS} seconds in a separate process"
    try:
        answer = json.loads(done.stdout)
    except ValueError:
        return "run", f"it ended its process ({_ending(done.returncode)})"
    return None if answer is None else (str(answer[0]), str(answer[1]))


def _ending(code: int) -> str:
    endings = {-24: f"more than {SECONDS} seconds of processor time", -9: "killed", -11: "segmentation fault"}
    return endings.get(code, f"signal {-code}" if code < 0 else f"code {code}")


def main() -> None:
    """Read an archive from standard input, try it, and write try_archive's result as JSON."""
    limits = json.loads(sys.argv[1])
    answers = os.fdopen(os.dup(1), "w")
    silence = os.open(os.devnull, os.O_WRONLY)
    os.dup2(silence, 1)  # the archive's code may print
    os.dup2(silence, 2)
    archive = sys.stdin.buffer.read()
    import torch

    torch.set_num_threads(1)
    _limit(limits["seconds"], limits["memory"])
    answers.write(json.dumps(_tried(archive, tuple(limits["shape"]))))
    answers.flush()
    os._exit(0)


def _limit(seconds: int, memory: int) -> None:
    try:
        import resource
    except ImportError:  # on Windows only the wall time is limited
        return
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    statm = Path("/proc/self/statm")
    if statm.exists():
        taken = int(statm.read_text().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (taken + memory, taken + memory))


def _tried(archive: bytes, shape: tuple[int, ...]) -> tuple[str, str] | None:
    import io

    import torch

    doing = "loaded"
    try:
        module = torch.jit.load(io.BytesIO(archive), map_location="cpu")  # type: ignore[no-untyped-call]
        doing = "run"
        module.eval()
        pair = torch.rand((2, *shape), generator=torch.Generator().manual_seed(0))
        module(pair[:1].clone().requires_grad_())
        with torch.no_grad():
            for images in (pair[:1], pair[1:], pair):
                module(images)
    except Exception as error:  # code of the archive
        printable = "".join(c if c.isprintable() or c == "\n" else "?" for c in str(error))
        lines = [line.strip() for line in printable.splitlines() if line.strip()]
        if doing == "loaded":
            return doing, lines[0] if lines else type(error).__name__
        return doing, f"{type(error).__name__}: {lines[-1][:200]}" if lines else type(error).__name__
    return None


if __name__ == "__main__":
    main()
