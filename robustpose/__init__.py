"""robustpose: how robust is a human pose estimator?"""

__version__ = "0.1.0"
