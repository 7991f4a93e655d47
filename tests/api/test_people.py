"""People in memory: Batch.from_tensors, DataLoaders, datasets, and images of any type."""

from pathlib import Path
from typing import Any

import pytest
import torch
from torch.utils.data import DataLoader, Dataset, TensorDataset

import robustpose as rp
from robustpose.data.batches import BatchPeople
from robustpose.errors import RobustPoseError
from robustpose.skeletons import COCO_17, MPII_16
from tests.conftest import TINY, LinearPose, TinyHeatmaps, tiny_batch


def tensors(n: int = 5) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    batch = tiny_batch(n)
    return batch.images, batch.keypoints, batch.visible


def test_a_batch_of_tensors_has_what_scores_need() -> None:
    images = torch.rand(2, 3, 40, 30)
    keypoints = torch.tensor([[[5.0, 10.0], [25.0, 30.0], [9.0, 9.0]], [[3.0, 4.0], [0.0, 0.0], [0.0, 0.0]]])
    visible = torch.tensor([[2, 1, 0], [1, 0, 0]])
    batch = rp.Batch.from_tensors(images, keypoints, visible)
    assert batch.visible.tolist() == [[True, True, False], [True, False, False]]
    assert batch.box_side.tolist() == [1.2 * 20 + 1, pytest.approx(40 / 1.25)]
    assert batch.head_size.isnan().all()
    assert batch.ids == ("0", "1")
    assert batch.skeleton.keypoints == ("keypoint_0", "keypoint_1", "keypoint_2")
    boxes = torch.tensor([[0, 0, 10, 20], [0, 0, 30, 20.5]])
    told = rp.Batch.from_tensors(
        images.double().numpy(), keypoints, visible, boxes=boxes, head_size=torch.tensor([3, 4.0]),
        skeleton=["nose", "left_hand", "right_hand"], ids=["a", "b"],
    )  # fmt: skip
    assert told.box_side.tolist() == [20, 30]
    assert told.head_size.tolist() == [3, 4]
    assert told.images.dtype == torch.float32
    assert told.skeleton.flip_pairs == ((1, 2),)


def test_the_number_of_keypoints_tells_the_skeleton() -> None:
    for skeleton in (COCO_17, MPII_16):
        points = torch.rand(1, len(skeleton), 2) * 30
        assert rp.Batch.from_tensors(torch.rand(1, 3, 32, 32), points).skeleton == skeleton
    three = torch.cat([torch.rand(1, 17, 2) * 30, torch.tensor([0.0, 1, 2] * 5 + [0, 2])[None, :, None]], dim=2)
    assert rp.Batch.from_tensors(torch.rand(1, 3, 32, 32), three).visible.sum() == 11


class Samples(Dataset[dict[str, Any]]):
    """A torch Dataset without __iter__, one person an item, as a dictionary."""

    def __len__(self) -> int:
        return 5

    def __getitem__(self, row: int) -> dict[str, Any]:
        images, keypoints, visible = tensors()
        return {"image": images[row].numpy(), "keypoints": keypoints[row], "visibility": visible[row], "id": row}


def test_loaders_of_all_kinds_are_the_same_people(heatmaps: TinyHeatmaps) -> None:
    images, keypoints, visible = tensors()
    batch = rp.Batch.from_tensors(images, keypoints, visible, skeleton=heatmaps.skeleton)
    expected = rp.attack(heatmaps, batch, attack="fgsm", eps="16/255")
    loader: Any = DataLoader(TensorDataset(images, keypoints, visible), batch_size=2)
    for data in (loader, [(images, keypoints, visible, "more")], Samples()):
        found = rp.attack(heatmaps, data, attack="fgsm", eps="16/255")
        assert found.score("attacked") == expected.score("attacked")
        assert torch.equal(found.adversarial, expected.adversarial)
    assert found.plan.dataset.skeleton == heatmaps.skeleton


def test_a_loader_is_read_as_far_as_needed(linear: LinearPose) -> None:
    read = []

    def batches() -> Any:
        for number in range(100):
            read.append(number)
            yield tensors(2)

    assert rp.attack(linear, batches(), attack="fgsm", n=5).score("clean").n == 5
    assert read == [0, 1, 2]


@pytest.mark.parametrize("dtype", [torch.float16, torch.float64])
def test_images_are_rounded_to_8_bits(linear: LinearPose, dtype: torch.dtype) -> None:
    images, keypoints, visible = tensors(3)
    rough = (images + 0.3 / 255 * torch.rand(images.shape)).clamp(0, 1).to(dtype)
    people = rp.load_data(rp.Batch.from_tensors(rough, keypoints, visible))
    loaded = people.load([0, 1, 2], input_size=TINY).images
    assert torch.equal(loaded, images)
    assert rp.attack(linear, [(rough, keypoints, visible)], attack="fgsm").clean.equal(images)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_a_model_of_other_precision_scores_in_it_and_is_searched_in_float32(dtype: torch.dtype) -> None:
    model = TinyHeatmaps().eval().to(dtype)
    found = rp.attack(model, tiny_batch(4), attack="igsm", eps="16/255", steps=3)
    same = rp.attack(TinyHeatmaps().eval().to(dtype).float(), tiny_batch(4), attack="igsm", eps="16/255", steps=3)
    assert torch.equal(found.adversarial, same.adversarial)
    with torch.no_grad():
        expected = model(found.adversarial.to(dtype)).keypoints.float()
    assert torch.equal(found.keypoints, expected)
    assert model.stem.weight.dtype == dtype


def test_a_spec_as_a_dictionary_is_completed_from_people() -> None:
    model = torch.nn.Sequential(torch.nn.Conv2d(3, 3, 3, stride=2, padding=1)).eval()
    batch = tiny_batch(3)
    found = rp.attack(model, batch, spec={"sigma": 1.0}, attack="fgsm")
    opened = found.plan.models[0]
    assert opened.module.skeleton.keypoints == batch.skeleton.keypoints
    assert opened.module.input_size == TINY
    assert opened.name == "Sequential"


def test_a_model_with_hooks_of_ones_own_in_parallel(linear: LinearPose) -> None:
    expected = rp.attack(linear, tiny_batch(3), attack="fgsm")
    wrapped = rp.attack(torch.nn.DataParallel(linear), tiny_batch(3), attack="fgsm")
    assert torch.equal(wrapped.adversarial, expected.adversarial)


@pytest.mark.parametrize(
    ("data", "line"),
    [
        ([], "list holds no people"),
        ([3], r"batch 0 of list: expected \(images, keypoints, visible\), got int"),
        ([{"x": 1, "keypoints": 2}], "batch 0 of list: expected the keys images and keypoints, got x, keypoints"),
        (
            [(torch.rand(1, 3, 8, 8), "no")],
            "list: keypoints must be a tensor or an array of numbers, got str",
        ),
        (torch.rand(3, 3, 8, 8), "data must be a name, a Batch or a DataLoader, got Tensor"),
        (
            [(torch.rand(1, 3, 8, 8), torch.ones(1, 2, 2)), (torch.rand(1, 3, 8, 9), torch.ones(1, 2, 2))],
            r"list: images must be in every batch, with the same shape, got \[\(3, 8, 8\), \(3, 8, 9\)\]",
        ),
    ],
)
def test_what_is_no_people_is_one_line(data: Any, line: str) -> None:
    with pytest.raises(RobustPoseError, match=line):
        rp.load_data(data)


def test_arrays_of_numpy_are_people() -> None:
    images, keypoints, visible = tensors(2)
    levels = (images * 255).round().to(torch.uint8).numpy()
    people = rp.load_data([(levels, keypoints.numpy()[::1], visible.numpy())])
    assert isinstance(people, BatchPeople)
    assert torch.equal(people.batch.images, images)


def test_paths_of_model_files(tmp_path: Path) -> None:
    """The suffix says the format; where it does not, the line says what to write."""
    for name, line in {
        "a.onnx": "a.onnx",
        "a.pth": "a path alone does not say what this file is; write release:NAME:",
        "a.bin": "a path alone does not say what this file is; write a name of `robustpose list models`",
    }.items():
        (tmp_path / name).write_bytes(b"no model")
        with pytest.raises(RobustPoseError, match=line) as caught:
            rp.load_model(tmp_path / name)
        assert "\n" not in str(caught.value)
    with pytest.raises(RobustPoseError, match=r"hf:.*the folder"):
        rp.load_model(tmp_path)
