"""A spreadsheet: one row per item, and columns to fill in.

`verdict` takes accept, edit, reject or skip (where texts are compared: the letter of the best, none or skip), `text`
the corrected caption, `auditor` a name. Rows that are left empty are taken as not judged yet.

Written with a byte order mark, which tells Excel that it is UTF-8. A character that makes a spreadsheet compute
(= + - @ and their full-width forms) gets an apostrophe in front where a cell begins with it, and where it comes after
what another spreadsheet takes for the end of a cell: where decimals have commas, Excel cuts a file with commas at its
semicolons. An apostrophe in such a place gets one too, so that one can be taken off again, whatever was there.

What people typed was never guarded. In their text an apostrophe is taken off only where it came with a piece that
they copied from the captions of the row.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

from recaption.audit.interchange.answers import Answer, Aside, Outcome
from recaption.audit.interchange.items import SKIP, Outing, Row
from recaption.audit.interchange.options import ExportOptions, Tell
from recaption.audit.interchange.pictures import Gallery, beside
from recaption.audit.interchange.reading import file_digest, opened
from recaption.core.errors import DataError, UserError, did_you_mean
from recaption.datasets.atomic import write_atomic_stream
from recaption.datasets.readers.csv_stream import csv_columns, csv_rows
from recaption.datasets.readers.rows import BadRow

__all__ = ["CsvSheet", "guarded", "unguarded"]

MAX_CELL_CHARS: Final = 100_000
"""A spreadsheet keeps a third of it in one cell."""
_NOT_TEXT: Final = re.compile("[\ud800-\udfff]")
_COMPUTED: Final = frozenset("=+-@＝＋－＠'")
_ENDS: Final = "\t\r\n"
# Where a cell begins, or may be taken to begin; blanks and quotes are passed over. Each run is walked through once.
_START: Final = re.compile(r"""[;,\t\r\n][\s"]*+|^[\s"]*+""")
_GUARDED: Final = re.compile(r"""([;,\t\r\n][\s"]*+|^[\s"]*+)(?:'(?=[=+\-@＝＋－＠']))?""")
FILLED_IN: Final = ("verdict", "text", "reason", "note", "auditor")
NEEDED: Final = ("item", "version", "verdict")


class CsvSheet:
    """The format `csv`."""

    shows_guideline = False

    def write(self, outing: Outing, target: Path, options: ExportOptions, tell: Tell) -> dict[str, int]:
        folder = beside(target)
        gallery = Gallery(
            options.images or "copy", options.image_prefix or "", folder, f"{folder.name}/", options, tell
        )
        columns = _columns(outing)
        count = 0
        with write_atomic_stream(target) as file:
            text = io.TextIOWrapper(file, encoding="utf-8-sig", newline="", write_through=True)
            writer = csv.writer(text, delimiter=options.delimiter, quoting=csv.QUOTE_ALL, lineterminator="\r\n")
            writer.writerow(columns)
            for row in outing.rows():
                cells = _cells(outing, row, gallery.address(row))
                writer.writerow([guarded(cells.get(column, "")) for column in columns])
                count += 1
            text.flush()
            text.detach()
        tell(
            f"in {target.name} fill in verdict ({', '.join((*outing.choices, SKIP))}) and auditor; "
            "save it as CSV UTF-8"
        )
        return {"items": count} | gallery.finish()

    def read(self, outing: Outing, source: Path) -> Iterator[Outcome]:
        opened(source)
        digest = file_digest(source)
        try:
            _check_columns(csv_columns(source), _columns(outing))
            for number, row in enumerate(csv_rows(source)):
                if isinstance(row, BadRow):
                    raise UserError(f"{source.name}, {row.place}: {row.reason}")
                yield _outcome(row.values, row.place, f"csv {digest} {number}")
        except DataError as error:
            raise UserError(str(error)) from error
        except OSError as error:
            raise UserError(f"{source} cannot be read: {error.strerror or error}") from error


def guarded(cell: str) -> str:
    """Return a cell that no spreadsheet computes; `unguarded` takes it back."""
    safe = _START.sub(
        lambda start: f"{start[0]}'" if cell[start.end() : start.end() + 1] in _COMPUTED else start[0], cell
    )
    return f"'{safe}" if safe[:1] in tuple(_ENDS) else safe


def unguarded(cell: str) -> str:
    """Return what a cell was before it was guarded; one that never was stays as it is."""
    plainer = cell[1:] if cell[:1] == "'" and cell[1:2] in tuple(_ENDS) else cell
    return _GUARDED.sub(r"\1", plainer)


def _typed(cell: str, captions: Collection[str]) -> str:
    """Return what somebody wrote, perhaps by changing what stands guarded in other cells of the row."""
    if cell in captions:
        return unguarded(cell)
    copied = {_guard(caption, found) for caption in captions for found in _GUARDED.finditer(caption)} - {""}
    return _GUARDED.sub(lambda found: found[1] if _guard(cell, found) in copied else found[0], cell)


def _guard(cell: str, found: re.Match[str]) -> str:
    """Return a guard with what is around it, by which it is known again; an empty text where there is none."""
    return cell[found.start() : found.end() + 1] if found.end() > found.end(1) else ""


def _columns(outing: Outing) -> list[str]:
    shown = [letter.lower() for letter in outing.letters] or ["caption", "original"]
    filled_in = [column for column in FILLED_IN if column != "text" or not outing.compares]
    return ["key", "image", *shown, *filled_in, "item", "version"]


def _cells(outing: Outing, row: Row, address: str) -> Mapping[str, str]:
    names = [letter.lower() for letter in outing.letters] or ["caption"]
    told = {
        "item": row.name,
        "key": row.key,
        "version": row.version,
        "image": address,
        "original": row.original,
    }
    return told | dict(zip(names, row.texts, strict=False))


def _check_columns(found: Sequence[str], known: Sequence[str]) -> None:
    names = [_column(name) for name in found]
    for name in names:
        if name and name not in known:
            raise UserError(
                f"unknown column {name[:60]!r}.{did_you_mean(name[:60], known)} Notes go into `note`."
            )
        if name and names.count(name) > 1:
            raise UserError(f"two columns are called {name!r}")
    for name in NEEDED:
        if name not in names:
            raise UserError(f"there is no column {name!r}; verdicts cannot be told apart without it")


def _outcome(values: Mapping[str, object], place: str, source: str) -> Outcome:
    cells: dict[str, str] = {}
    guarded_cells: list[str] = []
    for column, value in values.items():
        name, cell = _column(column), str(value or "")
        if len(cell) > MAX_CELL_CHARS:
            raise UserError(f"{place}: a cell of {len(cell):,} characters; at most {MAX_CELL_CHARS:,} are read")
        if _NOT_TEXT.search(cell):
            raise UserError(f"{place}: column {name!r} is not UTF-8; save the file as CSV UTF-8")
        cells[name] = cell if name in FILLED_IN else unguarded(cell)
        if name not in FILLED_IN:
            guarded_cells.append(cell)
    said = {name: cells.get(name, "") for name in FILLED_IN}
    said["text"] = _typed(said["text"], guarded_cells)
    choice = said["verdict"].strip()
    if choice.lower() == SKIP:
        return Aside("skipped", place)
    if not any(said[name].strip() for name in FILLED_IN if name != "auditor"):
        # A row that spreadsheets left empty, or one that was not filled in; anything else is a piece of something.
        strange = not cells["item"].strip() and any(cells.values())
        return Aside("refused", place, "names no item") if strange else Aside("not judged", place)
    if cells.get("", "").strip():
        return Aside("refused", place, "has something in a column without a name")
    return Answer(
        place=place,
        item=cells["item"].strip(),
        version=cells["version"].strip(),
        auditor=said["auditor"],
        choice=choice,
        text=said["text"],
        reason=said["reason"],
        note=said["note"],
        source=source,
    )


def _column(name: str) -> str:
    return name.strip().lower()
