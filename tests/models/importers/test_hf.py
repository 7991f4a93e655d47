"""hf:FOLDER: transformers' ViTPose of random weights, offline."""

import json
import logging
import warnings
from pathlib import Path
from typing import Any

import pytest
import torch

import robustpose as rp
from robustpose.errors import RobustPoseError
from robustpose.models import open_model
from robustpose.models.heads import HeatmapHead
from robustpose.models.importers.hf import processor_numbers
from robustpose.models.specs import make_spec
from robustpose.skeletons import COCO_17


@pytest.fixture(scope="module")
def transformers() -> Any:
    found = pytest.importorskip("transformers", reason="the extra hf is not installed")
    logging.getLogger("transformers").setLevel(logging.ERROR)
    found.utils.logging.disable_progress_bar()
    return found


def model_of(transformers: Any, *, keypoints: int = 17, experts: int = 1) -> Any:
    torch.manual_seed(0)
    backbone = transformers.VitPoseBackboneConfig(
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        image_size=(64, 48),
        num_experts=experts,
        part_features=8,
    )
    config = transformers.VitPoseConfig(backbone_config=backbone, num_labels=keypoints)
    return transformers.VitPoseForPoseEstimation(config).eval()


def saved(model: Any, folder: Path, **changes: object) -> Path:
    processor = {"size": {"height": 64, "width": 48}, "image_mean": [0.4, 0.5, 0.6], "image_std": [0.2, 0.25, 0.5]}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model.save_pretrained(folder)
    kind = {"image_processor_type": "VitPoseImageProcessor"}
    (folder / "preprocessor_config.json").write_text(json.dumps(kind | processor | changes))
    return folder


@pytest.mark.slow
def test_agrees_with_transformers(transformers: Any, tmp_path: Path) -> None:
    model = model_of(transformers)
    opened = open_model(f"hf:{saved(model, tmp_path / 'tiny-vitpose')}")
    assert opened.name == "tiny-vitpose"
    assert opened.module.skeleton is COCO_17
    assert opened.module.head == HeatmapHead(
        input_size=(64, 48), heatmap_size=(16, 12), sigma=2.0, decoding="quarter", lattice="ends"
    )
    images = torch.rand(2, 3, 64, 48)
    mean, std = torch.tensor([0.4, 0.5, 0.6])[:, None, None], torch.tensor([0.2, 0.25, 0.5])[:, None, None]
    ours, theirs = images.clone().requires_grad_(), images.clone().requires_grad_()
    (stage,) = opened.module(ours).stages
    expected = model((theirs - mean) / std).heatmaps
    assert torch.allclose(stage, expected, atol=1e-6)
    (mine,) = torch.autograd.grad(stage.square().sum(), ours)
    (true,) = torch.autograd.grad(expected.square().sum(), theirs)
    assert torch.allclose(mine, true, atol=1e-6)


def test_cells_lie_as_the_processor_puts_them() -> None:
    """UDP: the first and last cells are the first and last pixels."""
    head = HeatmapHead(input_size=(256, 192), heatmap_size=(64, 48), lattice="ends")
    cells = torch.tensor([[0.0, 0.0], [47.0, 63.0], [23.5, 31.5]])
    expected = torch.tensor([[0.0, 0.0], [191.0, 255.0], [95.5, 127.5]])
    assert torch.allclose(head.place(cells), expected)


def test_models_of_experts_take_coco(transformers: Any, tmp_path: Path) -> None:
    model = model_of(transformers, experts=3)
    opened = open_model(f"hf:{saved(model, tmp_path / 'plus')}")
    images = torch.rand(2, 3, 64, 48)
    normal = (images - torch.tensor([0.4, 0.5, 0.6])[:, None, None]) / torch.tensor([0.2, 0.25, 0.5])[
        :, None, None
    ]
    with torch.no_grad():
        expected = model(normal, dataset_index=torch.tensor([0, 0])).heatmaps
    assert torch.allclose(opened.module(images).stages[0], expected, atol=1e-6)


def test_a_spec_says_what_transformers_does_not(transformers: Any, tmp_path: Path) -> None:
    folder = saved(model_of(transformers, keypoints=3), tmp_path / "hands")
    with pytest.raises(RobustPoseError, match=r"gives 3 heatmaps, not COCO's 17; say which keypoints they are"):
        open_model(f"hf:{folder}")
    spec = {
        "name": "hands",
        "format": "hf",
        "skeleton": ["left_hand", "right_hand", "nose"],
        "input_size": [64, 48],
        "channels": "RGB",
        "stages": ["heatmaps"],
        "head": "heatmap",
        "heatmap_size": [16, 12],
        "sigma": 2.0,
    }
    assert open_model(f"hf:{folder}", spec=make_spec(spec)).module(torch.rand(1, 3, 64, 48)).keypoints.shape == (
        1,
        3,
        2,
    )


def test_pickles_and_code_of_a_folder_are_not_opened(transformers: Any, tmp_path: Path) -> None:
    folder = saved(model_of(transformers), tmp_path / "net")
    config = json.loads((folder / "config.json").read_text())
    (folder / "code.py").write_text("raise SystemExit('ran')")
    own = config | {"architectures": ["MyPose"], "auto_map": {"AutoModel": "code.MyPose"}}
    (folder / "config.json").write_text(json.dumps(own))
    with pytest.raises(
        RobustPoseError, match="names 'MyPose', which is not a class of transformers; code of a repository"
    ):
        open_model(f"hf:{folder}")
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    with pytest.raises(RobustPoseError, match=r"has no \.safetensors; other weights are pickles, which run code"):
        open_model(f"hf:{folder}")


def test_folders_that_cannot_be_opened(transformers: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    folder = saved(model_of(transformers), tmp_path / "net")
    (folder / "model.safetensors").write_bytes((folder / "model.safetensors").read_bytes()[:-100])
    with pytest.raises(RobustPoseError) as caught:
        open_model(f"hf:{folder}")
    assert "cannot be opened" in str(caught.value)
    assert "\n" not in str(caught.value)
    with pytest.raises(RobustPoseError, match="hf:no-such-folder/net: cannot be opened"):
        open_model("hf:no-such-folder/net")


def test_processor_numbers() -> None:
    plain = {"size": {"height": 8, "width": 6}, "image_mean": [0.5] * 3, "image_std": [0.25] * 3}
    assert processor_numbers(plain, where="hf")["mean"] == (0.5, 0.5, 0.5)
    levels = processor_numbers(plain | {"do_rescale": False, "image_mean": [127.5] * 3}, where="hf")
    assert levels["mean"] == (0.5, 0.5, 0.5)
    assert levels["std"] == (0.25 / 255,) * 3
    none = processor_numbers(plain | {"do_normalize": False}, where="hf")
    assert (none["mean"], none["std"], none["input_size"]) == ((0.0,) * 3, (1.0,) * 3, (8, 6))
    with pytest.raises(RobustPoseError, match="size must have height and width"):
        processor_numbers({"size": {"shortest_edge": 256}}, where="hf")


@pytest.mark.parametrize("experts", [1, 3])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_a_model_in_memory_needs_no_spec(transformers: Any, experts: int, dtype: torch.dtype) -> None:
    model = model_of(transformers, experts=experts).to(dtype).train()
    state = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    opened = rp.load_model(model)
    assert opened.module.head == HeatmapHead(
        input_size=(64, 48), heatmap_size=(16, 12), sigma=2.0, decoding="quarter", lattice="ends"
    )
    images = torch.rand(2, 3, 64, 48, generator=torch.Generator().manual_seed(0))
    mean = torch.tensor([0.485, 0.456, 0.406])[:, None, None]
    std = torch.tensor([0.229, 0.224, 0.225])[:, None, None]
    more = {"dataset_index": torch.zeros(2, dtype=torch.int64)} if experts > 1 else {}
    with torch.no_grad():
        expected = model.eval()(((images - mean) / std).to(dtype), **more).heatmaps.float()
        assert torch.equal(opened.module(images).stages[0], expected)
    adv = rp.perturb(model.train(), images, 40 * torch.rand(2, 17, 2), steps=2)
    assert torch.isclose((adv - images).abs().max(), torch.tensor(8 / 255), atol=1e-6)
    assert model.training
    assert all(torch.equal(tensor, state[name]) for name, tensor in model.state_dict().items())


def test_a_model_in_memory_of_other_keypoints_needs_a_spec(transformers: Any) -> None:
    model = model_of(transformers, keypoints=5)
    with pytest.raises(RobustPoseError, match="gives 5 heatmaps, not COCO's 17"):
        rp.load_model(model)
    spec = {"sigma": 2.0, "lattice": "ends"}
    adv = rp.perturb(model, torch.rand(1, 3, 64, 48), 40 * torch.rand(1, 5, 2), spec=spec, steps=1)
    assert adv.shape == (1, 3, 64, 48)
    model.config.backbone_config = None
    with pytest.raises(RobustPoseError, match="VitPoseForPoseEstimation: its configuration has no image_size"):
        rp.load_model(model)
