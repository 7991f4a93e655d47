"""PGD and APGD: the best iterate, restarts stacked in the batch, adaptive steps."""

from dataclasses import dataclass, replace
from itertools import pairwise

import pytest
import torch
from torch import Tensor

from robustpose.attack_types import Attack, Loss
from robustpose.attacks import APGD, PGD, run
from robustpose.attacks.apgd import checkpoints
from robustpose.attacks.gradient import best_try, stacked
from robustpose.errors import RobustPoseError
from robustpose.objectives import TrainingLoss
from robustpose.threats import Linf
from tests.conftest import TinyHeatmaps, aim_at, tiny_batch

EPS = 8 / 255
BALL = Linf(EPS)


@dataclass(frozen=True)
class Valley:
    """Minus the squared distance to an image inside the ball, which sign steps overshoot."""

    best: Tensor

    def __call__(self, adv: Tensor, rows: Tensor) -> Tensor:
        return -(adv - self.best[rows]).square().sum(dim=(1, 2, 3))


def perturbed(attack: Attack, loss: Loss, images: Tensor, *, seed: int = 0) -> Tensor:
    return attack.perturb(loss, images, BALL, torch.Generator().manual_seed(seed))


def valley() -> tuple[Tensor, Valley]:
    images = tiny_batch(3, levels=(60, 190)).images
    return images, Valley(BALL.sample(images, torch.Generator().manual_seed(5)))


def test_apgd_lands_where_fixed_steps_cannot() -> None:
    """A step of eps / 8 ends within eps / 16 of the best on average; halved steps come closer by far."""
    images, loss = valley()
    rows = torch.arange(3)
    fixed = loss(perturbed(PGD(steps=100), loss, images), rows)
    adapted = loss(perturbed(APGD(steps=100), loss, images), rows)
    assert (adapted > 0.05 * fixed).all()


def test_the_best_iterate_is_the_answer() -> None:
    """In a valley, with steps that are far too long, the first steps are the best."""
    images, loss = valley()
    rows = torch.arange(3)
    for attack in (PGD(steps=7, step_size=2.0), APGD(steps=2)):
        assert (loss(perturbed(attack, loss, images), rows) >= loss(images, rows)).all()
    longer = [loss(perturbed(PGD(steps=k, step_size=0.9), loss, images), rows) for k in range(1, 12)]
    assert all((later >= sooner).all() for sooner, later in pairwise(longer))


@pytest.mark.parametrize("attack", [PGD(steps=5, restarts=3), APGD(steps=12, restarts=3)], ids=["pgd", "apgd"])
def test_stacked_tries_are_the_tries_one_by_one(attack: PGD | APGD) -> None:
    model, batch = TinyHeatmaps().eval(), tiny_batch(4)
    loss = TrainingLoss().bind(model, aim_at(batch), targeted=False)
    together = perturbed(attack, loss, batch.images)
    starts, _, _ = stacked(batch.images, BALL, torch.Generator().manual_seed(0), restarts=3)
    rows = torch.arange(4)

    @dataclass(frozen=True)
    class From(Linf):
        """The ball around the image, for an attack that starts from another point."""

        origin: Tensor = batch.images

        def project(self, images: Tensor, adv: Tensor, /, *, eps: Tensor | None = None) -> Tensor:
            return super().project(self.origin, adv, eps=eps)

    each = []
    for start in torch.split(starts, 4):
        alone = replace(attack, restarts=1)
        adv = alone.perturb(loss, start, From(EPS), torch.Generator())
        each.append(loss(adv, rows).detach())
    expected = torch.stack(each).amax(dim=0)
    torch.testing.assert_close(loss(together, rows).detach(), expected, rtol=1e-3, atol=1e-7)


@pytest.mark.parametrize("attack", [PGD(steps=8), APGD(steps=8)], ids=["pgd", "apgd"])
def test_a_try_from_elsewhere_leaves_a_flat_place(attack: PGD | APGD) -> None:
    """The squared distance to the image has no gradient at the image."""
    images = tiny_batch(3, levels=(60, 190)).images

    def loss(adv: Tensor, rows: Tensor) -> Tensor:
        return (adv - images[rows]).square().sum(dim=(1, 2, 3))

    rows = torch.arange(3)
    assert not loss(perturbed(attack, loss, images), rows).any()
    corner = EPS**2 * images[0].numel()
    found = loss(perturbed(replace(attack, restarts=2), loss, images), rows)
    assert found.tolist() == pytest.approx([corner] * 3, rel=0.01)


def test_best_try_by_hand() -> None:
    adv = torch.arange(6.0).reshape(6, 1, 1, 1)  # tries 0, 1, 2 of persons 0, 1
    losses = torch.tensor([1.0, 5.0, 3.0, 2.0, 2.0, 5.5])
    assert best_try(adv, losses, restarts=3).flatten().tolist() == [2.0, 5.0]


def test_momentum_keeps_gradients_of_mean_size_one() -> None:
    """Two steps by hand: after (1, 0.2) comes (-0.2, 0.6): with all of the first kept, both still go up."""
    gradients = iter([torch.tensor([1.0, 0.2]), torch.tensor([-0.2, 0.6])])

    def loss(adv: Tensor, rows: Tensor) -> Tensor:
        slope = next(gradients, torch.zeros(2)).reshape(1, 1, 1, 2)
        return (adv * slope).sum(dim=(1, 2, 3))

    images = torch.full((1, 1, 1, 2), 0.5)
    moved = PGD(steps=2, step_size=0.25, momentum=1.0)
    seen: list[Tensor] = []

    class Watching(Linf):
        def project(self, images: Tensor, adv: Tensor, /, *, eps: Tensor | None = None) -> Tensor:
            seen.append(adv - images)
            return super().project(images, adv, eps=eps)

    moved.perturb(loss, images, Watching(EPS), torch.Generator())
    # gathered: (1, 0.2) / 0.6, then (1.667, 0.333) + (-0.2, 0.6) / 0.4 = (1.167, 1.833)
    assert [step.sign().flatten().tolist() for step in seen] == [[1.0, 1.0], [1.0, 1.0]]


def test_checkpoints_of_the_paper() -> None:
    assert checkpoints(100) == [22, 41, 57, 70, 80, 87, 93, 99]
    assert checkpoints(1) == []


@pytest.mark.parametrize(("attack", "passes"), [(PGD(steps=6, restarts=2), 12), (APGD(steps=6, restarts=2), 12)])
def test_a_step_is_one_gradient(attack: Attack, passes: int) -> None:
    """One more forward pass per restart evaluates the last iterate."""
    batch = tiny_batch(3)
    found = run(attack, TinyHeatmaps(), batch, threat=BALL, objective=TrainingLoss())
    assert (found.backwards, found.forwards) == (3 * passes, 3 * passes + 3 * 2)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: PGD(steps=0), "pgd: steps and restarts must be at least 1, got 0 and 1"),
        (lambda: PGD(restarts=0), "got 40 and 0"),
        (lambda: PGD(step_size=0), "step_size must be > 0"),
        (lambda: PGD(momentum=1.5), "momentum must lie in"),
        (lambda: APGD(steps=0), "apgd: steps and restarts must be at least 1, got 0 and 1"),
    ],
)
def test_wrong_numbers_are_refused(make: object, message: str) -> None:
    assert callable(make)
    with pytest.raises(RobustPoseError, match=message):
        make()
