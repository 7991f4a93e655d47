"""Folders of the package on the user's machine."""

import os
from pathlib import Path

import platformdirs


def cache_folder(name: str) -> Path:
    """Return a cache folder, under ROBUSTPOSE_CACHE if set, else in the user's cache."""
    root = os.environ.get("ROBUSTPOSE_CACHE")
    return (Path(root) if root else platformdirs.user_cache_path("robustpose")) / name
