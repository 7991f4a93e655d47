"""What a model answered under a setting, of blocks of people of which one has no readable photo."""

import numpy as np

from robustpose.analysis.scores import Outcome, Shown
from robustpose.jobs.results import CellResult, Pictures
from robustpose.jobs.setting import Setting
from robustpose.jobs.signals import BEATEN
from tests.findings.hand_made import table
from tests.study.study_fakes import tiny_models


def test_each_joint_s_worst_counts_beside_a_block_without_a_readable_photo() -> None:
    read, unread = table(np.arange(2), 2), table(np.arange(0), 0)
    beaten = np.array([[1.0, 0.0, 0.0], [0.0, 0.0, 0.0]])
    results = (CellResult(read, signals={BEATEN: beaten}), CellResult(unread, unreadable=("p2: broken",)))
    shown = Shown(table=read, pictures=Pictures.none())
    found = Outcome(tiny_models()[0], Setting("autopose", 8 / 255), read, results, shown)
    assert found.each_joint is not None
    assert np.isnan(found.each_joint.predicted[0, 0]).all()
    assert (found.each_joint.predicted[1] == read.predicted[1]).all()
    single = Outcome(tiny_models()[0], Setting("fgsm", 8 / 255), read, (CellResult(read),), shown)
    assert single.each_joint is None
