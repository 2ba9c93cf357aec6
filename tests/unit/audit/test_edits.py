"""The word edit distance against the plain recursion, and on texts that are not nice."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recaption.audit.edits import MOST_WORDS, edit_ratio


@pytest.mark.parametrize(
    ("before", "after", "ratio"),
    [
        ("a red car", "a red car", 0.0),
        ("a red car", "a blue car", 1 / 3),
        ("a car", "a red car", 1 / 3),
        ("a red car", "", 1.0),
        ("", "", 0.0),
        (" ", "", 0.0),
        ("a car.", "a car", 1 / 3),
        ("一只黑猫", "一只白猫", 1 / 4),
        ("Car", "car", 1.0),
        ("\ud800", "😀", 1.0),
    ],
)
def test_by_hand(before: str, after: str, ratio: float):
    assert edit_ratio(before, after) == pytest.approx(ratio)


WORDS = st.lists(st.sampled_from("abc"), max_size=12)


@given(WORDS, WORDS)
def test_it_is_the_distance_over_the_longer(one: list[str], other: list[str]):
    table = {(i, 0): i for i in range(len(one) + 1)} | {(0, j): j for j in range(len(other) + 1)}
    for i, a in enumerate(one, start=1):
        for j, b in enumerate(other, start=1):
            steps = table[i - 1, j] + 1, table[i, j - 1] + 1, table[i - 1, j - 1] + (a != b)
            table[i, j] = min(steps)
    expected = table[len(one), len(other)] / max(len(one), len(other), 1)
    assert edit_ratio(" ".join(one), " ".join(other)) == pytest.approx(expected)


def test_a_megabyte_is_read_as_far_as_is_needed():
    assert edit_ratio("x " * 500_000, "y " * 500_000) == 1.0
    same = " ".join(str(i) for i in range(MOST_WORDS))
    assert edit_ratio(f"{same} a", f"{same} b") == 0.0
    assert edit_ratio("a" * 1_000_000, "b" * 1_000_000) == 1.0
