"""A picture that shows scenes beside everything that was written about them: scores, what was kept, what is wrong."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO
from typing import Final

from PIL import Image, ImageDraw, ImageFont

from recaption.core.types import Record
from recaption.demo.claims import Fact
from recaption.demo.facts import Verdict, judge
from recaption.demo.world import Scene
from recaption.media.image_bytes import read_bytes

__all__ = ["picture_sheet"]

_WIDTH: Final = 1280
_PICTURE: Final = 192
_MARGIN: Final = 12
_LINE: Final = 16
_COLUMNS: Final = 150
"""Characters a line; the font is that of Pillow, so that no file is needed."""
_INK, _GREY, _GOOD, _BAD = (20, 20, 24), (120, 120, 128), (0, 110, 50), (190, 30, 30)


@dataclass(frozen=True, slots=True)
class _Line:
    text: str
    colour: tuple[int, int, int]


def picture_sheet(pairs: Sequence[tuple[Record, Scene]], score: str) -> bytes:
    """Return a PNG with a row for each record.

    Args:
        pairs: Records with the scenes they show.
        score: Label of the image-text score to print before each caption.
    """
    rows = [(record, _lines(record, scene, score)) for record, scene in pairs]
    heights = [max(_PICTURE, _LINE * len(lines)) + 2 * _MARGIN for _, lines in rows]
    sheet = Image.new("RGB", (_WIDTH, sum(heights)), "white")
    draw, font, top = ImageDraw.Draw(sheet), ImageFont.load_default(12), 0
    for (record, lines), height in zip(rows, heights, strict=True):
        if record.image is not None:
            with Image.open(BytesIO(read_bytes(record.image, 1 << 24)), formats=["JPEG", "PNG"]) as picture:
                sheet.paste(picture.convert("RGB").resize((_PICTURE, _PICTURE)), (_MARGIN, top + _MARGIN))
        for i, line in enumerate(lines):
            place = (2 * _MARGIN + _PICTURE, top + _MARGIN + i * _LINE)
            draw.text(place, line.text, fill=line.colour, font=font)
        top += height
        draw.line([(0, top), (_WIDTH, top)], fill=(210, 210, 215))
    out = BytesIO()
    sheet.save(out, "PNG", optimize=True)
    return out.getvalue()


def _lines(record: Record, scene: Scene, score: str) -> list[_Line]:
    lines = _wrapped(f"{record.key}   drawn: {_facts(judge('', scene).facts)}", _GREY)
    for caption in record.captions:
        if not caption.text or caption.provenance.stage == "fit":
            continue
        verdict = judge(caption.text, scene)
        value = caption.scores.get(score)
        mark = "*" if caption.id == record.chosen else "+" if caption.kept else "-"
        shown = f"{value.value:.3f}" if value is not None and value.value is not None else "     "
        lines += _wrapped(f"{mark} {shown} [{caption.origin}] {caption.text}", _colour(verdict))
        wrong = _facts(verdict.contradicted)
        flags = ", ".join(caption.flags)
        if wrong or flags:
            lines += _wrapped(
                "          " + "; ".join(p for p in (wrong and f"wrong: {wrong}", flags) if p), _GREY
            )
    return lines


def _colour(verdict: Verdict) -> tuple[int, int, int]:
    if verdict.contradicted:
        return _BAD
    return _GOOD if verdict.supported else _INK


def _facts(facts: Sequence[Fact]) -> str:
    return ", ".join(dict.fromkeys(str(fact) for fact in facts))


def _wrapped(text: str, colour: tuple[int, int, int]) -> list[_Line]:
    return [_Line(line, colour) for line in textwrap.wrap(text, _COLUMNS, subsequent_indent="          ")]
