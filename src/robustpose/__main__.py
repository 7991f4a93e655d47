"""The entry point: `robustpose`, and `python -m robustpose` for launchers that start modules (torchrun)."""

import sys


def main() -> None:
    """Run the command line; Ctrl-C while it is imported is no traceback."""
    try:
        from robustpose.cli import main as run
    except KeyboardInterrupt:
        print("\nstopped", file=sys.stderr)
        sys.exit(130)
    run()


if __name__ == "__main__":
    main()
