"""The validity study: do rendered people order models as photos do? run.py runs it and holds its spec."""
