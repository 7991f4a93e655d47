"""The examples in docstrings are true."""

import doctest
import importlib
import pkgutil

import pytest

import robustpose


@pytest.mark.slow
def test_examples_in_docstrings() -> None:
    tried = 0
    for found in pkgutil.walk_packages(robustpose.__path__, prefix="robustpose."):
        results = doctest.testmod(importlib.import_module(found.name))
        assert results.failed == 0, f"{found.name}: {results.failed} examples are wrong; see the captured output"
        tried += results.attempted
    assert tried >= 2, "unknown_name and parse_eps have one each"
