import copy

import numpy as np
import pytest
import torch
from torch import nn

from robustpose.attacks import ATTACKS, make_perturbing
from robustpose.errors import RobustPoseError
from robustpose.geometry import box_crop, crop_image
from robustpose.objectives import OBJECTIVES
from robustpose.ownphoto import PhotoAttacked, PhotoSurface, attack_photo, distances, kept, see
from robustpose.ownphoto.attack import Seen
from robustpose.skeletons import MPII_16
from robustpose.threats import Linf
from robustpose.types import PoseModel

from ..conftest import TINY, TRIO, LinearPose, TinyHeatmaps
from .test_surface import a_photo

EPS = 8 / 255
BOX = (11.0, 6.0, 30.0, 22.0)
PHOTO = a_photo(48, 64)


def attacked(model: nn.Module, *, name: str = "igsm", objective: str = "training_loss") -> PhotoAttacked:
    assert isinstance(model, PoseModel)
    steps = {"fgsm": None, "rays": 300}.get(name, 12)
    return attack_photo(
        make_perturbing(name, targeted=False, steps=steps),
        model,
        PHOTO,
        box=BOX,
        threat=Linf(EPS),
        objective=OBJECTIVES[objective],
    )


WANTS_PARTS = {"fmn", "fmn_each", "rays"}
"""They stop a keypoint where it is lost, which the training loss does not say, and may end inside the ball."""


@pytest.mark.parametrize(
    ("name", "objective"),
    [
        (name, objective)
        for name in sorted(ATTACKS)
        if ATTACKS[name].kind == "perturbation" and ATTACKS[name].serves("linf")
        for objective in ("training_loss", "margin")
        if objective == "margin" or name not in WANTS_PARTS
    ],
)
@pytest.mark.parametrize("model", [LinearPose(), TinyHeatmaps()], ids=["coordinates", "heatmaps"])
def test_every_attack_runs_on_photos_and_stays_in_the_ball(model: nn.Module, name: str, objective: str) -> None:
    found = attacked(model.eval(), name=name, objective=objective)
    change = found.photo.astype(int) - PHOTO
    largest = np.abs(change).max()
    assert largest <= 8
    assert largest > 0 or name == "rays"  # which may find nothing in so few queries
    assert largest == 8 or name in WANTS_PARTS
    surface = PhotoSurface(found.crop, photo_size=(48, 64), input_size=TINY)
    outside = np.ones((48, 64), dtype=bool)
    outside[surface.window] = ~surface.reached
    assert not change[outside].any()
    assert found.share == pytest.approx(1 - outside.mean())


def test_a_model_that_answers_its_own_truth_exactly_is_attacked_all_the_same(linear: LinearPose) -> None:
    """The loss of coordinates is flat at the clean prediction; yet one sign step moves all that is read by eps."""
    found = attacked(linear, name="fgsm")
    surface = PhotoSurface(found.crop, photo_size=(48, 64), input_size=TINY)
    before = PHOTO[surface.window][surface.reached].astype(int)
    change = np.abs(found.photo[surface.window][surface.reached] - before)
    assert (change[(before >= 8) & (before <= 247)] == 8).all()
    assert (found.moved > 0.1).all()


def test_what_is_scored_is_the_photo_as_anyone_cuts_it(heatmaps: TinyHeatmaps) -> None:
    found = attacked(heatmaps)
    crop = box_crop(BOX, input_size=TINY)
    assert found.crop.tolist() == crop.tolist()
    for photo, seen in ((PHOTO, found.before), (found.photo, found.after)):
        cut = crop_image(photo, crop, input_size=TINY)
        output = heatmaps(torch.from_numpy(cut).permute(2, 0, 1)[None].float() / 255)
        points = (output.keypoints[0].double().numpy() - crop[:, 2]) / crop[0, 0]
        np.testing.assert_allclose(seen.keypoints, points, atol=1e-4)
        np.testing.assert_allclose(seen.scores, output.scores[0].detach().numpy(), atol=1e-6)


def test_the_score_is_pck_against_the_clean_prediction() -> None:
    points = np.zeros((16, 2))
    moved = points.copy()
    moved[:, 0] = 3.0  # a tenth of the box's longer side, 30: the edge is correct
    moved[MPII_16.index("head_top"), 0] = 3.001
    moved[MPII_16.index("pelvis"), 0] = 500.0  # does not count
    before, after = Seen(points, np.ones(16)), Seen(moved, np.ones(16))
    assert kept(before, after, box=(0, 0, 20, 30), skeleton=MPII_16) == pytest.approx(13 / 14)
    assert distances(before, after)[0] == 3.0


def test_the_same_seed_makes_the_same_photo(heatmaps: TinyHeatmaps) -> None:
    np.testing.assert_array_equal(attacked(heatmaps).photo, attacked(heatmaps).photo)


def test_the_model_is_left_as_it_came() -> None:
    model = TinyHeatmaps().train()
    state, random = copy.deepcopy(model.state_dict()), torch.get_rng_state()
    attacked(model)
    assert model.training and all(parameter.requires_grad for parameter in model.parameters())
    assert all(parameter.grad is None for parameter in model.parameters())
    assert all(torch.equal(state[name], value) for name, value in model.state_dict().items())
    assert torch.equal(torch.get_rng_state(), random)


def test_a_box_outside_of_the_photo_is_refused(linear: LinearPose) -> None:
    with pytest.raises(RobustPoseError, match="lies outside the photo, which is 64 x 48 pixels"):
        attack_photo(
            make_perturbing("fgsm", targeted=False),
            linear,
            PHOTO,
            box=(70, 0, 10, 10),
            threat=Linf(EPS),
            objective=OBJECTIVES["training_loss"],
        )


def test_seeing_answers_in_photo_pixels(linear: LinearPose) -> None:
    crop = box_crop(BOX, input_size=TINY)
    seen = see(linear, PHOTO, crop)
    assert seen.keypoints.shape == (len(TRIO), 2)
    with torch.no_grad():
        output = linear(torch.from_numpy(crop_image(PHOTO, crop, input_size=TINY)).permute(2, 0, 1)[None] / 255)
    np.testing.assert_allclose(seen.keypoints @ crop[:, :2].T + crop[:, 2], output.keypoints[0], atol=1e-4)
