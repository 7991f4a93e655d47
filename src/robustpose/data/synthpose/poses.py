"""A pose as named joint angles in degrees, with limits, noise and mirroring."""

from dataclasses import dataclass, fields, replace

import numpy as np
from numpy.random import Generator


@dataclass(frozen=True)
class Turn:
    """A rotation of the trunk, in degrees: pitch forward, yaw to the person's left, roll to its right."""

    pitch: float = 0.0
    yaw: float = 0.0
    roll: float = 0.0


@dataclass(frozen=True)
class Arm:
    """Angles of an arm, in degrees; all zero is straight down, palms inward."""

    flexion: float = 0.0  # forward
    abduction: float = 8.0  # sideways
    twist: float = 0.0  # inward about the upper arm
    elbow: float = 12.0


@dataclass(frozen=True)
class Leg:
    """Angles of a leg, in degrees; all zero is straight down."""

    flexion: float = 0.0  # forward
    abduction: float = 4.0  # sideways
    twist: float = 0.0  # outward about the thigh
    knee: float = 3.0
    ankle: float = 0.0  # toes up


@dataclass(frozen=True)
class Pose:
    """All angles of a person; `root` rotates the whole body."""

    root: Turn = Turn()
    chest: Turn = Turn()
    neck: Turn = Turn()
    right_arm: Arm = Arm()
    left_arm: Arm = Arm()
    right_leg: Leg = Leg()
    left_leg: Leg = Leg()


@dataclass(frozen=True)
class Posture:
    """A pose, its height above the floor in metres, and whether it needs a seat."""

    pose: Pose
    lift: float = 0.0
    seat: bool = False


LIMITS: dict[str, dict[str, tuple[float, float]]] = {
    "root": {"pitch": (-360.0, 360.0), "yaw": (-360.0, 360.0), "roll": (-360.0, 360.0)},
    "chest": {"pitch": (-35.0, 60.0), "yaw": (-50.0, 50.0), "roll": (-30.0, 30.0)},
    "neck": {"pitch": (-45.0, 45.0), "yaw": (-60.0, 60.0), "roll": (-25.0, 25.0)},
    "arm": {
        "flexion": (-50.0, 180.0),
        "abduction": (-35.0, 180.0),
        "twist": (-110.0, 90.0),
        "elbow": (0.0, 145.0),
    },
    "leg": {
        "flexion": (-45.0, 125.0),
        "abduction": (-25.0, 75.0),
        "twist": (-35.0, 60.0),
        "knee": (0.0, 145.0),
        "ankle": (-50.0, 30.0),
    },
}
"""The minimum and maximum of every angle, in degrees."""

_NOISE = {
    "root": 3.0, "chest": 4.0, "neck": 6.0,
    "flexion": 6.0, "abduction": 5.0, "twist": 6.0, "elbow": 7.0, "knee": 5.0, "ankle": 5.0,
}  # fmt: skip
"""Standard deviations of the noise added to every angle, in degrees."""


def with_noise(pose: Pose, rng: Generator) -> Pose:
    """Add normal noise to every angle, in a fixed order."""
    parts = {}
    for part in fields(pose):
        angles = getattr(pose, part.name)
        noisy = {
            angle.name: getattr(angles, angle.name)
            + rng.normal() * _NOISE.get(part.name, _NOISE.get(angle.name, 0.0))
            for angle in fields(angles)
        }
        parts[part.name] = replace(angles, **noisy)
    return replace(pose, **parts)


def within_limits(pose: Pose) -> Pose:
    """Clip every angle to LIMITS."""
    parts = {}
    for part in fields(pose):
        angles = getattr(pose, part.name)
        limits = LIMITS[part.name.removeprefix("right_").removeprefix("left_")]
        clipped = {name: float(np.clip(getattr(angles, name), *limits[name])) for name in limits}
        parts[part.name] = replace(angles, **clipped)
    return replace(pose, **parts)


def between(first: Posture, second: Posture, share: float) -> Posture:
    """Return a posture on the way from one to another; share 0 is the first, 1 the second."""

    def mixed(a: float, b: float) -> float:
        return a + (b - a) * share

    parts = {}
    for part in fields(first.pose):
        start, end = getattr(first.pose, part.name), getattr(second.pose, part.name)
        angles = {each.name: mixed(getattr(start, each.name), getattr(end, each.name)) for each in fields(start)}
        parts[part.name] = replace(start, **angles)
    return Posture(pose=replace(first.pose, **parts), lift=mixed(first.lift, second.lift), seat=first.seat)


def mirrored(pose: Pose) -> Pose:
    """Swap left and right: the pose in a mirror."""

    def turned(turn: Turn) -> Turn:
        return Turn(pitch=turn.pitch, yaw=-turn.yaw, roll=-turn.roll)

    return Pose(
        root=turned(pose.root),
        chest=turned(pose.chest),
        neck=turned(pose.neck),
        right_arm=pose.left_arm,
        left_arm=pose.right_arm,
        right_leg=pose.left_leg,
        left_leg=pose.right_leg,
    )
