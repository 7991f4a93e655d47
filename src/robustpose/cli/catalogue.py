"""The names in the registries, read from the package's source, because importing it would import torch.

A registry is a literal dict, so its names are in its source. The description of a name is the first line of a
docstring. If the registry's package is already imported, the names are those in the registry now.
"""

import ast
import inspect
import sys
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

import robustpose

_PACKAGE = "robustpose"
_IMPORTERS = ("robustpose.models.importers", "IMPORTERS")

KINDS: dict[str, tuple[tuple[str, str], ...]] = {
    "models": (("robustpose.models", "MODELS"), ("robustpose.models", "PULLS"), _IMPORTERS),
    "tasks": (("robustpose.models", "TASKS"),),
    "datasets": (("robustpose.data", "DATASETS"),),
    "attacks": (("robustpose.attacks", "ATTACKS"),),
    "corruptions": (("robustpose.corruptions", "CORRUPTIONS"),),
    "threats": (("robustpose.threats", "THREATS"),),
    "defences": (("robustpose.defences", "DEFENCES"),),
    "adversarial_training": (("robustpose.train.adversarial", "ADVERSARIAL_TRAINING"),),
    "faults": (("robustpose.faults", "FAULTS"),),
    "factors": (("robustpose.data.synthpose.factors", "FACTORS"),),
    "objectives": (("robustpose.objectives", "OBJECTIVES"),),
    "metrics": (("robustpose.metrics", "METRICS"),),
    "studies": (("robustpose.studies", "STUDIES"),),
    "findings": (("robustpose.findings", "FINDINGS"),),
}
"""The registries of each kind: module, and name in the module."""

_TITLES = ("title", "summary", "rule")
"""Names of the fields that hold a one-line description."""


def known(kind: str) -> dict[str, str]:
    """Return the names of a kind, each with a one-line description, which may be empty."""
    found: dict[str, str] = {}
    for place in KINDS[kind]:
        lines = read_registry(*place)
        found |= {_place_of(name): line for name, line in lines.items()} if place == _IMPORTERS else lines
    if kind == "models":
        weights = Path(robustpose.__file__).parent / "models" / "weights"
        tagged = {path.stem: path.stem.partition("@") for path in weights.glob("*@*.safetensors")}
        found |= {name: f"{found[model]}; weights of {tag}" for name, (model, _, tag) in tagged.items()}
        found |= {f"{name}:MODEL": f"{line}, then any model" for name, line in known("defences").items()}
    return found


def read_registry(module: str, name: str) -> dict[str, str]:
    """Return the names in a module's registry, each with a one-line description."""
    home, node = _definition(module, name)
    assert isinstance(node, ast.Dict), f"{module}.{name} must be a literal dict"
    written = {
        key.value: _summary(home, value)
        for key, value in zip(node.keys, node.values, strict=True)
        if isinstance(key, ast.Constant) and isinstance(key.value, str)
    }
    if module not in sys.modules:
        return written
    now = getattr(import_module(module), name)
    return {each: written.get(each) or _said(now[each]) for each in now}


def argument(module: str, registry: str, name: str, keyword: str) -> tuple[str, str] | None:
    """Return module and name of a keyword argument of a registry's entry, `options=GridOptions`; None if unknown.

    Also None if the registry's package is already imported: read the entry itself then.
    """
    home, node = _definition(module, registry)
    assert isinstance(node, ast.Dict)
    entries = {ast.literal_eval(key): value for key, value in zip(node.keys, node.values, strict=True) if key}
    value = entries.get(name)
    if module in sys.modules or not isinstance(value, ast.Name):
        return None
    home, made = _definition(home, value.id)
    given = {each.arg: each.value for each in made.keywords} if isinstance(made, ast.Call) else {}
    found = given.get(keyword)
    return (_definition(home, found.id)[0], found.id) if isinstance(found, ast.Name) else None


def read_texts(module: str, registry: str, keyword: str) -> dict[str, str]:
    """Return the text of one field of each entry of a registry, by name: the `example` of each threat, say.

    Entries without that field are missing.
    """
    home, node = _definition(module, registry)
    assert isinstance(node, ast.Dict)
    if module in sys.modules:
        now = getattr(import_module(module), registry)
        return {name: text for name in now if isinstance(text := getattr(now[name], keyword, None), str)}
    found = {}
    for key, value in zip(node.keys, node.values, strict=True):
        if not isinstance(key, ast.Constant):
            continue
        made = _definition(home, value.id)[1] if isinstance(value, ast.Name) else value
        given = {each.arg: each.value for each in made.keywords} if isinstance(made, ast.Call) else {}
        if isinstance(text := given.get(keyword), ast.Constant):
            found[str(key.value)] = str(text.value)
    return found


def literal(module: str, name: str) -> Any:
    """Return a literal from a module's source: an assigned value, or the literal defaults of a dataclass."""
    _, node = _definition(module, name)
    if not isinstance(node, ast.ClassDef):
        return ast.literal_eval(node)
    return {
        each.target.id: _number(each.value)
        for each in node.body
        if isinstance(each, ast.AnnAssign) and isinstance(each.target, ast.Name) and each.value is not None
    }


def annotated(module: str, name: str) -> dict[str, str]:
    """Return the fields that a class adds to its bases, with their types as text, read from its source."""
    _, node = _definition(module, name)
    assert isinstance(node, ast.ClassDef)
    return {
        each.target.id: ast.unparse(each.annotation)
        for each in node.body
        if isinstance(each, ast.AnnAssign) and isinstance(each.target, ast.Name)
    }


def _said(value: object) -> str:
    """Return a one-line description of an imported registry value."""
    titles = [getattr(value, name, None) for name in _TITLES]
    documented = inspect.isroutine(value) or inspect.isclass(value)
    return next(
        (each for each in titles if isinstance(each, str)), _first((documented and inspect.getdoc(value)) or "")
    )


def _first(docstring: str) -> str:
    """Return a docstring's first sentence, without the errors."""
    return docstring.partition("\n")[0].partition("; RobustPoseError")[0].removesuffix(".")


def _place_of(importer: str) -> str:
    """Return how a model of an importer is named, such as onnx:PATH."""
    module, registry = _IMPORTERS
    if module in sys.modules:
        return str(getattr(sys.modules[module], registry)[importer].place)
    home, entries = _definition(module, registry)
    assert isinstance(entries, ast.Dict)
    values = {ast.literal_eval(key): value for key, value in zip(entries.keys, entries.values, strict=True) if key}
    value = values[importer]
    made = _definition(home, value.id)[1] if isinstance(value, ast.Name) else value
    assert isinstance(made, ast.Call), f"{importer} must be an ImporterSpec"
    return str(next(ast.literal_eval(each.value) for each in made.keywords if each.arg == "place"))


def _summary(module: str, value: ast.expr) -> str:
    """Return a one-line description of a registry value: its title, or the docstring of the first name in it."""
    if isinstance(value, ast.Constant):
        return str(value.value)
    if title := _title(value):
        return title
    # for `make(f)`, describe f rather than make
    names = [each.id for each in ast.walk(value) if isinstance(each, ast.Name)]
    for name in reversed(names):
        try:
            home, node = _definition(module, name)
        except KeyError:
            continue
        if isinstance(node, ast.ClassDef | ast.FunctionDef):
            said = ast.get_docstring(node) or ""
        else:
            said = _title(node) or ast.get_docstring(_tree(home)) or ""
        if said:
            return _first(said)
    return ""


def _title(value: ast.AST) -> str:
    """Return a call's title: its title argument, or its first argument if that has several words."""
    if not isinstance(value, ast.Call):
        return ""
    named = [keyword.value for keyword in value.keywords if keyword.arg in _TITLES]
    for each in (*named, *value.args[:1]):
        if isinstance(each, ast.Constant) and isinstance(each.value, str) and (named or " " in each.value):
            return each.value
    return ""


def _definition(module: str, name: str) -> tuple[str, ast.expr | ast.ClassDef | ast.FunctionDef]:
    """Follow imports to the module that defines a name; return module and value. KeyError if none defines it."""
    for node in _tree(module).body:
        if isinstance(node, ast.ClassDef | ast.FunctionDef) and node.name == name:
            return module, node
        if isinstance(node, ast.AnnAssign) and node.value is not None and _is(node.target, name):
            return module, node.value
        if isinstance(node, ast.Assign) and any(_is(target, name) for target in node.targets):
            return module, node.value
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith(_PACKAGE):
            for alias in node.names:
                if (alias.asname or alias.name) == name:
                    return _definition(str(node.module), alias.name)
    raise KeyError(f"{module} does not define {name}")


def _is(target: ast.expr, name: str) -> bool:
    return isinstance(target, ast.Name) and target.id == name


def _number(node: ast.expr) -> Any:
    """Return a literal, or a ratio of two; None for other expressions."""
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Div):
        return ast.literal_eval(node.left) / ast.literal_eval(node.right)
    try:
        return ast.literal_eval(node)
    except ValueError:
        return None


@cache
def _tree(module: str) -> ast.Module:
    path = Path(robustpose.__file__).parent.joinpath(*module.split(".")[1:])
    file = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    return ast.parse(file.read_text(encoding="utf-8"))
