"""What a scene is made of beside its person, so that each can be left out and its worth measured."""

from collections.abc import Collection

from robustpose.errors import unknown_name

PANORAMAS, DISTRACTORS, GARMENTS, CLUTTER, FLOOR_CONTACT = (
    "panoramas",
    "distractors",
    "garments",
    "clutter",
    "floor_contact",
)

INGREDIENTS = {
    PANORAMAS: "photographed places behind the people; without: a plain wall, in their light",
    DISTRACTORS: "other people",
    GARMENTS: "clothes, hair and shoes; without: one plain suit of one colour, and a bare head",
    CLUTTER: "things around the person, before it and in its hands",
    FLOOR_CONTACT: "feet on a floor with shadows, seats under the seated; without: people hover over none",
}
"""What can be left out of a scene.

Without panoramas, distractors or clutter the rest of every scene stays as it was; without garments or floor
contact the draws that follow shift, so that scenes are others of the same kind.
"""


def left_out(names: Collection[str]) -> frozenset[str]:
    """Return the ingredients to leave out; RobustPoseError for an unknown name."""
    for name in names:
        if name not in INGREDIENTS:
            raise unknown_name("ingredient of synthpose", name, INGREDIENTS)
    return frozenset(names)
