"""Languages of columns, and readability of what is English."""

import pytest

from recaption.evaluation.metrics.language import Language
from recaption.evaluation.metrics.readability import Readability
from tests.unit.evaluation.text_subject import scored, shown, text_subject

OLD = ["a dog on the grass", "ein Hund liegt auf dem Sofa", "Boston 00201", "一只猫", ()]
NEW = ["a dog on the grass", "a dog on the sofa", "the harbour of Boston", "a cat", "a cat"]


def test_shares_and_changes_of_language() -> None:
    found = scored(Language(), text_subject({"old": OLD, "new": NEW}))
    assert shown(found["english_share"], "old") == 0.25
    assert shown(found["english_share"], "new") == 1
    assert shown(found["language_changed"], "old") == 0
    # Of the three items whose old language can be told, two were no English.
    assert found["language_changed"].parts["new"].tolist() == [[0, 1], [1, 1], [0, 0], [1, 1], [0, 0]]
    rows = {row[0]: row[1:] for row in found["languages"].rows}
    assert rows["en"] == ("1 (25.0%)", "5 (100.0%)")
    assert rows["zh"] == ("1 (25.0%)", "0 (0.0%)")
    assert rows["unclear"] == ("1 (25.0%)", "0 (0.0%)")


def test_several_texts_vote() -> None:
    found = scored(Language(), text_subject({"old": [["一只猫", "a dog on it", "the dog"]], "new": ["a cat"]}))
    assert found["language_changed"].parts["new"].tolist() == [[0, 1]]


def test_empty_columns_are_told() -> None:
    found = scored(Language(), text_subject({"old": [()], "new": ["a cat on the mat"]}))
    assert shown(found["english_share"], "old") is None
    assert shown(found["language_changed"], "new") is None
    assert found["languages"].rows == [("en", "–", "1 (100.0%)")]


def test_readability_is_of_english_texts_alone() -> None:
    found = scored(
        Readability(), text_subject({"old": OLD, "new": ["The dog runs. It is a wonderful dog."] * 5})
    )
    assert shown(found["words_per_sentence"], "old") == 5
    assert shown(found["words_per_sentence"], "new") == 4
    assert shown(found["long_word_share"], "new") == pytest.approx(1 / 8)
    assert shown(found["readability.ari"], "new") == pytest.approx(4.71 * 27 / 8 + 0.5 * 4 - 21.43)
    assert shown(found["readability.lix"], "new") == pytest.approx(4 + 100 / 8)
    assert "3 of 4 texts of 'old' are not known to be English" in found["readability.ari"].about.note
    assert all(figure.about.better is None for figure in found.values())
    assert found["readability.ari"].parts["old"].tolist() == [[14, 5, 1], *([[0, 0, 0]] * 4)]
