"""CIDEr-D: the fast sums are the plain ones, and frequencies from a file make a subset worth what the whole is."""

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recaption.core.errors import UserError
from recaption.evaluation.text import frequency_file
from recaption.evaluation.text.cider import (
    cider_d,
    frequencies,
    frequency_names,
    named_frequencies,
)
from recaption.evaluation.text.corpus import Corpus, corpora
from recaption.evaluation.text.frequency_file import load_frequencies, save_frequencies, splitting
from tests.unit.evaluation.text.plain_counts import plain_cider

text = st.lists(st.sampled_from("abcd"), max_size=8).map(" ".join)
worded = text.filter(bool)
items = st.lists(st.tuples(text, st.lists(worded, min_size=1, max_size=3)), min_size=1, max_size=6)
Items = list[tuple[str, list[str]]]

REFERENCES = [["a dog runs in the park", "a dog in the park"], ["the cat sleeps in a box"], ["a red bus"]]
TEXTS = ["a dog runs", "the cat sleeps", "a red bus in the street"]


def read(said: Items) -> tuple[Corpus, Corpus]:
    made = corpora(
        {
            "texts": [(i, t) for i, (t, _) in enumerate(said)],
            "references": [(i, r) for i, (_, references) in enumerate(said) for r in references],
        }
    )
    return made["texts"], made["references"]


@given(items)
def test_values_are_those_of_plain_loops(said: Items) -> None:
    texts, references = read(said)
    values = cider_d(texts, references, frequencies(references, len(said)), len(said))
    expected = plain_cider([t.split() for t, _ in said], [[r.split() for r in rs] for _, rs in said])
    assert values == pytest.approx(expected, abs=1e-9)
    assert ((values >= 0) & (values <= 10 + 1e-9)).all()


def test_one_image_alone_has_nothing() -> None:
    texts, references = read([("a red bus", ["a red bus"])])
    assert cider_d(texts, references, frequencies(references, 1), 1).tolist() == [0.0]


def test_what_its_only_reference_says_scores_ten() -> None:
    texts, references = read([("a b c d", ["a b c d"]), ("e f g h", ["w x y z"])])
    assert cider_d(texts, references, frequencies(references, 2), 2) == pytest.approx([10, 0])


def test_a_text_without_references_has_no_value() -> None:
    texts, references = read([("a b", ["a b"]), ("c", []), ("d", ["e"])])
    values = cider_d(texts, references, frequencies(references, 3), 3)
    assert np.isnan(values).tolist() == [False, True, False]


@given(items)
def test_frequencies_by_name_are_those_that_were_counted(said: Items) -> None:
    texts, references = read(said)
    known = frequencies(references, len(said))
    names = frequency_names(known, references)
    assert len(names) == len(known.counts)
    again = named_frequencies(known.images, names)
    first = cider_d(texts, references, known, len(said))
    assert cider_d(texts, references, again, len(said)).tolist() == first.tolist()


def test_a_subset_has_the_values_of_the_whole_with_frequencies_from_a_file(tmp_path: Path) -> None:
    path = tmp_path / "frequencies.json"
    assert save_frequencies(path, REFERENCES) == 3
    frozen = load_frequencies(path)
    assert frozen.splitting == "coco"
    texts, references = read(list(zip(TEXTS, REFERENCES, strict=True)))
    whole = cider_d(texts, references, frequencies(references, 3), 3)
    for i in range(3):
        alone, theirs = read([(TEXTS[i], REFERENCES[i])])
        assert cider_d(alone, theirs, frozen.known, 1)[0] == pytest.approx(whole[i], abs=1e-12)
    assert whole.min() > 0


def test_the_file_holds_what_two_images_share_and_is_the_same_each_time(tmp_path: Path) -> None:
    paths = tmp_path / "one.json", tmp_path / "two.json"
    for path in paths:
        save_frequencies(path, REFERENCES)
    assert paths[0].read_bytes() == paths[1].read_bytes()
    content = json.loads(paths[0].read_text())
    assert content["images"] == 3
    assert content["counts"] == {"a": 3, "in": 2, "the": 2}


def test_references_of_other_alphabets_are_split_by_words_of_any_language(tmp_path: Path) -> None:
    assert splitting([["a dog"], ["don't walk, well-known"]]) == "coco"
    assert splitting([["一只狗在公园里"], ["a dog"]]) == "any"
    assert splitting([["élève à l'école, fenêtre"]]) == "any"
    path = tmp_path / "frequencies.json"
    save_frequencies(path, [["一只狗"], ["一只猫"]])
    assert load_frequencies(path).splitting == "any"
    assert json.loads(path.read_text())["counts"] == {"一": 2, "只": 2, "一 只": 2}


def test_fewer_than_two_images_make_no_file(tmp_path: Path) -> None:
    path = tmp_path / "frequencies.json"
    with pytest.raises(UserError, match="two images at least, not of 1"):
        save_frequencies(path, [["a dog"], [], ["…"]])
    assert not path.exists()


GOOD = {"format": "recaption document frequencies 1", "words": "coco", "images": 3, "counts": {"a": 2}}


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("{", "not JSON"),
        ("[" * 100_000, "not JSON"),
        (b"\xff\xfe\x00", "not JSON"),
        ([], "not a file of document frequencies"),
        ({**GOOD, "format": "another"}, "not a file of document frequencies"),
        ({**GOOD, "words": ["coco"]}, "words: must be one of coco, any"),
        ({**GOOD, "images": 1}, "images: must be a whole number"),
        ({**GOOD, "images": True}, "images: must be a whole number"),
        ({**GOOD, "images": 10**30}, "images: must be a whole number"),
        ({**GOOD, "counts": [1]}, "counts: must be n-grams"),
        ({**GOOD, "counts": {"a": 4}}, "'a' must be in 1 to 3 images"),
        ({**GOOD, "counts": {"x" * 5000: 0}}, "must be in 1 to 3 images"),
        ({**GOOD, "counts": {"a": 2.5}}, "must be in 1 to 3 images"),
        ({**GOOD, "counts": {"a": None}}, "must be in 1 to 3 images"),
    ],
)
def test_a_file_that_is_something_else_says_so_in_one_line(tmp_path: Path, content: object, said: str) -> None:
    path = tmp_path / "frequencies.json"
    data = content if isinstance(content, str | bytes) else json.dumps(content)
    path.write_bytes(data if isinstance(data, bytes) else data.encode())
    with pytest.raises(UserError, match=said) as error:
        load_frequencies(path)
    assert str(path) in str(error.value)
    assert len(str(error.value)) < len(str(path)) + 400
    assert "\n" not in str(error.value)


def test_a_file_that_is_missing_or_too_large(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UserError, match="cannot be read"):
        load_frequencies(tmp_path / "none.json")
    path = tmp_path / "frequencies.json"
    save_frequencies(path, REFERENCES)
    monkeypatch.setattr(frequency_file, "MAX_BYTES", 20)
    with pytest.raises(UserError, match="larger than"):
        load_frequencies(path)


def test_names_that_are_no_n_grams_count_for_nothing() -> None:
    known = named_frequencies(9, {"": 3, " ": 3, "a b c d e": 4, "a": 2, "b": 1})
    assert known.counts.tolist() == [2]
