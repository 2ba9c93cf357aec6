"""CAPTURE-lite: the published weights, the matching, and texts against references."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recaption.evaluation.metrics.capture_lite import CaptureLite, capture_score, f1_of_matches, scene_f1s
from recaption.evaluation.text.scenes import scene
from tests.unit.evaluation.text_subject import scored, shown, text_subject

SAID = "A small red ball lies on top of a wooden table. A dog looks at a tall tree."
WORDS = [
    "a",
    "dog",
    "cat",
    "red",
    "small",
    "table",
    "on",
    "near",
    "with",
    "holds",
    "big",
    ".",
    "ball",
    "wooden",
]
words = st.lists(st.sampled_from(WORDS), max_size=20)


def test_the_weights_of_the_paper():
    assert capture_score([0.6, 0.4, 0.3]) == pytest.approx(0.46667, abs=5e-6)


def test_a_kind_of_which_neither_side_speaks_is_left_out():
    assert capture_score([0.6, None, 0.3]) == pytest.approx((5 * 0.6 + 2 * 0.3) / 7)
    assert capture_score([None, None, None]) is None


def test_equal_ones_match_before_similar_ones_and_each_only_once():
    def same(a, b):
        return a[0] == b[0]

    assert f1_of_matches({"a1", "a2"}, {"a1", "a3"}, same) == pytest.approx(1.0, abs=1e-6)
    assert f1_of_matches({"a1", "a2", "a3"}, {"a4"}, same) == pytest.approx(0.5, abs=1e-6)
    assert f1_of_matches({"a"}, set(), same) == 0.0
    assert f1_of_matches(set(), set(), same) is None


@pytest.mark.parametrize(
    ("said", "reference", "matches"),
    [
        ("a man", "a person", True),
        ("a sofa", "a couch", True),
        ("a fire truck", "a truck", True),
        ("a man", "a woman", False),
        ("a car", "a carpet", False),
        ("a seagull", "a duck", False),
        ("a dog", "a cat", False),
    ],
)
def test_other_names_for_a_thing(said, reference, matches):
    value, *_ = scene_f1s(scene(said), scene(reference))
    assert value == pytest.approx(float(matches), abs=1e-6)


def test_a_text_against_itself_gets_all_and_an_unrelated_one_nothing():
    found = scored(CaptureLite(), text_subject({"same": [SAID], "other": ["Two kites."]}, references=[SAID]))
    for name in ("score", "objects", "attributes", "relations"):
        assert shown(found[f"capture_lite.{name}"], "same") == pytest.approx(1.0, abs=1e-5)
        assert shown(found[f"capture_lite.{name}"], "other") == 0.0
    assert found["capture_lite.score"].about.title == "CAPTURE-lite"
    assert not any(f.about.primary for f in found.values())


def test_several_references_are_averaged_and_items_without_any_left_out():
    subject = text_subject({"a": ["A dog.", "A dog."]}, references=[("A dog.", "A kite."), ()])
    figure = scored(CaptureLite(), subject)["capture_lite.score"]
    assert shown(figure, "a") == pytest.approx(0.5, abs=1e-5)
    assert figure.parts["a"][1].tolist() == [0, 0]


@given(words, words)
def test_scores_are_shares_and_sides_can_be_changed(one, other):
    first, second = scene(" ".join(one)), scene(" ".join(other))
    forward, backward = scene_f1s(first, second), scene_f1s(second, first)
    for a, b in zip(forward, backward, strict=True):
        assert (a is None) == (b is None)
        assert a is None or (0 <= a <= 1 and b is not None)
    itself = scene_f1s(first, first)
    assert all(value is None or value == pytest.approx(1.0, abs=1e-5) for value in itself)


@pytest.mark.parametrize("text", ["", "\ud800", "一只猫", "dog cat " * 100_000, "a thing " * 5_000])
def test_hostile_texts_are_scored(text):
    found = scored(CaptureLite(), text_subject({"a": [text]}, references=[("A dog.", text)]))
    value = shown(found["capture_lite.score"], "a")
    assert value is None or 0 <= value <= 1
