"""Attack your own torch module, with a model spec that describes its input and output."""

import torch
from torch import nn

import robustpose as rp


class MyModel(nn.Module):
    """Predicts sixteen heatmaps."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Conv2d(3, 16, 7, stride=4, padding=3), nn.ReLU(), nn.Conv2d(16, 16, 1))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.layers(x)


SPEC = {
    "name": "my_model", "format": "torch", "skeleton": "mpii_16", "input_size": [128, 128], "channels": "RGB",
    "mean": [0.485, 0.456, 0.406], "std": [0.229, 0.224, 0.225],
    "head": "heatmap", "heatmap_size": [32, 32], "sigma": 1.0,
}  # fmt: skip

if __name__ == "__main__":
    result = rp.attack(
        rp.load_model(MyModel().eval(), spec=SPEC), "synthpose", eps=8 / 255, attack="igsm", steps=2, n=4
    )
    print(result)
    result.save("attack.png")
