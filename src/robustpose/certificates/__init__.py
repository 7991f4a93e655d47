"""Certificates: bounds on a smoothed model's keypoints that hold for every perturbation of an L2 radius."""

from robustpose.certificates.bounds import DEFAULT_ALPHA, largest_radius, ranks, worst_case
from robustpose.certificates.sampling import sampled_keypoints

__all__ = ["DEFAULT_ALPHA", "largest_radius", "ranks", "sampled_keypoints", "worst_case"]
