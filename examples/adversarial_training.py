"""Adversarial training of your own model: attack each batch with rp.perturb, then learn from what comes out."""

import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

import robustpose as rp


def loss(maps: Tensor, heatmaps: Tensor, weights: Tensor) -> Tensor:
    """Return the mean squared error of the labelled keypoints' heatmaps."""
    return ((maps - heatmaps) ** 2 * weights[..., None, None]).mean()


if __name__ == "__main__":
    torch.manual_seed(0)
    images, heatmaps, weights = torch.rand(64, 3, 64, 48), torch.rand(64, 17, 16, 12), torch.ones(64, 17)
    loader = DataLoader(TensorDataset(images, heatmaps, weights), batch_size=16, shuffle=True)
    model = nn.Sequential(nn.Conv2d(3, 32, 4, 4), nn.BatchNorm2d(32), nn.ReLU(), nn.Conv2d(32, 17, 3, 1, 1))
    optimiser = torch.optim.AdamW(model.parameters(), lr=1e-3)
    for step, (images, heatmaps, weights) in enumerate(loader):
        adv = rp.perturb(model, images, heatmaps, weights, loss=loss, eps=4 / 255, steps=3, seed=step)
        value = loss(model(adv), heatmaps, weights)
        optimiser.zero_grad()
        value.backward()
        optimiser.step()
        print(
            f"step {step}: loss {value.item():.4f}, images changed by {(adv - images).abs().max() * 255:.1f}/255"
        )
