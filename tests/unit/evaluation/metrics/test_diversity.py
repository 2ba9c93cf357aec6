"""Distinct n-grams and compression: on equal amounts, drawn by the seed, with a reason where there is too little."""

import os
import random

import pytest

from recaption.evaluation.metrics.diversity import Diversity, compression_ratio, distinct_draws
from recaption.evaluation.text.corpus import corpora
from recaption.evaluation.text.draws import shuffled
from recaption.evaluation.text.ngrams import distinct
from tests.unit.evaluation.text_subject import scored, shown, text_subject


def said(n: int, words: int, seed: int = 0, length: int = 10) -> list[str]:
    rng = random.Random(seed)
    return [" ".join(f"w{rng.randrange(words)}" for _ in range(length)) for _ in range(n)]


@pytest.mark.parametrize("n", [1, 2, 3])
def test_with_everything_drawn_it_is_the_plain_share(n: int) -> None:
    texts = said(60, 20)
    figure = scored(Diversity(), text_subject({"old": texts}))[f"distinct_{n}"]
    value = figure.values["old"]
    expected = distinct([text.split() for text in texts], n, "ngrams")
    assert value.value == pytest.approx(expected)
    assert (value.low, value.high) == (None, None), "what draws differ by is no interval of the figure"
    assert "differ by 0.0000 at most" in figure.about.note
    assert value.n == 60


def test_columns_are_compared_on_as_much_as_the_shorter_one_gives() -> None:
    # The same few words, ten times as much of them: over all of it the share would be a tenth.
    found = scored(Diversity(), text_subject({"old": said(50, 30), "new": said(50, 30, 1, length=100)}))
    figure = found["distinct_1"]
    assert "among 500 words of each column" in figure.about.note
    assert figure.values["new"].value == pytest.approx(figure.values["old"].value, abs=0.01)


def test_the_budget_bounds_what_is_drawn_and_draws_differ() -> None:
    figure = scored(Diversity(), text_subject({"old": said(200, 500)}), budget_tokens=100)["distinct_1"]
    assert "among 100 words" in figure.about.note
    assert "differ by" in figure.about.note
    assert "differ by 0.0000" not in figure.about.note


def test_a_draw_takes_whole_texts_and_cuts_the_last() -> None:
    # Ten equal words a text, no two texts alike: 25 words are three texts.
    corpus = corpora({"": enumerate(" ".join([f"w{i}"] * 10) for i in range(50))})[""]
    assert (distinct_draws(corpus, 1, 25, seed=0) * 25).tolist() == pytest.approx([3] * 20)


def test_the_seed_decides_and_nothing_else() -> None:
    columns = {"old": said(200, 500), "new": said(200, 500)}
    first, again = (scored(Diversity(), text_subject(columns), budget_tokens=100) for _ in range(2))
    other = scored(Diversity(), text_subject(columns, seed=1), budget_tokens=100)
    values = [f["distinct_1"].values["old"] for f in (first, again, other)]
    assert values[0] == values[1] == first["distinct_1"].values["new"]
    assert values[0] != values[2]


def test_a_column_with_too_little_has_a_reason_and_does_not_shrink_the_others() -> None:
    found = scored(Diversity(), text_subject({"old": ["one", *[""] * 59], "new": said(60, 20)}))
    for n, what in ((1, "1 words"), (2, "0 runs of 2 words")):
        figure = found[f"distinct_{n}"]
        assert figure.values["old"].value is None
        assert figure.values["old"].reason == f"{what}; at least 30 are needed"
        assert figure.values["new"].value > 0
    assert found["compression_ratio"].values["old"].reason == "62 bytes of text; at least 1,000 are needed"
    assert found["compression_ratio"].values["new"].value > 1


def test_what_repeats_compresses_and_noise_does_not() -> None:
    assert compression_ratio(b"a dog in the park. " * 1000) > 50
    assert compression_ratio(os.urandom(10_000)) == pytest.approx(1, abs=0.01)
    alike, apart = ["The image shows a dog and a cat."] * 100, said(100, 5000)
    found = scored(Diversity(), text_subject({"old": alike, "new": apart}))["compression_ratio"]
    alike_ratio, apart_ratio = shown(found, "old"), shown(found, "new")
    assert alike_ratio is not None
    assert apart_ratio is not None
    assert alike_ratio > 5 * apart_ratio


def test_compression_is_of_equally_many_bytes() -> None:
    old, new = said(100, 50), said(100, 50, length=300)
    both = scored(Diversity(), text_subject({"old": old, "new": new}))["compression_ratio"]
    size = sum(len(text) + 1 for text in old) - 1
    assert f"the first {size:,} bytes" in both.about.note
    assert len(new[0]) * 10 > size  # ten of its texts in some order have it all
    order = shuffled(100, 0, "compression")
    assert both.values["new"].value == compression_ratio("\n".join(new[i] for i in order).encode()[:size])
