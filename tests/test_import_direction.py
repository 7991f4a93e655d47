"""The house: who may import whom, read from the source itself."""

import ast
import importlib
import pkgutil
import subprocess
import sys
from pathlib import Path

import pytest

import robustpose

HOUSE = Path(robustpose.__file__).parent

ORDER = (
    ("errors", "fields", "folders"),
    ("skeletons",),
    ("types",),
    ("geometry",),
    ("data",),
    ("models",),
    ("metrics",),
    ("train",),
    ("threats", "objectives"),
    ("attacks",),
    ("defences", "alarms", "ownphoto"),
    ("jobs",),
    ("study",),
    ("analysis",),
    ("selfcheck",),
    ("findings",),
    ("studies",),
    ("userstudy",),
    ("report",),
    ("cli", "api"),
    ("__main__",),
)
"""A room imports only from rooms above it (left of it in docs/architecture.md); neighbours on a line never."""

REGISTRIES = (
    *("DATASETS", "MODELS", "IMPORTERS", "PULLS", "TASKS", "METRICS", "THREATS", "OBJECTIVES"),
    *("ATTACKS", "ENSEMBLES", "SPATIAL", "DEFENCES", "ALARMS", "STUDIES", "FINDINGS"),
)
"""Each is a literal dict: no decorators, no import side effects."""

BANNED = ("torchvision", "timm", "pickle")

SOURCES = sorted(HOUSE.rglob("*.py"))
LEVEL = {room: level for level, rooms in enumerate(ORDER) for room in rooms}


def name_of(path: Path) -> str:
    """src/robustpose/models/heads.py -> models.heads; a package's __init__.py is the package."""
    parts = list(path.relative_to(HOUSE).with_suffix("").parts)
    if parts[-1] == "__init__":
        parts.pop()
    return ".".join(parts)


def imports(path: Path) -> list[tuple[int, str, tuple[str, ...]]]:
    """Every import of a file, inside functions too: line, module in full, names taken from it."""
    found: list[tuple[int, str, tuple[str, ...]]] = []
    package = ["robustpose", *path.relative_to(HOUSE).parent.parts]
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found += [(node.lineno, alias.name, ()) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            module = ".".join([*base, *([node.module] if node.module else [])])
            found.append((node.lineno, module, tuple(alias.name for alias in node.names)))
    return found


def rooms_of(module: str, names: tuple[str, ...]) -> list[str]:
    """The rooms that an import enters: `from robustpose import attacks` enters attacks."""
    parts = module.split(".")
    if parts[0] != "robustpose":
        return []
    if len(parts) > 1:
        return [parts[1]]
    return [name for name in names if (HOUSE / name).exists() or (HOUSE / f"{name}.py").exists()]


@pytest.mark.parametrize("path", SOURCES, ids=[name_of(path) or "robustpose" for path in SOURCES])
def test_a_room_imports_only_from_rooms_to_its_left(path: Path) -> None:
    room = name_of(path).split(".")[0]
    if not room:  # it names the Python interface for type checkers, and imports it when it is asked for
        entered = {module for _, module, _ in imports(path) if module.startswith("robustpose")}
        assert entered <= {"robustpose.api"}
        return
    assert room in LEVEL, (
        f"the room robustpose/{room} is new: give it its place in ORDER and in docs/architecture.md"
    )
    for line, module, names in imports(path):
        for other in rooms_of(module, names):
            assert other in LEVEL, f"{path.name}:{line} imports the room {other}, which has no place in ORDER"
            allowed = other == room or LEVEL[other] < LEVEL[room]
            assert allowed, (
                f"{path.relative_to(HOUSE)}:{line}: {room} must not import {other}, which is to its right"
            )


@pytest.mark.parametrize("path", SOURCES, ids=[name_of(path) or "robustpose" for path in SOURCES])
def test_imports_are_plain_and_allowed(path: Path) -> None:
    for line, module, names in imports(path):
        assert "*" not in names, f"{path.name}:{line}: a wildcard import hides where a name comes from"
        assert module.split(".")[0] not in BANNED, f"{path.name}:{line}: {module} is not allowed here"


def test_every_place_in_the_order_is_a_room() -> None:
    rooms = {name_of(path).split(".")[0] for path in SOURCES} - {""}
    assert set(LEVEL) == rooms, "a place in ORDER is empty, or a room has none"


def assigned(path: Path) -> dict[str, ast.expr]:
    """The values of a file's top-level names."""
    values = {}
    for node in ast.parse(path.read_text()).body:
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
        for node in ast.walk(ast.parse(source.read_text())):
            targets = node.targets if isinstance(node, ast.Assign | ast.Delete) else []
            for target in targets:
                written = isinstance(target, ast.Subscript) and ast.unparse(target.value).endswith(registry)
                assert not written, f"{source.name}:{target.lineno} writes into {registry}"


def test_the_checker_sees_what_it_must(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A made-up house with one wrong import of each kind."""
    house = tmp_path / "robustpose"
    (house / "models").mkdir(parents=True)
    (house / "attacks").mkdir()
    bad = house / "models" / "bad.py"
    bad.write_text(
        "import robustpose.attacks.run\nfrom robustpose import attacks\nfrom ..attacks import run\n"
        "def later():\n    from robustpose.attacks import ATTACKS\n"
    )
    monkeypatch.setattr(f"{__name__}.HOUSE", house)
    entered = [rooms_of(module, names) for _, module, names in sorted(imports(bad))]
    assert entered == [["attacks"]] * 4
    for line in bad.read_text().splitlines():
        if line != "def later():":
            bad.write_text(line.strip())
            with pytest.raises(AssertionError, match="models must not import attacks"):
                test_a_room_imports_only_from_rooms_to_its_left(bad)
    bad.write_text("from robustpose.errors import *")
    with pytest.raises(AssertionError, match="wildcard"):
        test_imports_are_plain_and_allowed(bad)


def test_importing_robustpose_imports_nothing_heavy() -> None:
    code = "import sys, robustpose; print(sorted({'torch', 'numpy', 'robustpose.api'} & {*sys.modules}))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_clone_in_the_working_folder_does_not_hide_the_package(tmp_path: Path) -> None:
    """Python takes a folder of that name for a namespace package; the installed one must win over it."""
    (tmp_path / "robustpose").symlink_to(Path(__file__).parents[1])
    code = "import robustpose as rp; print(callable(rp.attack))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=tmp_path, check=True)
    assert done.stdout.strip() == "True"


def test_every_module_imports() -> None:
    for found in pkgutil.walk_packages([str(HOUSE)], prefix="robustpose."):
        importlib.import_module(found.name)
