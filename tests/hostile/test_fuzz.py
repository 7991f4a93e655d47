"""Changed files of every reader: read or refused in one line. `python -m tests.hostile.fuzz` tries 10,000."""

import random
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from robustpose.errors import RobustPoseError
from tests.hostile.fuzz import try_reader, write
from tests.hostile.mutations import VALUES, changed_bytes, changed_json
from tests.hostile.readers import readers

READERS = {each.name: each for each in readers()}
INPUTS, SLOW_INPUTS = 40, 4
NEVER_REFUSE = ("data check", "journal")
"""They tell what is wrong, or leave out what cannot be read."""


@pytest.mark.parametrize(
    "name", [pytest.param(each.name, marks=[pytest.mark.slow] if each.slow else []) for each in READERS.values()]
)
@pytest.mark.filterwarnings("ignore")
def test_changed_files_are_read_or_refused_in_one_line(name: str) -> None:
    reader = READERS[name]
    inputs = SLOW_INPUTS if reader.slow else INPUTS
    ends, wrong = try_reader(reader, inputs=inputs, seed=1)
    assert wrong == []
    assert ends["read"] + ends["refused"] == inputs
    assert ends["refused"] > 0 or name in NEVER_REFUSE


@settings(max_examples=60, deadline=None, derandomize=True)
@given(st.binary(max_size=200))
@pytest.mark.parametrize("name", ["cell", "study.json", "COCO", "model spec", "place.json"])
def test_any_bytes_are_refused_in_one_line(name: str, content: bytes) -> None:
    """Hypothesis writes the files."""
    reader = READERS[name]
    with tempfile.TemporaryDirectory() as folder:
        write(Path(folder), {**reader.files, reader.changed[0]: content})
        try:
            reader.read(Path(folder))
        except RobustPoseError as error:
            assert "\n" not in str(error)


def test_mutations_are_those_of_their_seed_and_change_files() -> None:
    content = b'{"a": [1, 2, {"b": "c"}], "d": 3}'
    for change in (changed_bytes, changed_json):
        made = [change(content, random.Random(seed)) for seed in range(60)]
        assert made == [change(content, random.Random(seed)) for seed in range(60)]
        assert len({*made}) > 40
    assert any(value in ("../../etc/passwd", "/dev/zero") for value in VALUES)
