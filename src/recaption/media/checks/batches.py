"""What only several answers together give away: one text on many pictures, stale and swapped answers.

Looks at the answers of one batch and nothing else; batches are cut from the input in its own order, so a rerun finds
the same. What lies in another batch is not seen.
"""

import re
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from recaption.media.checks.about import Finding
from recaption.media.checks.patterns import pattern
from recaption.media.salience import content_words

__all__ = ["BATCH_FINDINGS", "Known", "Together", "Told", "batch_findings", "telling_words"]

BATCH_FINDINGS: Final[dict[str, str]] = {
    "shared": "one text on many pictures",
    "stale": "word for word the answer about another picture, and too little here speaks for it",
    "twin": "the same text on another picture of the batch",
    "swapped": "changed places with an answer about another picture of the batch",
    "stray": "may have changed places with an answer about another picture of the batch",
}
"""Every finding about a text among others, and what it means."""

_NOT_SAID: Final = re.compile(r"[\W_]+")
_CJK_PAIRS: Final = re.compile("[\u3400-\u9fff]{2,}")
_NOTHING_THERE: Final = pattern("wording", "nothing_there")
_LEAST_AMONG: Final = 20
"""A word known of one picture of three is not held for common: smaller batches are counted as so many."""
_LEAST_KNOWN: Final = 2
"""Words that must be known of a picture before a text can be said not to fit it."""


@dataclass(frozen=True, slots=True)
class _Margin:
    """How much better two answers must fit each other's picture, in thousandths.

    A word known of one in 20 pictures weighs 3000.
    """

    each: int
    together: int
    times: int = 1

    def holds(self, own: int, there: int, theirs: int, here: int) -> bool:
        return (
            there >= own * self.times + self.each
            and here >= theirs * self.times + self.each
            and there - own + here - theirs >= self.together
        )


_DOUBT: Final = _Margin(1500, 5000)
_SURE: Final = _Margin(2000, 6000)
_SURE_BY_HEARSAY: Final = _Margin(3000, 6000, 2)
"""Where a picture is known by its alt-text alone, which may be about anything."""
_STALE_MARGIN: Final = 1500
"""How much less a long text that two pictures have must fit one than the other to be taken for the other's."""


@dataclass(frozen=True, slots=True)
class Told:
    """One answer: of which record of the batch, about what, and what it says."""

    owner: int
    aspect: str
    text: str


@dataclass(frozen=True, slots=True)
class Known:
    """`telling_words` of what is known of one picture."""

    words: frozenset[str]
    """Of everything, alt-texts among it."""
    firm: bool
    """Whether there is evidence. An alt-text may be about anything, and one sentence leaves out most of a picture."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Together:
    """When equal texts are too many."""

    share: float = 0.2
    """Share of the pictures of a batch with one text from which it is shared…"""
    least: int = 4
    """…and this many pictures at least."""
    stale_words: int = 10
    """Words from which two pictures do not get the same text by accident."""


def batch_findings(
    answers: Sequence[Told],
    known: Sequence[Known],
    same_picture: Callable[[int, int], bool],
    limits: Together | None = None,
) -> list[list[Finding]]:
    """Return the findings of each answer, in order.

    Args:
        answers: What was written about the pictures of one batch.
        known: What is known of every record from elsewhere.
        same_picture: Says of two records whether their images are equal; those may share a text.
    """
    found: list[list[Finding]] = [[] for _ in answers]
    limits = limits or Together()
    fits = _fits(answers, known)
    equal: dict[tuple[str, str], list[int]] = defaultdict(list)
    for position, answer in enumerate(answers):
        equal[answer.aspect, _NOT_SAID.sub(" ", answer.text.lower()).strip()].append(position)
    for (_, text), positions in equal.items():
        if _NOTHING_THERE.search(text):  # true of many pictures
            continue
        _equal_texts(positions, answers, fits, same_picture, limits, found)
    _swapped(answers, fits, known, found)
    return found


def telling_words(text: str) -> frozenset[str]:
    """Return the words that may name things, folded; of Chinese, pairs of characters."""
    text = text[:20_000]
    said = content_words(text)
    if not text.isascii():
        said |= {run[i : i + 2] for run in _CJK_PAIRS.findall(text) for i in range(len(run) - 1)}
    return frozenset(said)


def _equal_texts(
    positions: list[int],
    answers: Sequence[Told],
    fits: NDArray[np.int64],
    same_picture: Callable[[int, int], bool],
    limits: Together,
    found: list[list[Finding]],
) -> None:
    owners = list(dict.fromkeys(answers[p].owner for p in positions))
    if len(owners) < 2:
        return
    pictures: list[int] = []
    for owner in owners:
        if not any(same_picture(owner, other) for other in pictures):
            pictures.append(owner)
    if len(pictures) < 2:
        return
    said = len(answers[positions[0]].text.split())
    among = len({answer.owner for answer in answers})
    many = len(pictures) >= limits.least and len(pictures) >= limits.share * among
    long = (
        said >= limits.stale_words
        or sum(c > "\u2fff" for c in answers[positions[0]].text) >= 2 * limits.stale_words
    )
    fitting = {owner: int(fits[positions[0], owner]) for owner in owners}
    best = max(fitting.values())
    for position in positions:
        own = fitting[answers[position].owner]
        lacking = best - own >= _STALE_MARGIN if long else best > own == 0
        if many:
            finding = Finding("shared", f"the same text on {len(pictures)} of {among} pictures")
        elif lacking or (long and own == 0):
            finding = Finding(
                "stale", f"the same text on {len(pictures)} pictures, and too little here speaks for it"
            )
        else:
            finding = Finding("twin", f"the same text on {len(pictures)} pictures")
        found[position].append(finding)


def _fits(answers: Sequence[Told], known: Sequence[Known]) -> NDArray[np.int64]:
    """Return how well each answer fits each picture, of shape (answers, pictures), in thousandths.

    That is the weight of the words it shares with what is known of the picture. A word weighs by how few pictures it
    is known of, so that captions of a small vocabulary can be told apart too. Whole numbers add up to the same in
    any order.
    """
    place: dict[str, int] = {}
    for facts in known:
        for word in facts.words:
            place.setdefault(word, len(place))
    holds = np.zeros((len(place) + 1, len(known)), np.int64)
    for owner, facts in enumerate(known):
        holds[[place[word] for word in facts.words], owner] = 1
    among = max(len(known), _LEAST_AMONG)
    weights = np.log((among + 1) / np.maximum(holds.sum(axis=1), 1))
    holds *= np.rint(weights * 1000).astype(np.int64)[:, None]
    fits = np.zeros((len(answers), len(known)), np.int64)
    for position, answer in enumerate(answers):
        fits[position] = holds[[place[w] for w in telling_words(answer.text) if w in place]].sum(axis=0)
    return fits


def _swapped(
    answers: Sequence[Told],
    fits: NDArray[np.int64],
    known: Sequence[Known],
    found: list[list[Finding]],
) -> None:
    """Find answers that fit another picture better than their own, while an answer there fits here."""
    by_owner: dict[int, list[int]] = defaultdict(list)
    for position, answer in enumerate(answers):
        by_owner[answer.owner].append(position)
    for position, answer in enumerate(answers):
        strayed = _strayed(position, answer.owner, fits, by_owner, known)
        if strayed is not None:
            owner, surely = strayed
            reason = f"fits picture {owner + 1} of the batch better than its own, and an answer there fits here"
            found[position].append(Finding("swapped" if surely else "stray", reason))


def _strayed(
    position: int,
    home: int,
    fits: NDArray[np.int64],
    by_owner: Mapping[int, list[int]],
    known: Sequence[Known],
) -> tuple[int, bool] | None:
    """Return the picture with which an answer changed places, and whether that is sure; None if with none."""
    if len(known[home].words) < _LEAST_KNOWN:
        return None
    doubt: int | None = None
    own = int(fits[position, home])
    for owner in map(int, np.flatnonzero(fits[position] >= own + _DOUBT.each)):
        there = int(fits[position, owner])
        firm = known[home].firm and known[owner].firm
        for other in by_owner.get(owner, ()):
            theirs, here = int(fits[other, owner]), int(fits[other, home])
            if (_SURE if firm else _SURE_BY_HEARSAY).holds(own, there, theirs, here):
                return owner, True
            if doubt is None and _DOUBT.holds(own, there, theirs, here):
                doubt = owner
    return None if doubt is None else (doubt, False)
