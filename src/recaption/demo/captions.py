"""Scenes to true captions, in several aspects."""

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Literal, TypeAlias, TypeVar, get_args

import numpy as np

from recaption.core.digests import seed_from
from recaption.demo.vocabulary import read_data, vocabulary
from recaption.demo.world import Scene, Thing
from recaption.recipes.strict import StrictModel, validated

__all__ = ["ASPECTS", "Aspect", "describe", "joined", "with_article"]

Aspect: TypeAlias = Literal["brief", "appearance", "texture", "context", "text", "dense"]
ASPECTS: tuple[Aspect, ...] = get_args(Aspect)
T = TypeVar("T")

_CLEAR = 0.12
"""Distance of two centres, in parts of the side, from which it is stated; well above the vocabulary's `level`."""
_BRIEF_THINGS = 2
_MAX_RELATIONS = 2


class Templates(StrictModel):
    """Sentence patterns, by what they say."""

    names: dict[str, list[str]]
    brief: list[str]
    listed: list[str]
    placed: list[str]
    looks: list[str]
    surfaces: list[str]
    relations: list[str]
    relation_words: dict[str, list[str]]
    places: list[str]
    place_words: dict[str, list[str]]
    scenery_alone: list[str]
    counts: list[str]
    numbers: list[str]
    text: list[str]
    no_text: list[str]


@lru_cache(maxsize=1)
def _templates() -> Templates:
    return validated(Templates, read_data("templates.yaml"), "templates.yaml")


def describe(scene: Scene, aspect: Aspect, seed: int = 0) -> str:
    """Return a true caption; the same scene, aspect and seed give the same words.

    `brief` names up to two things; `appearance` says sizes and colours, `texture` materials, `context` where things
    are, `text` what the sign says; `dense` says everything.

    Raises:
        ValueError: There is no such aspect.
    """
    writer = _Writer(scene, np.random.default_rng(seed_from("caption", seed, aspect)))
    writers: dict[str, Callable[[], list[str]]] = {
        "brief": writer.brief,
        "appearance": writer.appearance,
        "texture": writer.texture,
        "context": writer.context,
        "text": writer.text,
        "dense": writer.dense,
    }
    if aspect not in writers:
        raise ValueError(f"unknown aspect {aspect!r}; known: {', '.join(writers)}")
    return " ".join(s[:1].upper() + s[1:] for s in writers[aspect]())


def with_article(noun: str) -> str:
    """Return a noun phrase with "a" or "an"; right for every word of the vocabulary."""
    return f"{'an' if noun[0] in 'aeiou' else 'a'} {noun}"


def joined(names: Sequence[str]) -> str:
    """Return names as an English list: "a, b and c"."""
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


class _Writer:
    """Writes the sentences of one caption."""

    def __init__(self, scene: Scene, rng: np.random.Generator) -> None:
        self._scene, self._rng, self._say = scene, rng, _templates()
        self._things = [scene.things[int(i)] for i in rng.permutation(len(scene.things))]
        self._scenery = self._one(vocabulary().backgrounds[scene.background].phrases)

    def brief(self) -> list[str]:
        things = self._list(self._things[:_BRIEF_THINGS], "brief")
        return [self._fill(self._say.brief, things=things)]

    def appearance(self) -> list[str]:
        if self._rng.random() < 0.5:
            return [self._fill(self._say.listed, things=self._list(self._things, "appearance"))]
        return [self._about(t, self._say.looks) for t in self._things]

    def texture(self) -> list[str]:
        if self._rng.random() < 0.5:
            return [self._fill(self._say.listed, things=self._list(self._things, "texture"))]
        return [self._about(t, self._say.surfaces) for t in self._things]

    def context(self) -> list[str]:
        relations = self._relations("context") or self._places("context")
        if relations and self._rng.random() < 0.5:
            return [*relations, self._fill(self._say.scenery_alone)]
        return [self._fill(self._say.placed, things=self._list(self._things, "context")), *relations]

    def text(self) -> list[str]:
        if self._scene.sign is None:
            return [self._one(self._say.no_text)]
        return [self._fill(self._say.text, word=self._scene.sign.word)]

    def dense(self) -> list[str]:
        things = self._list(self._things, "dense")
        number = self._say.numbers[len(self._things)]
        counted = len(self._things) > 1 and self._rng.random() < 0.3
        opening = self._fill(self._say.counts if counted else self._say.placed, things=things, number=number)
        sign = self.text() if self._scene.sign is not None else []
        return [opening, *(self._relations("brief") or self._places("brief")), *sign]

    def _relations(self, aspect: Aspect) -> list[str]:
        pairs = [(a, b) for i, a in enumerate(self._things) for b in self._things[i + 1 :]]
        said: list[str] = []
        for a, b in pairs:
            words = self._relation(a, b)
            if words is not None and len(said) < _MAX_RELATIONS:
                names = {"a": f"the {self._named(a, aspect)}", "b": f"the {self._named(b, aspect)}"}
                said.append(self._fill(self._say.relations, relation=words, **names))
        return said

    def _relation(self, a: Thing, b: Thing) -> str | None:
        """Return the words for the longer of the two distances, if it is plain to see."""
        (ax, ay), (bx, by) = a.box.centre, b.box.centre
        dx, dy = (bx - ax) / self._scene.size_px, (by - ay) / self._scene.size_px
        if max(abs(dx), abs(dy)) < _CLEAR:
            return None
        if abs(dx) >= abs(dy):
            return self._one(self._say.relation_words["left of" if dx > 0 else "right of"])
        return self._one(self._say.relation_words["above" if dy > 0 else "below"])

    def _places(self, aspect: Aspect) -> list[str]:
        thing = self._things[0]
        x, y = (v / self._scene.size_px for v in thing.box.centre)
        across = "left" if x < 0.5 - _CLEAR else "right" if x > 0.5 + _CLEAR else ""
        along = "top" if y < 0.5 - _CLEAR else "bottom" if y > 0.5 + _CLEAR else ""
        words = self._one(self._say.place_words[f"{along} {across}".strip() or "centre"])
        return [self._fill(self._say.places, a=f"the {self._named(thing, aspect)}", place=words)]

    def _about(self, thing: Thing, templates: Sequence[str]) -> str:
        return self._fill(templates, **_traits(thing))

    def _list(self, things: Sequence[Thing], aspect: Aspect) -> str:
        return joined([with_article(self._named(t, aspect)) for t in things])

    def _named(self, thing: Thing, aspect: Aspect) -> str:
        return self._one(self._say.names[aspect]).format_map(_traits(thing))

    def _fill(self, templates: Sequence[str], **slots: str) -> str:
        return self._one(templates).format_map({"scenery": self._scenery, **slots})

    def _one(self, options: Sequence[T]) -> T:
        return options[int(self._rng.integers(len(options)))]


def _traits(thing: Thing) -> dict[str, str]:
    return {"shape": thing.shape, "colour": thing.colour, "material": thing.material, "size": thing.size}
