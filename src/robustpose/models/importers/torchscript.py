"""TorchScript archives (torch.jit.save) as differentiable nets: `torchscript:PATH`.

Loading one unpickles its tensors with torch's own reader, which knows tensors and the archive's classes and calls
nothing of Python's; but the archive's code is a program, some of it runs while it loads, and torch has operators
that read and write files. So the code is read first: whatever names such an operator, or one from outside torch,
is refused before anything of it runs.
"""

import ast
import hashlib
import io
import warnings
import zipfile
from pathlib import Path
from typing import TypeGuard

import torch

from robustpose.errors import RobustPoseError
from robustpose.models.cards import Card
from robustpose.models.importers.checking import check_net
from robustpose.models.importers.files import read_file
from robustpose.models.importers.imported import ImportedPose
from robustpose.models.importers.opening import choose_card, fingerprint_of
from robustpose.models.importers.outputs import StagesOf

_REFUSED = frozenset({"from_file", "save", "load", "getattr", "PythonOp", "rpc_async", "rpc_sync", "rpc_remote"})
"""Names that no pose net needs: operators that touch files or other processes, and the way around their names."""
_OURS = ("prim", "aten")
_MOST_CODE = 20_000_000


def load_torchscript(path: Path, card: Path | Card | None = None) -> ImportedPose:
    """Open a TorchScript archive with a card of format "torchscript"; comes in eval mode.

    RobustPoseError where the file is no TorchScript, where its code names what is refused, or where the card does
    not fit.
    """
    file = str(path)
    content = read_file(path)
    check_code(content, file=file)
    sha256 = hashlib.sha256(content).hexdigest()
    chosen = choose_card(card, format="torchscript", sha256=sha256, file=file)
    if chosen is None:
        raise RobustPoseError(
            f"{file}: needs a card (docs/your-model.md) with format = 'torchscript'; give it with --card"
        )
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # torch calls its own format deprecated
            module = torch.jit.load(io.BytesIO(content), map_location="cpu")  # type: ignore[no-untyped-call]
    except (RuntimeError, ValueError) as error:
        lines = [line for line in str(error).splitlines() if line.strip()]
        raise RobustPoseError(f"{file}: cannot be loaded: {lines[0] if lines else error}") from None
    module.eval()
    for parameter in module.parameters():
        parameter.requires_grad_(False)
    stages, digest = StagesOf(module, chosen.stages, where=file), fingerprint_of(chosen, sha256=sha256)
    net = ImportedPose(stages, chosen, fingerprint=digest).eval()
    check_net(net, file=file)
    return net


def check_code(content: bytes, *, file: str) -> None:
    """Read the code of an archive without running it; RobustPoseError where it is no TorchScript or is refused."""
    try:
        archive = zipfile.ZipFile(io.BytesIO(content))
        names = archive.namelist()
        sources = [name for name in names if "/code/" in name and name.endswith(".py")]
        if sum(archive.getinfo(name).file_size for name in sources) > _MOST_CODE:
            raise RobustPoseError(f"{file}: holds more than {_MOST_CODE // 1_000_000} MB of code")
        texts = {name: archive.read(name).decode() for name in sources}
    except (zipfile.BadZipFile, OSError, EOFError, UnicodeDecodeError, NotImplementedError) as error:
        raise RobustPoseError(f"{file}: is not a TorchScript archive, or is damaged: {error}") from None
    if not sources or not any(name.endswith("/constants.pkl") for name in names):
        kind = (
            "a state dict or a pickled net (torch.save)" if any("data.pkl" in name for name in names) else "a zip"
        )
        raise RobustPoseError(
            f"{file}: is {kind}, not TorchScript, and pickles run code; save it with "
            "torch.jit.trace(net, picture).save, or open it as torch:module:factory"
        )
    for name, text in texts.items():
        _check_source(text, file=file, name=name.partition("/code/")[2])


def _check_source(text: str, *, file: str, name: str) -> None:
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise RobustPoseError(f"{file}: its code cannot be read ({name}: {type(error).__name__})") from None
    allowed: set[ast.AST] = set()
    for node in ast.walk(tree):
        if _is_plain_getattr(node):
            allowed.add(node.func)
        words = [
            word
            for word in (getattr(node, field, None) for field in ("id", "attr", "value"))
            if isinstance(word, str)
        ]
        for word in words:
            if word in _REFUSED and node not in allowed:
                raise RobustPoseError(
                    f"{file}: its code names {word!r} ({name}), which no pose net needs: refused"
                )
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "ops":
            if node.attr not in _OURS:
                raise RobustPoseError(
                    f"{file}: its code uses operators from outside torch, ops.{node.attr} ({name})"
                )
            allowed.add(node.value)
        if isinstance(node, ast.Name) and node.id == "ops" and node not in allowed:
            raise RobustPoseError(f"{file}: its code passes operators around ({name}): refused")


def _is_plain_getattr(node: ast.AST) -> TypeGuard[ast.Call]:
    """Tell getattr(self, "0"), as a submodule with a number for a name is written; its text is read as any."""
    if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "getattr"):
        return False
    if len(node.args) != 2 or node.keywords:
        return False
    name = node.args[1]
    return isinstance(name, ast.Constant) and isinstance(name.value, str)
