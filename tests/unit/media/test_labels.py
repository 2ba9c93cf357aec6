"""Classes named by a text."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recaption.media.labels import coco_labels, coco_matcher, label_matcher, mentions_label


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("A hot dog on a bench.", {"hot dog", "bench"}),
        ("A teddy bear", {"teddy bear"}),
        ("a stuffed dog", {"teddy bear"}),
        ("a baby elephant", {"elephant"}),
        ("a baby next to an elephant", {"person", "elephant"}),
        ("An orange bus", {"bus"}),
        ("an orange, sliced", {"orange"}),
        ("oranges in a bowl", {"orange", "bowl"}),
        ("Two women ride bikes", {"person", "bicycle"}),
        ("A man's TV", {"person", "tv"}),
        ("a couple of sheep", {"sheep"}),
        ("a couple kissing", {"person"}),
        ("people waiting at a bus stop", {"person"}),
        ("A bookshelf and a carpet", set()),
        ("Catalogue of dogmas", set()),
        ("two wineglasses and a glass of wine", {"wine glass"}),
        ("KNIVES", {"knife"}),
        ("", set()),
    ],
)
def test_classes_of_a_text(text: str, expected: set[str]) -> None:
    assert coco_matcher().labels_in(text) == expected


def test_every_class_is_found_by_its_own_name() -> None:
    assert len(coco_labels()) == 80
    for label in coco_labels():
        assert coco_matcher().labels_in(f"Here is one {label}.") == {label}


def test_mentions_say_where() -> None:
    text = "Deux: a hot dog, then İ a DOG"
    found = [(m.label, text[m.start : m.end]) for m in coco_matcher().mentions(text)]
    assert found == [("hot dog", "hot dog"), ("dog", "DOG")]
    assert coco_matcher().named("A dog, a puppy and a man") == ("dog", "dog", "person")


def test_labels_outside_coco_match_their_plural() -> None:
    assert mentions_label("Old lighthouses", "lighthouse")
    assert not mentions_label("a lighthouse", "house")
    assert not mentions_label("an orange bus", "orange")


@given(st.text())
def test_any_text_is_read_and_offsets_lie_inside(text: str) -> None:
    for mention in coco_matcher().mentions(text):
        assert 0 <= mention.start < mention.end <= len(text)


def test_people_name_what_is_there(shared_data: Path) -> None:
    folder = shared_data / "photos" / "coco"
    instances = json.loads((folder / "instances.json").read_text())
    names = {c["id"]: c["name"] for c in instances["categories"]}
    there: dict[int, set[str]] = {}
    for box in instances["annotations"]:
        there.setdefault(box["image_id"], set()).add(names[box["category_id"]])
    hits = named = 0
    for caption in json.loads((folder / "captions.json").read_text())["annotations"]:
        said = coco_matcher().labels_in(caption["caption"])
        hits, named = hits + len(said & there[caption["image_id"]]), named + len(said)
    assert hits / named > 0.95


def test_a_matcher_of_any_classes_knows_cocos_words_for_cocos_and_plurals_for_others() -> None:
    matcher = label_matcher(["person", "lighthouse", "train station"])
    assert matcher.labels == ("person", "lighthouse", "train station")
    text = "Two men and a dog between lighthouses and a train station"
    assert matcher.labels_in(text) == {"person", "lighthouse", "train station"}
    assert label_matcher(["@!", ""]).labels_in("@! any") == frozenset()
