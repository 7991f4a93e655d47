"""ViTPose: Xu, Zhang, Zhang, Tao, "ViTPose: Simple Vision Transformer Baselines for Human Pose Estimation",
NeurIPS 2022, arXiv 2204.12484; official code ViTAE-Transformer/ViTPose.

A plain vision transformer (Dosovitskiy et al. 2021, arXiv 2010.11929) with pre-normalisation and without a class
token, and the classic decoder: two deconvolutions and a 1x1 convolution. The published size is ViTPose-B; at
256x256 it has 256 position embeddings instead of the publication's 192 at 256x192. The official code adds the
position embedding of the class token to every patch; we omit it, which gives the same set of functions. There is
no drop path. The compact size has patches of 8 pixels, so it has the published grid of 16x16 tokens and one
deconvolution.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from robustpose.models.architectures.layers import Deconvolution, Standardise
from robustpose.models.heads import HeatmapHead
from robustpose.skeletons import MPII_16, Skeleton
from robustpose.types import PoseOutput


class SelfAttention(nn.Module):
    """Multi-head self-attention: Vaswani et al. 2017 (arXiv 1706.03762)."""

    def __init__(self, width: int, *, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(width, 3 * width)
        self.project = nn.Linear(width, width)

    def forward(self, tokens: Tensor) -> Tensor:
        """(N, tokens, width) -> the same shape."""
        n, count, width = tokens.shape
        split = self.qkv(tokens).reshape(n, count, 3, self.heads, width // self.heads)
        query, key, value = split.permute(2, 0, 3, 1, 4)
        seen = F.scaled_dot_product_attention(query, key, value)
        out: Tensor = self.project(seen.transpose(1, 2).reshape(n, count, width))
        return out


class Block(nn.Module):
    """Attention, then a perceptron of 4 times the width, both pre-normalised and residual."""

    def __init__(self, width: int, *, heads: int) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(width, eps=1e-6)
        self.attention = SelfAttention(width, heads=heads)
        self.norm2 = nn.LayerNorm(width, eps=1e-6)
        self.perceptron = nn.Sequential(nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width))

    def forward(self, tokens: Tensor) -> Tensor:
        """(N, tokens, width) -> the same shape."""
        tokens = tokens + self.attention(self.norm1(tokens))
        out: Tensor = tokens + self.perceptron(self.norm2(tokens))
        return out


class ViTPose(nn.Module):
    """Self-attention over patches of the image, then heatmaps by deconvolution.

    patch    side of a patch in input pixels
    padding  around the image in input pixels; the official code has 2, which shifts the patches
    width    channels of a token
    decoder  channels of the deconvolutions

    forward: images (N, 3, H, W) in [0, 1] -> PoseOutput with one heatmap stage (N, K, H/4, W/4).
    """

    def __init__(
        self,
        *,
        patch: int,
        padding: int,
        width: int,
        depth: int,
        heads: int,
        decoder: int,
        input_size: tuple[int, int],
        sigma: float,
        foreground: float = 0.0,
        skeleton: Skeleton = MPII_16,
    ) -> None:
        super().__init__()
        self.skeleton = skeleton
        self.input_size = input_size
        heatmap_size = (input_size[0] // 4, input_size[1] // 4)
        self.head = HeatmapHead(
            input_size=input_size, heatmap_size=heatmap_size, sigma=sigma, foreground=foreground
        )
        self.standardise = Standardise()
        self.patches = nn.Conv2d(3, width, patch, stride=patch, padding=padding)
        self.grid = (input_size[0] // patch, input_size[1] // patch)
        self.positions = nn.Parameter(torch.zeros(1, self.grid[0] * self.grid[1], width))
        self.blocks = nn.Sequential(*(Block(width, heads=heads) for _ in range(depth)))
        self.norm = nn.LayerNorm(width, eps=1e-6)
        # Each deconvolution doubles the resolution: from patches to cells of 4 pixels.
        self.decoder = Deconvolution(width, len(skeleton), width=decoder, layers=(patch // 4).bit_length() - 1)
        self._initialise()

    def _initialise(self) -> None:
        """Initialise position embeddings and linear layers as in the official code."""
        nn.init.trunc_normal_(self.positions, std=0.02)
        for module in self.blocks.modules():
            if isinstance(module, nn.Linear):
                nn.init.trunc_normal_(module.weight, std=0.02)
                nn.init.zeros_(module.bias)

    def forward(self, images: Tensor) -> PoseOutput:
        """Predict keypoints; see the class for shapes."""
        tokens = self.patches(self.standardise(images)).flatten(2).transpose(1, 2) + self.positions
        features = self.norm(self.blocks(tokens)).transpose(1, 2).unflatten(2, self.grid)
        raw = self.decoder(features)
        keypoints, scores = self.head.decode(raw)
        return PoseOutput(keypoints=keypoints, scores=scores, stages=(raw,))


def vitpose(size: str, skeleton: Skeleton = MPII_16) -> ViTPose:
    """Plain vision transformer: ViTPose-B with the classic decoder."""
    if size == "published":
        return ViTPose(
            patch=16,
            padding=2,
            width=768,
            depth=12,
            heads=12,
            decoder=256,
            input_size=(256, 256),
            sigma=2.0,
            skeleton=skeleton,
        )
    return ViTPose(
        patch=8,
        padding=0,
        width=96,
        depth=4,
        heads=4,
        decoder=48,
        input_size=(128, 128),
        sigma=1.0,
        foreground=20.0,
        skeleton=skeleton,
    )
