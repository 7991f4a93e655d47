"""`python -m tests.hostile.fuzz --inputs 10000` feeds changed files to every reader and prints a table.

Each reader runs in a process of its own, which must stay under 2 GB more than it took before the first file, and
each file must be read or refused within a minute: RobustPoseError of one line, or a result.
"""

import argparse
import json
import os
import random
import resource
import shutil
import signal
import sys
import tempfile
import traceback
from collections import Counter
from pathlib import Path
from types import FrameType
from typing import Any

from robustpose.errors import RobustPoseError
from tests.hostile.mutations import changed_bytes, changed_json
from tests.hostile.readers import Reader, readers

SECONDS = 60
MEMORY = 2_000_000
"""Kilobytes that reading may add."""


class TooLong(BaseException):
    """A file was not read in time."""


def _late(signal_number: int, frame: FrameType | None) -> None:
    raise TooLong


def try_reader(reader: Reader, *, inputs: int, seed: int = 0) -> tuple[Counter[str], list[str]]:
    """Feed changed files to a reader; return how they ended, and what must not be, with the input's number."""
    ends: Counter[str] = Counter()
    wrong: list[str] = []
    signal.signal(signal.SIGALRM, _late)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "whole"
        write(folder, reader.files)
        reader.read(folder)  # the valid file is read
        shutil.rmtree(folder)
        for number in range(inputs):
            chance = random.Random(f"{reader.name} {seed} {number}")
            folder = Path(name) / str(number)
            files = dict(reader.files)
            for changed in chance.sample(reader.changed, k=chance.choice((1, 1, len(reader.changed)))):
                change = changed_json if reader.json and chance.random() < 0.6 else changed_bytes
                files[changed] = change(files[changed], chance)
            write(folder, files)
            signal.alarm(SECONDS)
            try:
                reader.read(folder)
                ends["read"] += 1
            except RobustPoseError as error:
                ends["refused"] += 1
                if "\n" in str(error):
                    wrong.append(f"{number}: an error of several lines: {str(error)[:200]!r}")
            except TooLong:
                wrong.append(f"{number}: not read within {SECONDS} seconds")
            except Exception as error:
                at = traceback.extract_tb(error.__traceback__)[-1]
                wrong.append(f"{number}: {type(error).__name__}: {str(error)[:120]} ({at.filename}:{at.lineno})")
            finally:
                signal.alarm(0)
                shutil.rmtree(folder, ignore_errors=True)
    ends["wrong"] = len(wrong)
    return ends, wrong


def write(folder: Path, files: dict[str, bytes]) -> None:
    """Write files below a folder."""
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


def _apart(reader: Reader, *, inputs: int, seed: int) -> dict[str, Any]:
    """Try a reader in a forked process; return its answer, or how it ended."""
    answers, told = os.pipe()
    child = os.fork()
    if child == 0:
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        ends, wrong = try_reader(reader, inputs=inputs, seed=seed)
        more = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
        if more > MEMORY:
            wrong.append(f"{more / 1e6:.1f} GB of memory")
        os.write(told, json.dumps({"ends": ends, "wrong": wrong[:50], "memory": more}).encode())
        os._exit(0)
    os.close(told)
    with os.fdopen(answers, "rb") as stream:
        content = stream.read()
    status = os.waitpid(child, 0)[1]
    if not content:
        return {"ends": {}, "wrong": [f"ended its process: {os.waitstatus_to_exitcode(status)}"], "memory": 0}
    answer: dict[str, Any] = json.loads(content)
    return answer


def main() -> None:
    """Run all readers, or the one of --reader in this process, and print what happened."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--inputs", type=int, default=10_000, help="files in all; slow readers get a tenth each")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--reader", default="", help="only this one")
    given = parser.parse_args()
    every = [each for each in readers() if given.reader in ("", each.name)]
    weight = sum(1 if each.slow else 10 for each in every)
    total: Counter[str] = Counter()
    print("| reader | files | read | refused | tracebacks, hangs | memory added, MB |\n|---|---|---|---|---|---|")
    failures = []
    for each in every:
        inputs = -(-given.inputs * (1 if each.slow else 10) // weight)
        told = _apart(each, inputs=inputs, seed=given.seed)
        ends = Counter(told["ends"])
        total += Counter({"files": inputs, **ends})
        row = (each.name, inputs, ends["read"], ends["refused"], len(told["wrong"]), told["memory"] // 1000)
        print("| " + " | ".join(map(str, row)) + " |", flush=True)
        failures += [f"{each.name} {line}" for line in told["wrong"]]
    print(f"| all | {total['files']} | {total['read']} | {total['refused']} | {len(failures)} | |")
    for line in failures:
        print(line)
    sys.exit(1 if failures else 0)


if __name__ == "__main__":
    main()
