"""Divergences in closed form: of perfect maps, of one lit cell, of a flat map."""

import math

import pytest
import torch

from robustpose.jobs.signals import signals_of
from robustpose.models.architectures.dlcm import Compositional
from robustpose.models.heads import CoordinateHead, HeatmapHead
from robustpose.types import PoseOutput
from tests.conftest import TINY, LinearPose, TinyHeatmaps, tiny_batch

HEAD = HeatmapHead(input_size=(8, 12), heatmap_size=(4, 6))


def bump(row: int, column: int, *, sigma: float = 1.0) -> torch.Tensor:
    """A Gaussian (4, 6) at a cell's centre, cell by cell."""
    return torch.tensor(
        [[math.exp(-((r - row) ** 2 + (c - column) ** 2) / (2 * sigma**2)) for c in range(6)] for r in range(4)]
    )


def divergence_of(cells: torch.Tensor, *, head: HeatmapHead = HEAD) -> float:
    maps = cells[None, None]
    return float(head.signals(maps, head.decode(maps)[0])["divergence"])


@pytest.mark.parametrize(("row", "column"), [(0, 0), (1, 2), (3, 5)])
@pytest.mark.parametrize("height", [1.0, 0.01, 40.0])
def test_a_perfect_map_diverges_by_nothing(row: int, column: int, height: float) -> None:
    """However high: the map is taken as a distribution."""
    assert divergence_of(height * bump(row, column)) == pytest.approx(0.0, abs=1e-6)


def test_the_heads_own_sigma_is_the_ideal() -> None:
    wide = HeatmapHead(input_size=(8, 12), heatmap_size=(4, 6), sigma=2.0, peak=12.0)
    assert divergence_of(bump(1, 2, sigma=2.0), head=wide) == pytest.approx(0.0, abs=1e-6)
    assert divergence_of(bump(1, 2, sigma=1.0), head=wide) > 0.1


@pytest.mark.parametrize(("row", "column"), [(1, 2), (0, 5)])
def test_one_lit_cell_diverges_by_the_logarithm_of_the_gaussians_sum(row: int, column: int) -> None:
    """All mass at the peak, where the ideal is 1 / sum: KL = ln sum."""
    cells = torch.zeros(4, 6)
    cells[row, column] = 3.0
    assert divergence_of(cells) == pytest.approx(math.log(float(bump(row, column).sum())), abs=1e-6)


def test_a_lit_cell_by_hand() -> None:
    """At (0, 0): sums 1.75297 down four cells and 1.75331 across six, ln of their product 1.12284."""
    cells = torch.zeros(4, 6)
    cells[0, 0] = 1.0
    assert divergence_of(cells) == pytest.approx(1.12284, abs=1e-4)


def test_a_flat_map_in_closed_form() -> None:
    """Of equal cells the first is the highest; KL = -ln 24 + ln sum + mean of the squared distances / 2."""
    squares = sum(r**2 + c**2 for r in range(4) for c in range(6)) / 24
    expected = -math.log(24) + math.log(float(bump(0, 0).sum())) + squares / 2
    assert divergence_of(torch.full((4, 6), 0.2)) == pytest.approx(expected, abs=1e-5)


def test_negative_cells_count_as_nothing() -> None:
    cells = torch.full((4, 6), -5.0)
    cells[1, 2] = 0.5
    assert divergence_of(cells) == pytest.approx(math.log(float(bump(1, 2).sum())), abs=1e-6)


@pytest.mark.parametrize("value", [-1.0, 0.0])
def test_a_map_without_a_positive_cell_has_no_divergence(value: float) -> None:
    assert math.isnan(divergence_of(torch.full((4, 6), value)))


def test_mass_where_the_ideal_has_none_is_finite() -> None:
    narrow = HeatmapHead(input_size=(8, 12), heatmap_size=(4, 6), sigma=0.1)
    cells = torch.zeros(4, 6)
    cells[0, 0], cells[3, 5] = 0.75, 0.25
    expected = 0.75 * math.log(0.75) + 0.25 * (math.log(0.25) - math.log(1e-12))
    assert divergence_of(cells, head=narrow) == pytest.approx(expected, abs=1e-5)


def test_heatmap_models_say_their_peak_and_their_last_maps_divergence() -> None:
    model, batch = TinyHeatmaps().eval(), tiny_batch()
    with torch.no_grad():
        output = model(batch.images)
    signals = signals_of(model, output)
    assert set(signals) == {"score", "divergence"}
    peaks = output.stages[-1].flatten(2).max(dim=2).values
    torch.testing.assert_close(torch.from_numpy(signals["score"]), peaks.double())
    assert signals["divergence"].shape == (4, 3)
    for person in range(4):
        for joint in range(3):
            alone = divergence_of(output.stages[-1][person, joint], head=model.head)
            assert signals["divergence"][person, joint] == pytest.approx(alone, rel=1e-6, nan_ok=True)


def test_the_divergence_of_a_model_with_bones_is_that_of_its_keypoints_maps() -> None:
    """The maps of bones behind them play no part."""
    torch.manual_seed(0)
    model = Compositional(channels=32, stem=4, input_size=(64, 64)).eval()
    with torch.no_grad():
        output = model(torch.rand(2, 3, 64, 64))
    joints = len(model.skeleton)
    maps = output.stages[-1]
    assert maps.shape[1] > joints
    alone = model.head.joints.signals(maps[:, :joints], output.keypoints)["divergence"]
    torch.testing.assert_close(torch.from_numpy(signals_of(model, output)["divergence"]), alone, equal_nan=True)


def test_coordinate_models_have_a_score_of_one_and_nothing_else() -> None:
    model, batch = LinearPose().eval(), tiny_batch()
    signals = signals_of(model, model(batch.images))
    assert set(signals) == {"score"}
    assert signals["score"].tolist() == [[1.0] * 3] * 4
    assert isinstance(model.head, CoordinateHead)


def test_signals_of_nobody() -> None:
    model = TinyHeatmaps().eval()
    nobody = PoseOutput(
        keypoints=torch.zeros(0, 3, 2), scores=torch.zeros(0, 3), stages=(torch.zeros(0, 3, TINY[0] // 2, 6),)
    )
    assert {name: values.shape for name, values in signals_of(model, nobody).items()} == {
        "score": (0, 3),
        "divergence": (0, 3),
    }
