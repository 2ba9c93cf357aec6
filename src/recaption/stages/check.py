"""Judge by rules what models wrote: flag it, mend it or rule it out, and say why."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from typing import Final, Literal, TypeAlias, cast

from pydantic import Field, field_validator

from recaption.core.errors import DataError, RecaptionError, did_you_mean
from recaption.core.protocols import Context
from recaption.core.types import Caption, Dropped, Kept, Origin, Outcome, Provenance, Record
from recaption.media.checks.about import Finish
from recaption.media.checks.batches import BATCH_FINDINGS, Known, Together, Told, batch_findings, telling_words
from recaption.media.checks.findings import FINDINGS, About, Finding, findings
from recaption.media.checks.languages import fine_detector
from recaption.media.checks.mending import MENDABLE, mended
from recaption.prompts.library import Language, prompt
from recaption.recipes.strict import StrictModel

__all__ = ["DEFAULT_POLICY", "Action", "Check"]

Action: TypeAlias = Literal["flag", "fix", "drop", "keep"]
"""`flag` says it, `fix` mends it and drops what cannot be mended, `drop` rules it out, `keep` takes no notice."""

DEFAULT_POLICY: Final[dict[str, Action]] = {
    **dict.fromkeys(MENDABLE, "fix"),
    **dict.fromkeys(("hedge", "number", "name", "quote", "injected", "twin", "stray"), "flag"),
}
"""What is done about a finding; all that is not named here is dropped."""

_ALL: Final = {**FINDINGS, **BATCH_FINDINGS}
_MOST_METADATA: Final = 40
_LONGEST_METADATA: Final = 1_000
_PROMPT_ID: Final = re.compile(r"(\w+)/(en|zh)@\d+")
_SHOWN_REPLY: Final = 300
_MOST_MENDINGS: Final = 4


class Check:
    """Flags every finding on the caption; mended captions are new ones, and what is ruled out stays as history.

    Asking again with other draws is the caption stage's part, which looks with the same eyes. Findings about one text
    depend on its record alone; `shared`, `stale`, `twin`, `swapped` and `stray` are found among the records of one
    batch, and batches are fixed parts of the input.
    """

    name = "check"
    version = "1"
    fingerprint = ""
    compares_neighbours = True

    class Params(StrictModel):
        """What is looked at, and what is done about what is found."""

        policy: dict[str, Action] = Field(default_factory=dict)
        """Finding to action, where it is not to be the default."""
        origins: tuple[Origin, ...] = Field(default=("model", "fused"), min_length=1)
        """Only captions of these origins that are still kept."""
        language: str | None = Field(default=None, pattern="^[a-z]{2}$")
        """ISO 639-1 code; none: the one the caption was asked for in."""
        detector: Literal["script", "lingua"] = "script"
        """`lingua` (extra `langid`) tells more Latin languages apart, at 0.1 to 1 ms a text."""
        min_words: int = Field(default=2, ge=1)
        """Fewer words are no caption."""
        max_chars: int = Field(default=8_000, ge=100)
        """More characters are no caption."""
        shared_by: int = Field(default=4, ge=2)
        """Pictures of a batch with one text from which it is `shared`…"""
        shared_share: float = Field(default=0.2, gt=0, le=1)
        """…if they are this share of the batch, too."""
        stale_words: int = Field(default=10, ge=1)
        """From so many words on, two pictures do not get one text by accident."""
        on_all_dropped: Literal["keep", "reject"] = "keep"
        """Of a record that loses every caption looked at: let it go on with what else it has, the original among it,
        or reject it with the reply."""

        @field_validator("policy")
        @classmethod
        def _known(cls, policy: dict[str, Action]) -> dict[str, Action]:
            for name, action in policy.items():
                if name not in _ALL:
                    raise ValueError(f"unknown finding {name!r}.{did_you_mean(name, _ALL)}")
                if action == "fix" and name not in MENDABLE:
                    raise ValueError(f"{name!r} cannot be fixed; these can: {', '.join(sorted(MENDABLE))}")
            return policy

    def __init__(self, params: Params) -> None:
        """Raises MissingExtraError if `lingua` is asked for and not installed."""
        self._params = params
        self._policy = {name: DEFAULT_POLICY.get(name, "drop") for name in _ALL} | params.policy
        self._together = Together(
            share=params.shared_share, least=params.shared_by, stale_words=params.stale_words
        )
        if params.detector == "lingua" and params.language is not None:
            fine_detector(params.language)

    def process(self, records: Sequence[Record], context: Context) -> list[Outcome]:
        """Return every record with its captions judged; dropped only where `on_all_dropped` says so."""
        judged = [self._record(record) for record in records]
        among = self._among(judged, context)
        return [
            self._outcome(before, self._with_batch(after, among.get(number, {})))
            for number, (before, after) in enumerate(zip(records, judged, strict=True))
        ]

    def _concerns(self, caption: Caption) -> bool:
        return caption.kept and caption.origin in self._params.origins and caption.provenance.stage != "source"

    def _record(self, record: Record) -> Record:
        if not any(map(self._concerns, record.captions)):
            return record
        beside = _beside(record, self._params.origins)
        seen = tuple(e.label for e in record.evidence if e.kind == "text")
        captions: list[Caption] = []
        mended_: list[Caption] = []
        for caption in record.captions:
            if self._concerns(caption):
                caption, child = self._caption(caption, self._about(caption, beside, seen))
                mended_ += [child] if child is not None else []
            captions.append(caption)
        # Two answers may be one once they are mended, and a mended one may be what another said at once.
        known = {(caption.aspect, caption.text) for caption in captions if caption.kept}
        children: list[Caption] = []
        for child in mended_:
            if (child.aspect, child.text) not in known:
                known.add((child.aspect, child.text))
                children.append(child)
        after = (*captions, *children)
        return record if after == record.captions else replace(record, captions=after)

    def _about(self, caption: Caption, beside: tuple[str, ...], seen: tuple[str, ...]) -> About:
        details = caption.provenance.details
        finish = details.get("finish")
        return About(
            prompt=_asked(details),
            context_texts=beside,
            seen_texts=seen,
            language=self._language(caption),
            finish_reason=cast("Finish", finish) if finish in ("stop", "length", "refusal", "error") else None,
            max_chars=self._params.max_chars,
            min_words=self._params.min_words,
        )

    def _language(self, caption: Caption) -> str | None:
        asked = caption.provenance.details.get("language")
        return self._params.language or (asked if isinstance(asked, str) else None)

    def _caption(self, caption: Caption, about: About) -> tuple[Caption, Caption | None]:
        """Return the caption with its flags, and the mended one that takes its place, if there is one."""
        found = self._found(caption, about)
        ruled_out = any(self._policy[finding.name] == "drop" for finding in found)
        if ruled_out or not self._to_fix(found):
            return _flagged(caption, found, kept=not ruled_out), None
        child, left, names = caption, found, list[str]()
        for _ in range(_MOST_MENDINGS):  # behind a label an opener comes to light
            to_fix = self._to_fix(left)
            if not to_fix:
                break
            text = mended(child.text, to_fix)
            if text is None or text == child.text:
                break
            names += [finding.name for finding in to_fix if finding.name not in names]
            child = self._child(caption, text, names)
            left = self._found(child, replace(about, finish_reason=None))
        whole = all(self._policy[finding.name] == "flag" for finding in left)
        return _flagged(caption, found, kept=False), _flagged(child, left, kept=True) if whole else None

    def _to_fix(self, found: Iterable[Finding]) -> list[Finding]:
        return [finding for finding in found if self._policy[finding.name] == "fix"]

    def _found(self, caption: Caption, about: About) -> list[Finding]:
        """Return what is not to be overlooked: what is found now, and what the stage that wrote it found."""
        found = findings(caption.text, about)
        names = {finding.name for finding in found}
        if caption.provenance.stage == "caption":
            found += [
                Finding(name, reason)
                for name, reason in caption.flags.items()
                if name in FINDINGS and name not in names
            ]
        if self._params.detector == "lingua" and about.language is not None and "language" not in names:
            language = fine_detector(about.language)(caption.text[: about.max_chars])
            if language is not None and language != about.language:
                found.append(Finding("language", f"reads as {language!r}, wanted {about.language!r}"))
        return [finding for finding in found if self._policy[finding.name] != "keep"]

    def _child(self, parent: Caption, text: str, names: list[str]) -> Caption:
        details = {k: v for k, v in parent.provenance.details.items() if k not in ("finish", "raw")}
        return replace(
            parent,
            text=text,
            flags={name: reason for name, reason in parent.flags.items() if name not in _ALL},
            provenance=Provenance(
                stage=self.name,
                version=self.version,
                parents=(parent.id,),
                details={**details, "mended": list(names)},
            ),
        )

    def _among(self, records: Sequence[Record], context: Context) -> dict[int, dict[str, list[Finding]]]:
        """Return the findings that only the batch shows: by record, then by caption."""
        told: list[Told] = []
        ids: list[str] = []
        for number, record in enumerate(records):
            for caption in record.captions:
                if self._concerns(caption):
                    told.append(Told(number, caption.aspect, caption.text))
                    ids.append(caption.id)
        if len({answer.owner for answer in told}) < 2:
            return {}
        known = [_known(record, self._params.origins) for record in records]
        digests = _Digests(records, context)
        found = batch_findings(told, known, digests.equal, self._together)
        among: dict[int, dict[str, list[Finding]]] = {}
        for answer, name, findings_ in zip(told, ids, found, strict=True):
            wanted = [finding for finding in findings_ if self._policy[finding.name] != "keep"]
            if wanted:
                among.setdefault(answer.owner, {})[name] = wanted
        return among

    def _with_batch(self, record: Record, found: Mapping[str, list[Finding]]) -> Record:
        if not found:
            return record
        captions = tuple(
            _flagged(c, found[c.id], kept=all(self._policy[f.name] != "drop" for f in found[c.id]))
            if c.id in found and c.kept
            else c
            for c in record.captions
        )
        return replace(record, captions=captions)

    def _outcome(self, before: Record, after: Record) -> Outcome:
        looked_at = [caption for caption in before.captions if self._concerns(caption)]
        lost_all = looked_at and not any(map(self._concerns, after.captions))
        if not lost_all or self._params.on_all_dropped == "keep":
            return Kept(after)
        last = next(caption for caption in after.captions if caption.id == looked_at[-1].id)
        reasons = "; ".join(f"{name}: {reason}" for name, reason in last.flags.items() if name in _ALL)
        reply = last.text[:_SHOWN_REPLY].encode("utf-8", "replace").decode("utf-8")
        return Dropped(
            f"no caption of the model stands ({len(looked_at)}); the last: {reasons}; it said {reply!r}"
        )


class _Digests:
    """Says which records of a batch have equal images, reading each at most once and only when asked."""

    def __init__(self, records: Sequence[Record], context: Context) -> None:
        self._records, self._context = records, context
        self._digests: dict[int, str | None] = {}

    def equal(self, one: int, other: int) -> bool:
        digest = self._digest(one)
        return digest is not None and digest == self._digest(other)

    def _digest(self, number: int) -> str | None:
        if number not in self._digests:
            try:
                record = self._records[number]
                self._digests[number] = None if record.image is None else self._context.images.digest(record)
            except DataError:  # an image that cannot be read is equal to none
                self._digests[number] = None
        return self._digests[number]


def _flagged(caption: Caption, found: Iterable[Finding], *, kept: bool) -> Caption:
    flags = {**caption.flags, **{finding.name: finding.reason for finding in found}}
    if flags == caption.flags and kept == caption.kept:
        return caption
    return replace(caption, flags=flags, kept=kept)


def _beside(record: Record, judged: Sequence[Origin]) -> tuple[str, ...]:
    """Return every text that came with the picture or is known of it; none that a model wrote."""
    name = record.image.name if record.image is not None else None
    metadata = [value[:_LONGEST_METADATA] for value in record.metadata.values() if isinstance(value, str)]
    return tuple(
        dict.fromkeys(
            text
            for text in (
                *(c.text for c in record.captions if _is_given(c, judged)),
                *(e.label for e in record.evidence if e.kind != "pixel"),
                record.key,
                name or "",
                *metadata[:_MOST_METADATA],
            )
            if text
        )
    )


def _known(record: Record, judged: Sequence[Origin]) -> Known:
    given = [caption for caption in record.captions if _is_given(caption, judged)]
    labels = [evidence.label for evidence in record.evidence if evidence.kind != "pixel"]
    looks = [
        v for e in record.evidence if e.kind != "pixel" for v in e.attributes.values() if isinstance(v, str)
    ]
    words = telling_words("\n".join([*(caption.text for caption in given), *labels, *looks]))
    return Known(words, firm=bool(labels))


def _is_given(caption: Caption, judged: Sequence[Origin]) -> bool:
    return caption.provenance.stage == "source" or caption.origin not in (*judged, "model", "fused")


def _asked(details: Mapping[str, object]) -> str | None:
    """Return what the model was asked, as far as provenance tells: the wording without what came with the picture."""
    text, name = details.get("prompt_text"), details.get("prompt")
    if isinstance(text, str):
        return text
    return _wording(name) if isinstance(name, str) else None


@lru_cache(maxsize=256)
def _wording(name: str) -> str | None:
    found = _PROMPT_ID.fullmatch(name)
    if found is None:
        return None
    try:
        return prompt(found[1], "chat", cast("Language", found[2])).text
    except RecaptionError:  # an aspect that this version has no wording for
        return None
