"""The validity study: do rendered people order nets as photos do?"""

from robustpose.study.validity.agreement import Agreement, Pair
from robustpose.study.validity.comparison import Comparison, Line, compare, write_comparison
from robustpose.study.validity.offsets import Offset
from robustpose.study.validity.sides import PHOTOS, RENDERED, Validity, open_sides, shared_joints, studies_of

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
