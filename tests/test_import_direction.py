"""Import direction: which package may import which, read from the source."""

import ast
import importlib
import pkgutil
import re
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

import robustpose

PACKAGE = Path(robustpose.__file__).parent

ORDER = (
    ("errors", "fields", "folders"),
    ("given",),
    ("skeletons",),
    ("batch",),
    ("types",),
    ("attack_types",),
    ("geometry",),
    ("data",),
    ("models",),
    ("defences",),
    ("faults",),
    ("metrics",),
    ("threats", "objectives", "corruptions"),
    ("attacks",),
    ("train",),
    ("alarms", "ownphoto", "certificates"),
    ("jobs",),
    ("study",),
    ("analysis",),
    ("selfcheck",),
    ("findings",),
    ("userstudy",),
    ("report",),
    ("studies", "upkeep"),
    ("cli", "api"),
    ("__main__",),
)
"""A room imports only from rooms above it (left of it in docs/architecture.md); neighbours on a line never."""

REGISTRIES = (
    *("DATASETS", "MODELS", "RELEASES", "HEADS", "IMPORTERS", "PULLS", "TASKS", "METRICS", "THREATS"),
    *("OBJECTIVES", "ATTACKS", "AXES", "CORRUPTIONS", "DEFENCES", "FAULTS", "IMPERCEPTIBLE", "FACTORS"),
    *("ALARMS", "STUDIES", "FINDINGS"),
)
"""Each is a literal dict: no decorators, no import side effects."""

BANNED = ("torchvision", "timm", "pickle")

SOURCES = sorted(PACKAGE.rglob("*.py"))
LEVEL = {room: level for level, rooms in enumerate(ORDER) for room in rooms}


def name_of(path: Path) -> str:
    """src/robustpose/models/heads.py -> models.heads; a package's __init__.py is the package."""
    parts = list(path.relative_to(PACKAGE).with_suffix("").parts)
    if parts[-1] == "__init__":
        parts.pop()
    return ".".join(parts)


@cache
def parsed(text: str) -> ast.Module:
    return ast.parse(text)


def imports(path: Path) -> list[tuple[int, str, tuple[str, ...]]]:
    """Every import of a file, inside functions too: line, module in full, names taken from it."""
    found: list[tuple[int, str, tuple[str, ...]]] = []
    package = ["robustpose", *path.relative_to(PACKAGE).parent.parts]
    for node in ast.walk(parsed(path.read_text())):
        if isinstance(node, ast.Import):
            found += [(node.lineno, alias.name, ()) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            module = ".".join([*base, *([node.module] if node.module else [])])
            found.append((node.lineno, module, tuple(alias.name for alias in node.names)))
    return found


def rooms_of(module: str, names: tuple[str, ...]) -> list[str]:
    """The packages that an import refers to: `from robustpose import attacks` refers to attacks."""
    parts = module.split(".")
    if parts[0] != "robustpose":
        return []
    if len(parts) > 1:
        return [parts[1]]
    return [name for name in names if (PACKAGE / name).exists() or (PACKAGE / f"{name}.py").exists()]


def wrong_rooms(path: Path) -> list[str]:
    """What a file imports from packages that are not to the left of its own, one line each."""
    room, found = name_of(path).split(".")[0], []
    if not room:  # it names the Python interface for type checkers, and imports it when it is asked for
        return [
            f"{path.name}:{line}: the package itself must import nothing but robustpose.api"
            for line, module, _ in imports(path)
            if module.startswith("robustpose") and module != "robustpose.api"
        ]
    if room not in LEVEL:
        return [f"the room robustpose/{room} is new: give it its place in ORDER and in docs/architecture.md"]
    for line, module, names in imports(path):
        place = f"{path.relative_to(PACKAGE)}:{line}"
        for other in rooms_of(module, names):
            if other not in LEVEL:
                found.append(f"{place}: imports the room {other}, which has no place in ORDER")
            elif other != room and LEVEL[other] >= LEVEL[room]:
                found.append(f"{place}: {room} must not import {other}, which is to its right")
    return found


def wrong_imports(path: Path) -> list[str]:
    """The wildcard imports of a file and other forbidden imports, one line each."""
    found = []
    for line, module, names in imports(path):
        if "*" in names:
            found.append(f"{path.relative_to(PACKAGE)}:{line}: a wildcard import hides where a name comes from")
        if module.split(".")[0] in BANNED:
            found.append(f"{path.relative_to(PACKAGE)}:{line}: {module} is not allowed here")
    return found


def test_a_room_imports_only_from_rooms_to_its_left() -> None:
    found = [line for path in SOURCES for line in wrong_rooms(path)]
    assert not found, "\n".join(found)


def test_imports_are_plain_and_allowed() -> None:
    found = [line for path in SOURCES for line in wrong_imports(path)]
    assert not found, "\n".join(found)


def test_every_place_in_the_order_is_a_room() -> None:
    rooms = {name_of(path).split(".")[0] for path in SOURCES} - {""}
    assert set(LEVEL) == rooms, "a place in ORDER is empty, or a room has none"


def assigned(path: Path) -> dict[str, ast.expr]:
    """The values of a file's top-level names."""
    values = {}
    for node in parsed(path.read_text()).body:
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and node.value is not None:
            values[node.target.id] = node.value
        elif isinstance(node, ast.Assign):
            values |= {target.id: node.value for target in node.targets if isinstance(target, ast.Name)}
    return values


@pytest.mark.parametrize("registry", REGISTRIES)
def test_a_registry_is_a_literal_dict(registry: str) -> None:
    places = [(path, assigned(path)[registry]) for path in SOURCES if registry in assigned(path)]
    assert len(places) == 1, f"{registry} must be written in one place, found {[str(p) for p, _ in places]}"
    path, value = places[0]
    assert isinstance(value, ast.Dict), f"{path.name}: {registry} must be a literal dict"
    for key in value.keys:
        assert isinstance(key, ast.Constant), f"{path.name}: {registry} must spell its names out"
        assert isinstance(key.value, str)
    for source in SOURCES:
        for node in ast.walk(parsed(source.read_text())):
            targets = node.targets if isinstance(node, ast.Assign | ast.Delete) else []
            for target in targets:
                written = isinstance(target, ast.Subscript) and ast.unparse(target.value).endswith(registry)
                assert not written, f"{source.name}:{target.lineno} writes into {registry}"


def test_the_checker_sees_what_it_must(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A made-up package with one wrong import of each kind."""
    package = tmp_path / "robustpose"
    (package / "models").mkdir(parents=True)
    (package / "attacks").mkdir()
    bad = package / "models" / "bad.py"
    bad.write_text(
        "import robustpose.attacks.run\nfrom robustpose import attacks\nfrom ..attacks import run\n"
        "def later():\n    from robustpose.attacks import ATTACKS\n"
    )
    monkeypatch.setattr(f"{__name__}.PACKAGE", package)
    entered = [rooms_of(module, names) for _, module, names in sorted(imports(bad))]
    assert entered == [["attacks"]] * 4
    for line in bad.read_text().splitlines():
        if line != "def later():":
            bad.write_text(line.strip())
            assert wrong_rooms(bad) == ["models/bad.py:1: models must not import attacks, which is to its right"]
    bad.write_text("from robustpose.errors import *\nimport pickle")
    assert wrong_imports(bad) == [
        "models/bad.py:1: a wildcard import hides where a name comes from",
        "models/bad.py:2: pickle is not allowed here",
    ]
    (package / "__init__.py").write_text("import robustpose.attacks")
    assert wrong_rooms(package / "__init__.py") == [
        "__init__.py:1: the package itself must import nothing but robustpose.api"
    ]
    (package / "utils").mkdir()
    (package / "utils" / "new.py").write_text("")
    assert "the room robustpose/utils is new" in wrong_rooms(package / "utils" / "new.py")[0]
    bad.write_text("from robustpose.utils import new")
    assert wrong_rooms(bad) == ["models/bad.py:1: imports the room utils, which has no place in ORDER"]


def test_importing_robustpose_imports_nothing_heavy() -> None:
    code = "import sys, robustpose; print(sorted({'torch', 'numpy', 'robustpose.api'} & {*sys.modules}))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.slow
def test_a_clone_in_the_working_folder_does_not_hide_the_package(tmp_path: Path) -> None:
    """Python takes a folder of that name for a namespace package; the installed one must win over it."""
    (tmp_path / "robustpose").symlink_to(Path(__file__).parents[1])
    code = "import robustpose as rp; print(callable(rp.attack))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=tmp_path, check=True)
    assert done.stdout.strip() == "True"


def test_every_module_imports() -> None:
    for found in pkgutil.walk_packages([str(PACKAGE)], prefix="robustpose."):
        importlib.import_module(found.name)


def named_in_architecture() -> dict[str, set[str]]:
    """The .py files that docs/architecture.md names, by the folders of their line: 'data/synthpose' or several."""
    page = (Path(__file__).parents[1] / "docs" / "architecture.md").read_text()
    block = page.split("```\nsrc/robustpose/\n")[1].split("```")[0].split("\nbenchmarks/")[0]
    named: dict[str, set[str]] = {"": set()}
    open_: list[tuple[int, str]] = [(0, "")]
    for line in block.splitlines():
        indent = len(line) - len(line.lstrip())
        while indent <= open_[-1][0] and len(open_) > 1:
            open_.pop()
        folders = re.match(r"((?:[a-z]+/ ?)+)(?: |$)", line.lstrip())
        if folders:
            above = open_[-1][1]
            place = " ".join(f"{above}/{each.strip('/')}".strip("/") for each in folders[1].split())
            open_.append((indent, place))
            named[place] = set()
        named[open_[-1][1]] |= set(re.findall(r"\b[a-z_0-9]+\.py\b", line)) - {"__init__.py"}
    return named


def registered() -> set[Path]:
    """The files that entries of registries come from: adding one is a file and a line, and no line of the page."""
    found = set()
    for path in SOURCES:
        entries = [value for name, value in assigned(path).items() if name in REGISTRIES]
        used = {node.id for value in entries for node in ast.walk(value) if isinstance(node, ast.Name)}
        for _, module, names in imports(path):
            if used & set(names) and module.startswith("robustpose."):
                found.add(PACKAGE.joinpath(*module.split(".")[1:]).with_suffix(".py"))
    return found


def test_the_architecture_page_names_every_file_and_no_other() -> None:
    """By its name; a piece of a registry may go without."""
    named = named_in_architecture()
    places = {folder: place for place in named for folder in place.split() or [""]}
    files = [path for path in SOURCES if path.name != "__init__.py"]
    folders = {path: path.relative_to(PACKAGE).parent.as_posix().removeprefix(".") for path in files}
    assert not set(folders.values()) - set(places), "docs/architecture.md has no line for a folder"
    there = {(places[folder], path.name) for path, folder in folders.items()}
    pieces = registered()
    needed = {(places[folder], path.name) for path, folder in folders.items() if path not in pieces}
    on_page = {(place, name) for place, names in named.items() for name in names}
    lacking, gone = (
        [f"{place}/{name}" for place, name in sorted(each)] for each in (needed - on_page, on_page - there)
    )
    assert not lacking, f"docs/architecture.md does not name {', '.join(lacking)}"
    assert not gone, f"docs/architecture.md names what is not there: {', '.join(gone)}"
