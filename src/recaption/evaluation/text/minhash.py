"""Texts that are nearly the same, among many: MinHash signatures (Broder 1997), looked up by bands, then verified.

Two texts are alike by the share of runs of three words that both have (Jaccard). A signature holds the least of 120
scrambled codes of a text's runs; two signatures agree at a place with a chance equal to that share. Texts that agree
on all six places of any of twenty bands are compared: of pairs with a share of 0.8 one in four hundred is missed.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from recaption.evaluation.measures import Floats
from recaption.evaluation.text.corpus import Codes, Corpus, Ints, ranges
from recaption.evaluation.text.ngrams import BLOCK_TEXTS, CODE_BITS, folded, mixed, occurrences, runs, tally

__all__ = [
    "BANDS",
    "NEIGHBOURS",
    "ROWS",
    "SHINGLE",
    "THRESHOLD",
    "Sets",
    "jaccard",
    "near_duplicates",
    "shingles",
]

Mask = NDArray[np.bool_]
Signatures = NDArray[np.uint32]

SHINGLE: Final = 3
"""Words of a run; a shorter text is one run."""
THRESHOLD: Final = 0.8
"""Share of common runs above which two texts are near-duplicates."""
BANDS: Final = 20
ROWS: Final = 6
NEIGHBOURS: Final = 8
"""Texts of a band's group that each is compared with; a group no larger is compared in full."""
_ESTIMATE: Final = 0.68
"""Agreement of signatures below which a pair is not verified: three standard deviations under the threshold."""
_MEMBERS_AT_ONCE: Final = 2_000_000
_SHARED: Final = -1
"""Owner of a set that texts of several items have."""
_MEMBER_BITS: Final = np.uint64(40)
"""Of a code that tell the few hundred members of two sets apart; 24 are left to say which pair."""


@dataclass(frozen=True, slots=True)
class Sets:
    """Sets of numbers, one after the other."""

    members: Codes
    starts: Ints
    """Shape (sets + 1,)."""

    def __len__(self) -> int:
        return len(self.starts) - 1

    @property
    def sizes(self) -> Ints:
        """Members of each set, shape (sets,)."""
        return np.diff(self.starts)

    def picked(self, places: Ints) -> Sets:
        """Return some of the sets, in the order given."""
        sizes = self.sizes[places]
        starts = np.concatenate(([0], np.cumsum(sizes)))
        return Sets(self.members[ranges(self.starts[places], sizes)], starts)


def near_duplicates(corpus: Corpus) -> Mask:
    """Say of every text whether a text of another item has more than 0.8 of their runs in common, shape (texts,).

    Equal texts are near-duplicates; texts without words have none. What is found is verified on the runs
    themselves. Where many texts look alike, each is compared with the eight nearest in every band.
    """
    sets = shingles(corpus)
    first, kinds, owners = _kinds(sets, corpus.owners)
    worded = np.flatnonzero(sets.sizes[first] > 0)
    found = np.zeros(len(first), dtype=np.bool_)
    found[worded] = _search(sets.picked(first[worded]), owners[worded])
    result: Mask = found[kinds]
    return result


def shingles(corpus: Corpus) -> Sets:
    """Return the different runs of three words of every text; a shorter text is one run of all its words."""
    members, sizes = [np.zeros(0, dtype=np.uint64)], [np.zeros(1, dtype=np.int64)]
    for _, block in corpus.blocks(BLOCK_TEXTS):
        counted = tally(*runs(block, SHINGLE))
        members.append(counted.codes)
        sizes.append(np.bincount(counted.texts, minlength=len(block)))
    return Sets(np.concatenate(members), np.cumsum(np.concatenate(sizes)))


def jaccard(sets: Sets, left: Ints, right: Ints) -> Floats:
    """Return the share of members that pairs of sets have in common, shape (pairs,), at most 2^24 pairs."""
    sizes = sets.sizes
    common = np.zeros(len(left), dtype=np.int64)
    if len(left):
        keys = []
        for side in (left, right):
            pairs = np.repeat(np.arange(len(side), dtype=np.uint64), sizes[side])
            members = sets.members[ranges(sets.starts[side], sizes[side])]
            keys.append((pairs << _MEMBER_BITS) | (members >> (np.uint64(CODE_BITS) - _MEMBER_BITS)))
        keys_of_both, times = occurrences(np.sort(np.concatenate(keys)))
        both = keys_of_both[times > 1] >> _MEMBER_BITS
        common = np.bincount(both.astype(np.int64), minlength=len(left))
    union = sizes[left] + sizes[right] - common
    shares: Floats = np.divide(common, union, out=np.zeros(len(left)), where=union > 0)
    return shares


def _kinds(sets: Sets, owners: Ints) -> tuple[Ints, Ints, Ints]:
    """Return, of sets that are equal, the first; of every set, which kind it is; of every kind, whose it is."""
    sums = np.concatenate((np.zeros(1, dtype=np.uint64), np.cumsum(mixed(sets.members), dtype=np.uint64)))
    digests = sums[sets.starts[1:]] - sums[sets.starts[:-1]]  # wraps around, and is no less different for it
    _, first, kinds = np.unique(digests, return_index=True, return_inverse=True)
    whose = owners[first]
    whose[kinds[owners != whose[kinds]]] = _SHARED
    return first, kinds, whose


def _search(sets: Sets, owners: Ints) -> Mask:
    """Say of every one of some different, not empty sets whether it has a near-duplicate, or is several items'."""
    found: Mask = owners == _SHARED
    if len(sets) < 2:
        return found
    signatures = _signatures(sets)
    keys = [_band_key(signatures, band) for band in range(BANDS)]
    known = np.zeros(0, dtype=np.int64)
    for band in range(BANDS):
        pairs = _neighbours(keys[band], keys[(band + 1) % BANDS])
        pairs = _new(pairs[_tells(*np.divmod(pairs, len(sets)), found, owners)], known)
        known = np.sort(np.concatenate((known, pairs)))  # once compared, a pair is not compared in another band
        for left, right in _chunks(*np.divmod(pairs, len(sets)), sets.sizes):
            _mark(found, left, right, sets, signatures, owners)
    return found


def _neighbours(keys: Codes, next_keys: Codes) -> Ints:
    """Return pairs with the same key, the nearest first, each as one number: the lower times all, plus the higher."""
    n = len(keys)
    # Within a group, those that share the next band as well come to stand side by side.
    order = np.lexsort((next_keys, keys))
    pairs = [np.zeros(0, dtype=np.int64)]
    for apart in range(1, min(NEIGHBOURS, n - 1) + 1):
        left, right = order[:-apart], order[apart:]
        same = keys[left] == keys[right]
        if not same.any():
            break
        left, right = left[same], right[same]
        pairs.append(np.minimum(left, right) * n + np.maximum(left, right))
    return np.concatenate(pairs)


def _new(pairs: Ints, known: Ints) -> Ints:
    if not len(known):
        return pairs
    places = np.minimum(np.searchsorted(known, pairs), len(known) - 1)
    new: Ints = pairs[known[places] != pairs]
    return new


def _tells(left: Ints, right: Ints, found: Mask, owners: Ints) -> Mask:
    """Say which pairs can tell something new: not both are found, and they are not one item's."""
    apart = (owners[left] != owners[right]) | (owners[left] == _SHARED)
    telling: Mask = apart & ~(found[left] & found[right])
    return telling


def _mark(found: Mask, left: Ints, right: Ints, sets: Sets, signatures: Signatures, owners: Ints) -> None:
    """Note which sets of some pairs are near-duplicates."""
    telling = _tells(left, right, found, owners)
    left, right = left[telling], right[telling]
    likely = (signatures[left] == signatures[right]).mean(axis=1) >= _ESTIMATE
    left, right = left[likely], right[likely]
    near = jaccard(sets, left, right) > THRESHOLD
    found[left[near]] = True
    found[right[near]] = True


def _chunks(left: Ints, right: Ints, sizes: Ints) -> Iterator[tuple[Ints, Ints]]:
    """Yield pairs, as many at once as fit the memory meant for them."""
    weights = np.cumsum(sizes[left] + sizes[right] + BANDS * ROWS)
    begin = 0
    while begin < len(left):
        done = weights[begin - 1] if begin else 0
        end = max(begin + 1, int(np.searchsorted(weights, done + _MEMBERS_AT_ONCE, side="right")))
        yield left[begin:end], right[begin:end]
        begin = end


def _signatures(sets: Sets) -> Signatures:
    """Return the least scrambled member of every set, by 120 ways to scramble, shape (sets, 120)."""
    rng = np.random.default_rng(0)  # any will do; always the same, so that a text is looked up alike everywhere
    factors = rng.integers(2**31, size=BANDS * ROWS, dtype=np.uint32) * np.uint32(2) + np.uint32(1)
    shifts = rng.integers(2**32, size=BANDS * ROWS, dtype=np.uint32)
    signatures = np.empty((len(sets), BANDS * ROWS), dtype=np.uint32)
    edges = sets.starts
    first = 0
    while first < len(sets):
        last = max(first + 1, int(np.searchsorted(edges, edges[first] + 60_000, side="right")) - 1)
        members = (mixed(sets.members[edges[first] : edges[last]]) >> np.uint64(32)).astype(np.uint32)
        begins = edges[first:last] - edges[first]
        for place, (factor, shift) in enumerate(zip(factors, shifts, strict=True)):
            signatures[first:last, place] = np.minimum.reduceat(members * factor + shift, begins)
        first = last
    return signatures


def _band_key(signatures: Signatures, band: int) -> Codes:
    return folded(signatures[:, band * ROWS : (band + 1) * ROWS].astype(np.uint64))
