"""Attacks on a single unlabelled photo: find the person's box, and perturb the photo's own pixels."""

from robustpose.ownphoto.attack import (
    PhotoAttacked,
    Seen,
    attack_people,
    attack_photo,
    distances,
    hit,
    kept,
    kept_with_fresh_boxes,
    see,
)
from robustpose.ownphoto.box import Box, beyond, find_box, jittered, parse_box
from robustpose.ownphoto.surface import PhotoSurface

__all__ = [
    "Box",
    "PhotoAttacked",
    "PhotoSurface",
    "Seen",
    "attack_people",
    "attack_photo",
    "beyond",
    "distances",
    "find_box",
    "hit",
    "jittered",
    "kept",
    "kept_with_fresh_boxes",
    "parse_box",
    "see",
]
