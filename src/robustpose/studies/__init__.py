"""The studies by name. Each study is one file: its definition, its options, and how it is run."""

from typing import Any

from robustpose.studies.corruptions.run import CORRUPTIONS_SPEC
from robustpose.studies.defences import DEFENCES_SPEC
from robustpose.studies.factors import FACTORS_SPEC
from robustpose.studies.faults import FAULTS_SPEC
from robustpose.studies.jitter import JITTER_SPEC
from robustpose.studies.paper import PAPER_SPEC
from robustpose.studies.quick import QUICK_SPEC
from robustpose.studies.real import REAL_SPEC
from robustpose.studies.realism import REALISM_SPEC
from robustpose.studies.spec import StudySpec
from robustpose.studies.validity.run import VALIDITY_SPEC

STUDIES: dict[str, StudySpec[Any, Any]] = {
    "quick": QUICK_SPEC,
    "paper": PAPER_SPEC,
    "real": REAL_SPEC,
    "realism": REALISM_SPEC,
    "validity": VALIDITY_SPEC,
    "defences": DEFENCES_SPEC,
    "corruptions": CORRUPTIONS_SPEC,
    "faults": FAULTS_SPEC,
    "jitter": JITTER_SPEC,
    "factors": FACTORS_SPEC,
}
