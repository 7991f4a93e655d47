"""Everyday poses as ranges of angles in degrees: standing, sitting, reaching, bending, lying."""

from dataclasses import replace

from numpy.random import Generator

from robustpose.data.synthpose.poses import Arm, Leg, Pose, Posture, Turn


def idle_arm(rng: Generator) -> Arm:
    """Return an idle arm: hanging, on the hip, folded, in a pocket, at the face."""
    u = rng.uniform
    kind = rng.choice(6, p=[0.4, 0.16, 0.12, 0.12, 0.1, 0.1])
    if kind == 0:
        return Arm(flexion=u(-12, 12), abduction=u(3, 15), elbow=u(4, 28))
    if kind == 1:
        return Arm(flexion=u(-30, -10), abduction=u(40, 58), twist=u(45, 70), elbow=u(85, 110))
    if kind == 2:
        return Arm(flexion=u(25, 45), abduction=u(0, 10), twist=u(30, 60), elbow=u(80, 110))
    if kind == 3:
        return Arm(flexion=u(10, 25), abduction=u(5, 15), twist=u(-10, 10), elbow=u(70, 100))
    if kind == 4:
        return Arm(flexion=u(-30, -15), abduction=u(5, 15), twist=u(30, 60), elbow=u(40, 80))
    return Arm(flexion=u(50, 80), abduction=u(5, 15), twist=u(0, 30), elbow=u(110, 135))


def standing(rng: Generator) -> Posture:
    """Stand with the weight on one leg and idle arms."""
    u = rng.uniform
    bent = u(0, 14)
    return Posture(
        Pose(
            chest=Turn(pitch=u(-5, 12), yaw=u(-20, 20)),
            neck=Turn(pitch=u(-15, 20), yaw=u(-40, 40)),
            right_arm=idle_arm(rng),
            left_arm=idle_arm(rng),
            right_leg=Leg(flexion=u(-5, 8), abduction=u(0, 10), twist=u(-5, 20)),
            left_leg=Leg(flexion=bent, abduction=u(0, 14), twist=u(-5, 20), knee=1.6 * bent),
        )
    )


def sitting(rng: Generator) -> Posture:
    """Sit on a seat, or on the floor."""
    if rng.random() < 0.22:
        return _sitting_on_the_floor(rng)
    u = rng.uniform
    bent = u(70, 105)

    def arm() -> Arm:
        kind = rng.integers(4)
        if kind == 0:
            return Arm(flexion=u(20, 45), abduction=u(5, 18), elbow=u(35, 70))
        if kind == 1:
            return Arm(flexion=u(-25, -5), abduction=u(10, 25), elbow=u(5, 20))
        if kind == 2:
            return Arm(flexion=u(45, 75), abduction=u(5, 15), twist=u(10, 40), elbow=u(80, 130))
        return idle_arm(rng)

    right = Leg(flexion=u(75, 95), abduction=u(2, 22), twist=u(-10, 15), knee=bent)
    left = Leg(flexion=u(75, 95), abduction=u(2, 22), twist=u(-10, 15), knee=bent + u(-30, 20))
    if rng.random() < 0.25:  # one leg over the other
        right = Leg(flexion=u(92, 110), abduction=u(-12, -2), twist=u(-5, 10), knee=u(70, 100))
    return Posture(
        Pose(
            root=Turn(pitch=u(-15, 10)),
            chest=Turn(pitch=u(-5, 30), yaw=u(-15, 15)),
            neck=Turn(pitch=u(-20, 20), yaw=u(-35, 35)),
            right_arm=arm(),
            left_arm=arm(),
            right_leg=right,
            left_leg=left,
        ),
        seat=True,
    )


def _sitting_on_the_floor(rng: Generator) -> Posture:
    u = rng.uniform
    kind = rng.integers(3)

    def leg() -> Leg:
        if kind == 0:  # stretched out
            return Leg(flexion=u(78, 92), abduction=u(2, 25), knee=u(0, 25), ankle=u(-20, 5))
        if kind == 1:  # knees up
            return Leg(flexion=u(105, 122), abduction=u(2, 20), knee=u(85, 120), ankle=u(-15, 5))
        return Leg(flexion=u(85, 100), abduction=u(35, 55), twist=u(30, 45), knee=u(110, 130), ankle=-10)

    back = u(0, 20)
    propped = rng.random() < 0.4
    arms = [
        Arm(flexion=u(-45, -30), abduction=u(8, 25), elbow=u(0, 12))
        if propped
        else Arm(flexion=u(30, 65), abduction=u(5, 20), elbow=u(20, 75))
        for _ in range(2)
    ]
    return Posture(
        Pose(
            root=Turn(pitch=-back),
            chest=Turn(pitch=u(0, 25), yaw=u(-15, 15)),
            neck=Turn(pitch=u(-15, 20), yaw=u(-35, 35)),
            right_arm=arms[0],
            left_arm=arms[1],
            right_leg=leg(),
            left_leg=leg(),
        )
    )


def crouching(rng: Generator) -> Posture:
    """Squat, or kneel on one knee."""
    u = rng.uniform
    knee, hip, lean = u(85, 135), u(85, 118), u(0, 25)

    def arm() -> Arm:
        return Arm(flexion=u(20, 90), abduction=u(0, 30), elbow=u(10, 100))

    def leg() -> Leg:
        return Leg(flexion=hip + u(-8, 8), abduction=u(5, 30), knee=knee + u(-10, 10), ankle=u(5, 25))

    right, left = leg(), leg()
    if rng.random() < 0.35:  # on one knee
        right = Leg(flexion=lean + u(80, 95), abduction=u(2, 15), knee=u(80, 100))
        left = Leg(flexion=lean + u(-5, 12), abduction=u(2, 10), knee=u(80, 100), ankle=-30)
    return Posture(
        Pose(
            root=Turn(pitch=lean),
            chest=Turn(pitch=u(5, 35), yaw=u(-20, 20)),
            neck=Turn(pitch=u(-30, 5), yaw=u(-30, 30)),
            right_arm=arm(),
            left_arm=arm(),
            right_leg=right,
            left_leg=left,
        )
    )


def reaching(rng: Generator) -> Posture:
    """Reach out with one arm."""
    u = rng.uniform
    return Posture(
        Pose(
            root=Turn(pitch=u(-5, 15)),
            chest=Turn(pitch=u(-5, 25), yaw=u(-5, 35), roll=u(-12, 12)),
            neck=Turn(pitch=u(-25, 15), yaw=u(-20, 20)),
            right_arm=Arm(flexion=u(50, 150), abduction=u(-15, 50), elbow=u(0, 30)),
            left_arm=idle_arm(rng),
            right_leg=Leg(flexion=u(0, 30), abduction=u(0, 10), knee=u(0, 30)),
            left_leg=Leg(flexion=u(-20, 5), abduction=u(0, 15), knee=u(0, 20)),
        )
    )


def arms_raised(rng: Generator) -> Posture:
    """Raise the arms: sideways, in front, or hands up."""
    u = rng.uniform
    kind = rng.integers(3)
    if kind == 0:  # out to the sides and up
        right = Arm(flexion=u(0, 15), abduction=u(80, 170), elbow=u(0, 35))
    elif kind == 1:  # up in front
        right = Arm(flexion=u(130, 178), abduction=u(0, 25), elbow=u(0, 60))
    else:  # hands up
        right = Arm(flexion=0, abduction=u(70, 110), twist=u(-100, -70), elbow=u(70, 110))
    left = replace(right, flexion=right.flexion + u(-8, 8), abduction=right.abduction + u(-8, 8))
    if rng.random() < 0.3:
        left = idle_arm(rng)
    return Posture(
        Pose(
            chest=Turn(pitch=u(-12, 8), yaw=u(-15, 15)),
            neck=Turn(pitch=u(-25, 10), yaw=u(-25, 25)),
            right_arm=right,
            left_arm=left,
            right_leg=Leg(abduction=u(0, 22)),
            left_leg=Leg(flexion=u(-5, 15), abduction=u(0, 22), knee=u(0, 15)),
        )
    )


def bending(rng: Generator) -> Posture:
    """Bend over from the hips."""
    u = rng.uniform
    lean = u(25, 75)

    def leg() -> Leg:
        return Leg(flexion=lean + u(-5, 20), abduction=u(0, 12), knee=u(5, 45), ankle=u(0, 15))

    return Posture(
        Pose(
            root=Turn(pitch=lean),
            chest=Turn(pitch=u(5, 35), yaw=u(-20, 20)),
            neck=Turn(pitch=u(-35, 10), yaw=u(-15, 15)),
            right_arm=Arm(flexion=u(30, 110), abduction=u(0, 25), elbow=u(0, 50)),
            left_arm=Arm(flexion=u(10, 110), abduction=u(0, 25), elbow=u(0, 90)),
            right_leg=leg(),
            left_leg=leg(),
        )
    )


def crawling(rng: Generator) -> Posture:
    """Crawl on hands and knees."""
    u = rng.uniform
    pitch = u(68, 84)
    step = u(-16, 16)

    def arm(own_step: float) -> Arm:
        return Arm(flexion=pitch + 8 + own_step, abduction=u(2, 14), elbow=u(2, 25))

    def leg(own_step: float) -> Leg:
        return Leg(flexion=pitch + own_step, abduction=u(2, 14), knee=u(80, 100) + own_step, ankle=u(-45, -15))

    return Posture(
        Pose(
            root=Turn(pitch=pitch),
            chest=Turn(pitch=u(-8, 18), yaw=u(-10, 10)),
            neck=Turn(pitch=u(-42, -5), yaw=u(-25, 25)),
            right_arm=arm(step),
            left_arm=arm(-step),
            right_leg=leg(-step),
            left_leg=leg(step),
        )
    )


def lying(rng: Generator) -> Posture:
    """Lie on the back, the belly or a side."""
    u = rng.uniform
    kind = rng.integers(3)
    if kind == 0:  # on the back
        root = Turn(pitch=-90 + u(-6, 6))
    elif kind == 1:  # on the belly
        root = Turn(pitch=90 + u(-4, 6))
    else:  # on the left side
        root = Turn(roll=-90 + u(-6, 6))

    def arm() -> Arm:
        if kind == 0:
            return Arm(flexion=u(-8, 50), abduction=u(5, 150), elbow=u(0, 100))
        if kind == 1:
            return Arm(flexion=u(0, 14), abduction=u(10, 150), twist=u(-20, 20), elbow=u(0, 70))
        return Arm(flexion=u(10, 95), abduction=u(0, 20), elbow=u(10, 110))

    def leg() -> Leg:
        if kind == 0:
            bent = u(0, 60) if rng.random() < 0.5 else u(0, 8)
            return Leg(flexion=bent, abduction=u(0, 25), knee=min(145.0, bent * u(1.2, 1.9)), ankle=u(-40, 0))
        if kind == 1:
            return Leg(flexion=u(-4, 4), abduction=u(0, 25), knee=u(0, 70), ankle=u(-45, -25))
        return Leg(flexion=u(0, 75), abduction=u(-4, 8), knee=u(5, 95), ankle=u(-35, 0))

    return Posture(
        Pose(
            root=root,
            neck=Turn(pitch=u(-10, 15), yaw=u(-45, 45)),
            right_arm=arm(),
            left_arm=arm(),
            right_leg=leg(),
            left_leg=leg(),
        )
    )
