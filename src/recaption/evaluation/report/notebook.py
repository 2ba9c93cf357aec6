"""A report in a notebook: the page in a frame of its own, where styles and texts cannot reach the notebook."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from markupsafe import escape

from recaption.evaluation.report.page import render
from recaption.evaluation.report.serialise import read_json
from recaption.evaluation.report.texts import short
from recaption.evaluation.report.thumbnails import FOLDER, Thumbnail, read_thumbnails
from recaption.evaluation.result import Evaluation, Row
from recaption.evaluation.wording import change, interval, judgement, number

__all__ = ["NotebookPage", "display"]

_MOST_LINES: Final = 100
_SENTENCE_CHARS: Final = 1000
_TITLE_CHARS: Final = 44


class NotebookPage:
    """What a notebook shows for the last value of a cell: the page, or lines of text where HTML is not shown.

    Args:
        height_px: Of the frame, which scrolls within.
    """

    def __init__(
        self, evaluation: Evaluation, thumbnails: Mapping[str, Thumbnail] | None = None, height_px: int = 760
    ) -> None:
        self._evaluation = evaluation
        self._thumbnails = thumbnails
        self._height_px = height_px

    def _repr_html_(self) -> str:
        page = escape(render(self._evaluation, self._thumbnails))
        return (
            f'<iframe title="Recaption report" sandbox="" srcdoc="{page}" width="100%" height="{self._height_px}" '
            'style="border:0;width:100%"></iframe>'
        )

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, str]:
        """Return both forms; notebooks choose."""
        return {"text/plain": repr(self), "text/html": self._repr_html_()}

    def __repr__(self) -> str:
        found = self._evaluation
        findings = [f"- {short(f, _SENTENCE_CHARS)}" for f in found.findings[:_MOST_LINES]]
        rows = [_row_in_words(row, found.columns) for row in found.rows[:_MOST_LINES]]
        return "\n".join([short(found.verdict, _SENTENCE_CHARS), *findings, *rows])


def _row_in_words(row: Row, columns: Sequence[str]) -> str:
    about = row.about
    parts = [f"{short(about.title, _TITLE_CHARS):<{_TITLE_CHARS}}"]
    for column in columns:
        value, effect = row.values.get(column), row.effects.get(column)
        said = f"{short(column)} {number(value.value if value else None, about)}"
        if effect is not None and effect.delta is not None:
            ends = (
                f", 95 %: {interval(effect, about)}, {judgement(effect, about)}"
                if effect.low is not None
                else ""
            )
            said += f" ({change(effect.delta, about)}{ends})"
        parts.append(said)
    return " | ".join(parts)


def display(report: Evaluation | Path | str, height_px: int = 760) -> NotebookPage:
    """Return a report for the last line of a cell.

    Args:
        report: An evaluation, or the folder of one.

    Raises:
        UserError: The folder holds no report of this version.
    """
    if isinstance(report, Evaluation):
        return NotebookPage(report, height_px=height_px)
    folder = Path(report)
    evaluation = read_json(folder / "report.json")
    return NotebookPage(evaluation, read_thumbnails(evaluation.examples, folder / FOLDER), height_px)
