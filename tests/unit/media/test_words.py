"""English word forms."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recaption.media import words


@pytest.mark.parametrize(
    ("singular", "expected"),
    [
        ("dog", "dogs"),
        ("bus", "buses"),
        ("toothbrush", "toothbrushes"),
        ("baby", "babies"),
        ("toy", "toys"),
        ("person", "people"),
        ("wine glass", "wine glasses"),
        ("glass of wine", "glasses of wine"),
        ("fireman", "firemen"),
        ("human", "humans"),
        ("knife", "knives"),
        ("sheep", "sheep"),
        ("broccoli", "broccoli"),
        ("skis", "skis"),
        ("TV", "TVs"),
        ("", ""),
    ],
)
def test_plural(singular: str, expected: str) -> None:
    assert words.plural(singular) == expected


@pytest.mark.parametrize(
    ("phrase", "expected"),
    [
        ("dog", "a"),
        ("orange ball", "an"),
        ("hour", "an"),
        ("unicorn", "a"),
        ("uninhabited island", "an"),
        ("one-eyed cat", "a"),
        ("SUV", "an"),
        ("TV", "a"),
        ("X-ray", "an"),
        ("8 ball", "an"),
        ("18-wheeler", "an"),
        ("180 view", "a"),
    ],
)
def test_article(phrase: str, expected: str) -> None:
    assert words.article(phrase) == expected


@pytest.mark.parametrize(
    ("noun", "count", "adjectives", "expected"),
    [
        ("ball", 1, "red", "a red ball"),
        ("ball", 1, "orange", "an orange ball"),
        ("dog", 2, "", "two dogs"),
        ("dog", 13, "", "13 dogs"),
        ("scissors", 1, "", "a pair of scissors"),
        ("scissors", 3, "red", "three pairs of red scissors"),
        ("grass", 1, "green", "green grass"),
        ("flowers", 1, "", "flowers"),
    ],
)
def test_counted(noun: str, count: int, adjectives: str, expected: str) -> None:
    assert words.counted(noun, count, adjectives) == expected


def test_lists_have_one_and() -> None:
    assert words.join_list([]) == ""
    assert words.join_list(["a dog"]) == "a dog"
    assert words.join_list(["a dog", "a cat"]) == "a dog and a cat"
    assert words.join_list(["a dog", "a cat", "a cow"]) == "a dog, a cat and a cow"


@given(st.text(max_size=40))
def test_any_text_has_a_plural_that_is_its_own_plural(noun: str) -> None:
    once = words.plural(noun)
    assert words.article(noun) in ("a", "an")
    assert words.counted(noun, 2).strip() or not noun.strip()
    if noun.isascii() and noun.islower() and noun.isalpha() and once != noun and once.endswith("s"):
        assert words.plural(once) in (once, once + "es")
