"""ViTPose: a plain transformer and two deconvolutions."""

import math

import pytest
import torch
from torch import nn

from robustpose.models import build
from robustpose.models.architectures.vitpose import Block, SelfAttention, ViTPose
from robustpose.skeletons import COCO_17


def parameters(model: nn.Module) -> int:
    return sum(parameter.numel() for parameter in model.parameters())


def tiny(*, depth: int) -> ViTPose:
    return ViTPose(
        patch=8,
        padding=0,
        width=16,
        depth=depth,
        heads=2,
        decoder=8,
        input_size=(64, 96),
        sigma=1.0,
    ).eval()


def test_attention_in_closed_form() -> None:
    """Softmax of query times key over the root of a head's width, times value, head by head."""
    torch.manual_seed(0)
    attention = SelfAttention(12, heads=3).double()
    tokens = torch.randn(2, 5, 12, dtype=torch.float64)
    with torch.no_grad():
        query, key, value = attention.qkv(tokens).chunk(3, dim=-1)
        heads = []
        for head in range(3):
            own = slice(4 * head, 4 * head + 4)
            weights = (query[..., own] @ key[..., own].transpose(1, 2) / math.sqrt(4)).softmax(dim=-1)
            heads.append(weights @ value[..., own])
        torch.testing.assert_close(attention(tokens), attention.project(torch.cat(heads, dim=-1)))


def test_every_token_sees_every_other_in_one_block() -> None:
    torch.manual_seed(0)
    block, tokens = Block(16, heads=2), torch.randn(1, 7, 16, requires_grad=True)
    out = block(tokens)
    for i in range(7):
        (gradient,) = torch.autograd.grad(out[0, i].sum(), tokens, retain_graph=True)
        assert (gradient[0].abs().sum(dim=-1) > 0).all()


@pytest.mark.parametrize(("depth", "sees"), [(1, True), (0, False)])
def test_a_corner_sees_the_other_corner_by_attention_alone(depth: int, sees: bool) -> None:
    """With one block; without blocks a token depends only on its own patch."""
    torch.manual_seed(0)
    model, images = tiny(depth=depth), torch.rand(1, 3, 64, 96, requires_grad=True)
    features: list[torch.Tensor] = []
    model.norm.register_forward_hook(lambda module, given, made: features.append(made))
    model(images)
    (gradient,) = torch.autograd.grad(features[0][0, 0, 0], images)
    assert (gradient[..., :8, :8] != 0).any()
    assert bool((gradient[..., -8:, -8:] != 0).any()) is sees


def test_blocks_know_no_place_and_positions_give_it() -> None:
    torch.manual_seed(0)
    model, tokens = tiny(depth=2), torch.randn(1, 96, 16)
    order = torch.randperm(96)
    with torch.no_grad():
        torch.testing.assert_close(model.blocks(tokens[:, order]), model.blocks(tokens)[:, order])
    assert model.positions.shape == (1, 96, 16)
    assert len(torch.unique(model.positions[0], dim=0)) == 96
    # A grey image is the same in every patch: only the position tells them apart.
    made: list[torch.Tensor] = []
    model.blocks.register_forward_pre_hook(lambda module, given: made.append(given[0]))
    with torch.no_grad():
        model(torch.full((1, 3, 64, 96), 0.5))
    torch.testing.assert_close(made[0] - made[0][:, :1], model.positions - model.positions[:, :1])


def test_patches_are_laid_out_as_the_image() -> None:
    """A light patch in row 2, column 9 is token 2 * 12 + 9, and its features lie there when decoded."""
    model, images = tiny(depth=0), torch.zeros(1, 3, 64, 96)
    images[..., 16:24, 72:80] = 1
    tokens: list[torch.Tensor] = []
    grids: list[torch.Tensor] = []
    model.norm.register_forward_hook(lambda module, given, made: tokens.append(given[0] - model.positions))
    model.decoder.register_forward_pre_hook(lambda module, given: grids.append(given[0]))
    with torch.no_grad():
        nn.init.zeros_(model.positions)
        model(images)
    odd = (tokens[0][0] - tokens[0][0, 0]).abs().sum(dim=-1) > 1e-3
    assert odd.nonzero().tolist() == [[2 * 12 + 9]]
    odd = (grids[0][0] - grids[0][0, :, :1, :1]).abs().sum(dim=0) > 1e-3
    assert odd.nonzero().tolist() == [[2, 9]]


@pytest.mark.slow
def test_published_vitpose_has_the_parameters_of_its_publication() -> None:
    """ViTPose-B, classic decoder, 256x192, COCO: a file of 343.33 MB of 4 bytes each is 90.0 M.

    The official model has one position more (the class token's); the file holds two buffers a batch norm, too.
    """
    published = ViTPose(
        patch=16,
        padding=2,
        width=768,
        depth=12,
        heads=12,
        decoder=256,
        input_size=(256, 192),
        sigma=2.0,
        skeleton=COCO_17,
    )
    in_the_file = parameters(published) + 768 + 2 * 2 * 256
    assert in_the_file == pytest.approx(343.33 * 2**20 / 4, rel=1e-3)
    # At 256x256 there are 64 positions more, and MPII has a keypoint less.
    ours = build("vitpose", size="published")
    assert parameters(ours) == parameters(published) + 64 * 768 - 257
    assert parameters(ours) == pytest.approx(90.0e6, rel=0.02)


@pytest.mark.parametrize(("size", "layers"), [("compact", 1), ("published", 2)])
def test_the_tokens_grid_is_16_x_16_and_the_decoder_reaches_a_quarter(size: str, layers: int) -> None:
    model = build("vitpose", size=size)
    assert isinstance(model, ViTPose)
    assert model.grid == (16, 16)
    assert sum(isinstance(layer, nn.ConvTranspose2d) for layer in model.decoder.up) == layers
