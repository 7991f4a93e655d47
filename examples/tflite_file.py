"""Attack a known .tflite file on people of COCO; both paths are command-line arguments."""

import sys

import robustpose as rp

if __name__ == "__main__":
    file, annotations = sys.argv[1:]
    people = rp.load_data(f"coco:{annotations}", min_keypoints=10, min_box=80)
    result = rp.attack(f"tflite:{file}", people, eps=("2/255", "8/255"), attack="igsm", steps=2, n=2)
    print(result)
    result.save("attack.csv")
