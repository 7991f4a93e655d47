"""SynthPose: an embedded pose benchmark whose images and truth are rendered on demand."""

from robustpose.data.synthpose.actions import ACTIONS
from robustpose.data.synthpose.assets import RENDERER_VERSION
from robustpose.data.synthpose.body import PARTS
from robustpose.data.synthpose.cache import RenderedSet, rendered_set
from robustpose.data.synthpose.factors import FACTORS
from robustpose.data.synthpose.render import RenderedPerson, render_person
from robustpose.data.synthpose.splits import SPLITS

__all__ = [
    "ACTIONS",
    "FACTORS",
    "PARTS",
    "RENDERER_VERSION",
    "SPLITS",
    "RenderedPerson",
    "RenderedSet",
    "render_person",
    "rendered_set",
]
