"""The mirrored perturbation: images typed by hand."""

import torch

from robustpose.jobs.transfer import mirrored_perturbation
from tests.defences.test_filters import pictures, red, typed


def test_only_the_perturbation_is_mirrored() -> None:
    clean = typed([[0.5, 0.25, 0.5, 0.75], [0.5, 0.5, 0.5, 0.5]])
    added = typed([[0.25, 0.0, -0.125, 0.0], [0.0, 0.0, 0.0, 0.5]])
    flipped = red(mirrored_perturbation(clean, clean + added))
    assert flipped.tolist() == [[0.5, 0.125, 0.5, 1.0], [1.0, 0.5, 0.5, 0.5]]


def test_what_leaves_the_range_by_flipping_is_clipped() -> None:
    clean = typed([[0.5, 1.0], [0.5, 0.0]])
    flipped = red(mirrored_perturbation(clean, clean + typed([[0.25, 0.0], [-0.25, 0.0]])))
    assert flipped.tolist() == [[0.5, 1.0], [0.5, 0.0]]


def test_flipping_twice_is_the_identity_where_nothing_is_clipped() -> None:
    clean = pictures(levels=(40, 200))
    adv = clean + (pictures(seed=1) - 0.5) / 10
    once = mirrored_perturbation(clean, adv)
    assert not torch.allclose(once, adv, atol=1e-3)
    torch.testing.assert_close(mirrored_perturbation(clean, once), adv, rtol=0, atol=1e-6)


def test_flip_leaves_clean_pictures_as_they_are() -> None:
    clean = pictures()
    assert torch.equal(mirrored_perturbation(clean, clean), clean)
