"""TorchScript archives (torch.jit.save) as differentiable models: `torchscript:PATH`.

An archive contains code, some of which runs while it loads, and torch has operators that read and write files. So
the archive is first checked without running it (archive.py), then tried in a separate process (trial.py), and only
then opened here.
"""

import hashlib
import io
import warnings
from pathlib import Path

import torch

from robustpose.errors import RobustPoseError
from robustpose.models.importers.archive import read_archive
from robustpose.models.importers.imported import ImportedPose, StagesOf
from robustpose.models.importers.opening import check_model, choose_spec, fingerprint_of, read_file
from robustpose.models.importers.spec import ImporterSpec, file_opener
from robustpose.models.importers.trial import try_archive
from robustpose.models.specs import ModelSpec


def load_torchscript(path: Path, spec: Path | ModelSpec | None = None) -> ImportedPose:
    """Open a TorchScript archive in eval mode, with a spec of format "torchscript".

    RobustPoseError where the file is no TorchScript, where its content is refused, where it does not end, crashes
    or fills the memory, or where the spec does not fit.
    """
    file = str(path)
    content = read_file(path)
    archive = read_archive(content, file=file)
    sha256 = hashlib.sha256(content).hexdigest()
    chosen = choose_spec(spec, format="torchscript", sha256=sha256, file=file)
    if chosen is None:
        raise RobustPoseError(
            f"{file}: needs a spec (docs/your-model.md) with format = 'torchscript'; give it with --spec"
        )
    height, width = chosen.input_size
    failed = try_archive(archive, shape=(height, width, 3) if chosen.layout == "NHWC" else (3, height, width))
    if failed is not None:
        raise RobustPoseError(f"{file}: cannot be {failed[0]}: {failed[1]}")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch calls its own format deprecated
        module = torch.jit.load(io.BytesIO(archive), map_location="cpu")  # type: ignore[no-untyped-call]
    module.eval()
    for parameter in module.parameters():
        parameter.requires_grad_(False)
    stages, digest = StagesOf(module, chosen.stages, where=file), fingerprint_of(chosen, sha256=sha256)
    model = ImportedPose(stages, chosen, fingerprint=digest).eval()
    check_model(model, file=file)
    return model


TORCHSCRIPT = ImporterSpec(
    open=file_opener(load_torchscript),
    place="torchscript:PATH",
    suffixes=(".pt", ".ts", ".torchscript"),
    summary="TorchScript archive, written by torch.jit.save",
    one_output=True,
    runs_code=True,
)
