"""What word lists and a few rules find in a caption."""

from importlib.resources import files

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from recaption.evaluation.text.scenes import is_function_word, scene, singular


@pytest.mark.parametrize(
    ("text", "objects"),
    [
        ("Two young women holding umbrellas in front of a brick building.", "woman umbrella building"),
        ("A glass of water on a wooden table", "glass water table"),
        ("The bus is orange.", "bus"),
        ("an orange on a plate", "orange plate"),
        ("A man's hat under the street light", "man hat light"),
        ("People look at a painting while riding bicycles.", "person painting bicycle"),
        ("A boy skateboards down the hill", "boy hill"),
        ("The background of the picture is blurry.", ""),
        ("Three wine glasses and a pair of scissors", "wine glass|pair of scissors"),
        ("He is quickly running.", ""),
    ],
)
def test_things(text, objects):
    expected = set(objects.split("|") if "|" in objects else objects.split())
    assert scene(text).objects == expected


def test_names_of_several_words_are_one_thing():
    assert scene("A hot dog beside a fire hydrant").objects == {"hot dog", "fire hydrant"}


def test_looks_and_relations():
    said = scene("A small red wooden ball on top of a big gray table. A dog next to it is holding a stick.")
    assert said.attributes == {"small", "red", "wooden", "large", "grey"}
    assert said.relations == {("ball", "on", "table"), ("dog", "hold", "stick")}


def test_no_relation_reaches_over_the_end_of_a_sentence():
    assert scene("A dog. On a table.").relations == frozenset()


def test_forms_of_a_verb_are_one_relation():
    forms = ["A man rides a horse", "A man riding a horse"]
    assert len({scene(form).relations for form in forms}) == 1
    assert len(scene(forms[0]).relations) == 1


@pytest.mark.parametrize(
    ("plural", "one"),
    [
        ("dogs", "dog"), ("boxes", "box"), ("cherries", "cherry"), ("knives", "knife"), ("glass", "glass"),
        ("buses", "bus"), ("horses", "horse"), ("people", "person"), ("wine glasses", "wine glass"),
        ("sunglasses", "sunglasses"), ("sheep", "sheep"), ("is", "is"),
    ],
)  # fmt: skip
def test_singulars(plural, one):
    assert singular(plural) == one
    assert singular(one) == one


def test_function_words():
    assert all(is_function_word(word) for word in ("the", "on", "is", "and", "two"))
    assert not any(is_function_word(word) for word in ("dog", "red", "front", "sits"))


@given(st.text())
def test_any_text_is_read(text):
    said = scene(text)
    assert all(said.objects)
    assert all(one and how and other and one != other for one, how, other in said.relations)


@pytest.mark.parametrize(
    "text", ["", "一只猫在桌子上", "🐕 \ud800", "x" * 10**6, "a dog " * 200_000, "-'" * 100_000]
)
def test_hostile_texts_are_read_in_bounds(text):
    assert len(scene(text).objects) <= 1


def test_every_word_of_the_lists_is_a_text():
    data = yaml.safe_load(files("recaption.evaluation.text").joinpath("scenes.yaml").read_text("utf-8"))

    def texts(value):
        if isinstance(value, dict):
            return [t for pair in value.items() for part in pair for t in texts(part)]
        return [t for part in value for t in texts(part)] if isinstance(value, list) else [value]

    wrong = [t for t in texts(data) if not isinstance(t, str) or t != t.lower()]
    assert not wrong  # YAML takes a bare `on` or `no` for a truth value
