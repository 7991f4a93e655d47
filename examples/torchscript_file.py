"""Save a model as TorchScript, open the file, and attack it. The file's code is checked before it runs."""

import warnings

import torch

import robustpose as rp

SPEC = {
    "name": "scripted", "format": "torchscript", "skeleton": "mpii_16", "input_size": [128, 128],
    "channels": "BGR", "scale": 255, "head": "heatmap", "heatmap_size": [32, 32], "sigma": 1.0,
}  # fmt: skip

if __name__ == "__main__":
    model = torch.nn.Sequential(torch.nn.AvgPool2d(4), torch.nn.Conv2d(3, 16, 3, padding=1)).eval()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch calls its own format deprecated
        torch.jit.trace(model, torch.rand(1, 3, 128, 128)).save("pose.pt")
    print(rp.attack("torchscript:pose.pt", "synthpose", spec=SPEC, attack="fgsm", n=4))
