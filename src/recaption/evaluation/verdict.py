"""The plain answer: is the new column better, by how much, how sure is that, and what speaks against it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from recaption.evaluation.measures import Control, Group
from recaption.evaluation.result import Row, Slice
from recaption.evaluation.wording import change, interval, judgement, number

__all__ = ["changes_of_fewer", "findings", "headline", "no_verdict", "verdict"]

_STANDING: Final[tuple[Group, ...]] = ("judges", "retrieval", "agreement", "faithfulness")
"""Which primary figure speaks first: who looks at both texts and the image, then whether a text finds its image among
others (fair whatever the length), then the agreement with its own image, then the objects named and missed."""
_UNSURE: Final = {
    "changed": "differs from",
    "no clear change": "no clear change from",
    "no interval": "too few items to tell from",
}
_UNCOMPARED: Final[Mapping[Group, str]] = {
    "retrieval": "no item has both an image that could be read and texts of both columns",
    "agreement": "no item has both an image that could be read and texts of both columns",
    "judges": "the judge gave no verdict on any item",
    "faithfulness": "no item has both a known content and texts of both columns",
}
"""Why a figure that was measured compares nothing. A judge comes after those whose images could not be read, since it
gives no verdict on these either."""
_MOST_NAMED: Final = 8
_MOST_FAILED: Final = 2
_LARGE_SLICE: Final = 50
"""Items; from here on a subset that got worse is worth a warning."""


def headline(rows: Sequence[Row]) -> Row | None:
    """Return the figure that the verdict speaks of, one with an interval if any has; None if none compares."""
    compared = [r for r in rows if r.about.primary and any(e.delta is not None for e in r.effects.values())]
    standing = [row for group in _STANDING for row in compared if row.about.group == group]
    # However high its standing, a figure of too few items for an interval decides nothing.
    sure = (row for row in standing if any(e.low is not None for e in row.effects.values()))
    return next(sure, standing[0] if standing else None)


def verdict(rows: Sequence[Row], columns: Sequence[str], lacking: str = "") -> str:
    """Return one sentence on every column but the first, by the headline figure.

    Args:
        lacking: Why there is no figure that could be the headline, where there is none.
    """
    if len(columns) == 1:
        return f"{columns[0]} is described by itself; name other texts to hold it against."
    row = headline(rows)
    if row is None:
        primary = {r.about.group for r in rows if r.about.primary}
        why = next((said for group, said in _UNCOMPARED.items() if group in primary), lacking)
        return (
            f"Whether {_listed(columns[1:])} fits the images better than {columns[0]} was not measured: {why}. "
            "The texts alone are compared."
        )
    return " ".join(_sentence(row, columns[0], column) for column in columns[1:])


def no_verdict(failed: Sequence[Control]) -> str:
    """Return why there is none: a figure that had to come out in one way did not."""
    told = "; ".join(f"{c.title} is {c.value:.4g}, expected {c.expected}" for c in failed[:_MOST_FAILED])
    return f"No verdict, since a control failed: {told}."


def _sentence(row: Row, baseline: str, column: str) -> str:
    effect, about = row.effects.get(column), row.about
    if effect is None or effect.delta is None:
        return f"{column}: {about.title} could not be compared."
    said = judgement(effect, about)
    word = f"{said} than {baseline}" if said in ("better", "worse") else f"{_UNSURE[said]} {baseline}"
    sure = f", 95 % interval {interval(effect, about)}" if interval(effect, about) else ""
    return (
        f"{column}: {word}. {about.title} goes from {number(effect.before, about)} to {number(effect.after, about)} "
        f"({change(effect.delta, about)}{sure}; {effect.n:,} items, {effect.wins:,} gain, {effect.ties:,} tie, "
        f"{effect.losses:,} lose)."
    )


def findings(
    rows: Sequence[Row], slices: Sequence[Slice], columns: Sequence[str], controls: Iterable[Control] = ()
) -> list[str]:
    """Return what else is to be said, warnings first."""
    found = [
        f"Control failed: {control.title}. Do not believe the figures it controls."
        for control in controls
        if not control.holds
    ]
    for column in columns[1:]:
        found += _hidden_losses(rows, slices, column)
        for word in ("worse", "better"):
            named = [
                f"{row.about.title} ({change(effect.delta, row.about)})"
                for row in rows
                if (effect := row.effects.get(column)) is not None and judgement(effect, row.about) == word
            ]
            if named:
                more = f" and {len(named) - _MOST_NAMED} more" if len(named) > _MOST_NAMED else ""
                found.append(f"{column}, {word}: {', '.join(named[:_MOST_NAMED])}{more}.")
    return found


def changes_of_fewer(rows: Sequence[Row], columns: Sequence[str]) -> list[str]:
    """Say which changes are not the difference of the two values beside them, since not all items have both."""
    found = []
    for column in columns[1:]:
        named = [row.about.title for row in rows if _is_of_fewer(row, columns[0], column)]
        if named:
            more = f"; {len(named) - _MOST_NAMED} more" if len(named) > _MOST_NAMED else ""
            found.append(
                f"{column}: a change is over the items that have a value in both columns, and so not the difference "
                f"of the two values beside it, in: {'; '.join(named[:_MOST_NAMED])}{more}."
            )
    return found


def _is_of_fewer(row: Row, baseline: str, column: str) -> bool:
    effect, before, after = row.effects.get(column), row.values.get(baseline), row.values.get(column)
    if effect is None or before is None or after is None:
        return False
    if effect.delta is None or before.value is None or after.value is None:
        return False
    fewer = effect.n < max(before.n, after.n)
    return fewer and change(after.value - before.value, row.about) != change(effect.delta, row.about)


def _hidden_losses(rows: Sequence[Row], slices: Sequence[Slice], column: str) -> list[str]:
    """Name subsets that clearly got worse although the whole got better."""
    by_name = {row.about.name: row for row in rows}
    found = []
    for part in slices:
        row = by_name[part.measure]
        whole = row.effects.get(column)
        if part.column != column or part.effect.n < _LARGE_SLICE or whole is None:
            continue
        if judgement(whole, row.about) == "better" and judgement(part.effect, row.about) == "worse":
            found.append(
                f"{column}: {row.about.title} is better on the whole but worse where {part.by} is "
                f"{part.value} ({change(part.effect.delta, row.about)}, {part.effect.n:,} items)."
            )
    return found


def _listed(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} or {names[-1]}"
