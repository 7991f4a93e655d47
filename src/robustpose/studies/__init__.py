"""The studies by name."""

from robustpose.studies.paper import PAPER
from robustpose.studies.quick import QUICK
from robustpose.studies.real import REAL
from robustpose.studies.realism import Realism
from robustpose.studies.validity import Validity
from robustpose.study.definition import Study

STUDIES: dict[str, Study | Realism | Validity] = {
    "quick": QUICK,
    "paper": PAPER,
    "real": REAL,
    "realism": Realism(),
    "validity": Validity(),
}
