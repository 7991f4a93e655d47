"""Reading the files of models."""

from pathlib import Path

from robustpose.errors import RobustPoseError


def read_file(path: Path) -> bytes:
    """Return a file's content; RobustPoseError where it cannot be read."""
    try:
        return path.read_bytes()
    except FileNotFoundError:
        raise RobustPoseError(f"{path}: no such file") from None
    except OSError as error:
        raise RobustPoseError(f"{path}: cannot be read: {error.strerror}") from None
