"""Defences that draw: where a resized person is found, and attacks that average over draws."""

from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn

from robustpose.attacks import FGSM, PGD, predict, run
from robustpose.attacks.expectation import expected
from robustpose.defences import DEFENCES, defended
from robustpose.defences.randomised import _mapped_back, _placed, noise_averaged, resized_and_padded
from robustpose.errors import RobustPoseError
from robustpose.models import OpenedModel
from robustpose.models.heads import HeatmapHead
from robustpose.objectives import Margin, TrainingLoss
from robustpose.threats import Linf
from robustpose.types import PoseOutput
from tests.conftest import TINY, TRIO, LinearPose, TinyHeatmaps, tiny_batch


class Bright(nn.Module):
    """Its heatmaps are the image's channels: it finds the brightest place."""

    def __init__(self) -> None:
        super().__init__()
        self.skeleton, self.input_size = TRIO, (32, 48)
        self.head = HeatmapHead(input_size=(32, 48), heatmap_size=(32, 48))

    def forward(self, images: Tensor) -> PoseOutput:
        keypoints, scores = self.head.decode(images)
        return PoseOutput(keypoints=keypoints, scores=scores, stages=(images,))


def test_a_resized_person_is_found_where_they_were() -> None:
    model = Bright()
    x, y = torch.meshgrid(torch.arange(48.0), torch.arange(32.0), indexing="xy")
    blob = torch.exp(-((x - 30) ** 2 + (y - 11) ** 2) / 18)
    images = blob.expand(20, 3, 32, 48)
    torch.manual_seed(0)
    found = resized_and_padded(smallest=0.7)(model)(images)
    assert (found.keypoints - torch.tensor([30.0, 11.0])).abs().max() <= 1.0
    seen = _placed(images, torch.full((20, 1), 0.7), torch.full((20, 2), 0.3))
    # an image of 0.7 of the size at the lower right: (30.5/24 - 1) * 0.7 + 0.3 of the half-width from the centre
    place = model.head.decode(seen)[0][0, 0]
    expected_x = ((2 * 30.5 / 48 - 1) * 0.7 + 0.3 + 1) * 24 - 0.5
    expected_y = ((2 * 11.5 / 32 - 1) * 0.7 + 0.3 + 1) * 16 - 0.5
    assert (place - torch.tensor([expected_x, expected_y])).abs().max() <= 1.0


def test_coordinates_are_mapped_back_by_hand() -> None:
    stage = torch.tensor([[[0.25, -0.1]]])  # half-widths: 0.5 and -0.2
    found = _mapped_back(stage, torch.tensor([[0.5]]), torch.tensor([[0.1, 0.2]]))
    assert torch.allclose(found, torch.tensor([[[(0.5 - 0.1) / 0.5 / 2, (-0.2 - 0.2) / 0.5 / 2]]]))


def test_noise_is_averaged_over_its_copies() -> None:
    """For a linear model the mean over copies has the standard deviation of one copy / sqrt(copies)."""
    model = LinearPose()
    images = torch.full((1, 3, *TINY), 0.5).repeat(400, 1, 1, 1)
    torch.manual_seed(1)  # the weights were drawn with seed 0
    averaged = [noise_averaged(sigma=0.1, copies=copies)(model) for copies in (1, 16)]
    with torch.no_grad():
        spread = [float(each(images).stages[0].std(dim=0).mean()) for each in averaged]
    assert spread[0] / spread[1] == pytest.approx(4.0, rel=0.1)
    exact = 0.1 * model.W.norm(dim=1).mean().item()
    assert spread[0] == pytest.approx(exact, rel=0.1)


def test_an_attack_averages_its_loss_over_draws_and_counts_every_pass() -> None:
    model = defended(OpenedModel(name="tiny", module=TinyHeatmaps().eval(), fingerprint="1"), "noise8").module
    batch = tiny_batch(2, levels=(50, 200))
    found = run(FGSM(), model, batch, threat=Linf(8 / 255), objective=TrainingLoss())
    assert (found.backwards, found.forwards) == (2 * DEFENCES["noise8"].draws, 2 * DEFENCES["noise8"].draws)


def test_the_expectation_is_the_mean_of_the_draws() -> None:
    calls: list[float] = []

    def loss(adv: Tensor, rows: Tensor) -> Tensor:
        calls.append(float(len(calls)))
        return adv.flatten(1).sum(dim=1) * 0 + calls[-1]

    assert expected(loss, draws=4)(torch.zeros(2, 3, 2, 2), torch.arange(2)).tolist() == [1.5, 1.5]
    assert expected(loss, draws=1) is loss


@pytest.mark.parametrize("name", ["noise8", "resize_pad"])
def test_the_same_seed_gives_the_same_bits_and_leaves_the_random_state(name: str) -> None:
    opened = OpenedModel(name="tiny", module=TinyHeatmaps().eval(), fingerprint="1")
    model, batch = defended(opened, name).module, tiny_batch(2, levels=(50, 200))
    found = []
    for state in (1, 2):
        torch.manual_seed(state)
        before = torch.random.get_rng_state()
        attack = run(PGD(steps=3), model, batch, threat=Linf(8 / 255), objective=Margin(), seed=5)
        found.append(attack)
        assert torch.equal(before, torch.random.get_rng_state())
    assert torch.equal(found[0].images, found[1].images)
    assert torch.equal(found[0].output.keypoints, found[1].output.keypoints)
    assert torch.equal(predict(model, found[0].images, ids=batch.ids).keypoints, found[0].output.keypoints)


def test_a_head_that_cannot_be_mapped_back_is_named() -> None:
    model = TinyHeatmaps()
    model.head = replace(model.head)
    object.__setattr__(model.head, "kind", "classes")
    with pytest.raises(RobustPoseError, match=r"its output \(classes\) cannot be mapped back"):
        resized_and_padded(smallest=0.9)(model)
