"""Spatial attacks: equivariant models, models with losses computed by hand, and what the runner refuses."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
import pytest
import torch
from torch import Generator, Tensor, nn

from robustpose import geometry
from robustpose.attacks import (
    ATTACKS,
    Attacked,
    AttackError,
    FirstOrder,
    Lattice,
    Moved,
    SpatialAttack,
    WorstOfK,
    make_attack,
    move,
    run,
)
from robustpose.attacks.spatial import MotionLoss
from robustpose.errors import RobustPoseError
from robustpose.jobs.workbench import as_table
from robustpose.metrics import PCKH
from robustpose.models.heads import CoordinateHead
from robustpose.threats import Motion, make_motion, threats_of
from robustpose.types import Batch, PoseOutput
from tests.conftest import TINY, TRIO, LinearPose, TinyHeatmaps, one_person, tiny_batch

SIDE = 48
SPATIAL = [name for name, spec in ATTACKS.items() if spec.kind == "spatial"]
EVERY = [(name, threat) for name in SPATIAL for threat in threats_of("motion")]
every_pair = pytest.mark.parametrize(("name", "threat"), EVERY)
EPS = {"spatial": 30.0, "rotation": 40.0, "translation": 0.2, "scaling": 0.3}


def moved_by(found: Attacked) -> Moved:
    assert found.moved is not None
    return found.moved


class Brightest(nn.Module):
    """Each keypoint where its own channel is brightest: it moves as the image moves."""

    skeleton, input_size, head = TRIO, (SIDE, SIDE), CoordinateHead(input_size=(SIDE, SIDE))

    def forward(self, images: Tensor) -> PoseOutput:
        place = images.flatten(2).argmax(dim=2)
        keypoints = torch.stack([place % SIDE, place // SIDE], dim=-1).float()
        return PoseOutput(keypoints, torch.ones_like(keypoints[..., 0]), (keypoints,))


class Centroid(nn.Module):
    """Each keypoint at its channel's centre of mass: as `Brightest`, with a gradient."""

    skeleton, input_size, head = TRIO, (SIDE, SIDE), CoordinateHead(input_size=(SIDE, SIDE))

    def forward(self, images: Tensor) -> PoseOutput:
        mass = images / images.sum(dim=(2, 3), keepdim=True)
        place = torch.arange(SIDE, dtype=images.dtype)
        x, y = (mass.sum(dim=2) * place).sum(dim=-1), (mass.sum(dim=3) * place).sum(dim=-1)
        keypoints = torch.stack([x, y], dim=-1)
        return PoseOutput(keypoints, torch.ones_like(x), (self.head.encode(keypoints),))


class Constant(nn.Module):
    """Gives the same output for every image."""

    skeleton, input_size, head = TRIO, TINY, CoordinateHead(input_size=TINY)

    def __init__(self, answer: Tensor) -> None:
        super().__init__()
        self.answer = answer

    def forward(self, images: Tensor) -> PoseOutput:
        keypoints = self.answer.expand(len(images), -1, -1) + 0 * images.flatten(1).sum(dim=1)[:, None, None]
        return PoseOutput(keypoints, torch.ones_like(keypoints[..., 0]), (self.head.encode(keypoints),))


def spots(n: int = 3) -> Batch:
    """People who are a bright blob in each channel, far from the edge or near it."""
    generator = torch.Generator().manual_seed(5)
    keypoints = (torch.rand(n, 3, 2, generator=generator) * (SIDE - 9) + 4).round()
    y, x = torch.meshgrid(torch.arange(SIDE), torch.arange(SIDE), indexing="ij")
    away = (x - keypoints[..., 0, None, None]) ** 2 + (y - keypoints[..., 1, None, None]) ** 2
    images = (255 * torch.exp(-away / (2 * 2.5**2))).round() / 255
    return Batch(
        images=images,
        keypoints=keypoints,
        visible=torch.ones(n, 3, dtype=torch.bool),
        head_size=torch.full((n,), 4.0),
        box_side=torch.full((n,), 30.0),
        crops=torch.eye(2, 3, dtype=torch.float64).repeat(n, 1, 1),
        ids=tuple(f"s{i}" for i in range(n)),
        skeleton=TRIO,
    )


def still_people(head_size: float) -> Batch:
    """One person with a keypoint in the middle, one at the right edge and one in the top-left corner."""
    return replace(
        one_person(tiny_batch(2), 0),
        keypoints=torch.tensor([[[5.0, 4.0], [11.0, 4.0], [0.0, 0.0]]]),
        head_size=torch.tensor([head_size]),
    )


@pytest.mark.parametrize("threat", [make_motion("spatial", 180.0), make_motion("translation", 0.3)])
@pytest.mark.parametrize("beyond", ["black", "edge"])
def test_a_model_that_moves_with_the_image_loses_nothing(threat: Motion, beyond: geometry.Beyond) -> None:
    found = run(Lattice(steps=135, beyond=beyond), Brightest(), spots(), threat=threat)
    assert torch.equal(moved_by(found).motions, torch.zeros(3, 4, dtype=torch.float64)), (
        "no motion costs it a keypoint"
    )
    for motion in threat.lattice(135):
        moved = move(spots(), motion.expand(3, -1), beyond=beyond)
        apart = torch.linalg.vector_norm(Brightest()(moved.images).keypoints - moved.keypoints, dim=-1)
        assert (apart[moved.visible] < 1.5).all()


def test_a_model_that_does_not_look_loses_what_a_hand_counts() -> None:
    # A quarter of 12 x 8 is 3 right and 2 down: 3.6 pixels aside, beyond the radius of 3; 3 pixels alone are not.
    # Of the four corners the first that loses two is left and up: the middle and the right keypoint are lost, the
    # one in the corner leaves. Right and down also loses two, but it comes later.
    people = still_people(head_size=6.0)
    found = run(Lattice(steps=9), Constant(people.keypoints), people, threat=make_motion("translation", 0.25))
    assert moved_by(found).motions.tolist() == [[0.0, -0.25, -0.25, 0.0]]
    assert moved_by(found).batch.keypoints.tolist() == [[[2.0, 2.0], [8.0, 2.0], [0.0, 0.0]]]
    assert moved_by(found).batch.visible.tolist() == [[True, True, False]]
    table = as_table(moved_by(found).batch, found.output.keypoints)
    np.testing.assert_equal(PCKH.hits(table), [[0.0, 0.0, np.nan]])
    assert (found.forwards, found.backwards) == (9, 0)


def test_what_costs_nothing_is_no_motion_and_bit_equal() -> None:
    people = still_people(head_size=8.0)  # radius 4
    people = replace(people, images=people.images * 0.7)  # between the levels
    found = run(Lattice(steps=9), Constant(people.keypoints), people, threat=make_motion("translation", 0.25))
    assert moved_by(found).motions.abs().sum() == 0
    for name in ("images", "keypoints", "visible", "head_size", "box_side", "crops"):
        assert torch.equal(getattr(moved_by(found).batch, name), getattr(people, name)), name


def test_who_is_lost_altogether_gets_no_more_passes() -> None:
    people = still_people(head_size=6.0)
    model = Constant(people.keypoints + torch.tensor([50.0, 0.0]))
    found = run(Lattice(steps=9), model, people, threat=make_motion("translation", 0.25))
    assert found.forwards == 1
    assert moved_by(found).motions.abs().sum() == 0


def test_a_quarter_turn_by_hand() -> None:
    # 8 x 12 pixels: the centre is (5.5, 3.5); clockwise, right becomes down.
    people = still_people(head_size=6.0)
    moved = move(people, torch.tensor([[90.0, 0.0, 0.0, 0.0]], dtype=torch.float64))
    assert moved.visible.tolist() == [[True, False, False]]  # (5, 9) and (9, -2) are beyond the image
    assert moved.keypoints[0, 0].tolist() == pytest.approx([5.0, 3.0])
    square = tiny_batch(1).images[..., :8]
    turned = move(
        replace(people, images=square, keypoints=torch.tensor([[[6.0, 1.0], [0.0, 0.0], [7.0, 7.0]]])),
        torch.tensor([[90.0, 0.0, 0.0, 0.0]], dtype=torch.float64),
    )
    assert turned.keypoints[0].flatten().tolist() == pytest.approx([6.0, 6.0, 7.0, 0.0, 0.0, 7.0], abs=1e-5)
    assert torch.equal(turned.images, square.rot90(-1, dims=(2, 3)))


def test_twice_as_large_by_hand() -> None:
    people = still_people(head_size=6.0)
    moved = move(people, torch.tensor([[0.0, 0.0, 0.0, np.log(2.0)]], dtype=torch.float64))
    assert moved.keypoints[0, 0].tolist() == pytest.approx([4.5, 4.5])
    assert moved.visible.tolist() == [[True, False, False]]
    assert moved.head_size.tolist() == pytest.approx([12.0])
    assert moved.box_side.tolist() == pytest.approx([20.0])


def test_the_crop_leads_from_the_photo_to_the_moved_image() -> None:
    people = replace(
        tiny_batch(3), crops=torch.tensor([[0.5, 0.0, 3.0], [0.0, 0.5, -1.0]]).double().repeat(3, 1, 1)
    )
    motions = make_motion("spatial", 12.0).sample(3, generator=torch.Generator().manual_seed(1))
    moved = move(people, motions)
    photo = geometry.uncrop_points(people.keypoints.double().numpy(), people.crops.numpy())
    again = geometry.uncrop_points(moved.keypoints.double().numpy(), moved.crops.numpy())
    seen = moved.visible.numpy()
    assert seen.sum() >= 4
    np.testing.assert_allclose(again[seen], photo[seen], atol=1e-4)


@every_pair
def test_the_worst_is_never_better_than_clean_and_within_reach(name: str, threat: str) -> None:
    model, people = TinyHeatmaps().eval(), tiny_batch(12)
    allowed = make_motion(threat, EPS[threat])
    metric = PCKH
    found = run(make_attack(name, targeted=False, steps=27), model, people, threat=allowed, metric=metric)
    before = metric.hits(as_table(people, model(people.images).keypoints))
    after = metric.hits(as_table(moved_by(found).batch, found.output.keypoints))
    assert ((after == 0).sum(axis=1) >= (before == 0).sum(axis=1)).all()
    assert np.nanmean(after) <= np.nanmean(before)
    assert float(allowed.size(moved_by(found).motions).max()) <= 1 + 1e-9
    assert not moved_by(found).batch.visible[~people.visible].any()
    assert torch.equal(found.images, moved_by(found).batch.images)


@every_pair
def test_the_seed_says_it_all_and_nobody_minds_company(name: str, threat: str) -> None:
    model, people = LinearPose(), tiny_batch(5)
    allowed, attack = make_motion(threat, EPS[threat]), make_attack(name, targeted=False, steps=15)
    found = run(attack, model, people, threat=allowed, seed=3)
    again = run(attack, model, people, threat=allowed, seed=3)
    assert torch.equal(moved_by(found).motions, moved_by(again).motions)
    assert torch.equal(found.images, again.images)
    alone = run(attack, model, one_person(people, 2), threat=allowed, seed=3)
    assert torch.allclose(moved_by(alone).motions[0], moved_by(found).motions[2], atol=1e-6)


@pytest.mark.parametrize("name", SPATIAL)
def test_side_effects(name: str) -> None:
    model = TinyHeatmaps().train()
    model.stem.weight.grad = torch.ones_like(model.stem.weight)
    people = tiny_batch(3)
    kept, pictures, state = model.stem.weight.clone(), people.images.clone(), torch.get_rng_state()
    run(make_attack(name, targeted=False, steps=5), model, people, threat=make_motion("spatial", 20.0))
    assert all(module.training for module in model.modules())
    assert all(parameter.requires_grad for parameter in model.parameters())
    assert torch.equal(model.stem.weight, kept) and (model.stem.weight.grad == 1).all()
    assert torch.equal(people.images, pictures)
    assert torch.equal(torch.get_rng_state(), state)


def test_worst_of_k_tries_none_and_k_more() -> None:
    model, people = LinearPose(), tiny_batch(1)
    found = run(WorstOfK(steps=7), model, people, threat=make_motion("rotation", 1e-6))
    assert found.forwards in (1, 8)  # 1 where everything is lost without a motion
    drawn = make_motion("spatial", 30.0).sample(4000, generator=torch.Generator().manual_seed(0))
    assert drawn.abs().amax(dim=0)[:3].tolist() == pytest.approx([30.0, 0.1, 0.1], rel=0.01)
    assert drawn.mean(dim=0)[:3].abs().tolist() == pytest.approx([0.0, 0.0, 0.0], abs=1.0)
    assert (drawn[:, 3] == 0).all()


def test_first_order_climbs_to_a_corner_of_the_reach() -> None:
    # The loss of a model that does not look is the squared distance, so each shift goes on as it began.
    people = still_people(head_size=6.0)
    people = replace(people, visible=torch.tensor([[True, False, False]]))
    threat, generator = make_motion("translation", 0.2), torch.Generator().manual_seed(3)
    start = threat.sample(1, generator=torch.Generator().manual_seed(3))
    answer = people.keypoints[0]

    def loss(motions: Tensor) -> Tensor:
        moved = geometry.warp_points(people.keypoints, _maps(motions))
        return (moved - answer).square().sum(dim=(1, 2))

    *_, last = FirstOrder(steps=25).motions(loss, 1, threat, generator)
    assert last.tolist() == [[0.0, *(0.2 * start[0, 1:3].sign()).tolist(), 0.0]]
    found = run(FirstOrder(steps=25), Constant(answer), people, threat=threat, seed=3)
    assert found.backwards == 25


def _maps(motions: Tensor) -> Tensor:
    shift = motions[:, 1:3] * torch.tensor([TINY[1], TINY[0]])
    return geometry.turning(degrees=motions[:, 0], shift=shift, zoom=torch.ones_like(motions[:, 3]), size=TINY)


def test_first_order_sees_the_truth_move() -> None:
    """The loss of an equivariant model is constant: image and truth move together."""

    @dataclass(frozen=True)
    class Look:
        needs: ClassVar[str] = "gradients"
        seen: tuple[list[Tensor], list[Tensor]]
        beyond: geometry.Beyond = "black"

        def motions(
            self, loss: MotionLoss, people: int, threat: Motion, generator: Generator, /
        ) -> Iterator[Tensor]:
            at = threat.sample(people, generator=generator).requires_grad_(True)
            with torch.enable_grad():
                losses = loss(at)
            self.seen[0].append(losses.detach())
            self.seen[1].append(torch.autograd.grad(losses.sum(), at)[0])
            yield torch.zeros_like(at.detach())

    centred = replace(spots(), keypoints=spots().keypoints.clamp(16, 31))
    y, x = torch.meshgrid(torch.arange(SIDE), torch.arange(SIDE), indexing="ij")
    away = (x - centred.keypoints[..., 0, None, None]) ** 2 + (y - centred.keypoints[..., 1, None, None]) ** 2
    people = replace(centred, images=torch.exp(-away / (2 * 2.5**2)))
    slopes = []
    for model in (Centroid(), _Deaf()):
        look = Look(seen=([], []))
        run(look, model, people, threat=make_motion("spatial", 20.0))
        slopes.append(look.seen[1][0][:, 1:3].abs().max())
    assert slopes[0] < 0.01 * slopes[1]


class _Deaf(Centroid):
    """The same model with a constant output: it does not depend on the image."""

    def forward(self, images: Tensor) -> PoseOutput:
        return super().forward(images * 0 + spots().images)


def test_an_attack_that_leaves_its_budget_is_caught() -> None:
    @dataclass(frozen=True)
    class Cheat:
        motion: tuple[float, ...]
        needs: ClassVar[str] = "decisions"
        beyond: geometry.Beyond = "black"

        def motions(
            self, loss: MotionLoss, people: int, threat: Motion, generator: Generator, /
        ) -> Iterator[Tensor]:
            yield torch.tensor([self.motion] * people, dtype=torch.float64)

    def run_with(*motion: float) -> None:
        attack: SpatialAttack = Cheat(motion)
        run(attack, LinearPose(), tiny_batch(2), threat=make_motion("rotation", 30.0))

    run_with(30.0, 0.0, 0.0, 0.0)
    with pytest.raises(AttackError, match=r"exceeded its budget: 1\.1 times its reach"):
        run_with(33.0, 0.0, 0.0, 0.0)
    with pytest.raises(AttackError, match="exceeded its budget"):
        run_with(0.0, 0.01, 0.0, 0.0)
    with pytest.raises(AttackError, match="finite motions of shape"):
        run_with(float("nan"), 0.0, 0.0, 0.0)
    with pytest.raises(AttackError, match=r"\(2, 4\), got \(2, 3\)"):
        run_with(0.0, 0.0, 0.0)


def test_what_cannot_be_attacked_is_refused() -> None:
    threat = make_motion("spatial", 30.0)
    with pytest.raises(RobustPoseError, match="the model takes crops of"):
        run(Lattice(), Brightest(), tiny_batch(2), threat=threat)
    with pytest.raises(RobustPoseError, match="is untargeted"):
        make_attack("spatial", targeted=True)
    with pytest.raises(RobustPoseError, match="steps must be at least 1, got 0"):
        make_attack("worst_of_k", targeted=False, steps=0)
    with pytest.raises(RobustPoseError, match="did you mean 'spatial'"):
        make_attack("spatiel", targeted=False)
    model = LinearPose()
    model.differentiable = False  # type: ignore[assignment]
    with pytest.raises(RobustPoseError, match="has no gradient"):
        run(FirstOrder(), model, right_for(LinearPose(), tiny_batch(2)), threat=threat)
    run(WorstOfK(steps=1), model, tiny_batch(2), threat=threat)


def right_for(model: LinearPose, batch: Batch) -> Batch:
    """Set the truth to the prediction, so that every keypoint is correct before the attack."""
    with torch.no_grad():
        return replace(batch, keypoints=model(batch.images).keypoints)


def test_a_model_that_cuts_the_gradient_is_refused_though_the_truth_moves() -> None:
    class Cut(LinearPose):
        def forward(self, images: Tensor) -> PoseOutput:
            return super().forward(images.detach())

    model, batch = Cut(), right_for(LinearPose(), tiny_batch(2))
    with pytest.raises(RobustPoseError, match="no gradient reaches the images"):
        run(FirstOrder(steps=2), model, batch, threat=make_motion("spatial", 30.0))


def test_a_gradient_that_is_no_number_names_the_person() -> None:
    class Rooted(LinearPose):
        def forward(self, images: Tensor) -> PoseOutput:
            return super().forward(images + 0 * torch.sqrt(images - images.detach()))

    batch = right_for(LinearPose(), tiny_batch(3))
    with pytest.raises(RobustPoseError, match=f"person {batch.ids[0]}: the gradient of the motion is NaN"):
        run(FirstOrder(steps=2), Rooted(), batch, threat=make_motion("spatial", 30.0))
