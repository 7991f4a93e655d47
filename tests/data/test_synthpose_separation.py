"""Splits are disjoint: colours, textures and places of one split never occur in another."""

import hashlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pytest

from robustpose.data.synthpose import SPLITS, backdrop, outfits, people, props, render, splits
from robustpose.data.synthpose.colours import texture_stack
from robustpose.data.synthpose.mesh import TEXTURED, Colour, Material
from robustpose.data.synthpose.outfits import Outfit
from robustpose.data.synthpose.render import take_shot
from robustpose.data.synthpose.splits import split_named

pytestmark = pytest.mark.slow

SCENES = 60


@dataclass
class Drawn:
    """Everything drawn, by kind."""

    palettes: set[int] = field(default_factory=set)
    colours: set[tuple[float, ...]] = field(default_factory=set)
    textures: set[str] = field(default_factory=set)
    places: set[str] = field(default_factory=set)


def sha(values: np.ndarray[Any, Any]) -> str:
    return hashlib.sha256(np.ascontiguousarray(values).tobytes()).hexdigest()


def tone(colour: Iterable[float]) -> tuple[float, ...]:
    """A colour without its brightness: lighter and darker versions are the same shade."""
    channels = [float(channel) for channel in colour]
    return tuple(round(channel / max(channels), 9) for channel in channels)


class Recorder:
    """Records what scenes draw."""

    def __init__(self, split: str, patch: pytest.MonkeyPatch) -> None:
        self.drawn = Drawn()
        self.textures = texture_stack(split_named(split).textures)
        self.seeds = split_named(split).textures
        for room in (outfits, props, backdrop):
            self.listen(patch, room, "palette", lambda held, seed: self.palette(seed, held))
        self.listen(patch, people, "sample_outfit", lambda held, *_: self.outfit(held))
        self.listen(patch, props, "_thing", lambda held, *_: self.material(held.material))
        self.listen(patch, render, "sample_light", lambda held, panorama, *_: self.place(panorama.name, panorama))
        self.listen(patch, render, "sample_backdrop", lambda held, panorama, *_: self.behind(held, panorama))
        self.listen(patch, backdrop, "panorama_view", lambda held, image, *_: self.drawn.places.add(sha(image)))

    @staticmethod
    def listen(patch: pytest.MonkeyPatch, room: Any, name: str, hear: Callable[..., Any]) -> None:
        real = getattr(room, name)

        def heard(*given: Any, **named: Any) -> Any:
            held = real(*given, **named)
            hear(held, *given)
            return held

        patch.setattr(room, name, heard)

    def palette(self, seed: int, colours: tuple[Colour, ...]) -> None:
        self.drawn.palettes.add(seed)
        self.drawn.colours |= {tone(colour) for colour in colours}

    def outfit(self, outfit: Outfit) -> None:
        for cloth in (outfit.top, outfit.bottom, outfit.shoes, outfit.cap):
            if cloth is not None:
                self.material(cloth)

    def material(self, made_of: Material) -> None:
        self.drawn.colours |= {tone(colour) for colour in (made_of.colour, made_of.second) if any(colour)}
        if made_of.kind == TEXTURED:
            self.texture(made_of.texture)

    def texture(self, index: int) -> None:
        self.drawn.textures |= {f"seed {self.seeds[index]}", sha(self.textures[index])}

    def place(self, name: str, panorama: Any) -> None:
        self.drawn.places |= {name, sha(panorama.image)}

    def behind(self, held: backdrop.Backdrop, panorama: Any) -> None:
        self.place(panorama.name, panorama)
        self.texture(held.floor.texture)
        self.drawn.colours.add(tone(held.floor.tint))


@contextmanager
def recording(split: str) -> Iterator[Drawn]:
    with pytest.MonkeyPatch.context() as patch:
        yield Recorder(split, patch).drawn


def drawn_by(split: str) -> Drawn:
    with recording(split) as drawn:
        for index in range(SCENES):
            take_shot(split, index, size=32, padding=1.25)
    return drawn


def shared(one: Drawn, other: Drawn) -> set[str]:
    """The kinds that occur in both."""
    return {
        kind for kind in ("palettes", "colours", "textures", "places") if getattr(one, kind) & getattr(other, kind)
    }


@pytest.fixture(scope="module")
def by_split() -> dict[str, Drawn]:
    return {split: drawn_by(split) for split in SPLITS}


def test_nothing_that_a_split_draws_comes_in_another(by_split: dict[str, Drawn]) -> None:
    for split, drawn in by_split.items():
        allowed = split_named(split)
        assert drawn.palettes <= set(allowed.palettes)
        assert drawn.places > set(allowed.panoramas), "every panorama was seen, so every panorama was compared"
        assert len(drawn.places) == 2 * len(allowed.panoramas)
        assert len(drawn.colours) > 500
        assert len(drawn.textures) > 20
        for other in SPLITS:
            assert other == split or not shared(drawn, by_split[other]), (split, other)


@pytest.mark.parametrize("shade", ["denim", "shoe", "sole", "leaves"])
def test_every_fixed_shade_is_the_splits_own(shade: str) -> None:
    held = [getattr(split_named(split).shades, shade) for split in SPLITS]
    colours = [{tone(colour) for colour in (each if isinstance(each[0], tuple) else (each,))} for each in held]
    assert len(set.union(*colours)) == sum(len(each) for each in colours)


@pytest.mark.parametrize(
    ("leak", "kind"),
    [("denim", "colours"), ("shoe", "colours"), ("panoramas", "places"), ("textures", "textures")],
)
def test_a_leak_would_be_seen(
    leak: str, kind: str, by_split: dict[str, Drawn], monkeypatch: pytest.MonkeyPatch
) -> None:
    own, trains = split_named("val"), split_named("train")
    leaking = {
        "denim": replace(own, shades=replace(own.shades, denim=(*own.shades.denim[:3], trains.shades.denim[3]))),
        "shoe": replace(own, shades=replace(own.shades, shoe=trains.shades.shoe)),
        "panoramas": replace(own, panoramas=(*own.panoramas, "park")),
        "textures": replace(own, textures=range(own.textures.start - 4, own.textures.stop)),
    }[leak]
    monkeypatch.setitem(splits._SPLITS, "val", leaking)
    assert shared(drawn_by("val"), by_split["train"]) == {kind}
