"""Appearance of a person: skin, hair and garments, drawn from one palette of colours."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.random import Generator

from robustpose.data.synthpose.body import Phenotype
from robustpose.data.synthpose.colours import denim_colour, hair_colour, linear, palette, scaled, skin_colour
from robustpose.data.synthpose.mesh import (
    CHECKS,
    DOTS,
    LOGO,
    PATCHES,
    PLAID,
    PLAIN,
    SOLID,
    STRIPES,
    TEXTURED,
    TWO_TONE,
    Colour,
    Material,
)
from robustpose.data.synthpose.splits import Split

_FREQUENCIES = {STRIPES: (9, 30), CHECKS: (8, 22), DOTS: (12, 35), PATCHES: (6, 20), PLAID: (8, 22)}


@dataclass(frozen=True)
class Outfit:
    """The appearance of a person; positions along limbs are as in Fields."""

    skin: Colour
    gloss: float  # of the skin
    eyes: Colour
    hair: Colour
    hairline: float
    hair_volume: float  # metres
    long_hair: float | None  # height in the rest pose at which it is cut
    cap: Material | None
    bald: bool
    beard: float
    sleeve: float  # along the arm
    hem: float  # along the torso
    neckline: float  # along the torso
    waist: float  # along the torso
    trouser: float  # along the leg
    skirt: float | None  # length as a share of the longest
    topless: bool
    shoe_height: float | None  # along the leg, smaller is higher; None barefoot
    top_looseness: float  # metres
    trouser_looseness: float  # metres
    top: Material
    bottom: Material
    shoes: Material
    seed: int

    @property
    def garments(self) -> str:
        """The kinds of garments, joined by +."""
        sleeves = "sleeveless" if self.sleeve < 0.2 else "short sleeves" if self.sleeve < 1 else "long sleeves"
        legs = "shorts" if self.trouser < 0.95 else "trousers"
        feet = "barefoot" if self.shoe_height is None else "boots" if self.shoe_height < 1.9 else "shoes"
        return "+".join(
            ["topless" if self.topless else sleeves, "skirt" if self.skirt is not None else legs, feet]
        )


def sample_outfit(phenotype: Phenotype, split: Split, rng: Generator) -> Outfit:
    """Draw the appearance of a person; garment colours come from one palette of the split."""
    colours = palette(int(rng.integers(split.palettes.start, split.palettes.stop)))
    man, child = phenotype.gender > 0.5, phenotype.age < 0.35
    old = max(0.0, 2 * phenotype.age - 1)
    skin = skin_colour(phenotype.tone, rng)
    hair = hair_colour(phenotype.tone, bool(rng.random() < 0.8 * old), rng)
    bald = bool(man and not child and rng.random() < 0.12 + 0.25 * old)
    beard = float(rng.uniform(0.3, 1)) if man and not child and rng.random() < 0.35 else 0.0
    brown_eyes = phenotype.tone > 2.5 or rng.random() < 0.4
    eyes = linear((0.1, 0.07, 0.05) if brown_eyes else (0.2, 0.3, 0.45))
    top, bottom = _cloth(colours, split, rng), _cloth(colours, split, rng)
    if rng.random() < 0.5:
        bottom = replace(bottom, colour=denim_colour(split.shades.denim, rng), pattern=SOLID, kind=PLAIN)
    elif rng.random() < 0.12:
        bottom = top
    elif rng.random() < 0.6:  # few people wear patterned trousers
        bottom = replace(bottom, pattern=SOLID, kind=PLAIN)
    volume = float(rng.uniform(0.004, 0.022))
    long_hair = not bald and rng.random() < (0.12 if man else 0.65)
    capped = not bald and not long_hair and rng.random() < 0.15
    skirt = float(rng.uniform(0.2, 0.95)) if not man and rng.random() < 0.22 else None
    lengths = [0.06, 0.14, 0.12, 0.1, 0.58] if skirt is None else [0.75, 0, 0, 0, 0.25]
    trouser = float(rng.choice([0.25, 0.5, 0.85, 1.3, 1.95], p=lengths))
    return Outfit(
        skin=skin,
        gloss=float(rng.uniform(0.02, 0.16)),
        eyes=eyes,
        hair=hair,
        hairline=0.4 if bald else float(rng.uniform(-0.008, 0.012)),
        hair_volume=volume,
        long_hair=float(rng.uniform(0.35, 0.68)) if long_hair else None,
        cap=replace(_cloth(colours, split, rng), wrinkles=0.1) if capped else None,
        bald=bald,
        beard=beard,
        sleeve=float(
            rng.choice([0, 0.35, 0.55, 0.75, 1.0, 1.5, 1.97], p=[0.1, 0.16, 0.16, 0.08, 0.06, 0.1, 0.34])
        ),
        hem=float(rng.uniform(-0.12, 0.05)),
        neckline=float(rng.uniform(0.88, 1.02)),
        waist=float(rng.uniform(0.1, 0.28)),
        trouser=trouser,
        skirt=skirt,
        topless=bool(man and rng.random() < 0.05),
        shoe_height=None if rng.random() < 0.1 else float(rng.uniform(1.5, 1.9)) if rng.random() < 0.2 else 1.93,
        top_looseness=float(rng.choice([0, 0.008, 0.02, 0.032], p=[0.25, 0.35, 0.25, 0.15])),
        trouser_looseness=float(rng.choice([0, 0.006, 0.018, 0.03], p=[0.3, 0.35, 0.2, 0.15])),
        top=top,
        bottom=bottom,
        shoes=_shoe(colours, split, rng),
        seed=int(rng.integers(1 << 20)),
    )


def clothes(split: Split, rng: Generator) -> tuple[Material, Material, Material]:
    """Draw the cloth of a top, of a bottom and of shoes from one palette."""
    colours = palette(int(rng.integers(split.palettes.start, split.palettes.stop)))
    return _cloth(colours, split, rng), _cloth(colours, split, rng), _shoe(colours, split, rng)


def plain_suit(outfit: Outfit) -> Outfit:
    """Return an outfit without garments: a tight suit of one colour, no hair, no shoes."""
    cloth = Material(colour=outfit.top.colour, seed=outfit.seed)
    return replace(
        outfit,
        bald=True,
        hairline=0.4,
        beard=0.0,
        long_hair=None,
        cap=None,
        skirt=None,
        shoe_height=None,
        topless=False,
        sleeve=1.97,
        trouser=1.95,
        top_looseness=0.0,
        trouser_looseness=0.0,
        top=cloth,
        bottom=cloth,
    )


def _cloth(colours: tuple[Colour, ...], split: Split, rng: Generator) -> Material:
    """Draw a cloth with a pattern or a texture in two colours of a palette."""
    first, second = rng.choice(len(colours), size=2, replace=False, p=[0.2, 0.2, 0.17, 0.17, 0.14, 0.12])
    pattern = int(rng.choice(8, p=[0.64, 0.10, 0.02, 0.03, 0.04, 0.06, 0.08, 0.03]))
    cloth = Material(
        colour=colours[first],
        second=colours[second],
        pattern=pattern,
        frequency=float(rng.uniform(*_FREQUENCIES.get(pattern, (8, 12)))),
        angle=float(rng.uniform(0.2, 0.5))
        if pattern == TWO_TONE
        else float(rng.choice([0, 0, np.pi / 2, np.pi / 4])),
        gloss=float(rng.choice([0, 0, 0.08])),
        wrinkles=float(rng.uniform(0.1, 0.5)),
        seed=int(rng.integers(1 << 20)),
        grain=float(rng.uniform(0.03, 0.15)),
    )
    if rng.random() < 0.1:
        bright = scaled(colours[first], 0.5)
        return replace(
            cloth,
            colour=(0.5 + bright[0], 0.5 + bright[1], 0.5 + bright[2]),
            pattern=SOLID,
            kind=TEXTURED,
            texture=int(rng.integers(len(split.textures))),
            frequency=float(rng.uniform(1.5, 4)),
        )
    return cloth if pattern != LOGO else replace(cloth, angle=0.0)


def _shoe(colours: tuple[Colour, ...], split: Split, rng: Generator) -> Material:
    colour = colours[int(rng.integers(len(colours)))] if rng.random() < 0.5 else linear(split.shades.shoe)
    sole = TWO_TONE if rng.random() < 0.4 else SOLID  # the line is between sole and upper
    return Material(
        colour=colour, second=linear(split.shades.sole), pattern=sole, angle=-0.79, gloss=0.1, wrinkles=0.05
    )
