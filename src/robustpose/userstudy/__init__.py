"""User studies of perceptibility: a page with trials, and the analysis of the answers.

The second version of Jain et al. 2019 (arXiv 1908.06401) asks people; its questions are not known to us. Here each
trial is a two-alternative forced choice, which does not depend on the observer's criterion (Macmillan and Creelman
2005, "Detection Theory", chapter 7). Control trials show noise of the same budget.
"""

from robustpose.userstudy.analysis import Analysis, Comparison, Rate, Threshold, analyse
from robustpose.userstudy.answers import Answer, Answers, Participant, read_answers
from robustpose.userstudy.page import write_page
from robustpose.userstudy.psychometric import Curve, d_prime, fit_curve, wilson
from robustpose.userstudy.stimuli import Pair, Stimuli, read_stimuli, sign_noise
from robustpose.userstudy.trials import CATCH_EPS, Design, Trial, UserStudy, draw_trials

__all__ = [
    "CATCH_EPS",
    "Analysis",
    "Answer",
    "Answers",
    "Comparison",
    "Curve",
    "Design",
    "Pair",
    "Participant",
    "Rate",
    "Stimuli",
    "Threshold",
    "Trial",
    "UserStudy",
    "analyse",
    "d_prime",
    "draw_trials",
    "fit_curve",
    "read_answers",
    "read_stimuli",
    "sign_noise",
    "wilson",
    "write_page",
]
