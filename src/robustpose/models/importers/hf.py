"""Hugging Face transformers models with heatmaps, such as VitPoseForPoseEstimation: `hf:FOLDER` or `hf:NAME`.

Needs the extra `hf`. Weights must be safetensors and classes must be transformers' own: no code of a repository is
run and no pickle opened. Size and scaling come from the processor. The rest, unless a spec gives it, is that of
ViTPose (Xu et al. 2022, arXiv 2204.12484): COCO's 17 keypoints, sigma of 2 cells, UDP's cell positions. Its
decoding is DARK, ours a quarter cell.
"""

import hashlib
import json
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from robustpose.errors import RobustPoseError
from robustpose.given import device_of
from robustpose.models.importers.imported import ImportedPose, StagesOf, named_outputs
from robustpose.models.importers.opening import check_model
from robustpose.models.importers.python import fingerprint_of, plain_name
from robustpose.models.importers.spec import ImporterSpec, OpenedModel
from robustpose.models.precision import adapted
from robustpose.models.specs import ModelSpec, given_spec
from robustpose.models.untouched import untouched
from robustpose.skeletons import COCO_17

HEATMAPS = "heatmaps"
_SIGMA = 2.0


def open_hf(name: str, spec: Path | ModelSpec | None = None) -> OpenedModel:
    """Open a folder or a model of the hub in eval mode; a spec of format "hf" is optional.

    RobustPoseError where transformers is missing, where the model cannot be opened without running its code, where
    it returns no heatmaps, or where the spec does not fit.
    """
    where = f"hf:{name}"
    transformers = _package()
    folder = Path(name)
    if folder.is_dir() and not any(folder.glob("*.safetensors")):
        raise RobustPoseError(
            f"{where}: the folder has no .safetensors; other weights are pickles, which run code"
        )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        safe = {"trust_remote_code": False, "local_files_only": folder.is_dir()}
        config = _read(lambda: transformers.AutoConfig.from_pretrained(name, **safe), where)
        kind = _class_of(transformers, config, where)
        model = _read(lambda: kind.from_pretrained(name, use_safetensors=True, **safe), where)
    model.eval().requires_grad_(False)
    graph = _OneDataset(model) if _experts(config) > 1 else model
    if spec is None:
        numbers = processor_numbers(_processor(transformers, name, where), where=where)
    chosen = given_spec(spec, format="hf") if spec is not None else _spec(numbers, name, graph, where)
    digest = hashlib.sha256((fingerprint_of(model) + chosen.fingerprint).encode()).hexdigest()
    imported = ImportedPose(StagesOf(graph, chosen.stages, where=where), chosen, fingerprint=digest).eval()
    check_model(imported, file=where)
    return OpenedModel(name=chosen.name, module=imported, fingerprint=digest)


def opened_live(model: nn.Module, *, name: str) -> OpenedModel:
    """Make a model of transformers in memory ready to be attacked; it is left as it came. See live_spec."""
    chosen, graph = live_spec(model, name=name)
    digest = hashlib.sha256((fingerprint_of(model) + chosen.fingerprint).encode()).hexdigest()
    imported = ImportedPose(StagesOf(adapted(graph), chosen.stages, where=name), chosen, fingerprint=digest)
    with untouched(model):
        check_model(imported.to(device_of(model)).eval(), file=name)
    return OpenedModel(name=chosen.name, module=imported, fingerprint=digest)


def live_spec(model: nn.Module, *, name: str) -> tuple[ModelSpec, nn.Module]:
    """Write the spec of a model of transformers in memory; return it, and the module of its heatmaps.

    The input size is its configuration's; mean and standard deviation are ImageNet's, as ViTPose's processor has
    them. RobustPoseError for a model without heatmaps or of other keypoints than COCO's.
    """
    config: Any = model.config
    size = getattr(getattr(config, "backbone_config", None), "image_size", None)
    if not isinstance(size, list | tuple) or len(size) != 2:
        raise RobustPoseError(
            f"{type(model).__name__}: its configuration has no image_size, so it needs a spec "
            "(docs/your-model.md) with format = 'torch'"
        )
    height, width = size
    numbers = processor_numbers({"size": {"height": height, "width": width}}, where=name)
    graph = _OneDataset(model) if _experts(config) > 1 else model
    named = str(getattr(config, "name_or_path", "") or name)
    with untouched(model):
        return _spec(numbers, named, adapted(graph), name), graph


class _OneDataset(nn.Module):
    """A ViTPose+ model, which has experts per data set, with the expert of the first: COCO."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, x: Tensor) -> Any:
        """Run the model on x (N, 3, H, W)."""
        return self.model(x, dataset_index=torch.zeros(len(x), dtype=torch.int64, device=x.device))


def _package() -> Any:
    try:
        import transformers
    except ImportError:
        raise RobustPoseError(
            "hf:NAME needs the package transformers, which is not installed: pip install 'robustpose[hf]'"
        ) from None
    return transformers


def _read(call: Any, where: str) -> Any:
    """Call transformers; RobustPoseError with one line for whatever it raises."""
    try:
        return call()
    except Exception as error:  # many types: no such folder, no network, not JSON, no safetensors
        lines = [line.strip() for line in str(error).splitlines() if line.strip()]
        raise RobustPoseError(f"{where}: cannot be opened: {(lines or [type(error).__name__])[0][:300]}") from None


def _class_of(transformers: Any, config: Any, where: str) -> Any:
    """Return the class of transformers that the configuration names."""
    names = list(getattr(config, "architectures", None) or [])
    kind = getattr(transformers, names[0], None) if names else None
    if kind is None or not hasattr(kind, "from_pretrained"):
        what = (
            f"names {names[0]!r}, which is not a class of transformers"
            if names
            else "names no class (architectures)"
        )
        raise RobustPoseError(f"{where}: its config.json {what}; code of a repository is never run")
    return kind


def _experts(config: Any) -> int:
    return int(getattr(getattr(config, "backbone_config", None), "num_experts", 1) or 1)


def _spec(numbers: Mapping[str, Any], name: str, model: nn.Module, where: str) -> ModelSpec:
    """Make the spec of a model from its processor's numbers and the shapes of its output."""
    image = torch.zeros((1, 3, *numbers["input_size"]), device=device_of(model))
    with torch.no_grad():
        found = named_outputs(_read(lambda: model(image), where))
    maps = found.get(HEATMAPS)
    if maps is None or maps.ndim != 4:
        raise RobustPoseError(
            f"{where}: {type(model).__name__} returns no {HEATMAPS} (it returns {', '.join(found)})"
        )
    if maps.shape[1] != len(COCO_17):
        raise RobustPoseError(
            f"{where}: gives {maps.shape[1]} heatmaps, not COCO's {len(COCO_17)}; say which keypoints they are in "
            "a spec with format = 'hf' (docs/your-model.md) and give it with --spec"
        )
    return ModelSpec(
        name=plain_name(name.rstrip("/")) or "hf",
        format="hf",
        skeleton=COCO_17,
        channels="RGB",
        stages=(HEATMAPS,),
        head="heatmap",
        layout="NCHW",
        head_keys={
            "heatmap_size": (int(maps.shape[2]), int(maps.shape[3])),
            "sigma": _SIGMA,
            "decoding": "quarter",
            "lattice": "ends",
        },
        **numbers,
    )


def _processor(transformers: Any, name: str, where: str) -> Mapping[str, Any]:
    base = transformers.image_processing_utils.BaseImageProcessor
    found = _read(lambda: base.get_image_processor_dict(name, local_files_only=Path(name).is_dir())[0], where)
    return json.loads(json.dumps(found))  # type: ignore[no-any-return]


def processor_numbers(processor: Mapping[str, Any], *, where: str) -> dict[str, Any]:
    """Return a spec's input_size, mean and std ([0, 1] units) from an image processor's settings."""
    size = processor.get("size") or {}
    if not isinstance(size, Mapping) or not {"height", "width"} <= size.keys():
        raise RobustPoseError(f"{where}: its processor's size must have height and width, got {size!r}")
    factor = 255 * float(processor.get("rescale_factor", 1 / 255)) if processor.get("do_rescale", True) else 255.0
    normalises = processor.get("do_normalize", True)
    mean = processor.get("image_mean", (0.485, 0.456, 0.406)) if normalises else (0.0, 0.0, 0.0)
    std = processor.get("image_std", (0.229, 0.224, 0.225)) if normalises else (1.0, 1.0, 1.0)
    return {
        "input_size": (int(size["height"]), int(size["width"])),
        "mean": tuple(float(number) / factor for number in mean),
        "std": tuple(float(number) / factor for number in std),
    }


HF = ImporterSpec(
    open=open_hf,
    place="hf:FOLDER",
    summary="Hugging Face transformers model, from a folder or the hub",
    one_output=True,
    one_file=False,
)
