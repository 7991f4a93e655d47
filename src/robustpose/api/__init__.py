"""The Python interface: `import robustpose as rp`.

    adv = rp.perturb(model, images, keypoints, visible, spec=spec)      # adversarial images of a batch
    result = rp.attack(rp.load_model("onnx:pose.onnx", spec="pose.toml"), "coco:val.json", eps=8 / 255)
    print(result)               # the scores with their intervals; in a notebook, also drawn
    result.save("attack.png")

`attack` runs the same code as the command of that name: a study of one model. docs/python.md shows all of it.
"""

from robustpose.api.attacking import attack
from robustpose.api.checking import check_card, check_spec
from robustpose.api.corrupting import corrupt
from robustpose.api.opening import load_data, load_model
from robustpose.api.perturbing import perturb
from robustpose.api.photographing import PhotoResult, attack_photo
from robustpose.api.result import AttackResult
from robustpose.attacks import APGD, FGSM, FMN, IGSM, PGD, Autopose, RayS, Square
from robustpose.errors import RobustPoseError
from robustpose.types import Batch

__all__ = [
    "APGD",
    "FGSM",
    "FMN",
    "IGSM",
    "PGD",
    "AttackResult",
    "Autopose",
    "Batch",
    "PhotoResult",
    "RayS",
    "RobustPoseError",
    "Square",
    "attack",
    "attack_photo",
    "check_card",
    "check_spec",
    "corrupt",
    "load_data",
    "load_model",
    "perturb",
]
