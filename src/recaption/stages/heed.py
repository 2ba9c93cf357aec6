"""Let people have the last word: what they decided about a caption changes what the recipe made of its record."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final

from recaption.core.protocols import Context, Stage
from recaption.core.types import Caption, Dropped, JsonValue, Kept, Outcome, Provenance, Record
from recaption.datasets.rulings import Ruling
from recaption.stages.amending import as_history, with_details
from recaption.stages.versions import depth_of, folded, is_original, line_of, root_of

__all__ = ["DEPENDENT", "STALE", "Heed", "effect_of"]

DEPENDENT: Final = ("fit", "score")
"""Stages that a text written by a person goes through like any other; none that would judge, mend or drop it."""
STALE: Final = "stale_verdict"
"""Flag on a chosen caption of whose record a caption was judged that is there no more."""
_SHOWN_NAMES: Final = 5
_BESIDE: Final = {"effect", "shown_is_gone"}
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
    """

    name = "audit"
    version = "1"
    fingerprint = ""

    def __init__(
        self, rulings: Mapping[str, Ruling], after: Sequence[Stage], *, originals: bool = True
    ) -> None:
        """Take what was decided, by key.

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
        outcomes: list[Outcome] = [self._heeded(record) for record in records]
        edits = [i for i, record in enumerate(records) if self._edit_of(record) is not None]
        for i, outcome in zip(edits, self._reworked([records[i] for i in edits], context), strict=True):
            outcomes[i] = outcome
        return outcomes

    def _edit_of(self, record: Record) -> Ruling | None:
        ruling = self._rulings.get(record.key)
        return ruling if ruling is not None and ruling.outcome == "edit" else None

    def _heeded(self, record: Record) -> Outcome:
        """Return a record as a ruling that writes no text leaves it."""
        ruling = self._rulings.get(record.key)
        if ruling is None or ruling.outcome == "edit":
            return Kept(record)
        shown = _named(record, ruling.shown)
        if ruling.outcome == "prefer":
            return Kept(self._preferred(record, ruling))
        if shown is None:
            return Kept(_stale(record, ruling))
        if ruling.outcome == "accept":
            effect = "accepted" if shown.id == record.chosen else "accepted, not chosen"
            return Kept(_told(record, shown, ruling, effect))
        return self._rejected(record, shown, ruling)

    def _preferred(self, record: Record, ruling: Ruling) -> Record:
        preferred = _named(record, ruling.preferred or "")
        if preferred is None:
            return _stale(record, ruling)
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

    def _rejected(self, record: Record, shown: Caption, ruling: Ruling) -> Outcome:
        wrong = [shown, *(c for name in ruling.rejected if (c := _named(record, name)) is not None)]
        reason = ruling.reason or "no reason given"
        record, out = _ruled_out(record, wrong, "rejected", reason)
        if record.chosen not in out:
            return Kept(_told(record, shown, ruling, "rejected, not chosen"))
        following = self._next(record, out, shown.aspect)
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

    def _reworked(self, records: Sequence[Record], context: Context) -> list[Outcome]:
        """Return records whose captions people have put right, the new texts fitted and scored like others."""
        if not records:
            return []
        texts = [_human(record, self._rulings[record.key]) for record in records]
        alone: list[Outcome] = [Kept(_alone(r, text)) for r, text in zip(records, texts, strict=True)]
        for stage in self._after:
            at = [i for i, outcome in enumerate(alone) if isinstance(outcome, Kept)]
            done = stage.process([o.record for i in at if isinstance(o := alone[i], Kept)], context)
            for i, outcome in zip(at, done, strict=True):
                alone[i] = outcome
        return [
            Kept(self._edited(record, outcome.record, text)) if isinstance(outcome, Kept) else outcome
            for record, text, outcome in zip(records, texts, alone, strict=True)
        ]

    def _edited(self, record: Record, alone: Record, text: Caption) -> Record:
        """Return the record with the text of a person, and shorter forms of it, chosen."""
        ruling = self._rulings[record.key]
        line = line_of(text, alone.captions)
        forms = [c for c in alone.captions if c.id in line]
        stands = next((c for c in forms if c.kept), None)
        if stands is None:  # it is too long and cannot be cut: a person's word is not given up for that
            forms = [replace(c, kept=True) if c.id == text.id else c for c in forms]
            stands = text
        shown = _named(record, ruling.shown)
        if shown is not None:
            record, _ = _ruled_out(record, [shown], "edited", f"put right in [{text.id}]")
        others = [c for c in record.captions if c.id not in line]
        return _chosen(replace(record, captions=(*others, *forms)), stands.id, ruling)


def effect_of(record: Record, ruling: Ruling) -> str | None:
    """Return what became of a ruling: `edited`, `rejected, the original stands`…; None where it has left no trace.

    A record read from an earlier run's folder also tells what people decided there; that is passed over.
    """
    decided = ruling.told()
    for caption in record.captions:
        told = caption.provenance.details.get(Heed.name)
        if not isinstance(told, Mapping) or not isinstance(told.get("effect"), str):
            continue
        if {name: value for name, value in told.items() if name not in _BESIDE} == decided:
            return str(told["effect"])
    best = record.best
    return "stale" if best is not None and best.flags.get(STALE) == _stale_words(ruling) else None


def _human(record: Record, ruling: Ruling) -> Caption:
    """Return the caption a person wrote, with who, when and why."""
    like = _named(record, ruling.shown)
    told: dict[str, JsonValue] = {**ruling.told(), "effect": "edited"}
    if like is None:
        told["shown_is_gone"] = True
        like = record.best
    return Caption(
        text=ruling.text or "",
        origin="human",
        aspect=like.aspect if like is not None else "default",
        provenance=Provenance(
            stage=Heed.name, version=Heed.version, parents=(ruling.shown,), details={Heed.name: told}
        ),
    )


def _alone(record: Record, text: Caption) -> Record:
    """Return a record in which only the new text is to be fitted and scored; the originals say what it is about."""
    originals = tuple(replace(caption, kept=False) for caption in record.originals)
    return replace(record, captions=(*originals, text), chosen=None)


def _ruled_out(
    record: Record, wrong: Sequence[Caption], flag: str, reason: str
) -> tuple[Record, frozenset[str]]:
    """Return the record with captions, all forms of them and all that say the same as history, and their ids."""
    lines = frozenset(name for caption in wrong for name in line_of(caption, record.captions))
    said = {folded(c.text) for c in record.captions if c.id in lines}
    out = lines | {c.id for c in record.captions if folded(c.text) in said}
    captions = tuple(as_history(c, flag, reason) if c.id in out else c for c in record.captions)
    return replace(record, captions=captions), out


def _told(record: Record, caption: Caption, ruling: Ruling, effect: str) -> Record:
    """Return the record with a caption that says what was decided about it."""
    return _with(record, caption.id, **{Heed.name: {**ruling.told(), "effect": effect}})


def _chosen(record: Record, name: str, ruling: Ruling) -> Record:
    """Return the record with a caption chosen, and what chose it."""
    words = f"people: the caption shown was {_DONE[ruling.outcome]} by {_people(ruling)}"
    if ruling.outcome == "prefer":
        words = f"people: preferred by {_people(ruling)}"
    captions = tuple(replace(c, kept=True) if c.id == name and not c.kept else c for c in record.captions)
    return _with(replace(record, captions=captions, chosen=name), name, chosen_by=words)


def _stale(record: Record, ruling: Ruling) -> Record:
    """Return the record with a note that somebody has judged a caption that is there no more."""
    best = record.best
    if best is None:
        return record
    flagged = replace(best, flags={**best.flags, STALE: _stale_words(ruling)})
    return replace(record, captions=tuple(flagged if c is best else c for c in record.captions))


def _stale_words(ruling: Ruling) -> str:
    gone = ruling.preferred if ruling.outcome == "prefer" else ruling.shown
    return f"[{gone}], which is there no more, was {_DONE[ruling.outcome]} by {_people(ruling)}"


def _with(record: Record, name: str, **details: JsonValue) -> Record:
    captions = tuple(with_details(c, **details) if c.id == name else c for c in record.captions)
    return replace(record, captions=captions)


def _named(record: Record, name: str) -> Caption | None:
    return next((caption for caption in record.captions if caption.id == name), None)


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
