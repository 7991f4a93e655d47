"""Training: one loop for all models, on clean, noisy or attacked crops."""

from robustpose.train.adversarial import ADVERSARIAL_TRAINING
from robustpose.train.loop import ROUNDING_MAY_COST, input_size_of, train
from robustpose.train.processes import is_main_process
from robustpose.train.recipe import Progress, Recipe
from robustpose.train.tasks import evaluate

__all__ = [
    "ADVERSARIAL_TRAINING",
    "ROUNDING_MAY_COST",
    "Progress",
    "Recipe",
    "evaluate",
    "input_size_of",
    "is_main_process",
    "train",
]
