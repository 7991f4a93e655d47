"""The validity study: do rendered people order models as photos do?"""

from robustpose.studies.validity.agreement import Agreement, Pair
from robustpose.studies.validity.comparison import Comparison, Line, compare, write_comparison
from robustpose.studies.validity.offsets import Offset
from robustpose.studies.validity.sides import PHOTOS, RENDERED, Validity, open_sides, shared_joints, studies_of

__all__ = [
    "PHOTOS",
    "RENDERED",
    "Agreement",
    "Comparison",
    "Line",
    "Offset",
    "Pair",
    "Validity",
    "compare",
    "open_sides",
    "shared_joints",
    "studies_of",
    "write_comparison",
]
