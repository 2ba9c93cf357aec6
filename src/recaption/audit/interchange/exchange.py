"""Handing items of an audit to other tools, and taking verdicts back."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Final, Protocol, cast

from recaption.audit.interchange.answers import Outcome
from recaption.audit.interchange.items import Outing
from recaption.audit.interchange.options import ExportOptions, ImportOptions, Tell, silent
from recaption.audit.interchange.recording import take_in
from recaption.core.errors import UnknownNameError
from recaption.datasets.atomic import check_new, make_folder

if TYPE_CHECKING:
    from recaption.audit.store import AuditStore

__all__ = ["FORMATS", "Format", "export_items", "import_verdicts"]


class Format(Protocol):
    """One tool's way to write items and to hand verdicts back."""

    shows_guideline: bool
    """Whether the audit's guideline goes along with the items."""

    def write(self, outing: Outing, target: Path, options: ExportOptions, tell: Tell) -> dict[str, int]:
        """Write the items of an audit, and return counts."""

    def read(self, outing: Outing, source: Path) -> Iterator[Outcome]:
        """Yield what a file says. Raises UserError where it is not such a file, or a damaged one."""


FORMATS: Final[Mapping[str, str]] = {
    "label-studio": "recaption.audit.interchange.label_studio:LabelStudio",
    "argilla": "recaption.audit.interchange.argilla:Argilla",
    "csv": "recaption.audit.interchange.csv_sheet:CsvSheet",
    "jsonl": "recaption.audit.interchange.log_lines:LogLines",
}
"""Name to `module:class`."""


def export_items(
    store: AuditStore,
    target: Path,
    format: str,
    *,
    options: ExportOptions | None = None,
    tell: Tell = silent,
) -> Mapping[str, int]:
    """Write the items of an audit for another tool, or (`jsonl`) the verdicts that stand; return counts.

    Args:
        target: A file that is not there yet; for `argilla` a folder. Pictures and what else belongs to it go beside.
        tell: Takes lines for the user: what to do next, and of which items there is no picture.

    Raises:
        UnknownNameError: There is no such format.
        RunFolderError: The target is there already, or cannot be written; the store is not one of captions.
        UserError: The options do not go together.
    """
    check_new(target)
    form = _format(format)
    make_folder(target.absolute().parent)
    return form.write(Outing.of(store), target, options or ExportOptions(), tell)


def import_verdicts(
    store: AuditStore,
    source: Path,
    format: str,
    *,
    options: ImportOptions | None = None,
    tell: Tell = silent,
) -> Mapping[str, int]:
    """Record the verdicts that a file of another tool holds; return counts, `ALWAYS_COUNTED` first.

    The same file a second time changes nothing. A later one revises what the same auditor had said.

    Args:
        tell: Takes a line for every answer that was refused or is of an item that the audit does not have.

    Raises:
        UnknownNameError: There is no such format.
        UserError: The file is damaged or something else; nothing was recorded.
    """
    outing, form = Outing.of(store), _format(format)
    about = outing.about
    guideline = about.guideline_version if form.shows_guideline and about.guideline else None
    return take_in(outing, form.read(outing, source), options or ImportOptions(), tell, guideline=guideline)


def _format(name: str) -> Format:
    if name not in FORMATS:
        raise UnknownNameError("format", name[:60], FORMATS)
    module, _, attribute = FORMATS[name].partition(":")
    return cast(Format, getattr(import_module(module), attribute)())
