"""Attack a ViTPose of transformers, here with random weights; use the folder of a trained one instead."""

import transformers

import robustpose as rp

if __name__ == "__main__":
    backbone = transformers.VitPoseBackboneConfig(
        hidden_size=32, num_hidden_layers=2, num_attention_heads=2, image_size=(128, 128)
    )
    config = transformers.VitPoseConfig(backbone_config=backbone, num_labels=17)
    transformers.VitPoseForPoseEstimation(config).save_pretrained("vitpose")
    transformers.VitPoseImageProcessor(size={"height": 128, "width": 128}).save_pretrained("vitpose")
    print(rp.attack("hf:vitpose", "synthpose", attack="fgsm", n=4))
