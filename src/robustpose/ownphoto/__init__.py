"""Attacks on a single unlabelled photo: find the person's box, and perturb the photo's own pixels."""

from robustpose.ownphoto.attack import PhotoAttacked, Seen, attack_photo, distances, kept, see
from robustpose.ownphoto.box import Box, beyond, find_box, parse_box
from robustpose.ownphoto.surface import PhotoSurface

__all__ = [
    "Box",
    "PhotoAttacked",
    "PhotoSurface",
    "Seen",
    "attack_photo",
    "beyond",
    "distances",
    "find_box",
    "kept",
    "parse_box",
    "see",
]
