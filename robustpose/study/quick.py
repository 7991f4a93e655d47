"""The quick study: what `make study` runs. The paper's figures 2a, 2b and 2d on two nets and rendered people."""

from robustpose.study.cell import Setting
from robustpose.study.plan import Study
from robustpose.study.view import PAPER_EPS

TARGETED_EPS = tuple(level / 255 for level in (2, 8, 32))

QUICK = Study(
    name="quick",
    title="Two nets, rendered people, the paper's attacks",
    models=("shg2", "deeppose"),
    data="synthpose:val",
    settings=(
        *(Setting("fgsm", eps) for eps in PAPER_EPS),
        *(Setting("igsm", eps) for eps in PAPER_EPS),
        Setting("igsm", 8 / 255, objective="training_loss_all"),
        *(Setting("igsm", eps, targeted=True) for eps in TARGETED_EPS),
    ),
    n=75,
)
