"""BLEU (Papineni et al. 2002) from sums over texts: as COCO's tools count it, and of texts against each other.

A text's part in it is ten numbers: clipped matches of its 1- to 4-grams, how many of these it has, its length, and
the length of the reference closest to it. Sums of parts give the BLEU of a corpus, so that it can be resampled.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from recaption.evaluation.measures import Floats
from recaption.evaluation.text.corpus import Corpus, Ints
from recaption.evaluation.text.ngrams import BLOCK_TEXTS, Tally, grams, tally
from recaption.evaluation.text.overlaps import ORDERS, Block, Shared, blocks

__all__ = ["PARTS", "bleu", "bleu_parts", "block_parts", "leave_one_out_parts", "sentence_bleu"]

PARTS: Final = 10
"""Matches of four orders, n-grams of four orders, length, closest reference length."""
_TINY: Final = 1e-15
_SMALL: Final = 1e-9
"""What COCO's tools add above and below, so that nothing is divided by zero."""
_SMOOTHING: Final = 0.1
"""Matches that an order without any counts for, in BLEU of single texts (Chen & Cherry 2014, method 1)."""


def bleu(sums: Floats, n: int) -> Floats:
    """Return corpus BLEU-n, in [0, 1], of sums of parts (..., 10); NaN where nothing was compared.

    Not smoothed, with the constants of COCO's tools, but 0 where an order has no match at all: what those constants
    make of that is next to nothing, yet differs with the length, and would count as a win or a loss.
    """
    matches, totals = sums[..., :n], sums[..., 4 : 4 + n]
    length, closest = sums[..., 8], sums[..., 9]
    precisions = (matches + _TINY) / (totals + _SMALL)
    geometric = np.prod(precisions, axis=-1) ** (1 / n)
    length_ratio = (length + _TINY) / (closest + _SMALL)
    with np.errstate(over="ignore"):  # without references the ratio is huge, and its value is not used
        penalty = np.exp(np.minimum(0.0, 1 - 1 / length_ratio))
    found = np.where((matches > 0).all(axis=-1), geometric * penalty, 0.0)
    result: Floats = np.where(closest > 0, found, np.nan)
    return result


def sentence_bleu(parts: Floats) -> Floats:
    """Return the BLEU-4 of single texts, shape (texts,), of parts (texts, 10); NaN where a text has no words.

    An order without a match counts as a tenth of one; orders that a text is too short for do not count, so that a
    text of two words that stands among its references again has 1.
    """
    matches, totals = parts[:, :4], parts[:, 4:8]
    has = totals > 0
    smoothed = np.where(matches > 0, matches, _SMOOTHING)
    logs = np.log(np.divide(smoothed, totals, out=np.ones_like(totals), where=has))
    orders = has.sum(axis=1)
    length, closest = parts[:, 8], parts[:, 9]
    penalty = np.minimum(0.0, 1 - closest / np.maximum(length, 1))
    mean = np.divide(logs.sum(axis=1), orders, out=np.full(len(parts), np.nan), where=orders > 0)
    result: Floats = np.exp(mean + penalty)
    return result


def bleu_parts(texts: Corpus, references: Corpus, items: int) -> Floats:
    """Return the parts of every text against the references of its item, shape (texts, 10); 0 where it has none."""
    parts = np.zeros((len(texts), PARTS))
    for block in blocks(texts, references, items):
        shared = [block.shared(n) for n in ORDERS]
        parts[block.first : block.first + len(block.texts)] = block_parts(block, shared)
    return parts


def block_parts(block: Block, shared: list[Shared]) -> Floats:
    """Return the parts of the texts of one block, shape (texts, 10)."""
    size = len(block.texts)
    parts = np.zeros((size, PARTS))
    lengths = block.texts.lengths
    compared = np.bincount(block.pair_texts, minlength=size) > 0
    for order, at in enumerate(shared):
        common = np.minimum(at.of_texts.counts[at.in_texts], at.of_references.counts[at.in_references])
        best = np.zeros(len(at.of_texts.keys), dtype=np.int64)
        np.maximum.at(best, at.in_texts, common)  # the most that any one reference has
        parts[:, order] = np.bincount(at.of_texts.texts, weights=best, minlength=size)
        parts[:, 4 + order] = np.maximum(lengths - order, 0)
    parts[:, 8] = lengths
    parts[compared, 9] = _closest(block, lengths)
    parts[~compared] = 0
    return parts


def leave_one_out_parts(corpus: Corpus, groups: Ints) -> Floats:
    """Return the parts of every text against the others of its group, shape (texts, 10); 0 where it is alone.

    Args:
        groups: Group of each text, rising; at most `BLOCK_TEXTS` of them.
    """
    size = len(corpus)
    parts = np.zeros((size, PARTS))
    lengths = corpus.lengths
    for order, n in enumerate(ORDERS):
        own = _counted(corpus, n)
        parts[:, order] = np.bincount(own.texts, weights=_most_of_others(own, groups), minlength=size)
        parts[:, 4 + order] = np.maximum(lengths - order, 0)
    parts[:, 8] = lengths
    parts[:, 9] = _closest_of_others(lengths, groups)
    alone = np.bincount(groups, minlength=1)[groups] < 2
    parts[alone] = 0
    return parts


def _closest(block: Block, lengths: Ints) -> Ints:
    """Return the length of the closest reference of each text that has one; of two as close, the shorter."""
    theirs = block.references.lengths[block.pair_references]
    apart = np.abs(theirs - lengths[block.pair_texts])
    order = np.lexsort((theirs, apart, block.pair_texts))
    texts = block.pair_texts[order]
    first = np.concatenate(([True], texts[1:] != texts[:-1])) if len(texts) else np.zeros(0, dtype=np.bool_)
    return theirs[order][first]


def _counted(corpus: Corpus, n: int) -> Tally:
    if len(corpus) > BLOCK_TEXTS:
        raise ValueError(f"{len(corpus)} texts; at most {BLOCK_TEXTS} are held against each other")
    return tally(*grams(corpus, n))


def _most_of_others(own: Tally, groups: Ints) -> Ints:
    """Return, for every entry, its count clipped to the most that any one other text of its group has."""
    if not len(own.keys):
        return own.counts
    owners = groups[own.texts]
    order = np.lexsort((own.codes, owners))
    codes, owners, counts = own.codes[order], owners[order], own.counts[order]
    changes = (codes[1:] != codes[:-1]) | (owners[1:] != owners[:-1])
    begins = np.flatnonzero(np.concatenate(([True], changes)))
    run = np.repeat(np.arange(len(begins)), np.diff(np.append(begins, len(counts))))
    most = np.maximum.reduceat(counts, begins)[run]
    is_most = counts == most
    holders = np.add.reduceat(is_most.astype(np.int64), begins)[run]
    second = np.maximum.reduceat(np.where(is_most, 0, counts), begins)[run]
    others = np.where(is_most & (holders == 1), second, most)
    clipped = np.empty_like(counts)
    clipped[order] = np.minimum(counts, others)
    return clipped


def _closest_of_others(lengths: Ints, groups: Ints) -> Ints:
    """Return the length of the text closest to each in its group, 0 where there is no other; ties: the shorter."""
    order = np.lexsort((lengths, groups))
    sizes, owners = lengths[order], groups[order]
    far = np.iinfo(np.int64).max
    same = owners[1:] == owners[:-1]
    gaps = np.where(same, sizes[1:] - sizes[:-1], far)
    below, above = np.append([far], gaps), np.append(gaps, [far])  # sorted, the closest one is a neighbour
    shorter, longer = sizes - np.where(below == far, 0, below), sizes + np.where(above == far, 0, above)
    closest = np.empty_like(sizes)
    closest[order] = np.where((below == far) & (above == far), 0, np.where(below <= above, shorter, longer))
    return closest
