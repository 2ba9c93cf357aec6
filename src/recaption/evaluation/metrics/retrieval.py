"""Does a text find its own image among all, and an image its own text: Recall@K both ways, mean and median rank.

Text to image, every text is a query. Image to text, every image is one, answered once any of its own texts is found
(the convention of CLIP, arXiv:2103.00020); the more texts an image has, the easier. Ties are real where texts are
alike, and are broken by lot: a query counts as its chance of a hit.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar, Final

import numpy as np

from recaption.evaluation.ceilings import best_recall_at_one
from recaption.evaluation.cosines import deranged
from recaption.evaluation.extract.pools import Pool, Pools, pools
from recaption.evaluation.measures import (
    About,
    Additive,
    Control,
    Listing,
    Remark,
    Result,
    Value,
    Whole,
    mean_parts,
)
from recaption.evaluation.metric import Need
from recaption.evaluation.ranks import Integers, Ranks, rank_own
from recaption.evaluation.subject import Subject
from recaption.evaluation.tools import Tools
from recaption.statistics.intervals import clopper_pearson

__all__ = ["Retrieval"]

_RECALLS: Final = (1, 5, 10)
_CURVE: Final = (1, 2, 5, 10, 20, 50, 100)
_DIRECTIONS: Final = {"t2i": "text → image", "i2t": "image → text"}
_TIES: Final = "a tie is broken by lot, so that a query counts as its chance of a hit"
_CHANCE_QUERIES: Final = 2000
"""Texts with a wrong image that are asked to find it: enough to see what is far from chance."""
_ALMOST: Final = 0.9995
"""From here on a share is written as 100.0 %."""
_ROUNDING: Final = 1e-9
_SURE: Final = 0.999
"""Confidence of the interval that chance has to lie in: with many columns, a twentieth would cry wolf."""


class Retrieval:
    """Recall@1, 5 and 10, reciprocal and median rank, in both directions, for every encoder."""

    name: ClassVar[str] = "retrieval"
    needs: ClassVar[frozenset[Need]] = frozenset({"images", "image_text"})

    def extract(self, subject: Subject, tools: Tools) -> tuple[Pools, ...]:
        """Return the ranks by every encoder. Raises Unavailable, UserError, BackendError."""
        return tuple(pools(subject, label, tools) for label in tools.image_text)

    def score(self, subject: Subject, facts: Any) -> list[Result]:
        """Return the figures of every encoder, the first one's without a suffix."""
        given: Sequence[Pools] = facts
        results: list[Result] = []
        for one in given:
            results += _Figures(subject, one).all()
        return results


@dataclass(frozen=True)
class _Figures:
    """Those of one encoder."""

    subject: Subject
    pools: Pools

    def all(self) -> list[Result]:
        """Return every figure, table and control."""
        results: list[Result] = []
        for way in _DIRECTIONS:
            results += [self._recall(way, k) for k in _RECALLS]
            results += [self._reciprocal(way), self._median(way)]
        if any(shared.any() for shared in self._shared.values()):
            results.append(self._unshared())
        results += [self._curve(), self._ties(), *self._bounded()]
        chances = (self._chance(column, pool) for column, pool in self.pools.columns.items())
        return results + [control for control in chances if control is not None]

    def _recall(self, way: str, k: int) -> Additive:
        about = self._about(f"recall_at_{k}.{way}", f"Recall@{k}", way, primary=k == 1 and way == "t2i")
        return Additive(
            about=about,
            parts={
                column: mean_parts(ranks.hits(k), len(self.subject), owners.tolist())
                for column, (ranks, owners) in self._asked(way).items()
            },
        )

    def _reciprocal(self, way: str) -> Additive:
        about = self._about(
            f"mrr.{way}", "Mean reciprocal rank", way, unit="", note="of several tied ranks, the middle one"
        )
        return Additive(
            about=about,
            parts={
                column: mean_parts(1.0 / ranks.middle(), len(self.subject), owners.tolist())
                for column, (ranks, owners) in self._asked(way).items()
            },
        )

    def _median(self, way: str) -> Whole:
        about = self._about(
            f"median_rank.{way}",
            "Median rank",
            way,
            better="lower",
            value_range=(1.0, None),
            unit="",
            note="of several tied ranks, the middle one",
        )
        values = {}
        for column, (ranks, owners) in self._asked(way).items():
            n = len(np.unique(owners))
            values[column] = (
                Value(value=float(np.median(ranks.middle())), n=n)
                if n
                else Value(value=None, n=0, reason="no item has both a text and an image that could be read")
            )
        return Whole(about=about, values=values)

    def _unshared(self) -> Additive:
        """Return Recall@1 of the texts that tell more than that there is an image: no other item has the same."""
        about = self._about(
            "recall_at_1_unshared.t2i",
            "Recall@1 of texts no other item has",
            "t2i",
            note="exact duplicates left out",
        )
        parts = {}
        for column, pool in self.pools.columns.items():
            alone = ~self._shared[column]
            owners = pool.owners[alone].tolist()
            parts[column] = mean_parts(pool.to_image.hits(1)[alone], len(self.subject), owners)
        return Additive(about=about, parts=parts)

    def _curve(self) -> Listing:
        ks = [k for k in _CURVE if k == 1 or k <= self.pools.size]
        rows = [
            (column, title, *(_percent(ranks.hits(k)) for k in ks))
            for way, title in _DIRECTIONS.items()
            for column, (ranks, _) in self._asked(way).items()
        ]
        return Listing(
            name=f"recall_curve{self._suffix}",
            title=self.pools.embeddings.titled("Recall@K"),
            header=("column", "direction", *(f"K = {k}" for k in ks)),
            rows=rows,
            note=self._note,
        )

    def _ties(self) -> Listing:
        rows = [
            (
                column,
                title,
                _percent((ranks.equal > 0).astype(np.float64)),
                *(_percent(hits) for hits in (ranks.worst_hits(1), ranks.hits(1), ranks.best_hits(1))),
            )
            for way, title in _DIRECTIONS.items()
            for column, (ranks, _) in self._asked(way).items()
        ]
        return Listing(
            name=f"retrieval_ties{self._suffix}",
            title=self.pools.embeddings.titled("Recall@1 if ties are lost, broken by lot, won"),
            header=("column", "direction", "queries with ties", "lost", "by lot", "won"),
            rows=rows,
            note="Texts that several items share, and images that are there twice, score the same.",
        )

    def _bounded(self) -> list[Result]:
        """Return what Recall@1 can be at most, where pictures or texts stand on several items; else nothing.

        It is of the data, whatever the encoder, and so it is said once.
        """
        sharing = {
            column: len(np.unique(pool.owners[self._shared[column]]))
            for column, pool in self.pools.columns.items()
        }
        if self._suffix or not (self.pools.copies or any(sharing.values())):
            return []
        most = {column: {way: _at_most(self._most(column, way)) for way in _DIRECTIONS} for column in sharing}
        listing = Listing(
            name="retrieval_ceiling",
            title="The most that Recall@1 can be on this data",
            header=("column", "direction", "items that share a picture", "items that share a text", "at most"),
            rows=[
                (column, title, f"{self.pools.copies:,}", f"{sharing[column]:,}", most[column][way])
                for column in sharing
                for way, title in _DIRECTIONS.items()
            ],
            note="No model tells copies apart: neither pictures of the same bytes, nor the same text of two items.",
        )
        return [listing, Remark(name="recall_bounded", text=self._bound_told(sharing, most))]

    def _bound_told(self, sharing: Mapping[str, int], most: Mapping[str, Mapping[str, str]]) -> str:
        copies = self.pools.copies
        why = (
            [f"{copies:,} of {self.pools.size:,} items share their picture with another item"] if copies else []
        )
        why += [
            f"{n:,} items of {column} share their text with another one" for column, n in sharing.items() if n
        ]
        bounds = ", ".join(f"{column} {ways['t2i']} and {ways['i2t']}" for column, ways in most.items())
        return (
            f"Recall@1 cannot reach 100 %, whatever the model: {'; '.join(why)}. The most it can be, text → image "
            f"and image → text: {bounds}."
        )

    def _most(self, column: str, way: str) -> float:
        pool, found = self.pools.columns[column], self.pools.embeddings
        pictures, texts = found.images.ids, found.texts[column].ids[pool.texts]
        if way == "t2i":
            seen = pictures[pool.owners]
            weights = 1 / np.bincount(pool.owners)[pool.owners] / max(1, len(pool.asked))
            return best_recall_at_one(texts, seen, weights, np.bincount(pictures[pool.images])[seen])
        told, seen = texts[pool.searched], pictures[pool.owners[pool.searched]]
        weights = np.full(len(told), 1 / max(1, len(pool.asked)))
        return best_recall_at_one(seen, told, weights, np.bincount(told)[told] if len(told) else told)

    def _chance(self, column: str, pool: Pool) -> Control | None:
        """Return Recall@1 of texts given to other items: no better than chance, or hits are no proof."""
        embeddings = self.pools.embeddings
        items, first = np.unique(pool.owners, return_index=True)
        if len(items) < 2:
            return None
        wrong = deranged(items, self.subject.seed)
        asked = (
            slice(None, _CHANCE_QUERIES) if len(items) <= _CHANCE_QUERIES else _sample(len(items), self.subject)
        )
        texts = embeddings.texts[column].vectors[pool.texts[first[asked]]]
        ranks = rank_own(texts, wrong[asked], embeddings.images.vectors[pool.images], pool.images)
        share, chance = float(ranks.hits(1).mean()), 1 / self.pools.size
        found = clopper_pearson(round(share * len(ranks)), len(ranks), _SURE)
        return Control(
            name=f"chance.t2i.{column}{self._suffix}",
            title=embeddings.titled(f"Recall@1 of texts given to other items, {column}"),
            value=share,
            expected=f"{chance:.4f}, which is chance, within {found.low:.4f}–{found.high:.4f} ({len(ranks):,} texts)",
            holds=found.low <= chance <= found.high,
        )

    def _asked(self, way: str) -> Mapping[str, tuple[Ranks, Integers]]:
        """Return each column's ranks and the item of each query."""
        columns = self.pools.columns.items()
        if way == "t2i":
            return {column: (pool.to_image, pool.owners) for column, pool in columns}
        return {column: (pool.to_text, pool.asked) for column, pool in columns}

    @cached_property
    def _shared(self) -> Mapping[str, Any]:
        """Which texts of a column another item has as well, of shape (queries,)."""
        found = {}
        for column, pool in self.pools.columns.items():
            ids = self.pools.embeddings.texts[column].ids[pool.texts]
            pairs = np.unique(np.stack([ids, pool.owners], axis=1), axis=0)
            found[column] = np.bincount(pairs[:, 0], minlength=1)[ids] > 1
        return found

    @property
    def _suffix(self) -> str:
        return self.pools.embeddings.suffix

    @property
    def _note(self) -> str:
        counts = ", ".join(
            f"{column} {len(pool.texts) / max(1, len(pool.asked)):.3g}"
            for column, pool in self.pools.columns.items()
        )
        return f"{self.pools.note}; texts an image: {counts}; {_TIES}"

    def _about(self, name: str, title: str, way: str, *, note: str = "", **more: Any) -> About:
        stated: dict[str, Any] = {"better": "higher", "value_range": (0.0, 1.0), "unit": "share", **more}
        stated["primary"] = bool(stated.get("primary")) and not self._suffix
        return About(
            name=name + self._suffix,
            title=self.pools.embeddings.titled(f"{title}, {_DIRECTIONS[way]}"),
            group="retrieval",
            note=f"{self._note}; {note}" if note else self._note,
            **stated,
        )


def _sample(n: int, subject: Subject) -> Integers:
    return np.sort(np.random.default_rng(subject.seed).choice(n, _CHANCE_QUERIES, replace=False))


def _percent(shares: Any) -> str:
    return f"{100 * float(np.mean(shares)):.1f} %" if len(shares) else "–"


def _at_most(share: float) -> str:
    """Return a bound in percent; one that is only just below 1 is not rounded to it."""
    return "below 100 %" if _ALMOST <= share < 1 - _ROUNDING else _percent([share])
