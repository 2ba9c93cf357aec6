"""Which caption is better, asked of a judge that sees the image: every column against the baseline, in both orders.

After CapArena-Auto (Cheng et al. 2025), but with each pair shown twice, since judges favour a place: a win counts
only if both orders agree. The judge is not told which caption is new. What is no verdict is a failure and no tie.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, Final

import numpy as np

from recaption.evaluation.extract.judging import Tally, has_image, judge_of, judged_items, tally_listing
from recaption.evaluation.extract.pairs import JudgedPair, Pair, judged_pairs
from recaption.evaluation.measures import About, Additive, Control, Listing, Result, Value, Whole
from recaption.evaluation.metric import Need, Unavailable
from recaption.evaluation.subject import Item, Subject
from recaption.evaluation.text.figures import shortened
from recaption.evaluation.text.tokens import words
from recaption.evaluation.tools import Tools
from recaption.prompts.questions import MAX_JUDGED_CHARS, empty_caption
from recaption.statistics.intervals import wilson
from recaption.statistics.pairwise import (
    Duels,
    bradley_terry,
    duels,
    elo,
    first_position_wins,
)

__all__ = ["Arena", "ArenaFacts"]

_CONTROLLED: Final = 20
"""Items on which the judge itself is tried."""
_LISTED: Final = 10
_HALF: Final = 0.5
_LENGTH_BINS: Final = ((0.0, 0.5), (0.5, 0.8), (0.8, 1.25), (1.25, 2.0), (2.0, float("inf")))
"""Words over words of the baseline."""


@dataclass(frozen=True, slots=True, eq=False)
class ArenaFacts:
    """What the judge said."""

    judged: Mapping[str, Sequence[JudgedPair]]
    """By column, the baseline left out: that column's text against the baseline's."""
    against_nothing: Sequence[JudgedPair]
    """The baseline's texts against a caption that says nothing."""
    against_itself: Sequence[JudgedPair]
    """The baseline's texts against themselves."""
    judge: str


class Arena:
    """Net wins against the baseline, with what says how far the judge is to be trusted."""

    name: ClassVar[str] = "arena"
    needs: ClassVar[frozenset[Need]] = frozenset({"judge", "images"})

    def extract(self, subject: Subject, tools: Tools) -> ArenaFacts:
        """Return what the judge says of the first texts of a sample of items, in both orders."""
        judge = judge_of(tools, sees=True)
        sample = judged_items(subject, tools, _fits)
        if not sample:
            raise Unavailable("no item has an image and texts of two columns to choose between")
        judged = {
            column: judged_pairs(_pairs(subject, sample, number), tools)
            for number, column in enumerate(subject.columns)
            if number > 0
        }
        few = [pair for i in sample[:_CONTROLLED] for pair in _pair(subject.items[i], i, 0)]
        nothing = empty_caption()
        return ArenaFacts(
            judged=judged,
            against_nothing=judged_pairs([_against(pair, nothing) for pair in few], tools),
            against_itself=judged_pairs(few, tools, ask_about_equals=True),
            judge=judge.name,
        )

    def score(self, subject: Subject, facts: ArenaFacts) -> list[Result]:
        """Return net wins, shares of wins and of failures, what the order did, and tables."""
        note = (
            f"judge {facts.judge}; the first text of each; both orders, a win only if they agree; the judge reads "
            f"{MAX_JUDGED_CHARS:,} characters of a text"
        )
        found: list[Result] = [_net_wins(subject, facts, note), *_shares(facts, note)]
        found += [_summary(facts, note), _by_length(facts), _doubtful(facts)]
        if len(subject.columns) > 2:
            found.append(_strengths(subject, facts))
        tallies = {c: Tally.of(r for j in judged for r in j.replies) for c, judged in facts.judged.items()}
        found.append(tally_listing("arena.replies", "Replies of the judge of captions", tallies, note))
        return [*found, *_controls(facts)]


def _fits(item: Item) -> bool:
    return has_image(item) and bool(item.texts[0]) and any(item.texts[1:])


def _pair(item: Item, number: int, column: int) -> list[Pair]:
    """Return a column's first text against the baseline's; nothing where one of them is missing."""
    if item.record is None or not item.texts[0] or not item.texts[column]:
        return []
    one, other = item.texts[column][0], item.texts[0][0]
    return [Pair(item=number, key=item.key, record=item.record, one=one, other=other)]


def _pairs(subject: Subject, sample: Sequence[int], column: int) -> list[Pair]:
    return [pair for i in sample for pair in _pair(subject.items[i], i, column)]


def _against(pair: Pair, other: str) -> Pair:
    return Pair(item=pair.item, key=pair.key, record=pair.record, one=pair.one, other=other)


def _duels(judged: Sequence[JudgedPair]) -> Duels:
    values = [j.value for j in judged]
    return duels(values.count(1), values.count(0), values.count(-1))


def _both(judged: Sequence[JudgedPair]) -> list[tuple[int, int]]:
    return [both for j in judged if (both := j.both) is not None]


def _net_wins(subject: Subject, facts: ArenaFacts, note: str) -> Additive:
    parts = {column: np.zeros((len(subject), 2)) for column in subject.columns}
    for column, judged in facts.judged.items():
        for one in judged:
            if one.value is not None:
                parts[column][one.pair.item] = one.value, 1.0
                parts[subject.columns[0]][one.pair.item, 1] = 1.0
    about = About(
        name="arena.net_wins",
        title="Net wins against the baseline, by the judge",
        group="judges",
        better="higher",
        value_range=(-1.0, 1.0),
        primary=True,
        note=f"{note}; 1 a win, 0 a tie, -1 a loss; the baseline against itself is 0 by definition",
    )
    return Additive(about=about, parts=parts)


def _shares(facts: ArenaFacts, note: str) -> list[Whole]:
    """Return shares of verdicts: won of what was decided, alike in both orders, for the first place, failed."""
    won, alike, first, failed = {}, {}, {}, {}
    for column, judged in facts.judged.items():
        found, both = _duels(judged), _both(judged)
        won[column] = _share(found.wins, found.wins + found.losses, "nothing was decided")
        alike[column] = _share(sum(a == b for a, b in both), len(both), "nothing was answered")
        first[column] = _share(*first_position_wins(both), "no reply named a winner")
        tally = Tally.of(r for j in judged for r in j.replies)
        failed[column] = _share(tally.failed, tally.asked, "nothing was asked")

    def whole(name: str, title: str, values: Mapping[str, Value], better: str | None, more: str) -> Whole:
        about = About(
            name=f"arena.{name}",
            title=title,
            group="judges",
            better="higher" if better == "higher" else "lower" if better == "lower" else None,
            value_range=(0.0, 1.0),
            unit="share",
            note=f"{note}; {more}",
        )
        return Whole(about=about, values=values)

    return [
        whole("win_rate", "Wins among decided pairs", won, "higher", "ties left out; Wilson interval"),
        whole(
            "consistency", "Judged alike in both orders", alike, "higher", "of the judge, not of the captions"
        ),
        whole(
            "first_position", "Verdicts for what stood first", first, None, "50 % if the order has no weight"
        ),
        whole("failed", "Replies that are no verdict", failed, "lower", "left out of everything else"),
    ]


def _share(part: int, n: int, reason: str) -> Value:
    if n == 0:
        return Value(value=None, n=0, reason=reason)
    interval = wilson(part, n)
    return Value(value=part / n, n=n, low=interval.low, high=interval.high)


def _summary(facts: ArenaFacts, note: str) -> Listing:
    rows = []
    for column, judged in facts.judged.items():
        found = _duels(judged)
        equal = sum(not j.replies for j in judged)
        counts = (found.wins, found.ties, found.losses, equal, len(judged) - found.n)
        rows.append((column, *(f"{n:,}" for n in counts), _rate(found), f"{found.p_value:.4f}"))
    itself = _both(facts.against_itself)
    said = sum(pair == (0, 0) for pair in itself)
    return Listing(
        name="arena",
        title="Pairs judged in both orders",
        header=(
            "column",
            "wins",
            "ties",
            "losses",
            "of the ties equal texts",
            "failed",
            "won of decided",
            "sign test p",
        ),
        rows=rows,
        note=f"{note}. Shown the same caption twice, the judge called it a tie {said:,} of {len(itself):,} times",
    )


def _rate(found: Duels) -> str:
    if found.win_rate is None:
        return "–"
    return f"{100 * found.win_rate:.1f} % ({100 * found.interval.low:.1f}–{100 * found.interval.high:.1f})"


def _by_length(facts: ArenaFacts) -> Listing:
    rows = []
    for column, judged in facts.judged.items():
        ratios = [len(words(j.pair.one)) / max(1, len(words(j.pair.other))) for j in judged]
        for low, high in _LENGTH_BINS:
            found = _duels([j for j, ratio in zip(judged, ratios, strict=True) if low <= ratio < high])
            span = f"{low:g}–{high:g}" if high != float("inf") else f"{low:g} and more"
            counts = (found.wins, found.ties, found.losses)
            rows.append((column, span, *(f"{n:,}" for n in counts), _rate(found)))
    return Listing(
        name="arena.length",
        title="Wins by length, in words over words of the baseline",
        header=("column", "length ratio", "wins", "ties", "losses", "won of decided"),
        rows=rows,
        note="a judge that counts words wins more where texts are longer",
    )


def _doubtful(facts: ArenaFacts) -> Listing:
    """Return pairs worth the eyes of a person: the baseline won, or the judge went by the order."""
    rows = []
    for column, judged in facts.judged.items():
        lost = [(j, "baseline") for j in judged if j.value == -1][:_LISTED]
        swayed = [(j, "by order") for j in judged if (b := j.both) is not None and b[0] != b[1]][:_LISTED]
        rows += [
            (column, shortened(j.pair.key), said, shortened(j.pair.other), shortened(j.pair.one))
            for j, said in (*lost, *swayed)
        ]
    return Listing(
        name="arena.doubtful",
        title="Where the judge prefers the baseline, or goes by the order",
        header=("column", "item", "judged", "baseline", "text"),
        rows=rows,
    )


def _strengths(subject: Subject, facts: ArenaFacts) -> Listing:
    columns = subject.columns
    games = [
        (columns.index(column), 0, (j.value + 1) / 2)
        for column, judged in facts.judged.items()
        for j in judged
        if j.value is not None
    ]
    found = bradley_terry(games, len(columns), seed=subject.seed)
    ratings = elo(games, len(columns), seed=subject.seed)
    rows = []
    for column, strength, rating in zip(columns, found, ratings, strict=True):
        value = "–" if strength.value is None else f"{strength.value:+.3f}"
        span = (
            "–"
            if strength.low is None or strength.high is None
            else f"{strength.low:+.3f}…{strength.high:+.3f}"
        )
        rows.append((column, value, span, f"{rating:.0f}", strength.reason))
    return Listing(
        name="arena.strengths",
        title="Bradley–Terry strength against the baseline, and Elo",
        header=("column", "log odds", "95 % interval", "Elo", "remark"),
        rows=rows,
        note="all columns were held against the baseline, never against each other; a tie is half a win",
    )


def _controls(facts: ArenaFacts) -> list[Control]:
    """Return whether the judge sees that an empty caption says nothing; no control where it answered nothing.

    Ties and a few losses are no failure of it: a baseline of file names tells no more than an empty caption does.
    """
    answered = [j for j in facts.against_nothing if j.both is not None]
    found = _duels(answered)
    if found.net_rate is None:
        return []
    turned = sum(one == -other != 0 for one, other in _both(answered))
    by_place = wilson(turned, turned + found.wins + found.losses).low > _HALF
    return [
        Control(
            name="arena.empty_caption",
            title=f"net wins of the baseline over {empty_caption()!r}, {found.n} of {len(facts.against_nothing)} "
            f"pairs, {turned} decided by the place",
            value=found.net_rate,
            expected="not clearly below 0, and not most of them decided by the place",
            holds=found.interval.high >= _HALF and not by_place,
        )
    ]
