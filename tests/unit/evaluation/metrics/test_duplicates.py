"""Duplicates: one text on many items, nearly one text on many items, and the table of the worst."""

import random

from recaption.evaluation.metrics.duplicates import Duplicates
from tests.unit.evaluation.text_subject import scored, shown, text_subject

LONG = " ".join(f"w{i}" for i in range(30))


def test_shared_texts_are_equal_but_for_case_and_blanks() -> None:
    said = ["A photo", "a  photo ", "A photo.", "", " ", ()]
    found = scored(Duplicates(), text_subject({"new": said}))
    assert found["shared_text_share"].parts["new"].tolist() == [[1, 1], [1, 1], [0, 1], [0, 0], [0, 0], [0, 0]]
    assert found["shared_texts.new"].rows == [("a photo", "2")]


def test_the_same_text_twice_on_one_item_is_not_shared() -> None:
    found = scored(Duplicates(), text_subject({"new": [["a", "a", "b"], ["b", "c"]]}))
    assert found["shared_text_share"].parts["new"].tolist() == [[1 / 3, 1], [0.5, 1]]
    assert found["near_duplicate_share"].parts["new"].tolist() == [[1 / 3, 1], [0.5, 1]]


def test_near_duplicates_include_equal_ones() -> None:
    other = "entirely different words stand in this text and in no other one here"
    found = scored(Duplicates(), text_subject({"old": [LONG, LONG, other], "new": [LONG, LONG + " x", ""]}))
    assert found["near_duplicate_share"].parts["old"].tolist() == [[1, 1], [1, 1], [0, 1]]
    assert found["near_duplicate_share"].parts["new"].tolist() == [[1, 1], [1, 1], [0, 0]]
    assert shown(found["shared_text_share"], "new") == 0


def test_the_table_is_in_order_and_bounded() -> None:
    said = [f"text {i} {'x' * 500}" for i in range(30) for _ in range(2 + i)]
    random.Random(0).shuffle(said)
    listing = scored(Duplicates(), text_subject({"new": said}))["shared_texts.new"]
    assert len(listing.rows) == 20
    assert [int(number) for _, number in listing.rows] == list(range(31, 11, -1))
    assert all(len(text) == 120 for text, _ in listing.rows)
    assert listing.note == "30 texts stand on several images"
