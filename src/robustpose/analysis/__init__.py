"""Analysis: from the stored results of a study to its numbers."""
