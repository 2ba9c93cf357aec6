"""Noisy alt-texts, such as come with images from the web: the originals that a recaptioning run has to beat."""

import html
import re
from collections.abc import Callable
from functools import lru_cache
from typing import Annotated

import numpy as np
from pydantic import Field

from recaption.core.digests import seed_from
from recaption.demo.captions import Aspect, describe, joined, with_article
from recaption.demo.vocabulary import read_data, vocabulary
from recaption.demo.world import Scene
from recaption.recipes.strict import StrictModel, validated

__all__ = ["alt_kinds", "noisy_alt"]

_GOOD_ASPECTS: tuple[Aspect, ...] = ("brief", "appearance", "context")


class AltKind(StrictModel):
    """One way of being noisy."""

    weight: Annotated[float, Field(gt=0)]
    templates: list[str]


class AltRules(StrictModel):
    """All ways of being noisy."""

    kinds: dict[str, AltKind]
    misspelt: dict[str, str]


@lru_cache(maxsize=1)
def _rules() -> AltRules:
    return validated(AltRules, read_data("alt.yaml"), "alt.yaml")


def alt_kinds() -> dict[str, float]:
    """Return the share of each kind of alt-text; they sum to 1."""
    kinds = _rules().kinds
    total = sum(kind.weight for kind in kinds.values())
    return {name: kind.weight / total for name, kind in kinds.items()}


def noisy_alt(scene: Scene, seed: int) -> tuple[str, str]:
    """Return an alt-text and its kind, drawn by lot; the same scene and seed give the same text."""
    rng = np.random.default_rng(seed_from("alt", seed))
    shares = alt_kinds()
    kind = list(shares)[int(rng.choice(len(shares), p=list(shares.values())))]
    templates = _rules().kinds[kind].templates
    if not templates:
        return describe(scene, _GOOD_ASPECTS[int(rng.integers(len(_GOOD_ASPECTS)))], seed), kind
    text = templates[int(rng.integers(len(templates)))].format_map(_slots(scene, rng))
    return _SPOIL.get(kind, _as_it_is)(text), kind


def _slots(scene: Scene, rng: np.random.Generator) -> dict[str, str]:
    known = vocabulary()
    thing = scene.things[int(rng.integers(len(scene.things)))]
    here = {t.shape for t in scene.things}
    elsewhere = [name for name in [*known.shapes, *known.absent.things] if name not in here]
    colours = [name for name in known.colours if name != thing.colour]
    phrases = known.backgrounds[scene.background].phrases
    wrong = elsewhere[int(rng.integers(len(elsewhere)))]
    other = colours[int(rng.integers(len(colours)))]
    named = f"{thing.colour} {thing.shape}"
    return {
        "np": named,
        "a_np": with_article(named),
        "Np": named.title(),
        "shape": thing.shape,
        "shapes": known.shapes[thing.shape].plural,
        "colour": thing.colour,
        "things": joined([with_article(f"{t.colour} {t.shape}") for t in scene.things]),
        "scenery": phrases[int(rng.integers(len(phrases)))],
        "wrong": wrong,
        "a_wrong": with_article(wrong),
        "other_colour": other,
        "an_other": with_article(f"{other} {thing.shape}"),
        "number": str(int(rng.integers(1000, 10_000))),
        "small": str(int(rng.integers(10, 100))),
        "digit": str(int(rng.integers(1, 10))),
    }


def _as_it_is(text: str) -> str:
    return text


def _as_mojibake(text: str) -> str:
    """Read UTF-8 bytes as if they were Windows-1252, the most common slip."""
    return text.encode("utf-8").decode("cp1252", errors="replace")


def _misspelt(text: str) -> str:
    return re.sub(r"[a-z]+", lambda m: _rules().misspelt.get(m[0], m[0]), text)


_SPOIL: dict[str, Callable[[str], str]] = {
    "mojibake": _as_mojibake,
    "entities": html.escape,
    "shouting": str.upper,
    "typos": _misspelt,
}
