"""Export a model to ONNX, open the file, and attack it. Needs the extra onnx."""

import torch

import robustpose as rp
from robustpose.models import build

SPEC = {
    "name": "exported", "format": "onnx", "skeleton": "mpii_16", "input_size": [128, 128], "channels": "RGB",
    "stages": ["maps"], "head": "heatmap", "heatmap_size": [32, 32], "sigma": 1.0,
}  # fmt: skip


class Maps(torch.nn.Module):
    """The last heatmaps of a model of the package, as the output of a third-party model."""

    def __init__(self) -> None:
        super().__init__()
        self.model = build("resdec")

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.model(images).stages[-1]


if __name__ == "__main__":
    image = (torch.rand(1, 3, 128, 128),)
    torch.onnx.export(
        Maps().eval(), image, "pose.onnx", input_names=["image"], output_names=["maps"], dynamo=False
    )
    print(rp.attack("onnx:pose.onnx", "synthpose", spec=SPEC, attack="fgsm", n=4))
