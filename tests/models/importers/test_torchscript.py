"""torchscript:PATH: agreement with the saved model, and files that are refused before any of their code runs."""

import contextlib
import hashlib
import io
import pickle
import random
import re
import warnings
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from robustpose import attacks
from robustpose.errors import RobustPoseError
from robustpose.models import open_model
from robustpose.models.importers import trial
from robustpose.models.importers.archive import read_archive
from robustpose.models.specs import ModelSpec, make_spec
from robustpose.objectives import TrainingLoss
from robustpose.threats import Linf
from tests.conftest import aim_at, tiny_batch


def spec() -> ModelSpec:
    return make_spec(
        {
            "name": "scripted",
            "format": "torchscript",
            "skeleton": ["left_hand", "right_hand", "nose"],
            "input_size": [16, 12],
            "channels": "RGB",
            "head": "heatmap",
            "heatmap_size": [8, 6],
            "sigma": 1.0,
        }
    )


class Model(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(3, 8, 3, stride=2, padding=1)
        self.norm = nn.BatchNorm2d(8)
        self.last = nn.Conv2d(8, 3, 1)

    def forward(self, x: Tensor) -> Tensor:
        maps: Tensor = self.last(torch.relu(self.norm(self.first(x))))
        return maps


class WritesFile(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        torch.save(x, "written")
        return x


def saved(model: nn.Module, path: Path, *, traced: bool) -> Path:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if traced:
            made = torch.jit.trace(model, torch.rand(1, 3, 16, 12))  # type: ignore[no-untyped-call]
        else:
            made = torch.jit.script(model)
        made.save(str(path))
    return path


@pytest.mark.slow
@pytest.mark.parametrize("traced", [True, False])
def test_agrees_with_the_model_that_was_saved(tmp_path: Path, traced: bool) -> None:
    torch.manual_seed(0)
    model = Model().eval()
    opened = open_model(f"torchscript:{saved(model, tmp_path / 'net.pt', traced=traced)}", spec=spec())
    images = torch.rand(3, 3, 16, 12)
    ours, theirs = images.clone().requires_grad_(), images.clone().requires_grad_()
    (stage,) = opened.module(ours).stages
    assert torch.allclose(stage, model(theirs), atol=1e-6)
    stage.square().sum().backward()  # type: ignore[no-untyped-call]
    model(theirs).square().sum().backward()
    assert ours.grad is not None
    assert theirs.grad is not None
    assert torch.allclose(ours.grad, theirs.grad, atol=1e-6)
    assert open_model(f"torchscript:{tmp_path / 'net.pt'}", spec=spec()).fingerprint == opened.fingerprint


@pytest.mark.slow
def test_can_be_attacked(tmp_path: Path) -> None:
    torch.manual_seed(0)
    model = open_model(
        f"torchscript:{saved(Model().eval(), tmp_path / 'net.pt', traced=False)}", spec=spec()
    ).module
    batch = tiny_batch(2)
    batch = replace(batch, images=torch.randint(0, 256, (2, 3, 16, 12)).float() / 255)
    threat = Linf(eps=8 / 255)
    found = attacks.run(attacks.IGSM(steps=3), model, batch, threat=threat, objective=TrainingLoss("last"))
    loss = TrainingLoss("last").bind(model, aim_at(batch), targeted=False)
    rows = torch.arange(2)
    assert bool((loss(found.images, rows) > loss(batch.images, rows)).all())
    assert (found.forwards, found.backwards) == (6, 6)


def test_code_that_touches_files_is_refused_before_it_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    path = saved(WritesFile(), tmp_path / "bad.pt", traced=False)
    with pytest.raises(RobustPoseError, match="its code names 'save'"):
        open_model(f"torchscript:{path}", spec=spec())
    assert not (tmp_path / "written").exists()


EMPTY = pickle.dumps((), protocol=2)


def archive(code: str, *, pickled: bytes = EMPTY) -> bytes:
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w") as made:
        made.writestr("net/code/__torch__/net.py", code)
        made.writestr("net/constants.pkl", pickled)
        made.writestr("net/data.pkl", pickled)
    return held.getvalue()


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ('def forward(x):\n  return torch.from_file("/etc/passwd")', "names 'from_file'"),
        ('def forward(x):\n  return getattr(torch, "from\\x5ffile")("a")', "names '(getattr|from_file)'"),
        ('def forward(x):\n  return getattr(torch, "from" + "_file")("a")', "names 'getattr'"),
        ("def forward(x):\n  f = torch.from_file\n  return f(x)", "names 'from_file'"),
        ("def forward(x):\n  return ops.mylib.run(x)", r"operators from outside torch, ops\.mylib"),
        ("def forward(x):\n  o = ops\n  return o.mylib.run(x)", "passes operators around"),
        ("def forward(x:\n", "its code cannot be read"),
        ("def forward(x):\n  # type: (Tensor) -> Tensor\n  return x", "has type comments"),
        ("def forward(x):\n  return __torch__.torch.classes.lib.Run(x)", "classes from outside torch"),
    ],
)
def test_code_that_is_refused(code: str, message: str) -> None:
    with pytest.raises(RobustPoseError, match=message):
        read_archive(archive(code), file="net.pt")


def test_plain_code_passes() -> None:
    code = "def forward(x):\n  return ops.prim.NumToTensor(torch.conv2d(x))"
    packed = zipfile.ZipFile(io.BytesIO(read_archive(archive(code), file="net.pt")))
    assert packed.read("archive/code/__torch__/net.py").decode() == code


def changed(
    content: bytes,
    change: Callable[[str, bytes], bytes] = lambda name, held: held,
    *,
    rename: Callable[[str], str] = lambda name: name,
    more: Mapping[str, bytes] = MappingProxyType({}),
) -> bytes:
    """An archive with other records, other names, or more of them; what is added comes first."""
    made = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as source, zipfile.ZipFile(made, "w") as target:
        for name, held in more.items():
            target.writestr(name, held)
        for name in source.namelist():
            target.writestr(rename(name), change(name, source.read(name)))
    return made.getvalue()


class Overwrites(nn.Module):
    """Maps the file "mine" into memory and writes zeros into it."""

    def forward(self, x: Tensor) -> Tensor:
        there = torch.from_file("mine", True, 4, dtype=torch.uint8)
        there.copy_(torch.zeros(4, dtype=torch.uint8))
        return x[:, :, ::2, ::2] + there.sum()


@pytest.mark.parametrize(
    "rename",
    [lambda name: name.replace("/code/", "/CODE/"), lambda name: re.sub(r"\.py$", ".PY", name)],
    ids=["folder", "ending"],
)
def test_code_under_a_name_in_capitals_does_not_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rename: Callable[[str], str]
) -> None:
    """torch finds records in any case, so code beside the code that is read would run unread."""
    monkeypatch.chdir(tmp_path)
    mine = tmp_path / "mine"
    good = saved(Overwrites(), tmp_path / "bad.pt", traced=False).read_bytes()
    bad = changed(good, rename=rename, more={"bad/code/decoy.py": b""})
    mine.write_text("mine")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.jit.load(io.BytesIO(bad))(torch.rand(1, 3, 16, 12))  # type: ignore[no-untyped-call]
    assert mine.read_text() == "\0\0\0\0", "the test is only a test where torch runs such code"
    mine.write_text("mine")
    (tmp_path / "bad.pt").write_bytes(bad)
    with pytest.raises(RobustPoseError, match="which TorchScript does not write: refused"):
        open_model("torchscript:bad.pt", spec=spec())
    assert mine.read_text() == "mine"


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"net/code/__torch__.Py": b""}, r"holds 'net/code/__torch__\.Py', which TorchScript does not write"),
        ({"net/DATA.PKL": EMPTY}, r"holds 'net/data\.pkl' twice"),
        ({"net/Data/0": b""}, "which TorchScript does not write"),
        ({"net/data/A": b"", "net/data/a": b""}, r"holds 'net/data/a' twice \(torch ignores upper and lower case"),
        ({"other/code/a.py": b""}, "holds more than one archive"),
        ({"net/code/../a.py": b""}, "which TorchScript does not write"),
        ({"net/unknown.bin": b""}, "which TorchScript does not write"),
    ],
)
def test_records_that_are_refused(more: dict[str, bytes], message: str) -> None:
    with pytest.raises(RobustPoseError, match=message):
        read_archive(changed(archive("def forward(x):\n  return x"), more=more), file="net.pt")


def test_a_record_that_stands_twice_is_refused() -> None:
    held = io.BytesIO(archive("def forward(x):\n  return x"))
    with zipfile.ZipFile(held, "a") as made, pytest.warns(UserWarning, match="Duplicate name"):
        made.writestr("net/code/__torch__/net.py", "def forward(x):\n  return torch.from_file('a')")
    with pytest.raises(RobustPoseError, match=r"holds 'net/code/__torch__/net\.py' twice"):
        read_archive(held.getvalue(), file="net.pt")


@pytest.mark.slow
def test_torch_gets_only_what_was_read(tmp_path: Path) -> None:
    path = saved(Model().eval(), tmp_path / "net.pt", traced=True)
    more = {"net/extra/note.txt": b"note", "net/code/decoy.py.debug_pkl": b"unread", "net/bytecode.pkl": b"unread"}
    content = changed(path.read_bytes(), more=more)
    packed = zipfile.ZipFile(io.BytesIO(read_archive(content, file="net.pt")))
    with zipfile.ZipFile(path) as good:
        plain = [n for n in good.namelist() if not re.search(r"debug_pkl|traced_inputs|serialization_id", n)]
        expected = {re.sub("^net", "archive", name): good.read(name) for name in plain}
    assert {name: packed.read(name) for name in packed.namelist()} == expected
    path.write_bytes(content)
    assert open_model(f"torchscript:{path}", spec=spec()).name == "scripted"


def test_a_zip_bomb_is_refused() -> None:
    held = io.BytesIO(archive("def forward(x):\n  return x"))
    with zipfile.ZipFile(held, "a", zipfile.ZIP_DEFLATED) as made:
        made.writestr("net/data/0", bytes(210_000_000))
    with pytest.raises(RobustPoseError, match="unpacks to far more than its"):
        read_archive(held.getvalue(), file="net.pt")


class Loops(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        while bool(x.sum() > -1e9):
            x = x + 1
        return x


class Fills(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x + torch.zeros((20_000, 20_000, 20)).sum()


@pytest.mark.slow
def test_a_model_that_loops_is_stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trial, "SECONDS", 3)
    path = saved(Loops(), tmp_path / "loops.pt", traced=False)
    with pytest.raises(RobustPoseError, match=r"cannot be run: it (ended its process|took more than)"):
        open_model(f"torchscript:{path}", spec=spec())


@pytest.mark.slow
def test_a_model_that_fills_the_memory_is_stopped(tmp_path: Path) -> None:
    path = saved(Fills(), tmp_path / "fills.pt", traced=False)
    with pytest.raises(RobustPoseError, match=r"cannot be run: .*(memory|bad_alloc)"):
        open_model(f"torchscript:{path}", spec=spec())


def test_a_model_that_crashes_ends_its_own_process(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    crash = tmp_path / "crash.py"
    crash.write_text("import os\nos.kill(os.getpid(), 11)\n")
    monkeypatch.setattr(trial, "__file__", str(crash))
    failed = trial.try_archive(b"", shape=(3, 16, 12))
    assert failed == ("run", "it ended its process (segmentation fault)")


@pytest.mark.slow
def test_what_a_model_prints_does_not_answer_for_it(tmp_path: Path) -> None:
    class Prints(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            print("null")
            raise RuntimeError("not this picture")

    path = saved(Prints(), tmp_path / "prints.pt", traced=False)
    with pytest.raises(RobustPoseError, match=r"cannot be run: Error: .*not this picture"):
        open_model(f"torchscript:{path}", spec=spec())


def test_damaged_archives_are_refused_in_one_line(tmp_path: Path) -> None:
    """Bytes changed at random, of the zip's own tables too: read or refused, no other error."""
    good = saved(Model().eval(), tmp_path / "net.pt", traced=True).read_bytes()
    draw = random.Random(0)
    for _ in range(300):
        bad = bytearray(good)
        for _ in range(draw.randint(1, 4)):
            bad[draw.randrange(len(bad))] = draw.randrange(256)
        with contextlib.suppress(RobustPoseError):
            read_archive(bytes(bad), file="net.pt")


class Runs:
    def __reduce__(self) -> tuple[Any, ...]:
        return (open, ("ran", "w"))


def test_a_pickle_in_an_archive_runs_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An archive whose pickles name anything that TorchScript does not write is refused before torch reads it."""
    monkeypatch.chdir(tmp_path)
    good = saved(Model().eval(), tmp_path / "net.pt", traced=True).read_bytes()
    bad = tmp_path / "bad.pt"
    bad.write_bytes(changed(good, lambda name, held: pickle.dumps(Runs(), 2) if name == "net/data.pkl" else held))
    with pytest.raises(RobustPoseError, match=r"bad\.pt: data\.pkl names 'io open'.* refused"):
        open_model(f"torchscript:{bad}", spec=spec())
    assert not (tmp_path / "ran").exists()


def test_files_that_are_no_torchscript(tmp_path: Path) -> None:
    state = tmp_path / "state.pt"
    torch.save({"weight": torch.ones(1)}, state)
    with pytest.raises(
        RobustPoseError, match=re.escape("a state dict or a pickled model (torch.save), not TorchScript")
    ):
        open_model(f"torchscript:{state}", spec=spec())
    other = tmp_path / "other.pt"
    other.write_bytes(b"\x80\x02}q\x00.")
    with pytest.raises(RobustPoseError, match="is not a TorchScript archive"):
        open_model(f"torchscript:{other}", spec=spec())
    good = saved(Model().eval(), tmp_path / "net.pt", traced=True)
    other.write_bytes(good.read_bytes()[:-200])
    with pytest.raises(RobustPoseError, match="or is damaged"):
        open_model(f"torchscript:{other}", spec=spec())
    with pytest.raises(RobustPoseError, match=r"gone\.pt: no such file"):
        open_model(f"torchscript:{tmp_path / 'gone.pt'}", spec=spec())
    with pytest.raises(RobustPoseError, match="needs a spec"):
        open_model(f"torchscript:{good}")


@pytest.mark.slow
def test_a_spec_of_another_file_is_refused(tmp_path: Path) -> None:
    path = saved(Model().eval(), tmp_path / "net.pt", traced=True)
    sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
    assert open_model(f"torchscript:{path}", spec=replace(spec(), sha256=sha256)).name == "scripted"
    with pytest.raises(RobustPoseError, match=f"sha256 is {sha256[:12]}..., spec 'scripted' is for 000000000000"):
        open_model(f"torchscript:{path}", spec=replace(spec(), sha256="0" * 64))
