"""Statements of a caption, one by one before the judge: which are true of the image, which the references make too.

DCScore's arithmetic (`text/units.py`) with a judge of one's own; its published figures are of another judge.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, Final

from recaption.evaluation.extract.judging import Tally, has_image, judge_of, judged_items, tally_listing
from recaption.evaluation.extract.statements import Matches, StatementJudge, Statements
from recaption.evaluation.measures import About, Additive, Listing, Result, mean_parts
from recaption.evaluation.metric import Need
from recaption.evaluation.subject import Item, Subject
from recaption.evaluation.text.figures import shortened
from recaption.evaluation.text.units import OracleUnit, Unit, UnitScores, unit_scores
from recaption.evaluation.tools import Tools

__all__ = ["JudgedText", "Units", "UnitsFacts"]

_MOST_REFERENCES: Final = 5
_LISTED: Final = 10


@dataclass(frozen=True, slots=True)
class JudgedText:
    """One text taken apart and judged."""

    item: int
    statements: Statements
    verdicts: tuple[bool, ...]
    scores: UnitScores | None
    """None where there are no references, or no readable answer on what they say."""

    @property
    def precision(self) -> float | None:
        """The share of statements that are true; None where nothing is said."""
        return sum(self.verdicts) / len(self.verdicts) if self.verdicts else None

    @property
    def f1(self) -> float | None:
        """DCScore's score, of F1 over all statements and over descriptive ones."""
        return None if self.scores is None else self.scores.score

    @property
    def recall(self) -> float | None:
        """How much of what there is to say is said."""
        return None if self.scores is None else self.scores.recall


@dataclass(frozen=True, slots=True, eq=False)
class UnitsFacts:
    """What was judged, by column, and what became of the questions, by kind."""

    texts: Mapping[str, Sequence[JudgedText]]
    tallies: Mapping[str, Tally]
    judge: str


class Units:
    """Precision and recall of what a caption says, and how much it says."""

    name: ClassVar[str] = "units"
    needs: ClassVar[frozenset[Need]] = frozenset({"judge", "images"})

    def extract(self, subject: Subject, tools: Tools) -> UnitsFacts:
        """Take the texts and references of a sample of items apart, match them, hold the texts against images."""
        name = judge_of(tools, sees=True).name
        judge, items = StatementJudge(tools), subject.items
        sample = judged_items(subject, tools, has_image)
        texts = [(c, i, t) for n, c in enumerate(subject.columns) for i in sample for t in items[i].texts[n]]
        said = judge.taken_apart("captions taken apart", [(items[i], text) for _, i, text in texts])
        referred = [i for i in sample if items[i].references]
        apart = judge.taken_apart("references taken apart", [(items[i], _joined(items[i])) for i in referred])
        oracle = {i: statements for i, statements in zip(referred, apart, strict=True) if statements}
        work = [(c, i, own) for (c, i, _), own in zip(texts, said, strict=True) if own is not None]
        return UnitsFacts(texts=_judged(work, oracle, subject, judge), tallies=judge.tallies, judge=name)

    def score(self, subject: Subject, facts: UnitsFacts) -> list[Result]:
        """Return F1, precision, recall and number of statements, false ones, and what became of the questions."""

        def figure(name: str, title: str, value: Callable[[JudgedText], float | None], share: bool) -> Additive:
            about = About(
                name=f"units.{name}",
                title=title,
                group="judges",
                better="higher" if share else None,
                value_range=(0.0, 1.0 if share else None),
                unit="share" if share else "",
                note=f"judge {facts.judge}; DCScore's arithmetic, not its judge: not to be compared with its figures",
            )
            parts = {
                column: mean_parts([value(t) for t in texts], len(subject), [t.item for t in texts])
                for column, texts in facts.texts.items()
            }
            return Additive(about=about, parts=parts)

        return [
            figure("score", "Statements, F1 with image and references", lambda t: t.f1, True),
            figure("precision", "Statements that are true of the image", lambda t: t.precision, True),
            figure("recall", "Statements made, of what there is to say", lambda t: t.recall, True),
            figure("count", "Statements per text", lambda t: float(len(t.statements)), False),
            _false(subject, facts),
            tally_listing("units.replies", "Replies on statements", facts.tallies),
        ]


def _judged(
    work: Sequence[tuple[str, int, Statements]],
    oracle: Mapping[int, Statements],
    subject: Subject,
    judge: StatementJudge,
) -> dict[str, list[JudgedText]]:
    """Return the texts with all that is to know of their statements; those without an answer are left out."""
    items = subject.items
    speaking = [place for place, (_, _, own) in enumerate(work) if own]
    known = [place for place in speaking if work[place][1] in oracle]
    true = judge.verdicts([(items[work[p][1]], work[p][2]) for p in speaking])
    same = judge.matched([(items[work[p][1]], work[p][2], oracle[work[p][1]]) for p in known])
    verdicts = dict(zip(speaking, true, strict=True))
    matches = dict(zip(known, same, strict=True))
    found: dict[str, list[JudgedText]] = {column: [] for column in subject.columns}
    for place, (column, item, own) in enumerate(work):
        said = verdicts.get(place, ())
        if said is not None:
            scores = _scores(own, said, matches.get(place, () if not own else None), oracle.get(item))
            found[column].append(JudgedText(item, own, said, scores))
    return found


def _scores(
    own: Statements, true: Sequence[bool], matches: Matches | None, oracle: Statements | None
) -> UnitScores | None:
    if matches is None or oracle is None:
        return None
    units = [
        Unit(is_true=said, matched=place, is_descriptive=statement.is_descriptive)
        for statement, said, place in zip(own, true, matches, strict=True)
    ]
    return unit_scores(units, [OracleUnit(statement.is_descriptive) for statement in oracle])


def _joined(item: Item) -> str:
    return " ".join(item.references[:_MOST_REFERENCES])


def _false(subject: Subject, facts: UnitsFacts) -> Listing:
    rows = []
    for column, texts in facts.texts.items():
        false = [
            (column, shortened(subject.items[text.item].key), shortened(statement.text))
            for text in texts
            for statement, said in zip(text.statements, text.verdicts, strict=True)
            if not said
        ]
        rows += false[:_LISTED]
    return Listing(
        name="units.false",
        title="Statements the judge calls false",
        header=("column", "item", "statement"),
        rows=rows,
        note=f"the first {_LISTED} of each column, in the order of the items",
    )
