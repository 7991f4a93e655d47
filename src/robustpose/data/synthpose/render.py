"""Renders one person: draws the scene from its seeds, the image, and its truth."""

from collections.abc import Collection
from dataclasses import dataclass, field, replace
from functools import cache, lru_cache

import cv2
import numpy as np
from numpy.random import Generator

from robustpose.data.synthpose.actions import ACTIONS
from robustpose.data.synthpose.assets import Floats, Floats32, Ints, Pixels, load_panoramas
from robustpose.data.synthpose.backdrop import Backdrop, sample_backdrop
from robustpose.data.synthpose.camera import Framing, Viewpoint, frame_person, place_camera, sample_viewpoint
from robustpose.data.synthpose.colours import texture_stack
from robustpose.data.synthpose.factors import AS_DRAWN, Edit, edit_named
from robustpose.data.synthpose.held import NOTHING, held_thing
from robustpose.data.synthpose.ingredients import CLUTTER, DISTRACTORS, FLOOR_CONTACT, left_out
from robustpose.data.synthpose.kernels import bounds, powers
from robustpose.data.synthpose.light import LightDraw, cast_light, sample_light
from robustpose.data.synthpose.mesh import Mesh, Surfaces, pack
from robustpose.data.synthpose.people import Person, make_person
from robustpose.data.synthpose.props import clutter, seat
from robustpose.data.synthpose.raster import rasterise
from robustpose.data.synthpose.rotation import inner, length
from robustpose.data.synthpose.shade import shade_pixels
from robustpose.data.synthpose.splits import SPLITS, Split, check_indices, split_named, whole_number
from robustpose.data.synthpose.streams import Replayed, States, Streams
from robustpose.data.synthpose.truth import OCCLUDED, VISIBLE, Seen, Truth, measure, photo_mask, read_pixels
from robustpose.errors import RobustPoseError

_FACTOR = 2
"""Supersampling factor per axis: rendered pixels are averaged."""

_ATTEMPTS = 60
_LEAST_VISIBLE, _LEAST_IN_PHOTO = 6, 9
"""Minimum numbers of MPII's keypoints that are visible and in the photo; otherwise a new scene is drawn."""

_LEAST_SIZE, _GREATEST_SIZE = 32, 2048  # pixels; the greatest takes 2 GB of memory
_GREATEST_PADDING = 10

Factors = dict[str, float | str]

Buffers = tuple[Floats, Ints, Floats]
"""Depth, triangle and weights of the fine image; see raster.rasterise."""


@dataclass(frozen=True)
class RenderedPerson:
    """A crop of one person with its truth; points and lengths are in pixels of the image."""

    image: Pixels  # (size, size, 3) RGB
    mpii: Floats32  # (16, 2) x, y; (0, 0) is the centre of the top-left pixel
    mpii_visibility: Pixels  # (16,) 0 beyond the photo, 1 occluded, 2 visible
    coco: Floats32  # (17, 2)
    coco_visibility: Pixels  # (17,)
    head_size: float
    box: Floats32  # (4,) x, y, w, h between pixel edges: the body's, clipped to the photo
    segmentation: Pixels  # (size, size) index into PARTS
    action: int  # index into ACTIONS
    factors: Factors


@dataclass(frozen=True)
class Scene:
    """A drawn scene before shading."""

    person: Person
    viewpoint: Viewpoint
    framing: Framing
    surfaces: Surfaces
    backdrop: Backdrop
    light: LightDraw
    others: int
    held: str


@dataclass(frozen=True)
class Shot:
    """A scene that shows enough of its person, with buffers and truth, before shading."""

    scene: Scene
    seed: tuple[int, int, int]  # split, person, attempt
    buffers: Buffers
    seen: Seen
    truth: Truth
    states: States = field(default_factory=dict)  # of its generator, step by step


def render_person(
    split: str,
    index: int,
    *,
    size: int = 128,
    padding: float = 1.25,
    nuisance: bool = True,
    without: Collection[str] = (),
    change: str = "",
) -> RenderedPerson:
    """Render a person of a split.

    size is the side of the image in pixels, padding the crop's side as a multiple of the longer side of the
    person's box. nuisance adds mild blur, noise and JPEG compression. `without` names INGREDIENTS to omit.
    `change` sets one of FACTORS to another value ('light=shade') and leaves everything else as it is.
    RobustPoseError for an unknown split, ingredient or change, an index beyond the split, a size that is not an
    integer from 32 to 2048, and a padding that is not from 1 to 10.
    """
    index = whole_number("person", index)
    check_request(split, index, index + 1, size=size, padding=padding)
    if not change:
        shot = take_shot(split, index, size=size, padding=padding, without=without)
        return _photographed(shot, size, nuisance=nuisance)
    edit = edit_named(change)
    side = max(_LEAST_SIZE, round(size / edit.coarser))
    shot = take_changed(split, index, edit, size=side, drawn_at=size, padding=padding, without=without)
    noise = None if edit.motion is None else np.random.default_rng([*shot.seed, 3, round(1e6 * edit.motion)])
    return enlarged(_photographed(shot, side, nuisance=nuisance, noise=noise), size)


def _photographed(shot: Shot, size: int, *, nuisance: bool, noise: Generator | None = None) -> RenderedPerson:
    """Shade a shot and take it by a camera; `noise` draws the camera's noise anew, as in every frame of a film."""
    image = _develop(shot.scene, shot.buffers, size, split_named(SPLITS[shot.seed[0]]))
    if nuisance:
        image = _sensor(image, np.random.default_rng([*shot.seed, 1]), noise)
    return _result(_to_bytes(image, shot.scene.framing), shot)


def enlarged(person: RenderedPerson, size: int) -> RenderedPerson:
    """Enlarge an image and its truth to `size` pixels a side, between pixels bilinearly."""
    side = len(person.image)
    if side == size:
        return person
    factor = size / side
    image = cv2.resize(person.image, (size, size), interpolation=cv2.INTER_LINEAR)
    parts = cv2.resize(person.segmentation, (size, size), interpolation=cv2.INTER_NEAREST)
    return replace(
        person,
        image=np.asarray(image, dtype=np.uint8),
        mpii=((person.mpii + 0.5) * factor - 0.5).astype(np.float32),
        coco=((person.coco + 0.5) * factor - 0.5).astype(np.float32),
        head_size=person.head_size * factor,
        box=(person.box * factor).astype(np.float32),
        segmentation=np.asarray(parts, dtype=np.uint8),
    )


def check_request(split: str, start: int, stop: int, *, size: int, padding: float) -> None:
    """Raise RobustPoseError unless people start..stop can be rendered with this size and padding."""
    check_indices(split, start, stop)
    if not _LEAST_SIZE <= whole_number("size", size) <= _GREATEST_SIZE:
        raise RobustPoseError(
            f"size of rendered people: expected at least {_LEAST_SIZE} pixels "
            f"and at most {_GREATEST_SIZE}, got {size}"
        )
    given: object = padding  # may have any type in a call from Python
    if not isinstance(given, int | float) or not 1 <= given <= _GREATEST_PADDING:
        raise RobustPoseError(
            f"padding of rendered people: expected at least 1 and at most {_GREATEST_PADDING}, got {padding!r}"
        )


def take_shot(split: str, index: int, *, size: int, padding: float, without: Collection[str] = ()) -> Shot:
    """Draw scenes of a person until one shows enough keypoints."""
    world, missing = split_named(split), left_out(without)
    for attempt in range(_ATTEMPTS):
        seed = (world.number, index, attempt)
        streams = Streams(np.random.default_rng(seed))
        shot = _shot(draw_scene(world, streams, size=size, padding=padding, without=missing), seed, size)
        truth = shot.truth
        visible, in_photo = truth.mpii_visibility == VISIBLE, truth.mpii_visibility >= OCCLUDED
        if visible.sum() >= _LEAST_VISIBLE and in_photo.sum() >= _LEAST_IN_PHOTO:
            return replace(shot, states=streams.states)
    raise RobustPoseError(f"person {index} of split {split!r}: none of {_ATTEMPTS} scenes shows enough keypoints")


def take_changed(
    split: str,
    index: int,
    edit: Edit,
    *,
    size: int,
    drawn_at: int,
    padding: float,
    without: Collection[str] = (),
) -> Shot:
    """Draw the scene of a person again, with one change: every step from the numbers that it had.

    drawn_at  the size at which the scene was found to show enough of the person
    """
    seed, states = _accepted(split, index, drawn_at, padding, left_out(without))
    streams = Replayed(states, seed)
    scene = draw_scene(
        split_named(split), streams, size=size, padding=padding, without=left_out(without), edit=edit
    )
    return _shot(scene, seed, size)


@lru_cache(maxsize=256)
def _accepted(
    split: str, index: int, size: int, padding: float, without: frozenset[str]
) -> tuple[tuple[int, int, int], States]:
    """Return the seed of the scene that shows enough of a person, and its generator's states."""
    shot = take_shot(split, index, size=size, padding=padding, without=without)
    return shot.seed, shot.states


def _shot(scene: Scene, seed: tuple[int, int, int], size: int) -> Shot:
    buffers = rasterise_scene(scene, size)
    seen = read_pixels(*buffers, scene.surfaces, _FACTOR)
    return Shot(scene, seed, buffers, seen, measure(scene.person, scene.framing, seen))


def draw_scene(
    split: Split,
    streams: Streams,
    *,
    size: int,
    padding: float,
    without: frozenset[str],
    edit: Edit = AS_DRAWN,
) -> Scene:
    """Draw everything about a scene step by step, in a fixed order, and edit what is to be changed."""
    person = make_person(
        split,
        streams.at("person"),
        owner=1,
        yaw=0.0,
        place=(0.0, 0.0),
        without=without,
        streams=streams,
        edit=edit,
    )
    viewpoint = sample_viewpoint(streams.at("viewpoint"))
    if edit.viewpoint is not None:
        viewpoint = edit.viewpoint(viewpoint)
    photographer = place_camera(viewpoint, person.skin, streams.at("camera"), farther=edit.farther)
    framing = frame_person(photographer, person.skin, size=size, padding=padding, rng=streams.at("framing"))
    others = _draw_others(person, photographer.rotation, split, streams.at("others"), without)
    if edit.others is not None:
        axes, rng = photographer.rotation, streams.other("others")
        others = _draw_others(person, axes, split, rng, without, count=edit.others)
    held, in_hand = held_thing(person, split, streams.at("held"))
    seats = seat(person.pelvis, person.skin, split, streams.at("seat")) if person.seated else []
    things = _draw_clutter(photographer.rotation, split, streams.at("clutter"))
    if DISTRACTORS in without:
        others = []
    if CLUTTER in without:
        held, in_hand, things = NOTHING, [], []
    if FLOOR_CONTACT in without:
        seats = []
    meshes = [*person.meshes, *(mesh for other in others for mesh in other.meshes), *in_hand, *seats, *things]

    rng = streams.at("place")
    number = int(rng.integers(len(split.panoramas)))
    panorama = load_panoramas()[split.panoramas[number]]
    yaw = float(rng.uniform(0, 2 * np.pi))
    light = sample_light(panorama, yaw, streams.at("light"))
    if edit.light is not None:
        light = edit.light(light, photographer.rotation)
    rng = streams.at("backdrop")
    if edit.place is not None:
        rng = streams.other("backdrop")
        panorama = load_panoramas()[split.panoramas[(number + 1) % len(split.panoramas)]]
    backdrop = sample_backdrop(
        panorama,
        framing.camera,
        yaw=yaw,
        size=size,
        key=light.strength,
        split=split,
        rng=rng,
        without=without,
        place=edit.place,
    )
    return Scene(person, viewpoint, framing, pack(meshes), backdrop, light, len(others), held)


def _across_and_away(rotation: Floats) -> tuple[Floats, Floats]:
    """Return the directions along the floor to the camera's right and away from it."""
    away = rotation[2] * [1, 0, 1]
    away = away / (length(away) + 1e-9)
    return np.cross(away, [0.0, 1.0, 0.0]), away


def _draw_others(
    person: Person,
    rotation: Floats,
    split: Split,
    rng: Generator,
    without: frozenset[str],
    *,
    count: int | None = None,
) -> list[Person]:
    """Return up to two other people beside or behind the person, rarely in front; or `count`, on both sides."""
    if count is None and rng.random() >= 0.28:
        return []
    across, away = _across_and_away(rotation)
    half = float(np.ptp(inner(person.skin, across))) / 2
    others = []
    for number in range(int(rng.choice([1, 2], p=[0.75, 0.25])) if count is None else count):
        side = rng.choice([-1, 1]) if count is None else (1, -1)[number % 2]
        aside = side * (half + rng.uniform(0.1, 0.7))
        behind = rng.uniform(0.2, 2.5) if rng.random() < 0.8 else -rng.uniform(0.3, 0.7)
        place = across * aside + away * behind
        yaw = float(rng.uniform(0, 360))
        others.append(make_person(split, rng, owner=2, yaw=yaw, place=(place[0], place[2]), without=without))
    return others


def _draw_clutter(rotation: Floats, split: Split, rng: Generator) -> list[Mesh]:
    """Return the clutter around and behind the person, and sometimes in front."""
    across, away = _across_and_away(rotation)
    things: list[Mesh] = []
    for _ in range(int(rng.poisson(1.8))):
        place = across * rng.uniform(-1.6, 1.6) + away * rng.uniform(0.5, 3.5)
        things += clutter(place, float(rng.uniform(0.7, 1.6)), split, rng)
    if rng.random() < 0.22:
        place = across * rng.normal(0, 0.35) - away * rng.uniform(0.4, 0.8)
        things += clutter(place, float(rng.uniform(0.3, 0.7)), split, rng)
    return things


def rasterise_scene(scene: Scene, size: int) -> Buffers:
    """Return the buffers of the supersampled image."""
    screen, depth = scene.framing.camera.finer(_FACTOR).project(scene.surfaces.points)
    corners = np.column_stack([screen, depth])
    return rasterise(corners, scene.surfaces.faces, scene.surfaces.alpha, size=_FACTOR * size)


@cache
def _textures(split: Split) -> Floats32:
    return texture_stack(split.textures)


def _develop(scene: Scene, buffers: Buffers, size: int, split: Split) -> Floats32:
    """Return the image (size, size, 3) of a perfect camera, in display values."""
    low, high = bounds(scene.person.skin)
    radius = 0.6 * float((high - low).max()) + 0.6
    lighting = cast_light(scene.light, scene.surfaces, (low + high) / 2, radius)
    _, triangle, weights = buffers
    fine = np.asarray(
        cv2.resize(scene.backdrop.image, (_FACTOR * size,) * 2, interpolation=cv2.INTER_LINEAR),
        dtype=np.float64,
    )
    view = scene.framing.camera.finer(_FACTOR).view()
    shade_pixels(triangle, weights, scene.surfaces, _textures(split), view, lighting, scene.backdrop.floor, fine)
    coarse = cv2.resize(fine.astype(np.float32), (size, size), interpolation=cv2.INTER_AREA)
    return np.asarray(coarse, dtype=np.float32)


def _sensor(image: Floats32, rng: Generator, other_noise: Generator | None = None) -> Floats32:
    """Return the image of a consumer camera: slightly blurred, tinted, noisy and compressed.

    other_noise  draws the noise instead, as for another frame of the same camera
    """
    if rng.random() < 0.2:
        image = np.asarray(cv2.GaussianBlur(image, (0, 0), float(rng.uniform(0.3, 0.7))), dtype=np.float32)
    image = image * np.float32(rng.uniform(0.88, 1.08)) + rng.normal(0, 0.008, 3).astype(np.float32)
    image = powers(np.clip(image, 0, 1), float(rng.uniform(0.88, 1.15)))
    noise = rng.standard_normal(image.shape, dtype=np.float32)
    strength = np.float32(rng.uniform(0.002, 0.015))
    if other_noise is not None:
        noise = other_noise.standard_normal(image.shape, dtype=np.float32)
    image = np.clip(image + noise * strength, 0, 1)
    if rng.random() < 0.7:
        pixels = (image[..., ::-1] * 255 + 0.5).astype(np.uint8)
        _, packed = cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(65, 97))])
        unpacked = np.asarray(cv2.imdecode(packed, cv2.IMREAD_COLOR), dtype=np.float32)
        return np.asarray(unpacked[..., ::-1] / np.float32(255), dtype=np.float32)
    return image


def _to_bytes(image: Floats32, framing: Framing) -> Pixels:
    """Return 8-bit pixels, black beyond the photo."""
    pixels = (np.clip(image, 0, 1) * 255 + 0.5).astype(np.uint8)
    pixels[~photo_mask(framing, len(pixels))] = 0
    return pixels


def _result(image: Pixels, shot: Shot) -> RenderedPerson:
    scene, truth = shot.scene, shot.truth
    return RenderedPerson(
        image=image,
        mpii=truth.mpii.astype(np.float32),
        mpii_visibility=truth.mpii_visibility,
        coco=truth.coco.astype(np.float32),
        coco_visibility=truth.coco_visibility,
        head_size=truth.head_size,
        box=scene.framing.box.astype(np.float32),
        segmentation=truth.segmentation,
        action=ACTIONS.index(scene.person.action),
        factors=_factors(scene, truth, shot.seen),
    )


def _factors(scene: Scene, truth: Truth, seen: Seen) -> Factors:
    """Return the factors of the scene by name: degrees, shares in [0, 1], counts, names."""
    labelled = truth.mpii_visibility >= OCCLUDED
    african, asian, caucasian = scene.person.phenotype.ancestry
    return {
        "elevation": scene.viewpoint.elevation,
        "fov": scene.viewpoint.fov,
        "roll": scene.viewpoint.roll,
        "yaw": scene.viewpoint.azimuth,
        "occluded_share": float((truth.mpii_visibility[labelled] == OCCLUDED).mean()),
        "truncated": float(scene.framing.truncated),
        "others": float(scene.others),
        "others_pixels": float((seen.owner == 2).mean()),
        "gender": scene.person.phenotype.gender,
        "age": scene.person.phenotype.age,
        "weight": scene.person.phenotype.weight,
        "muscle": scene.person.phenotype.muscle,
        "ancestry_african": african,
        "ancestry_asian": asian,
        "ancestry_caucasian": caucasian,
        "skin_tone": scene.person.phenotype.tone,
        "held": scene.held,
        "backdrop": scene.backdrop.name,
        "garments": scene.person.outfit.garments,
        "light": scene.light.strength,
    }
