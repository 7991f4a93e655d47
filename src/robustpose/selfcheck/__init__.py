"""Self-check: is what a spec says of a model true? Tries the usual mistakes and says which mend helps."""

from robustpose.selfcheck.check import Checked, Tried, check_spec
from robustpose.selfcheck.variants import Variant, variants_of

__all__ = ["Checked", "Tried", "Variant", "check_spec", "variants_of"]
