"""Analysis: computes scores from the stored results of a study."""
