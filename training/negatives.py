"""Captions that are wrong in a known way: other facts, the same words around them."""

import re
from collections.abc import Collection
from dataclasses import replace
from functools import lru_cache
from typing import TypeVar

import numpy as np

from recaption.core.types import Box
from recaption.demo.captions import Aspect, describe
from recaption.demo.vocabulary import read_data, vocabulary
from recaption.demo.world import Scene, Sign, Thing

T = TypeVar("T")
SWAPS = ("colour", "size", "background", "material", "object", "word", "binding", "relation")
"""Kinds of one-fact errors. `binding` exchanges a look of two things, `relation` turns one relation round."""
HARD = (6, 7)
"""Which of the swaps are learned last, and so are shown more often."""
_LOOKS = ("colour", "size", "material")
OPPOSITE = {"left of": "right of", "right of": "left of", "above": "below", "below": "above"}


def swapped(scene: Scene, aspect: Aspect, seed: int, kind: str, rng: np.random.Generator) -> str | None:
    """Return `describe(scene, aspect, seed)` with one fact made false; None if it states no fact of the kind.

    The false caption is the true one of a scene that differs in the fact, drawn with the same seed, so that no
    other word changes.
    """
    true = describe(scene, aspect, seed)
    if kind == "relation":
        return _turned(true, scene, aspect, seed, rng)
    order = rng.permutation(max(1, len(scene.things)))
    for i in order:
        other = _other_scene(scene, kind, int(i), rng)
        if other is not None:
            text = describe(other, aspect, seed)
            if text != true:
                return text
    return None


def spoiled(scene: Scene, aspect: Aspect, seed: int, rng: np.random.Generator) -> str:
    """Return a caption in words of its own with one to three mistakes drawn by lot; some may not show."""
    for _ in range(int(rng.choice([1, 1, 2, 3]))):
        kind = int(rng.integers(11))
        if kind < 7:
            scene = _other_scene(scene, SWAPS[kind], int(rng.integers(len(scene.things))), rng) or scene
        elif kind < 9:
            scene = mirrored(scene, across=bool(rng.random() < 0.5))
        elif kind == 9 and len(scene.things) > 1:
            gone = int(rng.integers(len(scene.things)))
            scene = replace(scene, things=tuple(t for i, t in enumerate(scene.things) if i != gone))
        elif len(scene.things) < 4:
            scene = _with_another(scene, rng)
    return describe(scene, aspect, seed)


def mirrored(scene: Scene, *, across: bool) -> Scene:
    """Return the scene with left and right exchanged, or above and below."""
    side = scene.size_px

    def flip(box: Box) -> Box:
        if across:
            return Box(side - box.right, box.top, side - box.left, box.bottom)
        return Box(box.left, side - box.bottom, box.right, side - box.top)

    return replace(scene, things=tuple(replace(t, box=flip(t.box)) for t in scene.things))


def _other_scene(scene: Scene, kind: str, i: int, rng: np.random.Generator) -> Scene | None:
    known = vocabulary()
    if kind == "background":
        return replace(scene, background=_another(list(known.backgrounds), scene.background, rng))
    if kind == "word":
        if scene.sign is None:
            return None
        return replace(scene, sign=Sign(_another(known.words, scene.sign.word, rng), scene.sign.box))
    thing = scene.things[i]
    if kind == "object":
        free = [s for s in known.shapes if all(t.shape != s for t in scene.things)]
        return _with(scene, i, replace(thing, shape=free[int(rng.integers(len(free)))]))
    if kind == "binding":
        return _crossed(scene, i, rng)
    options: dict[str, Collection[str]] = {
        "colour": known.colours,
        "size": known.sizes,
        "material": known.materials,
    }
    value = _another(list(options[kind]), getattr(thing, kind), rng)
    return _with(scene, i, _looking(thing, kind, value))


def _crossed(scene: Scene, i: int, rng: np.random.Generator) -> Scene | None:
    a = scene.things[i]
    pairs = [
        (j, look) for j, b in enumerate(scene.things) for look in _LOOKS if getattr(a, look) != getattr(b, look)
    ]
    if not pairs:
        return None
    j, look = pairs[int(rng.integers(len(pairs)))]
    b = scene.things[j]
    first = _with(scene, i, _looking(a, look, getattr(b, look)))
    return _with(first, j, _looking(b, look, getattr(a, look)))


def _looking(thing: Thing, look: str, value: str) -> Thing:
    if look == "colour":
        return replace(thing, colour=value)
    return replace(thing, size=value) if look == "size" else replace(thing, material=value)


def _with(scene: Scene, i: int, thing: Thing) -> Scene:
    return replace(scene, things=(*scene.things[:i], thing, *scene.things[i + 1 :]))


def _with_another(scene: Scene, rng: np.random.Generator) -> Scene:
    known, side = vocabulary(), scene.size_px
    free = [s for s in known.shapes if all(t.shape != s for t in scene.things)]
    x, y = (float(v) for v in rng.uniform(0.1, 0.8, 2) * side)
    shape, colour, material, size = (
        list(names)[int(rng.integers(len(names)))]
        for names in (free, known.colours, known.materials, known.sizes)
    )
    thing = Thing(shape, colour, material, size, Box(x, y, x + side / 10, y + side / 10))
    return replace(scene, things=(*scene.things, thing))


def _another(options: list[str], this: str, rng: np.random.Generator) -> str:
    others = [o for o in options if o != this]
    return others[int(rng.integers(len(others)))]


@lru_cache(maxsize=1)
def _phrases() -> tuple[re.Pattern[str], dict[str, list[str]]]:
    """Return a pattern for every phrase of a relation, and what may stand in its place."""
    words = read_data("templates.yaml")["relation_words"]
    assert isinstance(words, dict)  # noqa: S101 - the package's own file
    turned = {p: words[OPPOSITE[name]] for name, phrases in words.items() for p in phrases}
    longest_first = sorted(turned, key=len, reverse=True)
    return re.compile(r"\b(" + "|".join(map(re.escape, longest_first)) + r")\b", re.IGNORECASE), turned


def _turned(true: str, scene: Scene, aspect: Aspect, seed: int, rng: np.random.Generator) -> str | None:
    """Return the caption with one relation turned round; a place in the picture if there is no relation."""
    pattern, turned = _phrases()
    found = list(pattern.finditer(true))
    if not found:
        for across in rng.permutation(2):
            text = describe(mirrored(scene, across=bool(across)), aspect, seed)
            if text != true:
                return text
        return None
    match = found[int(rng.integers(len(found)))]
    words = turned[match[0].lower()]
    phrase = words[int(rng.integers(len(words)))]
    if match[0][0].isupper():
        phrase = phrase[:1].upper() + phrase[1:]
    return true[: match.start()] + phrase + true[match.end() :]
