"""Walking and running: gait cycles of hip, knee and ankle, with arms swinging opposite to the legs.

The curves are smooth bumps placed by hand after textbooks (Perry & Burnfield, Gait Analysis, 2010): loading and
swing of the knee, push-off of the ankle. There is no motion capture.
"""

import math

import numpy as np
from numpy.random import Generator

from robustpose.data.synthpose.poses import Arm, Leg, Pose, Posture, Turn


def _bump(phase: float, centre: float, width: float) -> float:
    """Return a smooth bump of height 1 on the circle of phases [0, 1)."""
    away = (phase - centre + 0.5) % 1.0 - 0.5
    return float(math.exp(-0.5 * (away / width) ** 2))


def walking_leg(phase: float, stride: float) -> Leg:
    """Return a leg of the gait cycle: heel strike at phase 0, toe off near 0.62."""
    return Leg(
        flexion=stride * (7 + 22 * math.cos(2 * np.pi * phase)),
        abduction=2.0,
        knee=4 + stride * (13 * _bump(phase, 0.13, 0.07) + 55 * _bump(phase, 0.73, 0.1)),
        ankle=stride * (8 * _bump(phase, 0.42, 0.1) - 18 * _bump(phase, 0.63, 0.06)),
    )


def running_leg(phase: float, stride: float) -> Leg:
    """Return a leg of the running cycle: foot strike at phase 0, toe off near 0.35, knee folded in swing."""
    return Leg(
        flexion=stride * (16 + 36 * math.cos(2 * np.pi * (phase + 0.08))),
        abduction=1.0,
        knee=12 + stride * (22 * _bump(phase, 0.12, 0.08) + 92 * _bump(phase, 0.66, 0.13)),
        ankle=stride * (14 * _bump(phase, 0.15, 0.1) - 24 * _bump(phase, 0.4, 0.1)),
    )


def walking(rng: Generator) -> Posture:
    """Walk: any phase of the gait cycle."""
    u = rng.uniform
    phase, stride, swing = u(0, 1), u(0.7, 1.35), u(0.5, 1.5)
    turn = 5 * stride * float(math.cos(2 * np.pi * phase))

    def arm(own_phase: float) -> Arm:
        forward = -float(math.cos(2 * np.pi * own_phase))
        return Arm(flexion=4 + 20 * swing * forward, abduction=u(3, 12), elbow=14 + 14 * swing * max(0.0, forward))

    return Posture(
        Pose(
            root=Turn(pitch=u(-1, 5)),
            chest=Turn(pitch=u(-4, 6), yaw=turn),
            neck=Turn(pitch=u(-8, 12), yaw=u(-25, 25)),
            right_arm=arm(phase),
            left_arm=arm(phase + 0.5),
            right_leg=walking_leg(phase, stride),
            left_leg=walking_leg((phase + 0.5) % 1.0, stride),
        )
    )


def running(rng: Generator) -> Posture:
    """Run: any phase of the running cycle, airborne after each toe off."""
    u = rng.uniform
    phase, stride, swing = u(0, 1), u(0.75, 1.25), u(0.7, 1.3)
    turn = 10 * stride * float(math.cos(2 * np.pi * phase))

    def arm(own_phase: float) -> Arm:
        forward = -float(math.cos(2 * np.pi * own_phase))
        return Arm(flexion=2 + 36 * swing * forward, abduction=u(6, 18), twist=u(0, 25), elbow=u(75, 110))

    flight = max(_bump(phase, 0.43, 0.06), _bump(phase, 0.93, 0.06))
    return Posture(
        Pose(
            root=Turn(pitch=u(4, 14)),
            chest=Turn(pitch=u(0, 8), yaw=turn),
            neck=Turn(pitch=u(-15, 2), yaw=u(-15, 15)),
            right_arm=arm(phase),
            left_arm=arm(phase + 0.5),
            right_leg=running_leg(phase, stride),
            left_leg=running_leg((phase + 0.5) % 1.0, stride),
        ),
        lift=0.08 * flight,
    )
