"""Rank the captions of one record by their scores, and say of each how it fared."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from recaption.core.types import Caption, JsonValue
from recaption.media.ranking import Ranked, disagreement, diverse, ranking
from recaption.stages.thresholds import scorer_of
from recaption.stages.versions import folded

__all__ = ["Contest", "Place"]


@dataclass(frozen=True, slots=True)
class Place:
    """How a caption fared."""

    caption: Caption
    rank: int
    """1 is the best."""
    kept: bool
    words: str
    """For people: `rank 2 of 5 by image_text: 0.31, 0.013 behind the best`."""
    details: Mapping[str, JsonValue]
    """For the audit: rank, of, value; of the best also margin, disagreement, by and scorers."""


@dataclass(frozen=True, slots=True)
class Contest:
    """How captions are ranked; see `Select.Params`."""

    by: Mapping[str, float]
    units: Mapping[str, float] = field(default_factory=dict)
    keep: int | None = None
    diversity: float = 0.0

    def places(self, captions: Sequence[Caption], ties: Sequence[int]) -> list[Place]:
        """Return the place of each, the best first. Of equal texts only the best takes part, the others stand last.

        Args:
            ties: Which goes first of two that are equal: the lower number. One per caption.
        """
        values = [_values(caption, self.by) for caption in captions]
        ranked, copies = _without_copies(ranking(values, self.by, self.units, ties), captions)
        picked = diverse(ranked, [c.text for c in captions], self.keep or len(ranked), self.diversity)
        kept = {r.position for r in picked}
        places = []
        for rank, r in enumerate(ranked, 1):
            details: dict[str, JsonValue] = {"rank": rank, "of": len(ranked), "value": _short(r.value)}
            if r.missing:
                details["missing"] = list(r.missing)
            if rank == 1:
                details |= self._of_the_best(ranked, values, captions[r.position])
            words = self._words(rank, ranked)
            if rank <= len(kept) and r.position not in kept:
                words += "; too like those picked before it"
            places.append(Place(captions[r.position], rank, r.position in kept, words, details))
        for position, same in copies:
            words = f"says the same as [{captions[same].id}]"
            places.append(Place(captions[position], len(places) + 1, False, words, {}))
        return places

    def _of_the_best(
        self, ranked: Sequence[Ranked], values: Sequence[Mapping[str, float]], best: Caption
    ) -> dict[str, JsonValue]:
        details: dict[str, JsonValue] = {"by": dict(self.by)}
        scorers: dict[str, JsonValue] = {label: scorer_of(best, label) for label in self.by}
        if any(scorers.values()):
            details["scorers"] = scorers
        if len(ranked) > 1 and ranked[0].missing == ranked[1].missing:
            details["margin"] = _short(ranked[0].value - ranked[1].value)
        # Counter-terms are there to disagree; what tells of doubt is two judges of the same thing.
        judges = [label for label, weight in self.by.items() if weight >= 0]
        apart = disagreement([values[r.position] for r in ranked], judges)
        if apart is not None:
            details["disagreement"] = _short(apart)
        return details

    def _words(self, rank: int, ranked: Sequence[Ranked]) -> str:
        counting = {label: weight for label, weight in self.by.items() if weight}
        terms = [label if weight == 1 else f"{label} × {weight:g}" for label, weight in counting.items()]
        here, best = ranked[rank - 1], ranked[0]
        said = f"rank {rank} of {len(ranked)} by {' + '.join(terms)}"
        if here.missing:
            return f"{said}: no score by {', '.join(here.missing)}"
        if rank == 1:
            ahead = len(ranked) > 1 and not ranked[1].missing
            margin = f", {best.value - ranked[1].value:.3g} before the next" if ahead else ""
            return f"{said}: {here.value:.4g}{margin}"
        return f"{said}: {here.value:.4g}, {best.value - here.value:.3g} behind the best"


def _values(caption: Caption, labels: Mapping[str, float]) -> dict[str, float]:
    scores = {label: caption.scores[label].value for label in labels if label in caption.scores}
    return {label: value for label, value in scores.items() if value is not None}


def _without_copies(
    ranked: Sequence[Ranked], captions: Sequence[Caption]
) -> tuple[list[Ranked], list[tuple[int, int]]]:
    """Return the ranking without equal texts, and of each text left out whose copy it is."""
    first: dict[str, int] = {}
    unique, copies = [], []
    for r in ranked:
        text = folded(captions[r.position].text)
        if text in first:
            copies.append((r.position, first[text]))
        else:
            first[text] = r.position
            unique.append(r)
    return unique, copies


def _short(value: float) -> float:
    return float(f"{value:.6g}")
