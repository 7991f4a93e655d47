"""The entry point: `robustpose`, and `python -m robustpose` for launchers that start modules (torchrun)."""

import os
import signal
import sys
from types import FrameType

_INTERRUPTED = 130


def main() -> None:
    """Run the command line; Ctrl-C during an import ends the process with one line.

    An exception inside an import may be swallowed, or may leave a package half imported. Nothing is written during
    imports, so ending at once loses nothing.
    """
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, _interrupted)
    from robustpose.cli import main as run

    run()


def _interrupted(_: int, frame: FrameType | None) -> None:
    """Exit if an import is running; otherwise raise KeyboardInterrupt, which the command line handles."""
    while frame is not None:
        if frame.f_code.co_filename.startswith("<frozen importlib"):
            sys.stderr.write("\nstopped\n")
            sys.stderr.flush()
            os._exit(_INTERRUPTED)
        frame = frame.f_back
    raise KeyboardInterrupt


if __name__ == "__main__":
    main()
