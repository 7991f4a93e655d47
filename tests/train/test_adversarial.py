"""Adversarial training: what the model learns from, and that a resumed run learns the same."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from robustpose.data.augment import training_people
from robustpose.errors import RobustPoseError
from robustpose.threats import Linf
from robustpose.train import Recipe
from robustpose.train.adversarial import ADVERSARIAL_TRAINING, AdversarialTraining, method_named
from robustpose.train.adversarial.watch import Watch
from robustpose.train.run import Run
from tests.train.dots import RECIPE, Dots, StoppedError, start, stop_at, weights

pytestmark = pytest.mark.usefixtures("tiny_models")

EPS = 8 / 255
METHODS = ["pgd:2", "fgsm_rs", "free:2", "trades:2"]


def robust(adversarial: str) -> Recipe:
    return replace(RECIPE, adversarial=adversarial, eps=EPS)


def fresh(recipe: Recipe) -> Run:
    return Run(recipe, device="cpu", data_fingerprint="dots", skeleton=Dots(1).skeleton)


def batch_of(run: Run) -> tuple[torch.Tensor, ...]:
    people = Dots(4).load(range(4), input_size=run.input_size)
    return people.images, people.keypoints, people.visible


def test_methods_by_hand() -> None:
    assert method_named("pgd:2") == AdversarialTraining(steps=2, step_size=1.25)
    assert method_named("pgd:10") == AdversarialTraining(steps=10, step_size=0.25)
    assert method_named("fgsm_rs") == AdversarialTraining(steps=1, step_size=1.25)
    assert method_named("free:4") == AdversarialTraining(replays=4)
    assert method_named("trades") == AdversarialTraining(steps=2, step_size=1.25, consistency=6.0)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("pdg:2", r"unknown adversarial training 'pdg:2'; known: pgd:N, fgsm_rs, free:N, trades:N"),
        ("pgd:0", "pgd:N takes the number of steps of the attack, from 1 to 1000, got 'pgd:0'"),
        ("pgd:two", "got 'pgd:two'"),
        ("fgsm_rs:3", "fgsm_rs takes no number"),
    ],
)
def test_unknown_methods(text: str, message: str) -> None:
    with pytest.raises(RobustPoseError, match=message):
        method_named(text)


def test_steps_on_a_linear_loss_end_at_the_corner() -> None:
    """The best image for a linear loss is the corner of the ball in the direction of the slope."""
    images = torch.full((2, 3, 4, 4), 0.5)
    slope = torch.randn(images.shape, generator=torch.Generator().manual_seed(0))
    adv = method_named("pgd:2").attacked(
        images, lambda seen: (seen * slope).sum(), threat=Linf(EPS), generator=torch.Generator().manual_seed(1)
    )
    assert torch.allclose(adv, images + EPS * slope.sign(), atol=1e-6)


@pytest.mark.parametrize("method", METHODS)
def test_a_resumed_run_has_the_same_bytes(method: str, tmp_path: Path) -> None:
    recipe = robust(method)
    start(tmp_path / "whole", recipe=recipe)
    with pytest.raises(StoppedError):
        start(tmp_path / "killed", recipe=recipe, on_progress=stop_at(4))
    start(tmp_path / "killed", recipe=recipe)
    assert weights(tmp_path / "killed") == weights(tmp_path / "whole")
    plain = tmp_path / "plain"
    start(plain)
    assert weights(plain) != weights(tmp_path / "whole")


@pytest.mark.parametrize("method", ["pgd:2", "fgsm_rs"])
def test_the_model_learns_from_attacked_images(method: str) -> None:
    run = fresh(robust(method))
    images, *truth = batch_of(run)
    run.model.eval()
    before = [parameter.grad for parameter in run.model.parameters()]
    seen, beside = run._seen(images, truth)
    assert beside == ()
    assert (seen - images).abs().max() <= EPS + 1e-6
    assert seen.min() >= 0 and seen.max() <= 1
    assert run.task.loss(run.model, (seen, *truth)) > run.task.loss(run.model, (images, *truth))
    assert [parameter.grad for parameter in run.model.parameters()] == before


def test_trades_adds_six_times_the_change_of_the_prediction() -> None:
    run = fresh(robust("trades:2"))
    images, *truth = batch_of(run)
    run.model.eval()
    seen, beside = run._seen(images, truth)
    assert torch.equal(seen, images)
    adv, pose, visible = beside
    assert torch.equal(pose, run.model(images).keypoints) and torch.equal(visible, truth[1])
    assert 0 < (adv - images).abs().max() <= EPS + 1e-6
    found = run.loss_of_batch(seen, *truth, beside=beside, weight=run.method.consistency)
    clean, moved = run.task.loss(run.model, (images, *truth)), run.task.loss(run.model, (adv, pose, visible))
    assert found.item() == pytest.approx((clean + 6 * moved).item(), rel=1e-6)


def test_free_uses_a_batch_several_times_and_moves_its_perturbation() -> None:
    run = fresh(robust("free:2"))
    people = training_people(Dots(8), rows=range(8), input_size=run.input_size)
    drawn = [run.drawing(people)[place][0] for place in range(3)]
    assert torch.equal(drawn[0], drawn[1]) and not torch.equal(drawn[0], drawn[2])
    batch = batch_of(run)
    run.advance(batch)
    first = run.perturbation.clone()
    size = first.abs()
    assert torch.all((size == 0) | torch.isclose(size, torch.tensor(EPS))) and (size > 0).any()
    seen, _ = run._seen(batch[0], list(batch[1:]))
    assert torch.equal(seen.detach(), (batch[0] + first).clamp(0, 1))


def test_noise_has_its_standard_deviation_and_is_not_clipped() -> None:
    run = fresh(replace(RECIPE, noise=0.25))
    images = torch.full((16, 3, 32, 32), 0.5)
    seen, _ = run._seen(images, [])
    assert (seen - images).std().item() == pytest.approx(0.25, rel=0.02)
    assert seen.min() < 0 and seen.max() > 1
    again, _ = run._seen(images, [])
    assert torch.equal(seen, again)
    run.step = 1
    assert not torch.equal(run._seen(images, [])[0], seen)


def test_the_log_has_the_scores_under_attack(tmp_path: Path) -> None:
    start(tmp_path, recipe=robust("pgd:2"))
    lines = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert all({"fgsm", "pgd10"} <= line.keys() for line in lines)


def test_catastrophic_overfitting_is_said_when_pgd_falls_and_fgsm_does_not() -> None:
    said = Watch(fgsm=60.0, pgd=5.0).warning(40.0)
    assert said.startswith(
        "catastrophic overfitting: the score is 60.0 under FGSM and 5.0 under PGD-10, where it was 40.0"
    )
    assert not Watch(fgsm=15.0, pgd=5.0).warning(40.0)  # both fell: no overfitting to the attack
    assert not Watch(fgsm=60.0, pgd=25.0).warning(40.0)  # PGD is above half of its best
    assert not Watch(fgsm=60.0, pgd=0.0).warning(0.0)  # it was never better


@pytest.mark.parametrize(
    ("recipe", "message"),
    [
        (replace(RECIPE, adversarial="pgd:2"), r"needs an eps in \(0, 1\], such as 4/255, got 0"),
        (replace(RECIPE, eps=0.1), "eps is the budget of adversarial training; name a method, such as pgd:2"),
        (replace(RECIPE, adversarial="pgd:2", eps=0.1, noise=0.1), "noise or an attack, not both"),
        (replace(RECIPE, noise=-0.1), r"noise must be a standard deviation >= 0, in \[0, 1\] units, got -0.1"),
    ],
)
def test_recipes_that_cannot_be(recipe: Recipe, message: str, tmp_path: Path) -> None:
    with pytest.raises(RobustPoseError, match=message):
        start(tmp_path, recipe=recipe)
    assert not list(tmp_path.iterdir())


def test_every_method_is_made_from_its_default() -> None:
    for name, spec in ADVERSARIAL_TRAINING.items():
        assert method_named(name) == spec.make(spec.default)
