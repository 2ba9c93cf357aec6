"""What an auditor is shown of one item: the caption to be judged, what else was written, what is known of the image.

A sheet is made from a record when the sample is drawn and kept with it, so that the audit goes on as it began when
the run folder changes beneath it.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Final, Literal, TypeAlias, cast

from recaption.audit.types import AuditItem
from recaption.core.digests import digest_json
from recaption.core.errors import RunFolderError
from recaption.core.types import Box, Caption, Evidence, Image, JsonValue, Record

__all__ = ["MAX_CAPTIONS", "Role", "Sheet", "ShownCaption", "sheet_of", "sheet_of_item", "standing"]

Role: TypeAlias = Literal["subject", "original", "candidate"]
"""`subject`: the caption that stands for the record, which is judged; `original`: what came with the image."""

MAX_CAPTIONS: Final = 12
MAX_EVIDENCE: Final = 100
MAX_TEXT_CHARS: Final = 20_000
"""Of a caption on a page; a megabyte of text is not judged by reading it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownCaption:
    """One text on a sheet."""

    id: str
    """Within its record, as in `Caption.id`."""
    text: str
    role: Role
    origin: str
    aspect: str = "default"
    writer: str = ""
    """The model or stage that wrote it."""
    scores: Mapping[str, float] = field(default_factory=dict)
    """Those that have a value."""
    flags: Mapping[str, str] = field(default_factory=dict)
    is_cut: bool = False
    """The text goes on beyond `MAX_TEXT_CHARS`: it can be judged, but who edits it would drop the rest unseen."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sheet:
    """What is known of one item, as far as an auditor may want to see it."""

    captions: tuple[ShownCaption, ...]
    """The subject first, then the original, then other candidates; the last two may lack."""
    evidence: tuple[Evidence, ...] = ()
    size: tuple[int, int] | None = None
    """Width and height in pixels of the upright image, the frame of the boxes."""
    image: Image | None = None
    """Where the image lies. For the server alone: a page gets pixels, never a place."""
    why: str = ""
    """Why it is looked at, beside the lot: what `mark_for_audit` flagged."""

    @property
    def subject(self) -> ShownCaption:
        return self.captions[0]

    @property
    def original(self) -> ShownCaption | None:
        return next((c for c in self.captions if c.role == "original"), None)

    @property
    def version(self) -> str:
        """Digest of the captions on it: what a verdict was given on."""
        return digest_json([[c.id, c.text] for c in self.captions])[:16]

    def to_payload(self) -> dict[str, JsonValue]:
        """Return the sheet as JSON, for the store."""
        image: dict[str, Any] | None = None
        if self.image is not None:
            image = {k: v for k, v in _fields(self.image).items() if v is not None}
            if self.image.data is not None:
                image["data"] = base64.b64encode(self.image.data).decode("ascii")
        return {
            "captions": [cast(JsonValue, asdict(caption)) for caption in self.captions],
            "evidence": [_evidence_json(e) for e in self.evidence],
            "size": list(self.size) if self.size else None,
            "image": image,
            "why": self.why,
        }

    @classmethod
    def from_payload(cls, payload: Mapping[str, JsonValue]) -> Sheet:
        """Return the sheet that a payload was made from."""
        told = cast(Mapping[str, Any], payload)
        image = told["image"]
        if image is not None and "data" in image:
            image = {**image, "data": base64.b64decode(image["data"])}
        return cls(
            captions=tuple(ShownCaption(**caption) for caption in told["captions"]),
            evidence=tuple(_evidence(e) for e in told["evidence"]),
            size=tuple(told["size"]) if told["size"] else None,
            image=None if image is None else Image(**image),
            why=told["why"],
        )


def standing(record: Record) -> Caption | None:
    """Return the caption that is judged: the chosen one, or, of data that is no run, the text that came with it."""
    return record.best or next((c for c in record.originals if c.text.strip()), None)


def sheet_of(record: Record) -> Sheet | None:
    """Return what an auditor is shown of a record; None where it has no caption to judge."""
    best = standing(record)
    if best is None:
        return None
    shown = [_shown(best, "subject")]
    original = next((c for c in record.originals if c.text.strip()), None)
    if original is not None and original.id != best.id:
        shown.append(_shown(original, "original"))
    texts = {caption.text for caption in shown}
    for caption in record.captions:
        if caption.kept and caption.text.strip() and caption.text not in texts and len(shown) < MAX_CAPTIONS:
            texts.add(caption.text)
            shown.append(_shown(caption, "candidate"))
    return Sheet(
        captions=tuple(shown),
        evidence=record.evidence[:MAX_EVIDENCE],
        size=record.size,
        image=record.image,
        why=best.flags.get("audit", ""),
    )


def sheet_of_item(item: AuditItem) -> Sheet:
    """Return the sheet that lies in an item of a store. Raises RunFolderError where it holds something else."""
    try:
        sheet = Sheet.from_payload(item.payload)
        sheet.captions[0]
    except (KeyError, TypeError, ValueError, IndexError, AttributeError) as error:
        raise RunFolderError(
            f"item {item.key[:80]!r} of the audit holds no captions of a run ({type(error).__name__})"
        ) from error
    return sheet


def _shown(caption: Caption, role: Role) -> ShownCaption:
    details = caption.provenance.details
    writer = details.get("generator") or caption.provenance.stage
    return ShownCaption(
        id=caption.id,
        text=caption.text[:MAX_TEXT_CHARS],
        role=role,
        origin=caption.origin,
        aspect=caption.aspect,
        writer=str(writer),
        scores={name: s.value for name, s in caption.scores.items() if s.value is not None},
        flags={name: reason for name, reason in caption.flags.items() if name != "audit"},
        is_cut=len(caption.text) > MAX_TEXT_CHARS,
    )


def _fields(image: Image) -> dict[str, Any]:
    return {name: getattr(image, name) for name in image.__slots__ if name != "data"}


def _evidence_json(evidence: Evidence) -> JsonValue:
    box = evidence.box
    return {
        "kind": evidence.kind,
        "label": evidence.label,
        "source": evidence.source,
        "box": None if box is None else [box.left, box.top, box.right, box.bottom],
        "score": evidence.score,
    }


def _evidence(told: Mapping[str, Any]) -> Evidence:
    box = None if told["box"] is None else Box(*told["box"])
    return Evidence(kind=told["kind"], label=told["label"], source=told["source"], box=box, score=told["score"])
