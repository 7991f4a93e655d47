"""Keeps stored results in order: progress, damage, merging, pruning, comparing, exporting."""
