"""Where the package keeps things on the user's machine."""

import os
from pathlib import Path

import platformdirs


def cache_folder(name: str) -> Path:
    """Return a folder for what can be made or fetched anew: under ROBUSTPOSE_CACHE, or in the user's cache."""
    root = os.environ.get("ROBUSTPOSE_CACHE")
    return (Path(root) if root else platformdirs.user_cache_path("robustpose")) / name
