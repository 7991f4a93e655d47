"""The sixteen actions: their shares, and the functions that draw their poses."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from numpy.random import Generator

from robustpose.data.synthpose.athletic import acrobatics, dancing, jumping, kicking, lunging, punching
from robustpose.data.synthpose.everyday import (
    arms_raised,
    bending,
    crawling,
    crouching,
    idle_arm,
    lying,
    reaching,
    sitting,
    standing,
)
from robustpose.data.synthpose.gait import running, walking
from robustpose.data.synthpose.poses import Arm, Pose, Posture, mirrored, with_noise, within_limits

Author = Callable[[Generator], Posture]

_AUTHORS: dict[str, tuple[float, Author]] = {
    "standing": (0.15, standing),
    "walking": (0.12, walking),
    "running": (0.08, running),
    "sitting": (0.10, sitting),
    "crouching": (0.06, crouching),
    "reaching": (0.08, reaching),
    "arms_raised": (0.08, arms_raised),
    "jumping": (0.05, jumping),
    "kicking": (0.05, kicking),
    "punching": (0.05, punching),
    "dancing": (0.06, dancing),
    "crawling": (0.02, crawling),
    "acrobatics": (0.02, acrobatics),
    "lying": (0.03, lying),
    "bending": (0.05, bending),
    "lunging": (0.05, lunging),
}
"""The share of each action (rescaled to sum to 1) and the function that draws its postures."""

ACTIONS: tuple[str, ...] = tuple(_AUTHORS)

_UPRIGHT = frozenset({"standing", "walking", "crouching", "lunging"})


def sample_action(rng: Generator) -> str:
    """Draw an action according to its share."""
    shares = np.array([share for share, _ in _AUTHORS.values()])
    return ACTIONS[int(rng.choice(len(ACTIONS), p=shares / shares.sum()))]


def sample_posture(action: str, rng: Generator) -> Posture:
    """Draw a posture of an action with noise, clipped to LIMITS and mirrored half the time."""
    posture = _AUTHORS[action][1](rng)
    pose = posture.pose
    if action in _UPRIGHT and rng.random() < 0.2:
        pose = _busy_arm(pose, rng)
    pose = within_limits(with_noise(pose, rng))
    if rng.random() < 0.5:
        pose = mirrored(pose)
    return replace(posture, pose=pose)


def _busy_arm(pose: Pose, rng: Generator) -> Pose:
    """Replace the pose of one arm: idle, pointing, or at the ear."""
    u = rng.uniform
    kind = rng.integers(3)
    if kind == 0:
        return replace(pose, right_arm=idle_arm(rng))
    if kind == 1:
        return replace(pose, left_arm=Arm(flexion=u(30, 160), abduction=u(0, 60), elbow=u(0, 110)))
    return replace(pose, right_arm=Arm(flexion=u(60, 120), twist=u(-20, 30), elbow=u(60, 120)))
