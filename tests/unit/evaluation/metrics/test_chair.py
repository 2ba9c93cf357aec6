"""CHAIR: a toy by hand, whose word the labels are, and one's own classes."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recaption.core.errors import UserError
from recaption.evaluation.extract.objects import class_words, own_class_words
from recaption.evaluation.metrics.chair import Chair, chair_counts
from recaption.evaluation.subject import Item, Subject
from tests.unit.evaluation.text_subject import scored, shown


def item(key, *texts, labels=frozenset({"dog", "person"}), references=()):
    return Item(key=key, texts=tuple((t,) for t in texts), labels=labels, references=references)


def subject(*items, source="coco"):
    columns = tuple("abc"[: len(items[0].texts)])
    return Subject(columns=columns, items=items, label_source=source)


TOY = subject(
    item("1", "A dog and a puppy chase a cat.", "A man walks."),  # dog, dog, cat; person
    item("2", "Nothing to see.", "Two cats, a cat and a pizza."),  # nothing; cat, cat, pizza
    item("3", "A dog.", "A dog.", labels=None),  # nobody looked
    item("4", "A boy with a dog on a couch", "A couch", labels=frozenset()),  # nothing is there
)


def test_the_toy_by_hand():
    found = scored(Chair(), TOY)
    # Mentions of a: dog, dog, cat | - | person, dog, couch. Invented: cat | - | all three.
    assert shown(found["chair.i"], "a") == pytest.approx(4 / 6)
    assert shown(found["chair.s"], "a") == pytest.approx(2 / 3)
    assert shown(found["chair.objects"], "a") == pytest.approx(5 / 3)
    assert shown(found["chair.recall"], "a") == pytest.approx(1 / 4)
    assert shown(found["chair.f1"], "a") == pytest.approx(2 * 1 / (5 + 4))
    assert shown(found["chair.i"], "b") == pytest.approx(4 / 5)
    assert shown(found["chair.recall"], "b") == pytest.approx(1 / 4)
    assert not found["chair.i"].parts["a"][2].any(), "an image nobody looked at adds nothing"
    assert ("b", "cat", "1", "1") in found["chair.invented"].rows
    assert ("a", "person", "2", "2") in found["chair.missed"].rows


def test_what_references_name_is_there_too():
    named = item("1", "A cat on a bench.", labels=frozenset({"bench"}), references=("A kitten.",))
    found = scored(Chair(), subject(named))
    assert shown(found["chair.i"], "a") == 0.0
    assert "labels by coco and what the references name" in found["chair.i"].about.note


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("coco", "labels by coco"),
        ("yolox@1.2", "agreement with the detector yolox@1.2"),
        (None, "labels of unknown source"),
    ],
)
def test_the_note_says_whose_word_the_labels_are(source, said):
    figure = scored(Chair(), subject(item("1", "A dog."), source=source))["chair.i"]
    assert said in figure.about.note


def test_naming_what_no_label_could_say_is_no_mistake():
    lighthouse = item("1", "A man by a lighthouse, and a dog.", labels=frozenset({"Light_House", "person"}))
    found = scored(Chair(), subject(lighthouse))
    assert (
        shown(found["chair.objects"], "a") == 1.0
    )  # the man: nobody labelled dogs, and `lighthouse` is another word
    assert shown(found["chair.i"], "a") == 0.0
    labels = frozenset({"lighthouse", "狗"})
    found = scored(
        Chair(),
        subject(item("1", "Two lighthouses", labels=labels), item("2", "a lighthouse", labels=frozenset())),
    )
    assert shown(found["chair.i"], "a") == 0.5
    assert "1 left out" in found["chair.i"].about.note


def test_ones_own_classes_come_from_a_file(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text("Boat: [skiff, 'no']\nsea:\n")
    assert own_class_words(path) == {"boat": ["skiff", "no"], "sea": []}
    boats = item("1", "A skiff on the sea, with a dog.", labels=frozenset({"boat"}))
    found = scored(Chair(), subject(boats), class_words=path)
    assert shown(found["chair.i"], "a") == 0.5
    assert "the words of mine.yaml" in found["chair.i"].about.note


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[boat]", "must map"),
        ("{}", "must map"),
        ("boat: skiff", "must have a list"),
        ("boat: [no]", "quote words such as 'yes' or 'no'"),
        ("boat: [船]", "Latin letters"),
        ("? [a]\n: [b]", "not YAML"),
        ("boat: [", "not YAML"),
        (f"boat: [{'x' * 100}]", "at most 80 characters"),
        ("boat: [" + "x, " * 300 + "]", "at most 200 words"),
        ("a: &a [x]\nb: &b [*a, *a]\nc: [*b, *b]", "must be a text"),
    ],
)
def test_a_bad_file_is_refused_in_one_line(tmp_path, text, said):
    path = tmp_path / "mine.yaml"
    path.write_text(text)
    with pytest.raises(UserError, match=said) as error:
        own_class_words(path)
    assert "mine.yaml" in str(error.value)
    assert len(str(error.value)) < 600
    assert "\n" not in str(error.value)


def test_a_file_that_is_not_there_or_no_text_is_refused(tmp_path):
    with pytest.raises(UserError, match="cannot be read"):
        own_class_words(tmp_path / "none.yaml")
    (tmp_path / "odd.yaml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(UserError, match="cannot be read"):
        own_class_words(tmp_path / "odd.yaml")
    (tmp_path / "large.yaml").write_bytes(b"#" * 4_000_001)
    with pytest.raises(UserError, match="larger than 4 MB"):
        own_class_words(tmp_path / "large.yaml")


def test_the_classes_are_those_of_coco_only_where_all_labels_are():
    assert len(class_words(TOY).matcher.labels) == 80
    other = subject(item("1", "", labels=frozenset({"dog", "tree"})))
    assert class_words(other).matcher.labels == ("dog", "tree")


classes = st.sampled_from(["dog", "cat", "car", "bench"])


@given(st.lists(classes, max_size=8), st.frozensets(classes))
def test_what_is_counted_of_a_text_fits_together(named, there):
    mentions, invented, distinct, right, present, inventing, texts = chair_counts(tuple(named), there)
    assert 0 <= invented <= mentions
    assert right <= min(distinct, present)
    assert inventing == (invented > 0)
    assert texts == 1
    assert (invented == 0) == (set(named) <= there)


@pytest.mark.parametrize("text", ["", "\ud800", "🐕", "dog " * 250_000])
def test_hostile_texts_are_counted(text):
    found = scored(Chair(), subject(item("1", text)))
    assert all(np.isfinite(found[f"chair.{name}"].parts["a"]).all() for name in ("i", "s", "recall", "f1"))


def test_without_any_mention_there_is_no_share_and_no_nan_row():
    found = scored(Chair(), subject(item("1", "Nothing.", labels=frozenset())))
    assert shown(found["chair.i"], "a") is None
    assert shown(found["chair.s"], "a") == 0.0
    assert found["chair.invented"].rows == []
