"""Captions against scenes: which claims hold, which do not, and which facts went unsaid."""

from dataclasses import dataclass

from recaption.demo.claims import FACT_KINDS, PICTURE, Claims, Fact, FactKind, parse
from recaption.demo.lexicon import ANY_THING, MANY, SIGN
from recaption.demo.vocabulary import vocabulary
from recaption.demo.world import Scene

__all__ = [
    "FACT_KINDS",
    "Claims",
    "Fact",
    "FactKind",
    "Verdict",
    "holds",
    "judge",
    "parse",
    "scene_facts",
]

SIGN_COLOUR = "white"


@dataclass(frozen=True, slots=True)
class Verdict:
    """A caption judged. `supported`, `contradicted` and `unknown` hold one entry per mention.

    Unknown are claims the facts cannot decide: level things, before or behind, the size of a sign. They count
    neither for nor against. Wrong looks of things that are not there are contradicted, each for itself.
    """

    supported: tuple[Fact, ...]
    contradicted: tuple[Fact, ...]
    unknown: tuple[Fact, ...]
    facts: tuple[Fact, ...]
    """What the scene is: the denominator of recall."""

    @property
    def precision(self) -> float | None:
        """Return the share of decided mentions that hold, 0 to 1; None if the caption claims nothing."""
        decided = len(self.supported) + len(self.contradicted)
        return len(self.supported) / decided if decided else None

    @property
    def covered(self) -> tuple[Fact, ...]:
        """Return the scene's facts that the caption states, each once."""
        said = set(self.supported)
        return tuple(f for f in self.facts if f in said)

    @property
    def recall(self) -> float | None:
        """Return the share of the scene's facts that are stated, 0 to 1; None for a scene without facts."""
        return len(self.covered) / len(self.facts) if self.facts else None

    @property
    def fully_correct(self) -> bool:
        """Return whether something is claimed and nothing of it is wrong."""
        return bool(self.supported) and not self.contradicted


def scene_facts(scene: Scene) -> tuple[Fact, ...]:
    """Return what a full caption would state. Counts and relations follow from it and are left out."""
    facts: list[Fact] = []
    for thing in scene.things:
        facts += [
            Fact("object", thing.shape),
            Fact("colour", thing.shape, thing.colour),
            Fact("material", thing.shape, thing.material),
            Fact("size", thing.shape, thing.size),
        ]
    facts.append(Fact("background", "", scene.background))
    if scene.sign is not None:
        facts += [Fact("object", SIGN), Fact("word", SIGN, scene.sign.word)]
    return tuple(facts)


def judge(text: str, scene: Scene) -> Verdict:
    """Judge every claim of a caption by the scene it is about."""
    verdicts: dict[bool | None, list[Fact]] = {True: [], False: [], None: []}
    for claim in parse(text).facts:
        truth = holds(claim, scene)
        verdicts[truth].append(_as_in_scene(claim, scene) if truth else claim)
    return Verdict(tuple(verdicts[True]), tuple(verdicts[False]), tuple(verdicts[None]), scene_facts(scene))


def holds(claim: Fact, scene: Scene) -> bool | None:
    """Return whether a claim is true of a scene; None if the facts cannot tell."""
    if claim.kind == "background":
        return claim.value == scene.background
    if claim.kind == "word":
        return scene.sign is not None and _letters(claim.value) == _letters(scene.sign.word)
    if claim.kind == "relation":
        return _relation_holds(claim, scene)
    if claim.kind == "count":
        return _count_holds(claim, scene)
    if claim.subject == SIGN:
        return _sign_holds(claim, scene)
    thing = next((t for t in scene.things if t.shape == claim.subject), None)
    if thing is None:
        return False
    if claim.kind == "object":
        return True
    looks = {"colour": thing.colour, "material": thing.material, "size": thing.size}
    return looks[claim.kind] == claim.value


def _as_in_scene(claim: Fact, scene: Scene) -> Fact:
    """Return a true claim about the word in the scene's own spelling, so that it can be counted as stated."""
    if claim.kind == "word" and scene.sign is not None:
        return Fact("word", SIGN, scene.sign.word)
    return claim


def _letters(word: str) -> str:
    return "".join(c for c in word.casefold() if c.isalnum())


def _sign_holds(claim: Fact, scene: Scene) -> bool | None:
    if scene.sign is None:
        return False
    if claim.kind == "object":
        return True
    return claim.value == SIGN_COLOUR if claim.kind == "colour" else None


def _count_holds(claim: Fact, scene: Scene) -> bool:
    if claim.subject == ANY_THING:
        there = len(scene.things)
    elif claim.subject == SIGN:
        there = int(scene.sign is not None)
    else:
        there = sum(t.shape == claim.subject for t in scene.things)
    return there > 1 if claim.value == MANY else str(there) == claim.value


def _relation_holds(claim: Fact, scene: Scene) -> bool | None:
    centres = {t.shape: t.box.centre for t in scene.things}
    if scene.sign is not None:
        centres[SIGN] = scene.sign.box.centre
    here = centres.get(claim.subject)
    if here is None:
        return False
    x, y = here[0] / scene.size_px, here[1] / scene.size_px
    if claim.target == PICTURE:
        return _place_holds(claim.value, x, y)
    there = centres.get(claim.target)
    if there is None:
        return False
    dx, dy = there[0] / scene.size_px - x, there[1] / scene.size_px - y
    lead = {"left of": dx, "right of": -dx, "above": dy, "below": -dy}.get(claim.value)
    return None if lead is None else _clear(lead)


def _place_holds(place: str, x: float, y: float) -> bool | None:
    if place == "centre":
        return 1 / 3 <= x <= 2 / 3 and 1 / 3 <= y <= 2 / 3
    leads = {"left": 0.5 - x, "right": x - 0.5, "top": 0.5 - y, "bottom": y - 0.5}
    parts = [_clear(leads[word]) for word in place.split()]
    if False in parts:
        return False
    return None if None in parts else True


def _clear(lead: float) -> bool | None:
    """Return the sign of a distance, or None where it is too small to see."""
    return None if abs(lead) < vocabulary().level else lead > 0
