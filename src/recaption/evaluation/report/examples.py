"""Items to look at: picture, every column's text with what changed marked, values, and how the text came to be."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from recaption.evaluation.measures import About
from recaption.evaluation.report.texts import Cut, Span, compared, cut, short
from recaption.evaluation.report.thumbnails import Thumbnail
from recaption.evaluation.result import Evaluation, Example
from recaption.evaluation.wording import change, number

__all__ = ["MOST_EXAMPLES", "ExampleGroup", "Shown", "Text", "example_groups"]

MOST_EXAMPLES: Final = 60
_OPEN: Final = 4
"""Of a kind, seen at once; the others unfold."""
_KINDS: Final[Mapping[str, tuple[str, str]]] = {
    "best": ("Largest gains", "The items that gained most"),
    "worst": ("Largest losses", "The items that lost most"),
    "random": (
        "Drawn at random",
        "So that the extremes do not mislead: items drawn by the seed, whatever was measured",
    ),
}
_CHARS: Final = (1200, 700)
"""Of a text, where two columns are compared, and where more are."""
_MOST_TEXTS: Final = 3
"""Of one column, for one item."""
_MOST_VALUES: Final = 8
_CHAIN_CHARS: Final = 48_000
"""Of the chains of all examples together."""
_LEAST_CHAIN_CHARS, _MOST_CHAIN_CHARS = 600, 4000
_STEP_CHARS: Final = 240
_DEEPEST: Final = 12
"""Blanks before a step."""


@dataclass(frozen=True, slots=True)
class Text:
    """One text of a column, in spans that say what changed."""

    spans: Sequence[Span]
    more: int
    """Characters left out."""
    note: str = ""


@dataclass(frozen=True, slots=True)
class ColumnTexts:
    """What one column says about an item."""

    column: str
    order: int
    texts: Sequence[Text]
    left_out: int


@dataclass(frozen=True, slots=True)
class ItemValue:
    """One measure of an item: baseline, and every other column with its change."""

    title: str
    baseline: str
    others: Sequence[tuple[str, str, str]]
    """Value, change and tone (`gain`, `lose` or nothing)."""


@dataclass(frozen=True, slots=True)
class Shown:
    """One item as the page shows it."""

    key: str
    picture: str | None
    """As a data URI."""
    alt: str
    no_picture: str
    columns: Sequence[ColumnTexts]
    values: Sequence[ItemValue]
    chain: Sequence[Cut]
    left_out: int
    """Steps of the chain."""


@dataclass(frozen=True, slots=True)
class ExampleGroup:
    """Items of a kind: some at once, the rest to unfold."""

    name: str
    title: str
    about: str
    first: Sequence[Shown]
    rest: Sequence[Shown]


def example_groups(evaluation: Evaluation, thumbnails: Mapping[str, Thumbnail]) -> list[ExampleGroup]:
    """Return the examples by kind, in the order in which the kinds come."""
    abouts = {row.about.name: row.about for row in evaluation.rows}
    kinds: dict[str, list[Example]] = {}
    for example in evaluation.examples[:MOST_EXAMPLES]:
        kinds.setdefault(example.kind, []).append(example)
    room = _CHAIN_CHARS // max(1, min(len(evaluation.examples), MOST_EXAMPLES))
    budget = min(max(room, _LEAST_CHAIN_CHARS), _MOST_CHAIN_CHARS)
    found = []
    for kind, examples in kinds.items():
        title, about = _KINDS.get(kind, (short(kind), ""))
        measure = abouts.get(examples[0].measure or "")
        if measure is not None and about:
            about = (
                f"{about} by {short(measure.title, 120)}, {short(evaluation.columns[-1])} against the baseline"
            )
        shown = [_shown(e, evaluation.columns, abouts, thumbnails, budget) for e in examples]
        found.append(ExampleGroup(short(kind, 20), title, about, shown[:_OPEN], shown[_OPEN:]))
    return found


def _shown(
    example: Example,
    columns: Sequence[str],
    abouts: Mapping[str, About],
    thumbnails: Mapping[str, Thumbnail],
    budget: int,
) -> Shown:
    thumbnail = thumbnails.get(example.thumbnail or "")
    missing = short(example.no_thumbnail, 200)
    if example.thumbnail and thumbnail is None:
        missing = "the picture that was made is no longer in the folder, or was changed"
    key = short(example.key, 120)
    return Shown(
        key=key,
        picture=_uri(thumbnail) if thumbnail else None,
        alt=short(example.alt, 200) or f"The image of item {key}",
        no_picture=missing,
        columns=_column_texts(example, columns),
        values=_values(example, columns, abouts),
        chain=(chain := _chain(example.chain, budget)),
        left_out=len(example.chain) - len(chain),
    )


def _chain(steps: Sequence[str], budget: int) -> list[Cut]:
    """Return the steps that fit a number of characters, at least one; blanks that indent them stay."""
    found: list[Cut] = []
    for step in steps:
        said = step.lstrip(" ")
        part = cut(said, _STEP_CHARS)
        budget -= len(part.text)
        if found and budget < 0:
            break
        found.append(Cut("\u00a0" * min(len(step) - len(said), _DEEPEST) + part.text, part.more))
    return found


def _column_texts(example: Example, columns: Sequence[str]) -> list[ColumnTexts]:
    most = _CHARS[len(columns) > 2]
    cuts = {c: [cut(t, most) for t in example.texts.get(c, ())[:_MOST_TEXTS]] for c in columns}
    baseline = cuts[columns[0]]
    found = []
    for i, column in enumerate(columns):
        texts = [Text([Span("same", t.text)], t.more) for t in cuts[column]]
        # Of several texts nobody knows which became which.
        if len(baseline) == len(texts) == 1 and len(columns) > 1:
            texts = [_marked(baseline[0], cuts[columns[max(i, 1)]], i > 0)]
        if i == 0 and len(columns) > 2:  # gone from which of the others?
            texts = [Text([Span("same", t.text)], t.more) for t in baseline]
        found.append(
            ColumnTexts(short(column), i, texts, max(0, len(example.texts.get(column, ())) - _MOST_TEXTS))
        )
    return found


def _marked(before: Cut, after: Sequence[Cut], is_after: bool) -> Text:
    """Return one side of a comparison; the baseline is held against the first of the other columns."""
    own = after[0] if is_after else before
    if len(after) != 1:
        return Text([Span("same", own.text)], own.more)
    if before.text == after[0].text:
        return Text([Span("same", own.text)], own.more, "unchanged" if is_after else "")
    comparison = compared(before.text, after[0].text)
    note = "rewritten" if comparison.rewritten and is_after and before.text else ""
    return Text(comparison.after if is_after else comparison.before, own.more, note)


def _values(example: Example, columns: Sequence[str], abouts: Mapping[str, About]) -> list[ItemValue]:
    found = []
    for name, values in list(example.values.items())[:_MOST_VALUES]:
        about = abouts.get(name)
        if about is None:
            continue
        before = values.get(columns[0])
        others = []
        for column in columns[1:]:
            after = values.get(column)
            delta = after - before if after is not None and before is not None else None
            said = _said(delta, about, change) if delta else ""
            others.append((_said(after, about, number), said, _tone(delta, about)))
        found.append(ItemValue(short(about.title, 80), _said(before, about, number), others))
    return found


def _said(value: float | None, about: About, say: Callable[[float | None, About], str]) -> str:
    """Return a value of one item: what is counted has no decimals, which the mean of many has."""
    if value is not None and about.unit in ("words", "tokens") and value.is_integer() and abs(value) < 1e9:
        sign = "−" if value < 0 else "+" if value > 0 and say is change else ""
        return f"{sign}{abs(value):,.0f}"
    return say(value, about)


def _tone(delta: float | None, about: About) -> str:
    if not delta or about.better is None:
        return ""
    return "gain" if (delta > 0) == (about.better == "higher") else "lose"


def _uri(thumbnail: Thumbnail) -> str:
    media_type, data = thumbnail
    return f"data:{media_type};base64,{b64encode(data).decode()}"
