"""The ensemble is no weaker than any of its moves, costs more only for survivors, and is deterministic."""

from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from robustpose.attacks import Attacked, Autopose, Target, run
from robustpose.attacks.autopose import MOVES
from robustpose.attacks.ensemble import elsewhere
from robustpose.errors import RobustPoseError
from robustpose.objectives import Keypoints, Margin, TrainingLoss, correct_radius
from robustpose.threats import L1, Linf
from robustpose.types import Batch, PoseOutput
from tests.attacks.untidy import Untidy, assert_same, state
from tests.conftest import LinearPose, TinyHeatmaps, tiny_batch

SMALL = Autopose(gradients=60)
EPS = Linf(8 / 255)


def people(model: LinearPose | TinyHeatmaps, *, off: float = 0.05, head_size: float = 0.4) -> Batch:
    """People predicted `off` the truth in x and y."""
    batch = tiny_batch(5, levels=(60, 200))
    with torch.no_grad():
        seen = model.eval()(batch.images).keypoints
    return replace(batch, keypoints=seen + off, head_size=torch.full((5,), head_size))


def attacked(model: LinearPose | TinyHeatmaps, batch: Batch, target: Target | None = None) -> Attacked:
    return run(SMALL, model, batch, threat=EPS, target=target)


def _beaten(found: Attacked) -> Tensor:
    assert found.beaten is not None
    return found.beaten


def right(batch: Batch, keypoints: Tensor) -> Tensor:
    distance = torch.linalg.vector_norm(keypoints - batch.keypoints, dim=-1)
    found: Tensor = batch.visible & (distance <= correct_radius(batch))
    return found


@pytest.mark.parametrize("make", [LinearPose, TinyHeatmaps])
def test_no_move_alone_takes_more_of_anyone(make: type[LinearPose] | type[TinyHeatmaps]) -> None:
    model = make().eval()
    batch = people(model)
    worst = attacked(model, batch)
    kept = right(batch, worst.output.keypoints)
    assert not (_beaten(worst) & ~batch.visible).any()
    assert (batch.visible & ~kept & ~_beaten(worst)).sum() == 0, "what the worst picture took is taken"
    for move in MOVES[:2]:
        alone = run(move.made(SMALL.gradients), model, batch, threat=EPS, objective=move.objective)
        left = right(batch, alone.output.keypoints)
        assert (kept.sum(dim=1) <= left.sum(dim=1)).all(), move.name
        if move is MOVES[0]:
            assert not (batch.visible & ~left & ~_beaten(worst)).any(), move.name


class FlatAround(LinearPose):
    """Nothing moves until the linear model would have moved by 2e-4 away from what it says of one image."""

    def __init__(self, picture: Tensor) -> None:
        super().__init__()
        with torch.no_grad():
            self.middle = super().forward(picture[None]).stages[-1]

    def forward(self, images: Tensor) -> PoseOutput:
        raw = self.middle + F.softshrink(super().forward(images).stages[-1] - self.middle, 2e-4)
        keypoints, scores = self.head.decode(raw)
        return PoseOutput(keypoints, scores, (raw,))


def test_a_flat_start_does_not_save_a_model() -> None:
    """From the image no attack finds a slope; the ensemble also starts at random."""
    batch = tiny_batch(3, levels=(60, 200))
    model = FlatAround(batch.images[0])
    batch = replace(batch, images=batch.images[:1].repeat(3, 1, 1, 1), head_size=torch.full((3,), 0.2))
    batch = replace(batch, keypoints=model(batch.images).keypoints.detach() + 0.05)
    for objective in (Margin(), TrainingLoss("last")):
        alone = run(MOVES[0].attack(40), model, batch, threat=EPS, objective=objective)
        assert torch.equal(alone.images, batch.images)
    assert _beaten(attacked(model, batch)).sum() >= batch.visible.sum() - 1


def test_survivors_alone_cost_more() -> None:
    model = LinearPose().eval()
    hopeless = attacked(model, people(model, head_size=100.0))
    budget = 5 * SMALL.gradients
    cost = (hopeless.forwards + hopeless.backwards) / 2  # a pass is half a gradient
    assert 0.9 * budget <= cost <= 1.06 * budget, "and five of the moves look at their last pictures once more"
    easy = attacked(model, people(model, head_size=0.2))
    assert easy.backwards < 0.5 * budget
    lost = replace(people(model), keypoints=torch.full((5, 3, 2), 500.0))
    first = attacked(model, lost)
    assert first.backwards <= 5, "who is lost without an attack is looked at once"
    assert torch.equal(_beaten(first), lost.visible)


def test_the_same_every_time_and_person_by_person() -> None:
    model = TinyHeatmaps().eval()
    batch = people(model, head_size=1.5)
    first, second = attacked(model, batch), attacked(model, batch)
    assert torch.equal(first.images, second.images)
    assert torch.equal(_beaten(first), _beaten(second))
    shuffled = attacked(model, batch.take([3, 1]))
    assert torch.equal(_beaten(shuffled)[1], _beaten(first)[1])


def test_targeted_takes_what_lies_within_the_target() -> None:
    model = LinearPose().eval()
    batch = people(model)
    target = Target(batch.keypoints + 0.12, batch.visible)
    worst = attacked(model, batch, target)
    within = torch.linalg.vector_norm(worst.output.keypoints - target.keypoints, dim=-1) <= 0.2
    assert torch.equal(within & target.visible & ~_beaten(worst), torch.zeros_like(within))
    assert _beaten(worst)[batch.visible].float().mean() > 0.5


def test_elsewhere_by_hand() -> None:
    """Radius 2: of three keypoints on a line at 0, 2.5 and 10, the nearest beyond 3 pixels."""
    keypoints = torch.tensor([[[0.0, 0.0], [2.5, 0.0], [10.0, 0.0]], [[0.0, 0.0], [1.0, 0.0], [9.0, 9.0]]])
    asked = torch.tensor([[True, True, True], [True, True, False]])
    found = elsewhere(keypoints, asked, torch.full((2, 3), 2.0))
    assert found.tolist() == [
        [[10.0, 0.0], [10.0, 0.0], [2.5, 0.0]],
        [[4.0, 0.0], [5.0, 0.0], [1.0, 0.0]],  # the third is not asked for, but may go to one that is
    ]


def test_side_effects_of_autopose() -> None:
    model, batch = Untidy(), tiny_batch()
    before, images = state(model), batch.images.clone()
    run(Autopose(gradients=20), model, batch, threat=EPS)
    assert_same(before, state(model))
    assert torch.equal(batch.images, images)


def test_shares_add_up_and_a_budget_is_needed() -> None:
    assert sum(move.share for move in MOVES) == pytest.approx(1)
    with pytest.raises(RobustPoseError, match="at least 20, got 3"):
        Autopose(gradients=3)


def test_moves_that_suit_the_model_and_the_threat() -> None:
    class Foreign:
        """An unknown head."""

    names = [move.name for move in SMALL.moves(LinearPose().head)]
    assert names == ["margin", "training loss", "elsewhere", "unbeaten", "minimal", "square"]
    objectives = {move.name: type(move.objective) for move in SMALL.moves(Foreign())}  # type: ignore[arg-type]
    assert "minimal" not in objectives
    assert objectives.pop("square") is Keypoints
    assert set(objectives.values()) == {TrainingLoss}
    model = LinearPose().eval()
    in_l1 = run(SMALL, model, people(model, head_size=100.0), threat=L1(2.0))
    assert in_l1.forwards - in_l1.backwards <= 5 * 6, "square, which serves linf and l2, is left out"


def test_take_people_by_hand() -> None:
    batch = replace(tiny_batch(3), area=torch.tensor([1.0, 2.0, 3.0]), photos=("a", "b", "c"))
    taken = batch.take([2, 0])
    assert (taken.ids, taken.photos) == (("p2", "p0"), ("c", "a"))
    assert taken.area is not None
    assert taken.area.tolist() == [3.0, 1.0]
    assert torch.equal(taken.images[1], batch.images[0])
    assert torch.equal(taken.visible[0], batch.visible[2])
