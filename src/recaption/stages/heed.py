"""Let people have the last word: what they decided about a caption changes what the recipe made of its record."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Final

from recaption.core.errors import ImageError
from recaption.core.protocols import Context, Stage
from recaption.core.types import Caption, Dropped, JsonValue, Kept, Outcome, Provenance, Record
from recaption.datasets.rulings import Ruling
from recaption.stages.amending import named, ruled_out, with_details, with_told
from recaption.stages.versions import depth_of, is_original, line_of, root_of

__all__ = ["DEPENDENT", "STALE", "Heed", "effect_of"]

DEPENDENT: Final = ("fit", "score")
"""Stages that a text written by a person goes through like any other; none that would judge, mend or drop it."""
STALE: Final = "stale_verdict"
"""Flag on a chosen caption of whose record a caption was judged that is there no more, or beside another picture."""
_SHOWN_NAMES: Final = 5
_BESIDE: Final = {"effect", "shown_is_gone", "before"}
"""What a caption's provenance says of a ruling beside what the ruling says itself."""
_DONE: Final = {"accept": "accepted", "edit": "edited", "reject": "rejected", "prefer": "preferred"}


class Heed:
    """Applies rulings to the records they are on; stands behind a recipe's own stages and is no part of a recipe.

    - `edit`: the person's text becomes a caption of origin `human` and is chosen. It goes through `after`, so that
      it has the scores that others have, and is shortened where it is over the budget; what was shown is history.
    - `reject`: the caption shown, longer and shorter forms of it and captions that say the same are ruled out. If one
      of them was chosen, the best of the others by their rank in `selection` stands, then the latest of those without
      a rank, then the text that came with the data in its latest form. If nothing is left, the record is dropped.
    - `accept` is remembered in the provenance of the caption shown; so is `prefer`, which also chooses the one
      preferred, unless it is the one shown.

    Where the recipe has changed since, and the caption shown is still there but not chosen, it is accepted or ruled
    out where it stands, and the choice stays. Where it is gone, only an edit counts; everything else is flagged
    `stale_verdict`. Texts that came with the data stay in the record whatever is decided.

    Where a record's picture is another one than that which was judged, nobody has judged the record: nothing is done,
    and that is flagged too. A picture that cannot be read is not known to be another.

    Several rulings on one record, each of another audit, are heeded one after the other: what the first leaves is
    what the next was said of. A record that one of them leaves nothing of is gone, unless a later one writes a text.
    """

    name = "audit"
    version = "1"
    fingerprint = ""

    def __init__(
        self, rulings: Mapping[str, Sequence[Ruling]], after: Sequence[Stage], *, originals: bool = True
    ) -> None:
        """Take what was decided, by key, on each record in the order in which it is heeded.

        Args:
            after: Stages that captions written by people go through, of those in `DEPENDENT`.
            originals: Whether a text that came with the data may stand for its record.
        """
        self._rulings, self._after, self._originals = rulings, after, originals

    def process(self, records: Sequence[Record], context: Context) -> list[Outcome]:
        """Return every record as people want it, or why nothing is left of it.

        Raises:
            BackendError: A model that scores new texts is gone.
        """
        outcomes: list[Outcome] = [Kept(record) for record in records]
        for turn in range(max((len(self._on(record)) for record in records), default=0)):
            self._heed(outcomes, turn, context)
        return outcomes

    def _heed(self, outcomes: list[Outcome], turn: int, context: Context) -> None:
        """Apply to each record that is still there the ruling whose turn it is, where it has so many."""
        edits: list[tuple[int, Record, Ruling]] = []
        for place, outcome in enumerate(outcomes):
            if not isinstance(outcome, Kept) or turn >= len(self._on(outcome.record)):
                continue
            record = outcome.record
            ruling, *later = self._on(record)[turn:]
            if _has_another_picture(record, ruling, context):
                outcomes[place] = Kept(_stale(record, _other_picture(ruling)))
            elif ruling.outcome == "edit":
                edits.append((place, record, ruling))
            else:
                edited = any(
                    r.outcome == "edit" and not _has_another_picture(record, r, context) for r in later
                )
                outcomes[place] = self._heeded(record, ruling, edited)
        done = self._reworked([(record, ruling) for _, record, ruling in edits], context)
        for (place, _, _), outcome in zip(edits, done, strict=True):
            outcomes[place] = outcome

    def _on(self, record: Record) -> Sequence[Ruling]:
        return self._rulings.get(record.key, ())

    def _heeded(self, record: Record, ruling: Ruling, edited: bool) -> Outcome:
        """Return a record as a ruling that writes no text leaves it.

        Args:
            edited: A later ruling writes one.
        """
        shown = named(record, ruling.shown)
        if ruling.outcome == "prefer":
            return Kept(self._preferred(record, ruling))
        if shown is None:
            return Kept(_stale(record, _gone(ruling)))
        if ruling.outcome == "accept":
            effect = "accepted" if shown.id == record.chosen else "accepted, not chosen"
            return Kept(_told(record, shown, ruling, effect))
        return self._rejected(record, shown, ruling, edited)

    def _preferred(self, record: Record, ruling: Ruling) -> Record:
        preferred = named(record, ruling.preferred or "")
        if preferred is None:
            return _stale(record, _gone(ruling))
        if preferred.id in (ruling.shown, record.chosen):
            effect = "preferred" if preferred.id == record.chosen else "preferred, not chosen"
            return _told(record, preferred, ruling, effect)
        # Over the budget, its shorter form is what will be read.
        known, line = {c.id: c for c in record.captions}, line_of(preferred, record.captions)
        depth = depth_of(preferred, known)
        shorter = (c for c in record.captions if c.kept and c.provenance.stage == "fit" and c.id in line)
        stands = next((c for c in shorter if depth_of(c, known) > depth), preferred)
        record = _told(record, preferred, ruling, "preferred")
        return _chosen(record, stands.id, ruling)

    def _rejected(self, record: Record, shown: Caption, ruling: Ruling, edited: bool) -> Outcome:
        wrong = [shown, *(c for name in ruling.rejected if (c := named(record, name)) is not None)]
        reason = ruling.reason or "no reason given"
        record, out = ruled_out(record, wrong, "rejected", reason)
        if record.chosen not in out:
            return Kept(_told(record, shown, ruling, "rejected, not chosen"))
        following = self._next(record, out, shown.aspect)
        if following is None and edited:
            return Kept(_told(record, shown, ruling, "rejected, not chosen"))
        if following is None:
            return Dropped(f"rejected by {_people(ruling)}: {reason}; nothing else may stand")
        known = {caption.id: caption for caption in record.captions}
        kind = "the original" if is_original(following, known) else "another candidate"
        record = _told(record, shown, ruling, f"rejected, {kind} stands")
        return Kept(_chosen(record, following.id, ruling))

    def _next(self, record: Record, out: frozenset[str], aspect: str) -> Caption | None:
        """Return the caption that stands where those in `out` may not."""
        known = {caption.id: caption for caption in record.captions}
        able = [c for c in record.captions if c.kept and c.text.strip() and c.id not in out]
        able = [c for c in able if "rejected" not in c.flags]
        originals = {c.id for c in able if is_original(c, known)}
        ranked = [c for c in able if _rank(c) is not None and (self._originals or c.id not in originals)]
        if ranked:
            # Aspects are ranked apart; the original competes with the leading one and has an aspect of its own.
            return min(ranked, key=lambda c: (c.aspect != aspect and c.id not in originals, _rank(c) or 0))
        written = [c for c in able if c.id not in originals]
        if written:
            return written[-1]
        if not originals or not self._originals:
            return None
        first = root_of(next(c for c in able if c.id in originals), known)
        return max((c for c in able if root_of(c, known) is first), key=lambda c: depth_of(c, known))

    def _reworked(self, edits: Sequence[tuple[Record, Ruling]], context: Context) -> list[Outcome]:
        """Return records whose captions people have put right, the new texts fitted and scored like others."""
        if not edits:
            return []
        texts = [_human(record, ruling) for record, ruling in edits]
        alone: list[Outcome] = [Kept(_alone(r, text)) for (r, _), text in zip(edits, texts, strict=True)]
        for stage in self._after:
            at = [i for i, outcome in enumerate(alone) if isinstance(outcome, Kept)]
            done = stage.process([o.record for i in at if isinstance(o := alone[i], Kept)], context)
            for i, outcome in zip(at, done, strict=True):
                alone[i] = outcome
        return [
            Kept(_edited(record, ruling, outcome.record, text)) if isinstance(outcome, Kept) else outcome
            for (record, ruling), text, outcome in zip(edits, texts, alone, strict=True)
        ]


def effect_of(record: Record, ruling: Ruling) -> str | None:
    """Return what became of a ruling: `edited`, `rejected, the original stands`…; None where it has left no trace.

    A record read from an earlier run's folder also tells what people decided there; that is passed over.
    """
    decided = ruling.told()
    for caption in record.captions:
        for told in _tellings(caption):
            if {name: value for name, value in told.items() if name not in _BESIDE} == decided:
                return str(told["effect"])
    flags = [caption.flags.get(STALE, "") for caption in record.captions]
    stale = any(words in flag for flag in flags for words in (_gone(ruling), _other_picture(ruling)))
    return "stale" if stale else None


def _tellings(caption: Caption) -> Iterator[Mapping[str, JsonValue]]:
    """Yield what a caption says of the rulings on it, of the latest first."""
    told = caption.provenance.details.get(Heed.name)
    while isinstance(told, Mapping):
        if isinstance(told.get("effect"), str):
            yield told
        told = told.get("before")


def _has_another_picture(record: Record, ruling: Ruling, context: Context) -> bool:
    if not ruling.picture or not record.has_image:
        return False
    try:
        return context.images.digest(record) != ruling.picture
    except ImageError:
        return False


def _edited(record: Record, ruling: Ruling, alone: Record, text: Caption) -> Record:
    """Return the record with the text of a person, and shorter forms of it, chosen."""
    line = line_of(text, alone.captions)
    forms = [c for c in alone.captions if c.id in line]
    stands = next((c for c in forms if c.kept), None)
    if stands is None:  # it is too long and cannot be cut: a person's word is not given up for that
        forms = [replace(c, kept=True) if c.id == text.id else c for c in forms]
        stands = text
    shown = named(record, ruling.shown)
    if shown is not None:
        record, _ = ruled_out(record, [shown], "edited", f"put right in [{text.id}]")
    others = [c for c in record.captions if c.id not in line]
    return _chosen(replace(record, captions=(*others, *forms)), stands.id, ruling)


def _human(record: Record, ruling: Ruling) -> Caption:
    """Return the caption a person wrote, with who, when and why."""
    like = named(record, ruling.shown)
    told: dict[str, JsonValue] = {**ruling.told(), "effect": "edited"}
    if like is None:
        told["shown_is_gone"] = True
        like = record.best
    human = Caption(
        text=ruling.text or "",
        origin="human",
        aspect=like.aspect if like is not None else "default",
        provenance=Provenance(
            stage=Heed.name, version=Heed.version, parents=(ruling.shown,), details={Heed.name: told}
        ),
    )
    same = named(record, human.id)  # somebody has put the same caption right in the same words before
    return human if same is None else with_details(human, **{Heed.name: _after(same, told)})


def _alone(record: Record, text: Caption) -> Record:
    """Return a record in which only the new text is to be fitted and scored; the originals say what it is about."""
    originals = tuple(replace(caption, kept=False) for caption in record.originals)
    return replace(record, captions=(*originals, text), chosen=None)


def _told(record: Record, caption: Caption, ruling: Ruling, effect: str) -> Record:
    """Return the record with a caption that says what was decided about it."""
    return with_told(record, caption.id, **{Heed.name: _after(caption, {**ruling.told(), "effect": effect})})


def _after(caption: Caption, told: dict[str, JsonValue]) -> dict[str, JsonValue]:
    """Return what is told of a ruling together with what its caption tells of earlier ones."""
    before = caption.provenance.details.get(Heed.name)
    return told if before is None else {**told, "before": before}


def _chosen(record: Record, name: str, ruling: Ruling) -> Record:
    """Return the record with a caption chosen, and what chose it."""
    words = f"people: the caption shown was {_DONE[ruling.outcome]} by {_people(ruling)}"
    if ruling.outcome == "prefer":
        words = f"people: preferred by {_people(ruling)}"
    captions = tuple(replace(c, kept=True) if c.id == name and not c.kept else c for c in record.captions)
    return with_told(replace(record, captions=captions, chosen=name), name, chosen_by=words)


def _stale(record: Record, words: str) -> Record:
    """Return the record with a note that somebody has judged what is there no more."""
    best = record.best
    if best is None:
        return record
    noted = "; ".join(filter(None, [best.flags.get(STALE), words]))
    flagged = replace(best, flags={**best.flags, STALE: noted})
    return replace(record, captions=tuple(flagged if c is best else c for c in record.captions))


def _gone(ruling: Ruling) -> str:
    gone = ruling.preferred if ruling.outcome == "prefer" else ruling.shown
    return f"[{gone}], which is there no more, was {_DONE[ruling.outcome]} by {_people(ruling)}"


def _other_picture(ruling: Ruling) -> str:
    return f"[{ruling.shown}] was {_DONE[ruling.outcome]} by {_people(ruling)} beside another picture"


def _rank(caption: Caption) -> int | None:
    selection = caption.provenance.details.get("selection")
    rank = selection.get("rank") if isinstance(selection, Mapping) else None
    return rank if isinstance(rank, int) else None


def _people(ruling: Ruling) -> str:
    """Return who decided, bounded: `Ana and Bo (2 of 3)`."""
    names = list(ruling.auditors[:_SHOWN_NAMES]) or ["people"]
    if len(ruling.auditors) > _SHOWN_NAMES:
        names.append(f"{len(ruling.auditors) - _SHOWN_NAMES} more")
    listed = " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)
    return f"{listed} ({ruling.said} of {ruling.of})"
