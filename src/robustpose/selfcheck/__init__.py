"""Checks a model spec by trying the usual mistakes, and reports the corrections that improve the score."""

from robustpose.selfcheck.check import Checked, Tried, check_spec
from robustpose.selfcheck.variants import Variant, variants_of

__all__ = ["Checked", "Tried", "Variant", "check_spec", "variants_of"]
