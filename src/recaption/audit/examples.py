"""From verdicts and sheets to what can be learned from: texts that were accepted, rejected, or preferred to another.

Every item weighs the same, however many people judged it. A caption was accepted as it was, or it was not: rejected,
or changed. An edit and a preference say something of two texts about one image besides: what was written in place of
the caption is better than the caption, the card that was taken is better than every other card on the screen.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal, TypeAlias

from recaption.audit.meaning import meaning_of, of_the_picture, standing_words
from recaption.audit.project import About
from recaption.audit.sheets import Sheet, ShownCaption, sheet_of_item
from recaption.audit.types import AuditItem, Draft, Verdict
from recaption.core.digests import seed_from
from recaption.core.types import Image

__all__ = ["MOST_ITEMS", "Examples", "Judged", "Label", "Pair", "PairKind", "examples_of", "without"]

PairKind: TypeAlias = Literal["edit", "prefer"]

MOST_ITEMS: Final = 10_000
"""Judged items that are learned from; of more, a seeded sample. Beyond that, figures hardly move and hours do."""
_JUDGE: Final = About()
_WORST_FIRST: Final = ("reject", "edit", "accept")


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """One text of one item."""

    item: int
    """Place in `Examples.keys`."""
    text: str
    scores: Mapping[str, float] = field(default_factory=dict)
    """What the run's scorers gave it; nothing for what an auditor wrote."""


@dataclass(frozen=True, slots=True)
class Label:
    """A caption that stood for its record, and whether it was accepted as it was, neither rejected nor changed."""

    text: int
    """Place in `Examples.texts`."""
    accepted: bool
    weight: float
    """Share of the item's auditors who said so."""


@dataclass(frozen=True, slots=True)
class Pair:
    """Two texts about one image, of which one was found better."""

    better: int
    worse: int
    kind: PairKind
    weight: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Examples:
    """What can be learned from. Items in the order of their keys."""

    keys: tuple[str, ...]
    images: tuple[Image | None, ...]
    texts: tuple[Judged, ...]
    labels: tuple[Label, ...]
    pairs: tuple[Pair, ...]
    left_out: Mapping[str, int] = field(default_factory=dict)
    """Why words of auditors teach nothing: reason to how many."""


def examples_of(
    items: Iterable[AuditItem], verdicts: Iterable[Verdict], about: About = _JUDGE, *, seed: int = 0
) -> Examples:
    """Return what verdicts teach.

    An edit that changes nothing is an acceptance, one to nothing a rejection. Where captions are compared, "none is
    right" teaches nothing: it tells no two of them apart.

    Args:
        items: What was judged.
        verdicts: The log or what stands of it, in any order.
        about: Says how many captions were on one screen, where they were compared.
        seed: Decides which items are taken where there are more than `MOST_ITEMS`.

    Raises:
        RunFolderError: An item that was judged is not a sheet.
    """
    words = standing_words(verdicts)
    left_out: Counter[str] = Counter()
    if len(words) > MOST_ITEMS:
        kept = sorted(words, key=lambda key: seed_from("learning", seed, key))[:MOST_ITEMS]
        left_out[f"items beyond the {MOST_ITEMS:,} that are learned from"] = len(words) - len(kept)
        words = {key: words[key] for key in kept}
    sheets = {item.key: sheet_of_item(item) for item in items if item.key in words}
    gathered = _Gathered(about, left_out)
    for key in sorted(sheets):
        gathered.add(key, sheets[key], [verdict.draft for verdict in words[key]])
    return gathered.examples()


def without(examples: Examples, bad: Iterable[int], reason: str) -> Examples:
    """Return the examples without some items, whose words are counted among those left out.

    Args:
        bad: Places in `Examples.keys`.
    """
    gone = set(bad)
    if not gone:
        return examples
    items = [i for i in range(len(examples.keys)) if i not in gone]
    new_item = {old: new for new, old in enumerate(items)}
    texts = [i for i, text in enumerate(examples.texts) if text.item not in gone]
    new_text = {old: new for new, old in enumerate(texts)}
    return Examples(
        keys=tuple(examples.keys[i] for i in items),
        images=tuple(examples.images[i] for i in items),
        texts=tuple(
            Judged(item=new_item[t.item], text=t.text, scores=t.scores)
            for t in (examples.texts[i] for i in texts)
        ),
        labels=tuple(
            Label(new_text[one.text], one.accepted, one.weight)
            for one in examples.labels
            if one.text in new_text
        ),
        pairs=tuple(
            Pair(new_text[one.better], new_text[one.worse], one.kind, one.weight)
            for one in examples.pairs
            if one.better in new_text
        ),
        left_out={**examples.left_out, reason: len(gone)},
    )


class _Gathered:
    """Examples while the items go by."""

    def __init__(self, about: About, left_out: Counter[str]) -> None:
        self._about, self._left_out = about, left_out
        self._keys: list[str] = []
        self._images: list[Image | None] = []
        self._texts: list[Judged] = []
        self._labels: list[Label] = []
        self._pairs: list[Pair] = []

    def add(self, key: str, sheet: Sheet, drafts: Sequence[Draft]) -> None:
        """Take in what was said of one item."""
        heard = [draft for draft in drafts if self._is_of(draft, sheet)]
        item = _Item(len(self._keys), sheet, self._texts)
        label = self._label(item, heard)
        pairs = [pair for draft in heard for pair in self._compared(item, draft, 1 / len(heard))]
        if label is not None or pairs:
            self._keys.append(key)
            self._images.append(sheet.image)
            self._labels += [] if label is None else [label]
            self._pairs += pairs

    def examples(self) -> Examples:
        """Return what was taken in."""
        return Examples(
            keys=tuple(self._keys),
            images=tuple(self._images),
            texts=tuple(self._texts),
            labels=tuple(self._labels),
            pairs=tuple(self._pairs),
            left_out=dict(self._left_out),
        )

    def _is_of(self, draft: Draft, sheet: Sheet) -> bool:
        if of_the_picture(draft):
            self._left_out["the picture could not be judged"] += 1
            return False
        if draft.shown is not None and draft.shown != sheet.version:
            self._left_out["the captions on screen were others than those kept"] += 1
            return False
        if draft.action == "prefer" and draft.preferred not in {caption.id for caption in sheet.captions}:
            self._left_out["a caption was preferred that is not known"] += 1
            return False
        return True

    def _label(self, item: _Item, heard: Sequence[Draft]) -> Label | None:
        """Return what most say of the caption; None where captions were compared, which says it of none."""
        meanings = [meaning_of(draft, item.sheet.subject.text) for draft in heard]
        counts: Counter[str] = Counter(meaning.said for meaning in meanings if meaning is not None)
        if self._about.task == "compare":
            if counts["reject"]:
                self._left_out["none of the captions compared was right"] += counts["reject"]
            return None
        # Of equally many voices the worst counts, as in the audit's own figures.
        most = max(_WORST_FIRST, key=counts.__getitem__)
        if not counts[most] or not item.sheet.subject.text.strip():
            return None
        accepted = most == "accept"
        voices = counts["accept"] if accepted else counts["edit"] + counts["reject"]
        return Label(item.place(item.sheet.subject), accepted, voices / len(heard))

    def _compared(self, item: _Item, draft: Draft, weight: float) -> list[Pair]:
        """Return the pairs that an edit or a preference gives; none of another word."""
        sheet = item.sheet
        meaning = meaning_of(draft, sheet.subject.text)
        if meaning is not None and meaning.text is not None and sheet.subject.text.strip():
            return [Pair(item.written(meaning.text), item.place(sheet.subject), "edit", weight)]
        if draft.action != "prefer":
            return []
        better = next(caption for caption in sheet.captions if caption.id == draft.preferred)
        shown = sheet.captions[: self._about.captions]
        others = [c for c in shown if c.text.strip() and c.text != better.text] if better.text.strip() else []
        return [Pair(item.place(better), item.place(c), "prefer", weight / len(others)) for c in others]


class _Item:
    """The texts of one item that anything was said of, each once."""

    def __init__(self, number: int, sheet: Sheet, texts: list[Judged]) -> None:
        self.sheet = sheet
        self._number, self._texts = number, texts
        self._places: dict[str, int] = {}

    def place(self, caption: ShownCaption) -> int:
        return self._place(caption.text, caption.scores)

    def written(self, text: str) -> int:
        """Return the place of what an auditor wrote, which may be one of the captions."""
        known = next((caption.scores for caption in self.sheet.captions if caption.text == text), {})
        return self._place(text, known)

    def _place(self, text: str, scores: Mapping[str, float]) -> int:
        if text not in self._places:
            self._places[text] = len(self._texts)
            self._texts.append(Judged(item=self._number, text=text, scores=scores))
        return self._places[text]
