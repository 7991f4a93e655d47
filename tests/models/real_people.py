"""People in photos with labelled limbs, and the share that a model finds; skips if the photos are missing."""

import torch

from robustpose.data.coco import open_coco
from robustpose.skeletons import COCO_17
from robustpose.types import Batch, PoseModel
from tests.models.importers.tflite_files import real_path

LIMB_JOINTS = COCO_17.keypoints[5:]
_AT_ONCE = 10


def real_people(input_size: tuple[int, int], count: int) -> Batch:
    """Crop people whose limbs are nearly all labelled and who are at least 80 pixels tall or wide."""
    dataset = open_coco(real_path("coco_dev/person_keypoints_coco_dev.json"))
    rows = [
        row
        for row, person in enumerate(dataset.people)
        if person.visible[5:].sum() >= 10 and max(person.box[2:]) >= 80
    ]
    return dataset.load(rows[:count], input_size=input_size)


def share_found(model: PoseModel, people: Batch) -> float:
    """Return the share of labelled limb joints that a model puts within a tenth of the box's longer side."""
    with torch.no_grad():
        found = torch.cat([model(images).keypoints for images in torch.split(people.images, _AT_ONCE)])
    ours = [model.skeleton.index(joint) for joint in LIMB_JOINTS]
    theirs = [COCO_17.index(joint) for joint in LIMB_JOINTS]
    distances = (found[:, ours] - people.keypoints[:, theirs]).norm(dim=-1)
    counts = people.visible[:, theirs]
    right = (distances < 0.1 * people.box_side[:, None]) & counts
    return float(right.sum() / counts.sum())
