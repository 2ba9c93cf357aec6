"""The built-in language model: a probability, equal to the formulae written out, whatever it learned from."""

import math
from collections import Counter, defaultdict
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recaption.evaluation.text import ngram_model
from recaption.evaluation.text.ngram_model import END, MAX_VOCABULARY, UNKNOWN, NgramModel, Rows

SIZE = 9
texts = st.lists(st.lists(st.integers(2, SIZE - 1) | st.just(UNKNOWN), max_size=8), max_size=12)


def rows(given_texts: Sequence[Sequence[int]]) -> Rows:
    flat = [symbol for text in given_texts for symbol in text]
    return Rows(np.array(flat, dtype=np.int64), np.array([len(t) for t in given_texts], dtype=np.int64))


class WrittenOut:
    """Interpolated modified Kneser-Ney, as the paper has it: dictionaries and loops."""

    def __init__(self, given_texts: Sequence[Sequence[int]], size: int, order: int = 3) -> None:
        self.size, self.order = size, order
        counts: Counter[tuple[int, ...]] = Counter()
        for text in given_texts:
            padded = [size] * (order - 1) + list(text) + [END]
            counts.update(tuple(padded[i - order + 1 : i + 1]) for i in range(order - 1, len(padded)))
        self.counts = {order: counts}
        for length in range(order - 1, 0, -1):
            self.counts[length] = Counter(gram[1:] for gram in self.counts[length + 1])
        self.discounts = {length: self.discount(c) for length, c in self.counts.items()}
        self.after: dict[int, dict[tuple[int, ...], list[int]]] = {}
        for length, c in self.counts.items():
            self.after[length] = defaultdict(list)
            for gram, n in c.items():
                self.after[length][gram[:-1]].append(n)

    @staticmethod
    def discount(counts: Counter[tuple[int, ...]]) -> list[float]:
        n = Counter(counts.values())
        if not (n[1] and n[2] and n[3]):
            return [0, 0.5, 0.5, 0.5]
        y = n[1] / (n[1] + 2 * n[2])
        raw = [1 - 2 * y * n[2] / n[1], 2 - 3 * y * n[3] / n[2], 3 - 4 * y * n[4] / n[3]]
        return [0, *(min(max(d, 0.01), top) for d, top in zip(raw, (0.95, 1.95, 2.95), strict=True))]

    def probability(self, before: Sequence[int], symbol: int) -> float:
        context = ([self.size] * self.order + list(before))[-self.order + 1 :]
        found = 1 / self.size
        for length in range(1, self.order + 1):
            history = tuple(context[len(context) - length + 1 :])
            others = self.after[length].get(history)
            if not others:
                continue
            d, total = self.discounts[length], sum(others)
            count = self.counts[length][(*history, symbol)]
            own = max(count - d[min(count, 3)], 0) / total
            found = own + sum(d[min(n, 3)] for n in others) / total * found
        return found


@settings(max_examples=60, deadline=None)
@given(texts, st.lists(st.integers(0, SIZE - 1), max_size=4))
def test_probabilities_add_up_to_one_and_are_those_of_the_paper(learned, before) -> None:
    model, expected = NgramModel(rows(learned), SIZE), WrittenOut(learned, SIZE)
    found = model.probabilities(tuple(before))
    assert found.shape == (SIZE,)
    assert (found > 0).all()
    assert found.sum() == pytest.approx(1, abs=1e-12)
    assert found == pytest.approx([expected.probability(before, s) for s in range(SIZE)], abs=1e-12)


@settings(max_examples=40, deadline=None)
@given(texts, texts)
def test_the_bits_of_a_text_are_those_of_its_symbols_one_after_the_other(learned, judged) -> None:
    model = NgramModel(rows(learned), SIZE)
    for text, bits in zip(judged, model.bits(rows(judged)), strict=True):
        chain = [float(model.probabilities(tuple(text[:i]))[s]) for i, s in enumerate([*text, END])]
        assert bits == pytest.approx(-sum(map(math.log2, chain)), abs=1e-9)


def test_texts_are_judged_alike_however_many_go_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    learned = [rng.integers(2, SIZE, rng.integers(0, 9)).tolist() for _ in range(50)]
    model = NgramModel(rows(learned), SIZE)
    whole = model.bits(rows(learned))
    monkeypatch.setattr(ngram_model, "_AT_ONCE", 7)
    assert model.bits(rows(learned)) == pytest.approx(whole, abs=1e-12)


def test_what_was_seen_is_likelier_and_order_counts() -> None:
    model = NgramModel(rows([[2, 3, 4], [2, 3, 5], [2, 3, 4]] * 3), SIZE)
    after = model.probabilities((2, 3))
    assert after[4] > after[5] > after[6]
    right, wrong = model.bits(rows([[2, 3, 4], [4, 3, 2]]))
    assert right < wrong


def test_without_texts_everything_is_as_likely() -> None:
    model = NgramModel(rows([]), 5)
    assert model.probabilities((3,)).tolist() == [0.2] * 5
    assert model.bits(rows([])).tolist() == []


@pytest.mark.parametrize("size", [1, MAX_VOCABULARY + 1])
def test_a_vocabulary_that_does_not_fit_is_refused(size: int) -> None:
    with pytest.raises(ValueError, match="symbols"):
        NgramModel(rows([]), size)


def test_rows_are_taken_whole_and_in_the_order_asked_for() -> None:
    some = rows([[2], [], [3, 4], [5, 6, 7]])
    part = some.take(np.array([3, 1, 0]))
    assert (part.symbols.tolist(), part.lengths.tolist()) == ([5, 6, 7, 2], [3, 0, 1])
