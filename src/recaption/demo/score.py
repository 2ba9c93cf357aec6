"""Captions of scenes, counted fact by fact."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from recaption.demo.claims import FACT_KINDS, FactKind
from recaption.demo.facts import Verdict, judge
from recaption.demo.world import Scene

__all__ = ["FactTable", "Side", "Tally", "fact_table"]


@dataclass(frozen=True, slots=True)
class Tally:
    """Counts over captions, of one kind of fact or of all.

    Precision is over mentions: `supported` of `supported + contradicted`; `unknown` mentions count for neither.
    Recall is over the scenes' facts: `stated` of `facts`. Counts and relations follow from the other facts, so
    they have a precision but no recall.
    """

    supported: int = 0
    contradicted: int = 0
    unknown: int = 0
    stated: int = 0
    facts: int = 0

    @property
    def precision(self) -> float | None:
        """Return the share of decided mentions that hold; None if there are none."""
        return _share(self.supported, self.supported + self.contradicted)

    @property
    def recall(self) -> float | None:
        """Return the share of facts that are stated; None if there are none."""
        return _share(self.stated, self.facts)


@dataclass(frozen=True, slots=True)
class Side:
    """One set of captions: tallies by kind and over all, and how many captions are right."""

    by_kind: dict[FactKind, Tally]
    total: Tally
    captions: int
    fully_correct: int
    """Captions that claim something and nothing wrong."""
    silent: int
    """Captions that claim nothing that can be checked."""


@dataclass(frozen=True, slots=True)
class FactTable:
    """Several captions of the same scenes, side by side."""

    sides: Mapping[str, Side]

    def rows(self) -> list[list[str]]:
        """Return the table as text, the header first: in percent, the share right / the share of what is there said.

        The last rows count the claims and the captions behind the shares.
        """
        sides = self.sides.values()
        rows = [["right / said, %", *self.sides]]
        rows += [[kind, *(_cell(side.by_kind[kind]) for side in sides)] for kind in FACT_KINDS]
        rows.append(["all", *(_cell(side.total) for side in sides)])
        rows.append(["claims", *(f"{s.total.supported + s.total.contradicted:,}" for s in sides)])
        rows.append(["captions all right, %", *(_percent(s.fully_correct, s.captions) for s in sides)])
        rows.append(["captions that say nothing, %", *(_percent(s.silent, s.captions) for s in sides)])
        return rows


def fact_table(columns: Mapping[str, Iterable[tuple[Scene, str]]]) -> FactTable:
    """Judge captions, each with the scene it is about, and return the counts of each column added up."""
    sides = {}
    for name, pairs in columns.items():
        counter = _Counter()
        for scene, text in pairs:
            counter.add(judge(text, scene))
        sides[name] = counter.side()
    return FactTable(sides)


class _Counter:
    def __init__(self) -> None:
        self._counts: Counter[tuple[FactKind, str]] = Counter()
        self._captions: Counter[str] = Counter()

    def add(self, verdict: Verdict) -> None:
        groups = {
            "supported": verdict.supported,
            "contradicted": verdict.contradicted,
            "unknown": verdict.unknown,
            "stated": verdict.covered,
            "facts": verdict.facts,
        }
        for name, facts in groups.items():
            self._counts.update((fact.kind, name) for fact in facts)
        self._captions["all"] += 1
        self._captions["fully correct"] += verdict.fully_correct
        self._captions["silent"] += verdict.precision is None

    def side(self) -> Side:
        by_kind = {kind: self._tally([kind]) for kind in FACT_KINDS}
        captions = self._captions
        return Side(
            by_kind,
            self._tally(FACT_KINDS),
            captions["all"],
            captions["fully correct"],
            captions["silent"],
        )

    def _tally(self, kinds: Iterable[FactKind]) -> Tally:
        wanted = list(kinds)
        return Tally(
            *(
                sum(self._counts[kind, name] for kind in wanted)
                for name in ("supported", "contradicted", "unknown", "stated", "facts")
            )
        )


def _cell(tally: Tally) -> str:
    right = _percent(tally.supported, tally.supported + tally.contradicted)
    return f"{right} / {_percent(tally.stated, tally.facts)}" if tally.facts else right


def _share(part: int, whole: int) -> float | None:
    return part / whole if whole else None


def _percent(part: int, whole: int) -> str:
    return f"{100 * part / whole:.1f}" if whole else "–"
