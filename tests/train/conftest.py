"""Tiny models in place of real ones, and an uninterrupted training."""

from pathlib import Path

import pytest

from robustpose.train import run as module
from tests.train.dots import start, tiny


@pytest.fixture
def tiny_models(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "build", tiny)


@pytest.fixture(scope="session")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("undisturbed")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "build", tiny)
        start(out)
    return out
