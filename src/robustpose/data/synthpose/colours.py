"""Colours and textures: skin, hair, palettes of garments, procedural textures."""

from collections.abc import Sequence
from functools import cache

import cv2
import numpy as np
from numpy.random import Generator

from robustpose.data.synthpose.assets import Floats, Floats32
from robustpose.data.synthpose.kernels import sines
from robustpose.data.synthpose.mesh import Colour

TEXTURE_SIDE = 128

_SKIN = np.array([
    [0.93, 0.77, 0.68], [0.87, 0.68, 0.56], [0.80, 0.59, 0.45], [0.66, 0.46, 0.33],
    [0.50, 0.34, 0.24], [0.37, 0.24, 0.17], [0.27, 0.18, 0.13],
])  # fmt: skip
_HAIR = np.array([
    [0.05, 0.04, 0.04], [0.12, 0.08, 0.06], [0.25, 0.15, 0.09], [0.42, 0.28, 0.15], [0.70, 0.55, 0.33],
    [0.55, 0.25, 0.12], [0.60, 0.60, 0.60], [0.85, 0.85, 0.83],
])  # fmt: skip


def linear(colour: Floats | Colour) -> Colour:
    """Convert a display colour to linear light."""
    red, green, blue = (float(channel) ** 2.2 for channel in colour)
    return red, green, blue


def scaled(colour: Colour, factor: float | Floats) -> Colour:
    """Return a colour times a factor, one for all channels or one per channel."""
    red, green, blue = np.clip(np.array(colour) * factor, 0, 1)
    return float(red), float(green), float(blue)


def skin_colour(tone: float, rng: Generator) -> Colour:
    """Return the colour of a skin tone, 0 lightest to 6 darkest, slightly varied."""
    step = min(int(tone), 5)
    mixed = _SKIN[step] + (_SKIN[step + 1] - _SKIN[step]) * (tone - step)
    hue = np.array([1.0, rng.uniform(0.95, 1.05), rng.uniform(0.92, 1.08)])
    return scaled(linear(mixed), hue * rng.uniform(0.9, 1.1))


def hair_colour(tone: float, grey: bool, rng: Generator) -> Colour:
    """Return a natural hair colour; black or dark brown for darker skin."""
    if grey:
        return linear(_HAIR[6 + int(rng.integers(2))])
    if tone >= 3.5:
        return linear(_HAIR[int(rng.integers(2))])
    return linear(_HAIR[int(rng.choice(6, p=[0.24, 0.26, 0.22, 0.14, 0.1, 0.04]))])


def denim_colour(denim: Sequence[Colour], rng: Generator) -> Colour:
    """Return one of these colours with random brightness."""
    return scaled(linear(denim[int(rng.integers(len(denim)))]), float(rng.uniform(0.7, 1.3)))


@cache
def palette(seed: int) -> tuple[Colour, ...]:
    """Return the six garment colours of a seed: two greys, three muted colours, one possibly bright one."""
    rng = np.random.default_rng([101, seed])
    hue = rng.random()
    colours = [
        _hsv(rng.random(), rng.uniform(0, 0.08), value)
        for value in (rng.uniform(0.05, 0.3), rng.uniform(0.6, 0.95))
    ]
    for _ in range(3):
        near = (hue + rng.normal(0, 0.15)) % 1.0
        colours.append(_hsv(near, rng.uniform(0.15, 0.5), rng.uniform(0.15, 0.85)))
    colours.append(_hsv(rng.random(), rng.uniform(0.4, 0.85), rng.uniform(0.3, 0.9)))
    return tuple(colours)


def _hsv(hue: float, saturation: float, value: float) -> Colour:
    """Return a colour of hue, saturation and value, each in [0, 1]."""
    pixel = np.array([[[hue * 360, saturation, value]]], dtype=np.float32)
    return linear(np.asarray(cv2.cvtColor(pixel, cv2.COLOR_HSV2RGB)[0, 0], dtype=np.float64))


@cache
def texture_stack(seeds: range) -> Floats32:
    """Return the textures of a range of seeds (n, 128, 128, 3), linear light."""
    return np.stack([_texture(seed) for seed in seeds])


def _texture(seed: int) -> Floats32:
    """Make one texture (128, 128, 3): streaks, clouds, veins, bricks, tiles or weave, in two similar colours."""
    rng = np.random.default_rng([102, seed])
    makers = (_clouds, _streaks, _veins, _bricks, _tiles, _weave)
    height = makers[seed % len(makers)](rng)
    height = (height - height.min()) / (np.ptp(height) + 1e-9)
    first = np.array(_hsv(rng.random(), rng.uniform(0, 0.35), rng.uniform(0.35, 0.95)))
    second = np.clip(first * rng.uniform(0.3, 0.8) + rng.uniform(-0.03, 0.03, 3), 0.01, 1)
    mixed: Floats32 = (first + (second - first) * height[..., None]).astype(np.float32)
    return mixed


def _octaves(rng: Generator, rows: int, columns: int) -> Floats:
    """Return fractal noise (128, 128) whose coarsest octave has `rows` x `columns` cells."""
    total = np.zeros((TEXTURE_SIDE, TEXTURE_SIDE))
    for octave in range(5):
        cells = rng.random((rows * 2**octave, columns * 2**octave))
        total += cv2.resize(cells, (TEXTURE_SIDE, TEXTURE_SIDE), interpolation=cv2.INTER_CUBIC) / 2**octave
    return total


def _clouds(rng: Generator) -> Floats:
    return _octaves(rng, 3, 3)


def _streaks(rng: Generator) -> Floats:
    return sines(_octaves(rng, 1, 4) * rng.uniform(8, 20)) + 0.3 * _octaves(rng, 1, 8)


def _veins(rng: Generator) -> Floats:
    veins: Floats = -np.abs(sines(_octaves(rng, 2, 2) * rng.uniform(5, 9)))
    return veins


def _bricks(rng: Generator) -> Floats:
    rows, columns = np.mgrid[:TEXTURE_SIDE, :TEXTURE_SIDE]
    course = rows // 16
    joint = (rows % 16 < 2) | ((columns + 16 * (course % 2)) % 32 < 2)
    shades = rng.random((TEXTURE_SIDE // 16, TEXTURE_SIDE // 32 + 1))
    stones: Floats = shades[course, (columns + 16 * (course % 2)) // 32] * 0.5
    return np.where(joint, 1.3, stones) + 0.25 * _octaves(rng, 8, 8)


def _tiles(rng: Generator) -> Floats:
    rows, columns = np.mgrid[:TEXTURE_SIDE, :TEXTURE_SIDE]
    side = int(rng.choice([16, 32]))
    joint = (rows % side < 2) | (columns % side < 2)
    return np.where(joint, 1.0, 0.35 * ((rows // side + columns // side) % 2)) + 0.2 * _octaves(rng, 4, 4)


def _weave(rng: Generator) -> Floats:
    rows, columns = np.mgrid[:TEXTURE_SIDE, :TEXTURE_SIDE]
    step = float(rng.uniform(0.35, 0.8))
    threads: Floats = sines(rows * step) * sines(columns * step)
    return threads + 0.4 * _octaves(rng, 6, 6)
