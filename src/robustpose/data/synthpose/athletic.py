"""Poses of sport and dance as ranges of angles in degrees: jumping, kicking, punching, dancing, acrobatics."""

import math

import numpy as np
from numpy.random import Generator

from robustpose.data.synthpose.everyday import idle_arm
from robustpose.data.synthpose.poses import Arm, Leg, Pose, Posture, Turn


def jumping(rng: Generator) -> Posture:
    """Jump: star, tucked or straight."""
    u = rng.uniform
    kind = rng.integers(3)
    wide, high, folded = u(5, 22), u(-15, 25), u(0, 40)
    if kind == 0:  # star
        wide, high, folded = u(20, 45), u(-5, 10), u(0, 20)
    elif kind == 1:  # tucked
        wide, high, folded = u(3, 20), u(50, 95), u(60, 115)

    def leg() -> Leg:
        return Leg(
            flexion=high + u(-18, 18), abduction=wide, knee=max(0.0, folded + u(-15, 15)), ankle=u(-40, -10)
        )

    raised = u(10, 165)

    def arm() -> Arm:
        return Arm(flexion=raised + u(-15, 15), abduction=u(10, 60), elbow=u(0, 60))

    return Posture(
        Pose(
            root=Turn(pitch=u(-8, 12)),
            chest=Turn(pitch=u(-15, 10), yaw=u(-10, 10)),
            neck=Turn(pitch=u(-20, 5), yaw=u(-15, 15)),
            right_arm=arm(),
            left_arm=arm(),
            right_leg=leg(),
            left_leg=leg(),
        ),
        lift=u(0.08, 0.4),
    )


def _guard(rng: Generator) -> Arm:
    """Return an arm held in front of the face."""
    u = rng.uniform
    return Arm(flexion=u(40, 70), abduction=u(2, 15), twist=u(0, 25), elbow=u(105, 135))


def kicking(rng: Generator) -> Posture:
    """Kick: to the front, to the side, or at a ball."""
    u = rng.uniform
    kind = rng.integers(3)
    if kind == 0:  # to the front
        kick = Leg(flexion=u(50, 110), abduction=u(0, 15), knee=u(0, 70), ankle=u(-25, 10))
        lean = Turn(pitch=u(-22, -2), yaw=u(-10, 15))
    elif kind == 1:  # to the side
        kick = Leg(flexion=u(15, 45), abduction=u(45, 75), knee=u(0, 40), ankle=u(-10, 15))
        lean = Turn(pitch=u(-5, 5), yaw=u(-15, 15), roll=u(-28, -10))
    else:  # a ball: the leg swings through from behind
        kick = Leg(flexion=u(-35, 50), abduction=u(3, 20), knee=u(10, 75), ankle=u(-35, -10))
        lean = Turn(pitch=u(-10, 12), yaw=u(-15, 20))
    guarded = rng.random() < 0.5

    def arm() -> Arm:
        return _guard(rng) if guarded else Arm(flexion=u(-30, 50), abduction=u(15, 75), elbow=u(5, 70))

    return Posture(
        Pose(
            root=lean,
            chest=Turn(pitch=u(0, 20), yaw=u(-15, 15)),
            neck=Turn(pitch=u(-10, 20), yaw=u(-15, 15)),
            right_arm=arm(),
            left_arm=arm(),
            right_leg=kick,
            left_leg=Leg(
                flexion=lean.pitch + u(-3, 12), abduction=u(0, 8) - lean.roll, knee=u(3, 28), ankle=u(0, 10)
            ),
        )
    )


def punching(rng: Generator) -> Posture:
    """Punch: straight, hook or uppercut, the other arm on guard."""
    u = rng.uniform
    kind = rng.integers(3)
    if kind == 0:  # straight
        punch = Arm(flexion=u(75, 100), abduction=u(-10, 10), elbow=u(0, 25))
    elif kind == 1:  # hook
        punch = Arm(flexion=u(60, 90), abduction=u(25, 55), twist=u(30, 60), elbow=u(65, 100))
    else:  # uppercut
        punch = Arm(flexion=u(50, 110), abduction=u(0, 12), elbow=u(75, 115))
    return Posture(
        Pose(
            root=Turn(pitch=u(0, 10), yaw=u(-10, 10)),
            chest=Turn(pitch=u(0, 18), yaw=u(10, 40)),
            neck=Turn(pitch=u(-5, 15), yaw=u(-35, -5)),
            right_arm=punch,
            left_arm=_guard(rng),
            right_leg=Leg(flexion=u(-28, -5), abduction=u(4, 18), knee=u(8, 35), ankle=u(-5, 15)),
            left_leg=Leg(flexion=u(12, 40), abduction=u(2, 15), knee=u(12, 45), ankle=u(0, 10)),
        )
    )


def dancing(rng: Generator) -> Posture:
    """Dance: swaying hips, one stepping leg, arms in any position."""
    u = rng.uniform
    sway = u(-14, 14)

    def arm() -> Arm:
        kind = rng.integers(4)
        if kind == 0:
            return Arm(flexion=u(-10, 60), abduction=u(60, 130), elbow=u(10, 90))
        if kind == 1:
            return Arm(flexion=u(90, 170), abduction=u(5, 40), elbow=u(10, 90))
        if kind == 2:
            return Arm(flexion=u(-20, 40), abduction=u(20, 60), twist=u(-20, 50), elbow=u(50, 110))
        return idle_arm(rng)

    step = Leg(flexion=u(10, 75), abduction=u(0, 35), twist=u(-10, 40), knee=u(15, 100), ankle=u(-40, 5))
    if rng.random() < 0.4:
        step = Leg(flexion=u(-25, 20), abduction=u(10, 35), twist=u(0, 30), knee=u(5, 40), ankle=u(-30, 5))
    return Posture(
        Pose(
            root=Turn(pitch=u(-4, 10), roll=sway * 0.5),
            chest=Turn(pitch=u(-12, 18), yaw=u(-30, 30), roll=-sway),
            neck=Turn(pitch=u(-20, 15), yaw=u(-35, 35), roll=u(-12, 12)),
            right_arm=arm(),
            left_arm=arm(),
            right_leg=step,
            left_leg=Leg(flexion=u(-5, 25), abduction=u(2, 15), twist=u(0, 20), knee=u(3, 40), ankle=u(-5, 12)),
        )
    )


def acrobatics(rng: Generator) -> Posture:
    """Cartwheel, handstand or somersault."""
    u = rng.uniform
    kind = rng.integers(3)
    if kind == 0:  # cartwheel
        pose = Pose(
            root=Turn(pitch=u(-10, 10), roll=u(100, 260)),
            chest=Turn(roll=u(-10, 10)),
            neck=Turn(pitch=u(-25, 5)),
            right_arm=Arm(abduction=u(140, 170), elbow=u(0, 15)),
            left_arm=Arm(abduction=u(140, 170), elbow=u(0, 15)),
            right_leg=Leg(flexion=u(-10, 20), abduction=u(25, 65), knee=u(0, 25), ankle=u(-40, -10)),
            left_leg=Leg(flexion=u(-10, 20), abduction=u(25, 65), knee=u(0, 25), ankle=u(-40, -10)),
        )
        return Posture(pose)
    if kind == 1:  # handstand
        bend = u(-15, 25)
        pose = Pose(
            root=Turn(pitch=180 + u(-15, 15)),
            chest=Turn(pitch=u(-20, 5)),
            neck=Turn(pitch=u(-40, -10)),
            right_arm=Arm(flexion=u(160, 178), abduction=u(2, 15), elbow=u(0, 15)),
            left_arm=Arm(flexion=u(160, 178), abduction=u(2, 15), elbow=u(0, 15)),
            right_leg=Leg(flexion=bend + u(-25, 45), knee=u(0, 60), ankle=u(-40, -10)),
            left_leg=Leg(flexion=bend + u(-25, 10), knee=u(0, 25), ankle=u(-40, -10)),
        )
        return Posture(pose)
    hip = u(60, 115)  # tucked somersault
    arms = [Arm(flexion=u(30, 80), abduction=u(5, 25), elbow=u(20, 80)) for _ in range(2)]
    pose = Pose(
        root=Turn(pitch=u(90, 300)),
        chest=Turn(pitch=u(10, 40)),
        neck=Turn(pitch=u(0, 35)),
        right_arm=arms[0],
        left_arm=arms[1],
        right_leg=Leg(flexion=hip + u(-6, 6), knee=u(80, 130), ankle=u(-30, 0)),
        left_leg=Leg(flexion=hip + u(-6, 6), knee=u(80, 130), ankle=u(-30, 0)),
    )
    return Posture(pose, lift=u(0.1, 0.5))


def lunging(rng: Generator) -> Posture:
    """Lunge: one leg far forward, the other far back."""
    u = rng.uniform

    def arm() -> Arm:
        if rng.random() < 0.5:
            return idle_arm(rng)
        return Arm(flexion=u(0, 150), abduction=u(0, 90), elbow=u(0, 60))

    lean, front, knee, back = u(0, 15), u(45, 85), u(55, 95), u(8, 45)
    # The hips are equally high above both feet, assuming thighs and calves of equal length.
    height = math.cos(np.deg2rad(front)) + math.cos(np.deg2rad(knee - front))
    calf = np.rad2deg(math.acos(np.clip(height - math.cos(np.deg2rad(back)), 0, 1)))
    return Posture(
        Pose(
            root=Turn(pitch=lean),
            chest=Turn(pitch=u(-10, 20), yaw=u(-25, 25)),
            neck=Turn(pitch=u(-10, 10), yaw=u(-25, 25)),
            right_arm=arm(),
            left_arm=arm(),
            right_leg=Leg(flexion=front + lean, abduction=u(0, 12), knee=knee, ankle=u(0, 10)),
            left_leg=Leg(flexion=lean - back, abduction=u(0, 12), knee=max(3.0, calf - back), ankle=u(-5, 15)),
        )
    )
