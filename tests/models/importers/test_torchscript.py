"""torchscript:PATH: agreement with the net that was saved, and what is refused before anything of it runs."""

import hashlib
import io
import pickle
import re
import warnings
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from robustpose import attacks
from robustpose.errors import RobustPoseError
from robustpose.models import open_model
from robustpose.models.cards import Card, make_card
from robustpose.models.importers.torchscript import check_code
from robustpose.objectives import TrainingLoss
from robustpose.threats import Linf
from tests.conftest import aim_at, tiny_batch


def card() -> Card:
    return make_card(
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


class Net(nn.Module):
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


def saved(net: nn.Module, path: Path, *, traced: bool) -> Path:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if traced:
            made = torch.jit.trace(net, torch.rand(1, 3, 16, 12))  # type: ignore[no-untyped-call]
        else:
            made = torch.jit.script(net)
        made.save(str(path))
    return path


@pytest.mark.parametrize("traced", [True, False])
def test_agrees_with_the_net_that_was_saved(tmp_path: Path, traced: bool) -> None:
    torch.manual_seed(0)
    net = Net().eval()
    opened = open_model(f"torchscript:{saved(net, tmp_path / 'net.pt', traced=traced)}", card=card())
    images = torch.rand(3, 3, 16, 12)
    ours, theirs = images.clone().requires_grad_(), images.clone().requires_grad_()
    (stage,) = opened.net(ours).stages
    assert torch.allclose(stage, net(theirs), atol=1e-6)
    stage.square().sum().backward()  # type: ignore[no-untyped-call]
    net(theirs).square().sum().backward()
    assert ours.grad is not None
    assert theirs.grad is not None
    assert torch.allclose(ours.grad, theirs.grad, atol=1e-6)
    assert open_model(f"torchscript:{tmp_path / 'net.pt'}", card=card()).fingerprint == opened.fingerprint


def test_can_be_attacked(tmp_path: Path) -> None:
    torch.manual_seed(0)
    net = open_model(f"torchscript:{saved(Net().eval(), tmp_path / 'net.pt', traced=False)}", card=card()).net
    batch = tiny_batch(2)
    batch = replace(batch, images=torch.randint(0, 256, (2, 3, 16, 12)).float() / 255)
    threat = Linf(eps=8 / 255)
    found = attacks.run(attacks.IGSM(steps=3), net, batch, threat=threat, objective=TrainingLoss("last"))
    loss = TrainingLoss("last").bind(net, aim_at(batch), targeted=False)
    rows = torch.arange(2)
    assert bool((loss(found.images, rows) > loss(batch.images, rows)).all())
    assert (found.forwards, found.backwards) == (6, 6)


def test_code_that_touches_files_is_refused_before_it_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    path = saved(WritesFile(), tmp_path / "bad.pt", traced=False)
    with pytest.raises(RobustPoseError, match="its code names 'save'"):
        open_model(f"torchscript:{path}", card=card())
    assert not (tmp_path / "written").exists()


def archive(code: str, *, pickled: bytes = b"") -> bytes:
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
    ],
)
def test_code_that_is_refused(code: str, message: str) -> None:
    with pytest.raises(RobustPoseError, match=message):
        check_code(archive(code), file="net.pt")


def test_plain_code_passes() -> None:
    check_code(archive("def forward(x):\n  return ops.prim.NumToTensor(torch.conv2d(x))"), file="net.pt")


class Runs:
    def __reduce__(self) -> tuple[Any, ...]:
        return (open, ("ran", "w"))


def test_a_pickle_in_an_archive_runs_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The reader of torch knows no name of Python's; an archive with one in its pickles is refused."""
    monkeypatch.chdir(tmp_path)
    good = saved(Net().eval(), tmp_path / "net.pt", traced=True)
    bad = tmp_path / "bad.pt"
    with zipfile.ZipFile(good) as source, zipfile.ZipFile(bad, "w") as target:
        for name in source.namelist():
            wrong = name.endswith("/data.pkl")
            target.writestr(name, pickle.dumps(Runs(), protocol=2) if wrong else source.read(name))
    with pytest.raises(RobustPoseError, match=r"bad\.pt: cannot be loaded"):
        open_model(f"torchscript:{bad}", card=card())
    assert not (tmp_path / "ran").exists()


def test_files_that_are_no_torchscript(tmp_path: Path) -> None:
    state = tmp_path / "state.pt"
    torch.save({"weight": torch.ones(1)}, state)
    with pytest.raises(
        RobustPoseError, match=re.escape("a state dict or a pickled net (torch.save), not TorchScript")
    ):
        open_model(f"torchscript:{state}", card=card())
    other = tmp_path / "other.pt"
    other.write_bytes(b"\x80\x02}q\x00.")
    with pytest.raises(RobustPoseError, match="is not a TorchScript archive"):
        open_model(f"torchscript:{other}", card=card())
    good = saved(Net().eval(), tmp_path / "net.pt", traced=True)
    other.write_bytes(good.read_bytes()[:-200])
    with pytest.raises(RobustPoseError, match="or is damaged"):
        open_model(f"torchscript:{other}", card=card())
    with pytest.raises(RobustPoseError, match=r"gone\.pt: no such file"):
        open_model(f"torchscript:{tmp_path / 'gone.pt'}", card=card())
    with pytest.raises(RobustPoseError, match="needs a card"):
        open_model(f"torchscript:{good}")


def test_a_card_of_another_file_is_refused(tmp_path: Path) -> None:
    path = saved(Net().eval(), tmp_path / "net.pt", traced=True)
    sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
    assert open_model(f"torchscript:{path}", card=replace(card(), sha256=sha256)).name == "scripted"
    with pytest.raises(RobustPoseError, match=f"sha256 is {sha256[:12]}..., card 'scripted' is for 000000000000"):
        open_model(f"torchscript:{path}", card=replace(card(), sha256="0" * 64))
