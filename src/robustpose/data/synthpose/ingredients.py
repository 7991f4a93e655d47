"""The ingredients of a scene beside the person, each of which can be omitted to measure its effect."""

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
"""The ingredients that can be omitted from scenes.

Without panoramas, distractors or clutter the rest of every scene is unchanged. Without garments or floor contact
the later random draws change, so the scenes are different ones of the same distribution.
"""


def left_out(names: Collection[str]) -> frozenset[str]:
    """Return the ingredients to omit; RobustPoseError for an unknown name."""
    for name in names:
        if name not in INGREDIENTS:
            raise unknown_name("ingredient of synthpose", name, INGREDIENTS)
    return frozenset(names)
