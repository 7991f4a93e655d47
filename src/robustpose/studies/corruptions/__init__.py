"""The corruptions study: what weather, light, cameras and files cost. run.py runs it and holds its spec."""
