"""Made-up auditors of rendered scenes: they know what is true, and err as often as they are told to.

What an auditor says of an item is drawn from their name, the item's key, the captions and a seed, and from nothing
else: not from the order of the work, nor from what others say.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import numpy as np

from recaption.audit.sheets import Sheet, ShownCaption
from recaption.audit.types import Assignment, Auditor, Draft
from recaption.core.digests import seed_from
from recaption.demo.captions import Aspect, describe
from recaption.demo.facts import Verdict, judge
from recaption.demo.world import Scene
from recaption.media.sentences import stripped_sentences

if TYPE_CHECKING:
    from recaption.audit.store import AuditStore

__all__ = ["DemoAuditor", "reason_against", "work"]

_MEDIAN_MS: Final = 6_000
_SPREAD: Final = 0.5
"""Of the logarithm of the time that an item takes."""
_WRITTEN: Final[tuple[Aspect, ...]] = ("dense", "dense", "dense", "appearance", "texture", "context", "brief")
"""What they try to write when they edit, in this order, until it is good enough for them."""
_HASTY: Final = "too vague"
"""What is said against a caption that nothing is wrong with."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoAuditor:
    """One auditor: what they ask of a caption, and how they work."""

    name: str
    enough: float = 0.6
    """Share of the scene's facts that a caption must state."""
    most_sentences: int | None = None
    """How many a caption may have: a rule of the house, of which no score of images and texts knows."""
    shortest: bool = False
    """Of several captions that are right they take the shortest, not the one that says most."""
    edits: float = 0.3
    """How often they write a true caption in place of one that is not good enough; else they reject it."""
    error: float = 0.0
    """How often they say the opposite of what they see, in [0, 1]; at a half their word is worth nothing."""
    seed: int = 0

    def accepts(self, text: str, scene: Scene, key: str) -> bool:
        """Say whether they would let a caption stand: nothing in it is wrong and it says enough, errors apart."""
        return (self.against(text, scene) is None) != self._errs(key, text)

    def against(self, text: str, scene: Scene) -> str | None:
        """Return what they hold against a caption, in the words of the audit's page; None where it is good enough."""
        wrong = reason_against(text, scene, self.enough)
        most = self.most_sentences
        return "poor language" if wrong is None and most and len(stripped_sentences(text)[0]) > most else wrong

    def judged(self, key: str, sheet: Sheet, scene: Scene) -> Draft:
        """Return what they say of the caption that stands for an item: accept, edit, or reject with a reason."""
        text, said = sheet.subject.text, self._said(key, sheet)
        if self.accepts(text, scene, key):
            return said
        draws = self._draws(key, "edit")
        better = self._written(scene, draws) if draws.random() < self.edits else None
        if better is not None:
            return replace(said, action="edit", text=better)
        return replace(said, action="reject", reason=self.against(text, scene) or _HASTY)

    def compared(self, key: str, sheet: Sheet, scene: Scene, captions: int = 2) -> Draft:
        """Return what they say of the first so many captions side by side: which is best, or that none will do.

        The best is right, is good enough for them, and says most or is the shortest; in error, another one is taken.
        """
        shown, said = sheet.captions[:captions], self._said(key, sheet)
        ranked = sorted(shown, key=lambda caption: self._merit(caption, scene), reverse=True)
        against = [reason_against(caption.text, scene, 0.0) for caption in ranked]
        if all(against):
            return replace(said, action="reject", reason=against[0])
        draws = self._draws(key, "prefer")
        errs = draws.random() < self.error and len(ranked) > 1
        taken = ranked[1 + int(draws.integers(len(ranked) - 1))] if errs else ranked[0]
        return replace(said, action="prefer", preferred=taken.id)

    def _merit(self, caption: ShownCaption, scene: Scene) -> tuple[bool, bool, float]:
        found = judge(caption.text, scene)
        fine = self.against(caption.text, scene) is None
        if self.shortest and found.fully_correct:
            return True, fine, -float(len(caption.text.split()))
        precision, recall = found.precision or 0.0, found.recall or 0.0
        f1 = 2 * precision * recall / (precision + recall) if precision + recall else 0.0
        return found.fully_correct, fine, f1

    def _written(self, scene: Scene, draws: np.random.Generator) -> str | None:
        """Return a true caption that is good enough for them; None where they can think of none."""
        tries = (describe(scene, aspect, int(draws.integers(1 << 32))) for aspect in _WRITTEN)
        return next((text for text in tries if self.against(text, scene) is None), None)

    def _said(self, key: str, sheet: Sheet) -> Draft:
        """Return an acceptance, which the other words are made of."""
        return Draft(action="accept", shown=sheet.version, took_ms=self._took_ms(key))

    def _errs(self, key: str, text: str) -> bool:
        return bool(self._draws(key, "error", text).random() < self.error)

    def _took_ms(self, key: str) -> int:
        return round(_MEDIAN_MS * math.exp(_SPREAD * float(self._draws(key, "time").standard_normal())))

    def _draws(self, key: str, *parts: str) -> np.random.Generator:
        return np.random.default_rng(seed_from("auditor", self.seed, self.name, key, *parts))


def reason_against(text: str, scene: Scene, enough: float) -> str | None:
    """Return why a caption is not good enough, in the words of the audit's page; None where it is.

    Args:
        enough: Share of the scene's facts that it must state; at 0 it must still say something that holds.
    """
    found = judge(text, scene)
    if found.contradicted:
        return _wrong(found)
    if not found.supported:
        return "misses the main thing"
    return "too vague" if (found.recall or 0.0) < enough else None


def work(
    store: AuditStore,
    auditors: Sequence[DemoAuditor],
    scenes: Mapping[str, Scene],
    *,
    captions: int | None = None,
    watch: Callable[[int], None] = lambda done: None,
) -> int:
    """Let auditors work through a store, one item each in turn, until nothing is open; return how many words fell.

    Args:
        scenes: By the key of the item.
        captions: How many are compared; None where the one that stands is judged.
    """
    people = {auditor.name: auditor for auditor in auditors}
    done = 0
    for who, found in _turns(store, list(people)):
        key, sheet = found.item.key, Sheet.from_payload(found.item.payload)
        auditor, scene = people[who.name], scenes[key]
        if captions is None:
            draft = auditor.judged(key, sheet, scene)
        else:
            draft = auditor.compared(key, sheet, scene, captions)
        store.submit(
            who.id, found.lease.item, draft, request=f"{who.name}-{found.lease.fence}", fence=found.lease.fence
        )
        done += 1
        watch(done)
    return done


def _turns(store: AuditStore, names: Sequence[str]) -> Iterator[tuple[Auditor, Assignment]]:
    """Yield who has which item, in turn, as long as anybody is given one."""
    known = {auditor.name: auditor for auditor in store.auditors()}
    busy = [known.get(name) or store.add_auditor(name)[0] for name in names]
    while busy:
        for who in list(busy):
            found = store.next_item(who.id)
            if found is None:
                busy.remove(who)
            else:
                yield who, found


def _wrong(found: Verdict) -> str:
    kinds = {fact.kind for fact in found.contradicted}
    if "object" in kinds:
        return "invented"
    return "wrong text" if kinds == {"word"} else "wrong detail"
