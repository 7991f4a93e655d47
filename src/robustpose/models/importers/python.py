"""Models and functions of the user's Python code: `torch:module:factory` and `callable:module:function`.

The module is imported, so its code runs: name only code that you would run yourself. Modules are searched on
Python's path and in the current folder; a name that ends in .py is a path.
"""

import hashlib
import importlib
import importlib.util
import inspect
import sys
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from robustpose.errors import RobustPoseError
from robustpose.given import device_of
from robustpose.models.content import as_bytes, plain_attributes
from robustpose.models.importers.imported import ImportedPose, StagesOf, check_stages
from robustpose.models.importers.opening import check_model
from robustpose.models.importers.spec import ImporterSpec, OpenedModel
from robustpose.models.precision import adapted
from robustpose.models.specs import ModelSpec, given_spec
from robustpose.models.untouched import untouched
from robustpose.types import PoseModel

_LEVELS = 255


def open_torch(place: str, spec: Path | ModelSpec | None = None) -> OpenedModel:
    """Open the model that the user's 'module:factory' returns when it is called without arguments.

    A model with `skeleton`, `input_size` and `head` (types.PoseModel) needs no spec; any other nn.Module needs one
    of format "torch". RobustPoseError where there is no such factory, where it fails, or where the spec does not
    fit.
    """
    made = _called(found_callable(place, "torch"), place)
    if not isinstance(made, nn.Module):
        raise RobustPoseError(f"torch:{place}: must return an nn.Module, returned {type(made).__name__}")
    return opened_module(made.eval().requires_grad_(False), name=place, spec=spec)


def opened_module(model: nn.Module, *, name: str, spec: Path | ModelSpec | None = None) -> OpenedModel:
    """Prepare the user's model for attacks; its modes are not changed. See open_torch."""
    where = f"torch:{name}"
    if isinstance(model, PoseModel):
        if spec is not None:
            raise RobustPoseError(f"{where}: has its own skeleton, input_size and head, so it takes no spec")
        pose = adapted(model)
        assert isinstance(pose, PoseModel)
        return OpenedModel(name=plain_name(name), module=pose, fingerprint=fingerprint_of(model))
    if spec is None and type(model).__module__.startswith("transformers."):
        from robustpose.models.importers.hf import opened_live  # imports this module

        return opened_live(model, name=name)
    if spec is None:
        raise RobustPoseError(
            f"{where}: {type(model).__name__} has no skeleton, input_size and head, so it needs a spec "
            "(docs/your-model.md) with format = 'torch'; give it with --spec"
        )
    chosen = given_spec(spec, format="torch")
    digest = hashlib.sha256((fingerprint_of(model) + chosen.fingerprint).encode()).hexdigest()
    graph = StagesOf(adapted(model), chosen.stages, where=where)
    imported = ImportedPose(graph, chosen, fingerprint=digest).to(device_of(model))
    with untouched(model):
        check_model(imported.eval(), file=where)
    return OpenedModel(name=chosen.name, module=imported, fingerprint=digest)


class CallablePose(ImportedPose):
    """A Python function with a spec. It gets 8-bit images and has no gradient.

    differentiable  False, so that attacks that need gradients are refused
    """

    differentiable = False

    def prepare(self, images: Tensor) -> Tensor:
        """Convert images (N, 3, H, W) in [0, 1] to uint8 images (N, H, W, 3)."""
        levels = (images.detach() * _LEVELS).round().to(torch.uint8)
        if self.spec.channels == "BGR":
            levels = levels.flip(1)
        return levels.permute(0, 2, 3, 1).contiguous()


def open_callable(place: str, spec: Path | ModelSpec | None = None) -> OpenedModel:
    """Open the user's Python function 'module:function' as a black box, with a spec of format "callable".

    It gets uint8 images (N, H, W, 3) and returns rows of keypoints (N, K, columns) or heatmaps (N, h, w, K), as
    its spec says; NaN means that a keypoint was not found. RobustPoseError as in open_torch.
    """
    return opened_callable(found_callable(place, "callable"), name=place, spec=spec)


def opened_callable(function: Callable[..., Any], *, name: str, spec: Path | ModelSpec | None) -> OpenedModel:
    """Prepare the user's function for attacks; see open_callable."""
    where = f"callable:{name}"
    if spec is None:
        raise RobustPoseError(
            f"{where}: needs a spec (docs/your-model.md) with format = 'callable', skeleton and input_size; "
            "give it with --spec"
        )
    chosen = given_spec(spec, format="callable")
    digest = hashlib.sha256((_source_of(function) + chosen.fingerprint).encode()).hexdigest()
    model = CallablePose(_Answers(function, chosen, where), chosen, fingerprint=digest).eval()
    grey = torch.full((2, 3, *chosen.input_size), 128 / _LEVELS)
    shapes = tuple((1, *stage.shape[1:]) for stage in model.graph(model.prepare(grey)))
    check_stages(chosen, shapes, file=where)
    return OpenedModel(name=chosen.name, module=model, fingerprint=digest)


class _Answers:
    """Calls a function on images and converts its result to float tensors."""

    def __init__(self, function: Callable[..., Any], spec: ModelSpec, where: str) -> None:
        self.function, self.spec, self.where = function, spec, where

    def __call__(self, images: Tensor) -> tuple[Tensor, ...]:
        answer = _run(lambda: self.function(images.cpu().numpy()), self.where)
        try:
            stage = torch.as_tensor(np.asarray(answer, dtype=np.float32), device=images.device)
        except (TypeError, ValueError) as error:
            raise RobustPoseError(f"{self.where}: must return one array of numbers: {error}") from None
        if stage.ndim < 2 or len(stage) != len(images):
            raise RobustPoseError(
                f"{self.where}: must return a prediction for each of {len(images)} images, returned shape "
                f"{tuple(stage.shape)}"
            )
        # A keypoint that was not found is wrong, not missing, so it is placed far outside the image.
        far = -float(max(self.spec.input_size)) if self.spec.head_keys.get("unit", "pixels") == "pixels" else -1.0
        return (torch.where(torch.isfinite(stage), stage, far),)


def plain_name(name: str) -> str:
    """Return a name for tables and file names."""
    return name.rpartition("/")[2].replace(".py", "").replace(":", ".")


def fingerprint_of(model: nn.Module) -> str:
    """Hash what determines a model's outputs: layers, their source, weights, buffers and plain attributes."""
    digest = hashlib.sha256(repr(model).encode())
    for source in sorted({_source_of(type(module)) for module in model.modules()}):
        digest.update(source.encode())
    for name, tensor in (*model.named_parameters(), *model.named_buffers()):
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        digest.update(as_bytes(tensor))
    for line in plain_attributes(model):
        digest.update(line.encode())
    return digest.hexdigest()


def _source_of(thing: Any) -> str:
    """Return the source file of a user's object as text; for torch's own classes, their name.

    An object without source gets a random value, so that no stored result is reused for it.
    """
    if str(getattr(thing, "__module__", "")).partition(".")[0] == "torch":
        return f"{thing.__module__}.{thing.__qualname__}"
    try:
        return Path(inspect.getfile(thing)).read_text(encoding="utf-8")
    except (TypeError, OSError, UnicodeDecodeError):
        return uuid.uuid4().hex


def found_callable(place: str, kind: str) -> Callable[..., Any]:
    """Import 'module:name'; RobustPoseError where it does not exist."""
    module_name, _, name = place.rpartition(":")
    if not module_name or not name:
        raise RobustPoseError(f"{kind} needs a module and a name in it: {kind}:MODULE:NAME, got {kind}:{place}")
    module = _run(lambda: _imported(module_name), f"{kind}:{place}")
    thing = getattr(module, name, None)
    if not callable(thing):
        state = "has no" if thing is None else "cannot call"
        raise RobustPoseError(f"{kind}:{place}: {module_name} {state} {name!r}")
    return thing  # type: ignore[no-any-return]


def _imported(name: str) -> ModuleType:
    if not name.endswith(".py"):
        with _current_folder():
            return importlib.import_module(name)
    path = Path(name)
    if not path.is_file():
        raise RobustPoseError(f"{path}: no such file")
    spec = importlib.util.spec_from_file_location(f"_robustpose_{path.stem}", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # inspect and dataclasses look it up there
    spec.loader.exec_module(module)
    return module


@contextmanager
def _current_folder() -> Iterator[None]:
    """Allow imports from the current folder, as `python -m` does."""
    here = str(Path.cwd())
    sys.path.insert(0, here)
    try:
        yield
    finally:
        sys.path.remove(here)


def _called(factory: Callable[..., Any], place: str) -> Any:
    return _run(factory, f"torch:{place}")


def _run(call: Callable[[], Any], where: str) -> Any:
    """Run the user's code; RobustPoseError with its exception in one line and the place in its file."""
    try:
        return call()
    except RobustPoseError:
        raise
    except Exception as error:
        trace = error.__traceback__
        while trace is not None and trace.tb_next is not None:
            trace = trace.tb_next
        at = f" ({Path(trace.tb_frame.f_code.co_filename).name}, line {trace.tb_lineno})" if trace else ""
        lines = str(error).strip().splitlines() or [""]
        raise RobustPoseError(f"{where}: failed: {type(error).__name__}: {lines[0][:200]}{at}") from error


TORCH = ImporterSpec(
    open=open_torch,
    place="torch:MODULE:FACTORY",
    suffixes=(".py",),
    summary="PyTorch model that a function of your own returns",
    one_output=True,
    one_file=False,
    runs_code=True,
)
CALLABLE = ImporterSpec(
    open=open_callable,
    place="callable:MODULE:FUNCTION",
    summary="Python function of your own, attacked as a black box",
    layout="NHWC",
    one_output=True,
    one_file=False,
    scales=False,
    runs_code=True,
)
