"""What only several answers together give away: one text on many pictures, stale and swapped answers.

Looks at the answers of one batch and nothing else; batches are cut from the input in its own order, so a rerun finds
the same. What lies in another batch is not seen.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from recaption.media.checks.about import Finding
from recaption.media.salience import content_words

__all__ = ["BATCH_FINDINGS", "Together", "Told", "batch_findings", "telling_words"]

BATCH_FINDINGS: Final[dict[str, str]] = {
    "shared": "one text on many pictures",
    "stale": "word for word the answer of a neighbour, and nothing here speaks for it",
    "twin": "the same text on another picture of the batch",
    "swapped": "fits a neighbour's picture and not its own",
}
"""Every finding about a text among others, and what it means."""

_NOT_SAID: Final = re.compile(r"[\W_]+")
_CJK_PAIRS: Final = re.compile("[\u3400-\u9fff]{2,}")
_LEAST_KNOWN: Final = 2
"""Words that must be known of a picture before a text can be said not to fit it."""
_MUTUAL: Final = 2
_ONE_WAY: Final = 3
"""Words of its own that a neighbour must share with a text: both ways, or one way alone."""


@dataclass(frozen=True, slots=True)
class Told:
    """One answer: of which record of the batch, about what, and what it says."""

    owner: int
    aspect: str
    text: str


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
    known: Sequence[frozenset[str]],
    same_picture: Callable[[int, int], bool],
    limits: Together | None = None,
) -> list[list[Finding]]:
    """Return the findings of each answer, in order.

    Args:
        answers: What was written about the pictures of one batch.
        known: For every record, `telling_words` of all that is known of it from elsewhere.
        same_picture: Says of two records whether their images are equal; those may share a text.
    """
    found: list[list[Finding]] = [[] for _ in answers]
    limits = limits or Together()
    words = [telling_words(answer.text) for answer in answers]
    equal: dict[tuple[str, str], list[int]] = defaultdict(list)
    for position, answer in enumerate(answers):
        equal[answer.aspect, _NOT_SAID.sub(" ", answer.text.lower()).strip()].append(position)
    for positions in equal.values():
        _equal_texts(positions, answers, words, known, same_picture, limits, found)
    _swapped(answers, words, known, found)
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
    words: Sequence[frozenset[str]],
    known: Sequence[frozenset[str]],
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
    backed = {owner: bool(words[positions[0]] & known[owner]) for owner in owners}
    for position in positions:
        owner = answers[position].owner
        if many:
            finding = Finding("shared", f"the same text on {len(pictures)} of {among} pictures")
        elif not backed[owner] and (any(backed.values()) or long):
            finding = Finding(
                "stale", f"the same text on {len(pictures)} pictures, and nothing here speaks for it"
            )
        else:
            finding = Finding("twin", f"the same text on {len(pictures)} pictures")
        found[position].append(finding)


def _swapped(
    answers: Sequence[Told],
    words: Sequence[frozenset[str]],
    known: Sequence[frozenset[str]],
    found: list[list[Finding]],
) -> None:
    """Find answers that share no word with what is known of their picture, and several with a neighbour's."""
    holders: Counter[str] = Counter(word for own in known for word in own)
    where: dict[str, list[int]] = defaultdict(list)
    most = max(2, len(known) // 8)
    for owner, own in enumerate(known):
        for word in own:
            if holders[word] <= most:  # words that many pictures share tell none of them apart
                where[word].append(owner)
    best: dict[int, tuple[int, int]] = {}
    for position, answer in enumerate(answers):
        own = known[answer.owner]
        if len(own) < _LEAST_KNOWN or words[position] & own:
            continue
        votes = Counter(owner for word in words[position] for owner in where.get(word, ()))
        if not votes:
            continue
        owner, number = max(votes.items(), key=lambda item: (item[1], -item[0]))
        if number >= _MUTUAL:
            best[position] = owner, number
    strays = {(answers[position].owner, owner) for position, (owner, _) in best.items()}
    for position, (owner, number) in best.items():
        mutual = (owner, answers[position].owner) in strays
        if mutual or number >= _ONE_WAY:
            reason = f"shares no word with its own picture and {number} with number {owner + 1} of the batch"
            found[position].append(Finding("swapped", reason))
