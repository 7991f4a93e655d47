"""Every reader of files that others may have made, with a small valid file of each."""

import io
import json
import tempfile
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from safetensors.torch import save as save_tensors
from scipy.io import savemat
from torch import nn

from robustpose.data import open_dataset
from robustpose.data.check import check_data
from robustpose.data.photos import read_photo, read_upright
from robustpose.jobs.journal import read_journal
from robustpose.jobs.places import open_place
from robustpose.jobs.sealed import seal, unseal
from robustpose.jobs.store import Store
from robustpose.models import open_model
from robustpose.models import weights as weights_of
from robustpose.models.specs import make_spec, read_spec
from robustpose.models.weights import load_weights
from robustpose.skeletons import CROWDPOSE_14
from robustpose.study.plan import run_cells
from robustpose.study.saved import load_study, save_study
from robustpose.upkeep.verify import verify
from tests.data.files import coco_annotation, coco_content, mpii_person, noise, structs, write_release
from tests.models.importers.test_tfjs import SMALL, SPEC_TOML
from tests.study.study_fakes import SETTINGS, plan


@dataclass(frozen=True)
class Reader:
    """A reader.

    files    a valid folder, by relative path
    changed  the files that are mutated
    read     reads the folder; RobustPoseError for what cannot be used
    json     whether values are mutated beside bytes
    slow     whether it starts a process for each file
    """

    name: str
    files: dict[str, bytes]
    changed: tuple[str, ...]
    read: Callable[[Path], object]
    json: bool = False
    slow: bool = False


def _dataset(spec: str) -> Callable[[Path], object]:
    def read(folder: Path) -> object:
        people = open_dataset(spec.replace("FOLDER", str(folder)))
        people.content(range(len(people)))
        return people.load(range(min(2, len(people))), input_size=(16, 16))

    return read


def _jpeg(suffix: str = ".jpg") -> bytes:
    return bytes(cv2.imencode(suffix, noise())[1].tobytes())


def _made(write: Callable[[Path], object], *names: str) -> dict[str, bytes]:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write(folder)
        found = names or [str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file()]
        return {each: (folder / each).read_bytes() for each in found}


def _annotations() -> list[Reader]:
    photos = {f"images/{name}": _jpeg(".png") for name in ("000007.png", "000003.png", "a.png")}
    coco = coco_content([coco_annotation(1, 7), coco_annotation(2, 3)])
    crowd = json.loads(json.dumps(coco))
    crowd["categories"][0]["keypoints"] = list(CROWDPOSE_14.keypoints)
    for each in crowd["annotations"]:
        each["keypoints"], each["num_keypoints"] = [10, 12, 2] * 14, 14
    found = [{"image_id": 7, "category_id": 1, "bbox": [4.0, 2.0, 20.0, 40.0], "score": 0.9}]
    lsp = {"joints": np.random.default_rng(0).uniform(2, 40, (3, 14, 2))}
    points = [{"id": 0, "x": 11.0, "y": 31.0}, {"id": 15, "x": 21.0, "y": 13.0}]
    rect = {"x1": 5, "y1": 2, "x2": 35, "y2": 42, "scale": 0.2, "objpos": {"x": 17.0, "y": 20.0}}
    release = _made(
        lambda f: write_release(
            f / "r.mat", [("a.png", 1, [rect | {"annopoints": {"point": structs(points)}}], [1])]
        )
    )
    joints = _made(lambda f: savemat(f / "joints.mat", lsp))

    def text(content: Any) -> bytes:
        return json.dumps(content).encode()

    def detections(folder: Path) -> object:
        return open_dataset(f"coco:{folder / 'p.json'}", detections=folder / "d.json")

    def check(folder: Path) -> object:
        return check_data("coco", [folder / "p.json"])

    return [
        Reader("COCO", {"p.json": text(coco), **photos}, ("p.json",), _dataset("coco:FOLDER/p.json"), json=True),
        Reader("data check", {"p.json": text(coco), **photos}, ("p.json",), check, json=True),
        Reader(
            "CrowdPose",
            {"p.json": text(crowd), **photos},
            ("p.json",),
            _dataset("crowdpose:FOLDER/p.json"),
            json=True,
        ),
        Reader(
            "OCHuman", {"p.json": text(coco), **photos}, ("p.json",), _dataset("ochuman:FOLDER/p.json"), json=True
        ),
        Reader(
            "MPII JSON",
            {"p.json": text([mpii_person(), mpii_person(head_size=4.0)]), **photos},
            ("p.json",),
            _dataset("mpii:FOLDER/p.json"),
            json=True,
        ),
        Reader(
            "detections",
            {"p.json": text(coco), "d.json": text(found), **photos},
            ("p.json", "d.json"),
            detections,
            json=True,
        ),
        Reader("MPII .mat", {**release, **photos}, ("r.mat",), _dataset("mpii:FOLDER/r.mat"), slow=True),
        Reader(
            "LSP .mat",
            {**joints, "images/im0001.jpg": _jpeg(), "images/im0002.jpg": _jpeg()},
            ("joints.mat",),
            _dataset("lsp:FOLDER"),
            slow=True,
        ),
    ]


def _photos() -> list[Reader]:
    found = []
    for suffix in (".jpg", ".png", ".bmp", ".webp", ".tiff", ".ppm"):
        name = f"photo{suffix}"

        def read(folder: Path, name: str = name) -> object:
            return read_photo(folder / name, folder=folder), read_upright(folder / name)

        found.append(Reader(f"photo {suffix}", {name: _jpeg(suffix)}, (name,), read))
    return found


def _stored() -> list[Reader]:
    tiny = plan(n=3, settings=SETTINGS[:1])

    def write(folder: Path) -> None:
        run_cells(tiny, Store(folder))
        save_study(tiny.study, folder)
        Store(folder).place.append(
            "journal/r-0000.jsonl", b'{"run": "r"}\n{"keys": [], "seconds": 1, "passes": 2}\n'
        )

    whole = _made(write)
    cell = next(name for name in whole if name.startswith("cells/"))
    picture = next(name for name in whole if name.startswith("pictures/"))

    def read(folder: Path) -> object:
        store = Store(folder)
        verify(store.place)
        return [(store.read(job), store.pictures(job)) for job in tiny.all_cells()]

    def read_resealed(folder: Path) -> object:
        """Read a cell whose metadata were changed and whose checksum was made again."""
        try:
            about = json.loads((folder / "about.json").read_bytes())
        except (ValueError, RecursionError):
            return None  # what is no JSON is tried by the reader "cell"
        _, arrays = unseal(whole[cell])
        if isinstance(about, dict):
            (folder / cell).write_bytes(seal(about, arrays))
        return read(folder)

    about = json.dumps(unseal(whole[cell])[0]).encode()
    journal = "journal/r-0000.jsonl"
    return [
        Reader("cell", whole, (cell, picture), read),
        Reader(
            "cell with a new checksum", {**whole, "about.json": about}, ("about.json",), read_resealed, json=True
        ),
        Reader("store.json", whole, ("store.json",), read, json=True),
        Reader("study.json", whole, ("study.json",), lambda folder: load_study(folder), json=True),
        Reader("journal", whole, (journal,), lambda folder: read_journal(open_place(folder))),
        Reader("place.json", {"place.json": b'{"url": "memory://x/y"}'}, ("place.json",), _pointed, json=True),
    ]


def _pointed(folder: Path) -> object:
    return Store(folder)


class _Scripted(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.last = nn.Conv2d(3, 2, 3, padding=1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        maps: torch.Tensor = self.last(x)
        return maps


def _models() -> list[Reader]:
    base = {
        "name": "small",
        "skeleton": ["left_hand", "right_hand"],
        "input_size": [6, 6],
        "channels": "RGB",
        "stages": ["out"],
        "head": "heatmap",
        "heatmap_size": [6, 6],
        "sigma": 1.0,
    }
    linear = nn.Linear(3, 4)
    state = save_tensors({name: value.contiguous() for name, value in linear.state_dict().items()})
    shipped = sorted((Path(weights_of.__file__).parent / "weights").glob("*.json"))[0]
    facts = json.dumps(json.loads(shipped.read_text()) | {"sha256": sha256(state).hexdigest()}).encode()
    traced = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch.jit is deprecated, its files are not gone
        torch.jit.save(torch.jit.script(_Scripted().eval()), traced)

    def tfjs(folder: Path) -> object:
        return open_model(f"tfjs:{folder / 'model.json'}", spec=folder / "spec.toml")

    def scripted(folder: Path) -> object:
        spec = make_spec({**base, "format": "torchscript", "stages": ["output"]})
        return open_model(f"torchscript:{folder / 'm.pt'}", spec=spec)

    def tensors(folder: Path) -> object:
        return load_weights(nn.Linear(3, 4), folder / "w.safetensors")

    def rehashed(folder: Path) -> object:
        """Read weights whose facts were made again, so that the content itself is parsed."""
        digest = sha256((folder / "w.safetensors").read_bytes()).hexdigest()
        (folder / "w.json").write_text(json.dumps(json.loads(facts) | {"sha256": digest}))
        return tensors(folder)

    shards = tuple(name for name in SMALL if name.endswith(".bin"))
    return [
        Reader("model spec", {"s.toml": SPEC_TOML.encode()}, ("s.toml",), lambda f: read_spec(f / "s.toml")),
        Reader("TF.js", {**SMALL, "spec.toml": SPEC_TOML.encode()}, ("model.json", *shards), tfjs, json=False),
        Reader("safetensors", {"w.safetensors": state, "w.json": facts}, ("w.safetensors",), rehashed),
        Reader("facts of weights", {"w.safetensors": state, "w.json": facts}, ("w.json",), tensors, json=True),
        Reader("TorchScript", {"m.pt": traced.getvalue()}, ("m.pt",), scripted, slow=True),
        *_onnx(base),
        *_tflite(base),
    ]


def _onnx(base: dict[str, Any]) -> list[Reader]:
    try:
        import onnx  # noqa: F401
    except ImportError:
        return []
    from tests.models.importers.onnx_files import model_of, node, written

    model = model_of(
        [node("Conv", ["picture", "w"], pads=[1, 1, 1, 1])],
        {"w": np.random.default_rng(0).standard_normal((3, 3, 3, 3)).astype(np.float32)},
    )
    files = _made(lambda folder: written(model, folder / "m.onnx"))
    spec = make_spec(
        {
            **base,
            "format": "onnx",
            "skeleton": ["left_hand", "right_hand", "nose"],
            "input_size": [8, 6],
            "heatmap_size": [8, 6],
        }
    )
    return [Reader("ONNX", files, ("m.onnx",), lambda folder: open_model(f"onnx:{folder / 'm.onnx'}", spec=spec))]


def _tflite(base: dict[str, Any]) -> list[Reader]:
    from tests.models.importers.test_tflite import SMALL as CONTENT

    spec = make_spec({**base, "format": "tflite"})
    name = "m.tflite"
    return [Reader("TFLite", {name: CONTENT}, (name,), lambda f: open_model(f"tflite:{f / name}", spec=spec))]


def readers() -> list[Reader]:
    """Return every reader."""
    return [*_annotations(), *_photos(), *_stored(), *_models()]
