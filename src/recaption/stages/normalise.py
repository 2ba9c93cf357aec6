"""Clean the texts that came with the images; each cleaned text is a new caption beside the original."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final

from recaption.core.protocols import Context
from recaption.core.types import Caption, Kept, Outcome, Provenance, Record
from recaption.media.rules import Normalised, NormaliseOptions, make_normaliser
from recaption.recipes.strict import StrictModel

__all__ = ["EMPTIED", "Normalise"]

EMPTIED: Final = "emptied"
"""Flag of an original of which the rules leave nothing."""
_WORD_EDGES: Final = " \t\r\n.,;:!?\"'“”‘’()[]{}<>|*#"
_MOST_PROTECTED: Final = 2_000


class Normalise:
    """Applies the text rules to every caption that came with the data."""

    name = "normalise"
    version = "1"
    fingerprint = ""

    class Params(NormaliseOptions, StrictModel):
        """Rules on or off, and their policies."""

    def __init__(self, params: Params) -> None:
        self._normaliser = make_normaliser(params)

    def process(self, records: Sequence[Record], context: Context) -> list[Outcome]:
        """Return every record, with one caption more for each original that the rules change."""
        return [Kept(self._one(record)) for record in records]

    def _one(self, record: Record) -> Record:
        originals: list[Caption] = []
        cleaned: list[Caption] = []
        protected = _protected_words(record)
        known = {caption.id for caption in record.captions}
        for caption in record.captions:
            if caption.provenance.stage != "source" or "bad_encoding" in caption.flags:
                originals.append(caption)  # of a text in a lost encoding nothing clean can be made
                continue
            result = self._normaliser.run(caption.text, protected)
            originals.append(_flagged(caption, result))
            if result.text and result.text != caption.text:
                new = self._new_caption(caption, result)
                if new.id not in known:  # the record went through this stage before
                    cleaned.append(new)
        if not cleaned and tuple(originals) == record.captions:
            return record
        return replace(record, captions=(*originals, *cleaned))

    def _new_caption(self, original: Caption, result: Normalised) -> Caption:
        provenance = Provenance(
            stage=self.name,
            version=self.version,
            parents=(original.id,),
            details={"rules": dict(result.fired)},
        )
        return Caption(
            text=result.text, origin=original.origin, provenance=provenance, flags=dict(result.flags)
        )


def _flagged(caption: Caption, result: Normalised) -> Caption:
    """Return the original with what the rules found out about it; its text stays as it came."""
    flags: Mapping[str, str] = result.flags
    if not result.text and caption.text.strip():
        flags = {**flags, EMPTIED: f"nothing left after {', '.join(result.fired)}"}
    if all(caption.flags.get(name) == reason for name, reason in flags.items()):
        return caption
    return replace(caption, flags={**caption.flags, **flags})


def _protected_words(record: Record) -> frozenset[str]:
    """Return the lower-case words that were read in the picture: the rules must not touch them."""
    found: set[str] = set()
    for evidence in record.evidence:
        if evidence.kind == "text" and len(found) < _MOST_PROTECTED:
            found.update(word.strip(_WORD_EDGES).lower() for word in evidence.label[:10_000].split())
    found.discard("")
    return frozenset(found)
