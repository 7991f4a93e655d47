"""Shading: colours of pixels from materials, the panorama's light, shadows and the floor.

Light is irradiance in nine spherical harmonics (see tools/build_assets.py) and one key light with a shadow map,
softened by percentage-closer filtering (Reeves, Salesin & Cook 1987). A depth map from above darkens covered
surfaces. Everything is in one file, because numba's cache does not notice changes in functions of other files.
"""

import math

from robustpose.data.synthpose.assets import Floats, Floats32, Ints
from robustpose.data.synthpose.backdrop import NO_FLOOR, SHADOW_FLOOR, Floor
from robustpose.data.synthpose.camera import View
from robustpose.data.synthpose.compiled import compiled
from robustpose.data.synthpose.light import Lighting
from robustpose.data.synthpose.mesh import (
    CHECKS,
    DOTS,
    EYE,
    LOGO,
    PATCHES,
    PLAID,
    SKIN,
    STRIPES,
    TEXTURED,
    TWO_TONE,
    Surfaces,
)

# Columns of a material's row: the fields of Material in order; a colour has three.
COLOUR, SECOND, PATTERN, FREQUENCY, ANGLE, GLOSS, WRINKLES, SEED = 0, 3, 6, 7, 8, 9, 10, 11

KIND, TEXTURE, GRAIN, HAIR, HAIRLINE, BEARD = 12, 13, 14, 15, 18, 19


@compiled
def _hash(x: int, y: int, z: int, seed: int) -> float:
    """Return a number in [0, 1] for a lattice point."""
    n = (x * 374761393 + y * 668265263 + z * 2147483647 + seed * 1274126177) & 0xFFFFFFFF
    n = ((n ^ (n >> 13)) * 1274126177) & 0xFFFFFFFF
    return ((n ^ (n >> 16)) & 0xFFFF) / 65535.0


@compiled
def _noise(x: float, y: float, z: float, seed: int) -> float:
    """Return value noise in [-1, 1]."""
    ix, iy, iz = math.floor(x), math.floor(y), math.floor(z)
    fx, fy, fz = x - ix, y - iy, z - iz
    fx, fy, fz = fx * fx * (3 - 2 * fx), fy * fy * (3 - 2 * fy), fz * fz * (3 - 2 * fz)
    total = 0.0
    for i in range(2):
        for j in range(2):
            for k in range(2):
                weight = (fx if i else 1 - fx) * (fy if j else 1 - fy) * (fz if k else 1 - fz)
                total += weight * _hash(ix + i, iy + j, iz + k, seed)
    return total * 2 - 1


@compiled
def _clouds(x: float, y: float, z: float, seed: int) -> float:
    """Return three octaves of noise."""
    return (
        0.55 * _noise(x, y, z, seed)
        + 0.3 * _noise(2.1 * x, 2.1 * y, 2.1 * z, seed + 1)
        + 0.15 * _noise(4.3 * x, 4.3 * y, 4.3 * z, seed + 2)
    )


@compiled
def _irradiance(sh: Floats, x: float, y: float, z: float, c: int) -> float:
    """Return the irradiance of channel c on a surface with this normal, never negative."""
    value: float = (
        sh[0, c] * 0.282095
        + sh[1, c] * 0.488603 * y
        + sh[2, c] * 0.488603 * z
        + sh[3, c] * 0.488603 * x
        + sh[4, c] * 1.092548 * x * y
        + sh[5, c] * 1.092548 * y * z
        + sh[6, c] * 0.315392 * (3 * z * z - 1)
        + sh[7, c] * 1.092548 * x * z
        + sh[8, c] * 0.546274 * (x * x - y * y)
    )
    return max(0.0, value)


@compiled
def _lit(depth: Floats, matrix: Floats, x: float, y: float, z: float, radius: float, bias: float) -> float:
    """Return the share of 25 positions around a point in a depth map from which the point is visible."""
    u = matrix[0, 0] * x + matrix[0, 1] * y + matrix[0, 2] * z + matrix[0, 3]
    v = matrix[1, 0] * x + matrix[1, 1] * y + matrix[1, 2] * z + matrix[1, 3]
    d = matrix[2, 0] * x + matrix[2, 1] * y + matrix[2, 2] * z + matrix[2, 3] - bias
    height, width = depth.shape
    seen = 0
    for j in range(-2, 3):
        for i in range(-2, 3):
            column, row = int(u + i * radius * 0.5), int(v + j * radius * 0.5)
            if column < 0 or row < 0 or column >= width or row >= height or d <= depth[row, column]:
                seen += 1
    return seen / 25


@compiled
def _texel(textures: Floats32, index: int, u: float, v: float) -> tuple[float, float, float]:
    """Return the colour of a texture that is repeated by mirroring, once per unit."""
    side = textures.shape[1]
    iu, iv = math.floor(u * side) % (2 * side), math.floor(v * side) % (2 * side)
    column = iu if iu < side else 2 * side - 1 - iu
    row = iv if iv < side else 2 * side - 1 - iv
    return textures[index, row, column, 0], textures[index, row, column, 1], textures[index, row, column, 2]


@compiled
def _pattern(m: Floats, u: float, v: float, w: float) -> float:
    """Return the share of a material's second colour at a rest point, in [0, 1]."""
    pattern, frequency, seed = int(m[PATTERN]), m[FREQUENCY], int(m[SEED])
    cos, sin = math.cos(m[ANGLE]), math.sin(m[ANGLE])
    across = u + 0.6 * w
    pu, pv = (cos * across + sin * v) * frequency, (cos * v - sin * across) * frequency
    fu, fv = pu - math.floor(pu), pv - math.floor(pv)
    share = 0.0
    if pattern == STRIPES:
        share = 1.0 if fv < 0.45 else 0.0
    elif pattern == CHECKS:
        share = float((math.floor(pu) + math.floor(pv)) % 2)
    elif pattern == DOTS:
        share = 1.0 if (fu - 0.5) ** 2 + (fv - 0.5) ** 2 < 0.09 else 0.0
    elif pattern == PATCHES:
        share = 1.0 if _clouds(u * frequency, v * frequency, w * frequency, seed) > 0.05 else 0.0
    elif pattern == PLAID:
        share = (0.5 if fu < 0.35 else 0.0) + (0.5 if fv < 0.35 else 0.0)
    elif pattern == LOGO:
        chest = abs(u) < 0.09 and 0.33 < v < 0.47 and w > 0.03
        share = 1.0 if chest and _noise(u * 45, v * 45, 1.0, seed) > -0.15 else 0.0
    elif pattern == TWO_TONE:
        share = 1.0 if v > m[ANGLE] else 0.0
    return share


@compiled
def scalp(u: float, v: float, w: float) -> float:
    """Return the height of a rest point of the head above the hairline, a plane from forehead to nape."""
    behind_ear = -0.25 if abs(u) > 0.075 and v < 0.755 else 0.0
    return (v - 0.795) + (0.155 - w) * 0.62 - abs(u) * 0.05 + behind_ear


@compiled
def _face_share(m: Floats, u: float, v: float, w: float) -> float:
    """Return the share of hair colour at a point of the skin: scalp 1, brows 0.6, beard its strength."""
    side = abs(u)
    if scalp(u, v, w) > m[HAIRLINE] + 0.02 * _noise(u * 30, v * 30, w * 30, int(m[SEED])):
        return 1.0
    if w > 0.1 and 0.012 < side < 0.048 and abs(v - 0.748 + (side - 0.03) ** 2 * 6) < 0.0042:
        return 0.6
    if w > 0.1 and v < 0.672 + side * 0.3:
        beard: float = m[BEARD]
        return beard
    return 0.0


@compiled
def _albedo(m: Floats, textures: Floats32, u: float, v: float, w: float) -> tuple[float, float, float]:
    """Return the colour of a material at a rest point."""
    r, g, b = m[COLOUR], m[COLOUR + 1], m[COLOUR + 2]
    kind = int(m[KIND])
    share = _pattern(m, u, v, w)
    if kind == EYE:
        share = 1.0 if w > 0.128 and (abs(u) - 0.031) ** 2 + (v - 0.727) ** 2 < 0.000045 else 0.0
    if share > 0:
        r += (m[SECOND] - r) * share
        g += (m[SECOND + 1] - g) * share
        b += (m[SECOND + 2] - b) * share
    if kind == TEXTURED:
        cos, sin = math.cos(m[ANGLE]), math.sin(m[ANGLE])
        across = u + 0.6 * w
        pu, pv = (cos * across + sin * v) * m[FREQUENCY], (cos * v - sin * across) * m[FREQUENCY]
        tr, tg, tb = _texel(textures, int(m[TEXTURE]), pu, -pv)
        r, g, b = r * tr, g * tg, b * tb
    elif kind == SKIN and v > 0.62:
        if w > 0.1 and abs(u) < 0.024 and abs(v - 0.6595) < 0.0075 - abs(u) * 0.15:  # lips
            r, g, b = r * 0.75 + 0.1, g * 0.55, b * 0.6
        else:
            hair = _face_share(m, u, v, w)
            r += (m[HAIR] - r) * hair
            g += (m[HAIR + 1] - g) * hair
            b += (m[HAIR + 2] - b) * hair
    if m[GRAIN] > 0:
        seed = int(m[SEED])
        fine, coarse = _noise(u * 60, v * 60, w * 60, seed), _noise(u * 23, v * 23, w * 23, seed + 3)
        grain = 1 + m[GRAIN] * (0.6 * fine + 0.7 * coarse)
        r, g, b = r * grain, g * grain, b * grain
    return r, g, b


@compiled
def _wrinkled(
    m: Floats, u: float, v: float, w: float, nx: float, ny: float, nz: float
) -> tuple[float, float, float]:
    """Return the unit normal, perturbed by the wrinkles of cloth."""
    if m[WRINKLES] > 0:
        e, k, seed = 9.0, m[WRINKLES], int(m[SEED])
        nx += k * _clouds(u * e * 1.3, v * e * 0.7, w * e * 1.3, seed)
        ny += k * _clouds(u * e + 7, v * e * 0.6, w * e, seed + 5)
        nz += k * _clouds(u * e, v * e * 0.7 + 3, w * e + 9, seed + 9)
    length = math.sqrt(nx * nx + ny * ny + nz * nz) + 1e-9
    return nx / length, ny / length, nz / length


@compiled
def _displayed(light: float, exposure: float) -> float:
    """Return the display value in [0, 1] of an amount of light: exposure, soft highlights, gamma 2.2."""
    exposed = light * exposure
    rolled = exposed / (1 + 0.35 * exposed) * 1.35
    shown: float = min(1.0, max(0.0, rolled)) ** (1 / 2.2)
    return shown


@compiled
def _shade_surface(
    surfaces: Surfaces,
    textures: Floats32,
    light: Lighting,
    eye: Floats,
    t: int,
    wa: float,
    wb: float,
    out: Floats,
) -> None:
    """Write the colour (3,) of a point of triangle t, given the weights of its first two corners, into `out`."""
    a, b, c = surfaces.faces[t, 0], surfaces.faces[t, 1], surfaces.faces[t, 2]
    wc = 1 - wa - wb
    points, normals, rest = surfaces.points, surfaces.normals, surfaces.rest
    x = points[a, 0] * wa + points[b, 0] * wb + points[c, 0] * wc
    y = points[a, 1] * wa + points[b, 1] * wb + points[c, 1] * wc
    z = points[a, 2] * wa + points[b, 2] * wb + points[c, 2] * wc
    nx = normals[a, 0] * wa + normals[b, 0] * wb + normals[c, 0] * wc
    ny = normals[a, 1] * wa + normals[b, 1] * wb + normals[c, 1] * wc
    nz = normals[a, 2] * wa + normals[b, 2] * wb + normals[c, 2] * wc
    u = rest[a, 0] * wa + rest[b, 0] * wb + rest[c, 0] * wc
    v = rest[a, 1] * wa + rest[b, 1] * wb + rest[c, 1] * wc
    w = rest[a, 2] * wa + rest[b, 2] * wb + rest[c, 2] * wc
    m = surfaces.materials[surfaces.face_material[t]]

    vx, vy, vz = eye[0] - x, eye[1] - y, eye[2] - z
    away = math.sqrt(vx * vx + vy * vy + vz * vz)
    vx, vy, vz = vx / away, vy / away, vz / away
    if nx * vx + ny * vy + nz * vz < -0.1:  # the back of a leaf or of a skirt
        nx, ny, nz = -nx, -ny, -nz
    nx, ny, nz = _wrinkled(m, u, v, w, nx, ny, nz)
    r, g, b_ = _albedo(m, textures, u, v, w)

    key = light.key
    facing = nx * key[0] + ny * key[1] + nz * key[2]
    lit = 0.0
    if facing > 0:
        lit = _lit(
            light.shadow_map, light.shadow_matrix, x + nx * 0.012, y + ny * 0.012, z + nz * 0.012, 2.0, 0.012
        )
    open_sky = 0.7 + 0.3 * _lit(light.sky_map, light.sky_matrix, x + nx * 0.03, y + 0.03, z + nz * 0.03, 6.0, 0.03)
    shine = 0.0
    if m[GLOSS] > 0 and lit > 0:
        hx, hy, hz = key[0] + vx, key[1] + vy, key[2] + vz
        half = (nx * hx + ny * hy + nz * hz) / (math.sqrt(hx * hx + hy * hy + hz * hz) + 1e-9)
        shine = m[GLOSS] * max(0.0, half) ** 24 * lit
    grazing = 1 - max(0.0, nx * vx + ny * vy + nz * vz)
    rim = 0.06 * grazing * grazing * grazing
    direct = lit * max(0.0, facing)
    for channel in range(3):
        albedo = r if channel == 0 else g if channel == 1 else b_
        ambient = _irradiance(light.harmonics, nx, ny, nz, channel) * open_sky
        strength = light.key_colour[channel]
        out[channel] = _displayed(albedo * (ambient + direct * strength + rim) + shine * strength, light.exposure)


@compiled
def _shade_floor(
    view: View, light: Lighting, floor: Floor, textures: Floats32, px: float, py: float, out: Floats
) -> None:
    """Darken or replace the backdrop's colour (3,) in `out` where the ray of a pixel meets the floor."""
    dx, dy = (px - view.cx) / view.focal, (py - view.cy) / view.focal
    rot = view.rotation
    wx = rot[0, 0] * dx + rot[1, 0] * dy + rot[2, 0]
    wy = rot[0, 1] * dx + rot[1, 1] * dy + rot[2, 1]
    wz = rot[0, 2] * dx + rot[1, 2] * dy + rot[2, 2]
    if wy > -1e-3:
        return
    far = -view.position[1] / wy
    if far <= 0 or far > 25:
        return
    x, z = view.position[0] + wx * far, view.position[2] + wz * far
    lit = _lit(light.shadow_map, light.shadow_matrix, x, 0.0, z, 3.0, 0.02)
    sky = _lit(light.sky_map, light.sky_matrix, x, 0.0, z, 7.0, 0.02)
    if floor.kind == SHADOW_FLOOR:
        dark = (1 - floor.shadow * (1 - lit)) * (1 - 0.45 * (1 - sky))
        for channel in range(3):
            out[channel] *= dark
        return
    cos, sin = math.cos(floor.angle) * floor.frequency, math.sin(floor.angle) * floor.frequency
    r, g, b = _texel(textures, floor.texture, cos * x + sin * z, cos * z - sin * x)
    fade = min(1.0, max(0.0, (far - 0.5 * floor.reach) / (0.5 * floor.reach)))
    for channel in range(3):
        albedo = (r if channel == 0 else g if channel == 1 else b) * floor.tint[channel]
        ambient = _irradiance(light.harmonics, 0.0, 1.0, 0.0, channel) * (0.55 + 0.45 * sky)
        direct = lit * max(0.0, light.key[1]) * light.key_colour[channel]
        value = _displayed(albedo * (ambient + direct), light.exposure)
        out[channel] = value + (out[channel] - value) * fade


@compiled
def shade_pixels(
    triangle: Ints, weights: Floats, surfaces: Surfaces, textures: Floats32, view: View, light: Lighting,
    floor: Floor, out: Floats,
) -> None:  # fmt: skip
    """Write the colours (S, S, 3) of all pixels, in display values, into `out`, which has the backdrop."""
    height, width = triangle.shape
    for py in range(height):
        for px in range(width):
            t = triangle[py, px]
            if t >= 0:
                wa, wb = weights[py, px, 0], weights[py, px, 1]
                _shade_surface(surfaces, textures, light, view.position, t, wa, wb, out[py, px])
            elif floor.kind != NO_FLOOR:
                _shade_floor(view, light, floor, textures, float(px), float(py), out[py, px])
