"""Checks a TorchScript archive without running it, and repacks the checked records; torch opens only these.

An archive is a zip of code and pickles. torch's reader ignores case in names and runs the code. So names that
differ only in case, records of unknown kinds, code with file operators, and pickles with globals that TorchScript
does not write are refused.
"""

import ast
import io
import pickletools
import re
import zipfile
from typing import TypeGuard

from robustpose.errors import RobustPoseError

_REFUSED = frozenset({"from_file", "save", "load", "getattr", "PythonOp", "rpc_async", "rpc_sync", "rpc_remote"})
"""Names that no pose model needs: operators on files or other processes, and ways to get them by name."""
_OURS = ("prim", "aten")
_CUSTOM = "__torch__.torch.classes"
"""Classes of C++ libraries, whose code is outside the archive."""
_MOST_CODE = 20_000_000
_CODE = re.compile(r"code/(?:\w+/)*\w+\.py", re.ASCII)
_DATA = re.compile(r"(?:data|constants)/[\w.-]+", re.ASCII)
_PICKLES = ("data.pkl", "constants.pkl")
_FACTS = {"version": re.compile(rb"\d{1,9}\s*"), "byteorder": re.compile(rb"little|big")}
_LEFT_OUT = re.compile(
    r"code/.*\.debug_pkl|extra/.*|traced_inputs(?:/.*|\.pkl)|bytecode(?:/.*|\.pkl)|mobile_debug_handles\.pkl"
    r"|\.data/serialization_id|\.format_version|\.storage_alignment",
    re.ASCII,
)
_GLOBALS = re.compile(
    r"__torch__\.[\w.]+ \w+|torch \w+Storage|torch device|torch\._utils _rebuild_\w+|collections OrderedDict"
    r"|torch\.jit\._pickle (?:restore_type_tag|build_\w+)|builtins complex",
    re.ASCII,
)
_UNREADABLE = frozenset({"STACK_GLOBAL", "INST", "OBJ", "EXT1", "EXT2", "EXT4", "NEWOBJ_EX"})
"""Opcodes that name or call classes and that torch does not write."""


def read_archive(content: bytes, *, file: str) -> bytes:
    """Return a repacked archive; RobustPoseError where `content` is no TorchScript or is refused.

    Debug information, example inputs and extra files are dropped; code, weights and constants are the same bytes.
    """
    records = _records(content, file=file)
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_STORED) as archive:
        for name, held in records.items():
            if _CODE.fullmatch(name):
                _check_code(held, file=file, name=name.removeprefix("code/"))
            elif name in _PICKLES:
                _check_pickle(held, file=file, name=name)
            elif name in _FACTS and not _FACTS[name].fullmatch(held):
                raise RobustPoseError(f"{file}: its record {name!r} cannot be read: {held[:20]!r}")
            archive.writestr(zipfile.ZipInfo(f"archive/{name}"), held)
    return packed.getvalue()


def _records(content: bytes, *, file: str) -> dict[str, bytes]:
    """Return the records for torch, by name without the archive's name."""
    try:
        archive = zipfile.ZipFile(io.BytesIO(content))
        entries = archive.infolist()
        _check_names([entry.filename for entry in entries], file=file)
        kept = {entry: _known(entry.filename, file=file) for entry in entries}
        if sum(entry.file_size for entry in entries if entry.filename.endswith(".py")) > _MOST_CODE:
            raise RobustPoseError(f"{file}: has more than {_MOST_CODE // 1_000_000} MB of code")
        if sum(entry.file_size for entry in entries) > 2 * len(content) + 10 * _MOST_CODE:
            raise RobustPoseError(f"{file}: unpacks to far more than its {len(content):,} bytes: refused")
        return {name: archive.read(entry) for entry, name in kept.items() if name}
    except RobustPoseError:
        raise
    except Exception as error:  # zipfile raises many types on damage: zlib.error, IndexError, RuntimeError, ...
        raise RobustPoseError(f"{file}: is not a TorchScript archive, or is damaged: {error}") from None


def _known(entry: str, *, file: str) -> str | None:
    """Return a record's name without the archive's, None if it is dropped; RobustPoseError if it is unknown."""
    name = entry.partition("/")[2]
    if _CODE.fullmatch(name) or _DATA.fullmatch(name) or name in _PICKLES or name in _FACTS:
        return name
    if _LEFT_OUT.fullmatch(name):
        return None
    raise RobustPoseError(f"{file}: holds {entry!r}, which TorchScript does not write: refused")


def _check_names(entries: list[str], *, file: str) -> None:
    """Raise RobustPoseError where this is no TorchScript, or where names differ only in case."""
    names = {entry.partition("/")[2] for entry in entries}
    if not names.issuperset(_PICKLES) or not any(_CODE.fullmatch(name) for name in names):
        kind = "a state dict or a pickled model (torch.save)" if "data.pkl" in names else "a zip"
        raise RobustPoseError(
            f"{file}: is {kind}, not TorchScript, and pickles run code; save it with "
            "torch.jit.trace(model, image).save, or open it as torch:module:factory"
        )
    seen: set[str] = set()
    for entry in entries:
        if entry.casefold() in seen:
            raise RobustPoseError(f"{file}: holds {entry!r} twice (torch ignores upper and lower case): refused")
        seen.add(entry.casefold())
    if len({entry.partition("/")[0] for entry in entries}) > 1:
        raise RobustPoseError(f"{file}: holds more than one archive: refused")


def _check_pickle(held: bytes, *, file: str, name: str) -> None:
    """Read a pickle's opcodes; RobustPoseError for globals that TorchScript does not write."""
    try:
        for opcode, value, _ in pickletools.genops(held):
            named = str(value) if opcode.name == "GLOBAL" else ""
            known = not named or (_GLOBALS.fullmatch(named) and not named.startswith(_CUSTOM))
            if opcode.name in _UNREADABLE or not known:
                raise RobustPoseError(f"{file}: {name} names {value!r}, which no pose model needs: refused")
    except RobustPoseError:
        raise
    except Exception as error:  # pickletools raises many types on damage
        raise RobustPoseError(f"{file}: {name} is damaged: {error}") from None


def _check_code(held: bytes, *, file: str, name: str) -> None:
    try:
        text = held.decode()
        tree = ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise RobustPoseError(f"{file}: its code cannot be read ({name}: {type(error).__name__})") from None
    if "# type:" in text:
        raise RobustPoseError(f"{file}: its code has type comments ({name}), which torch reads: refused")
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
                    f"{file}: its code names {word!r} ({name}), which no pose model needs: refused"
                )
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "ops":
            if node.attr not in _OURS:
                raise RobustPoseError(
                    f"{file}: its code uses operators from outside torch, ops.{node.attr} ({name})"
                )
            allowed.add(node.value)
        if isinstance(node, ast.Name) and node.id == "ops" and node not in allowed:
            raise RobustPoseError(f"{file}: its code passes operators around ({name}): refused")
        if isinstance(node, ast.Attribute) and node.attr == "classes" and ast.unparse(node) == _CUSTOM:
            raise RobustPoseError(f"{file}: its code uses classes from outside torch ({name})")


def _is_plain_getattr(node: ast.AST) -> TypeGuard[ast.Call]:
    """Recognise getattr(self, "0"), as torch writes submodules with numeric names; the string is checked too."""
    if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "getattr"):
        return False
    if len(node.args) != 2 or node.keywords:
        return False
    name = node.args[1]
    return isinstance(name, ast.Constant) and isinstance(name.value, str)
