"""Grammar slips per hundred words, as a report shows them."""

import pytest

from recaption.core.errors import UnknownNameError
from recaption.evaluation.metrics.grammar import Grammar
from tests.unit.evaluation.text_subject import scored, shown, text_subject

OLD = ["A orange cat sits on the the mat.", "A dogs.", "一只猫 ，， 在", ()]
NEW = ["An orange cat sits on the mat.", "Two dogs.", "A cat.", "A cat."]


def test_slips_are_counted_per_hundred_words() -> None:
    found = scored(Grammar(), text_subject({"old": OLD, "new": NEW}))
    # Two slips, one and one, in 8, 2 and 4 words.
    assert shown(found["grammar_slips"], "old") == pytest.approx(100 * 4 / 14)
    assert shown(found["grammar_slips"], "new") == 0
    assert found["grammar_slips"].parts["old"].tolist() == [[200, 8], [100, 2], [100, 4], [0, 0]]
    assert shown(found["grammar_clean"], "old") == 0
    assert shown(found["grammar_clean"], "new") == 1
    assert "another language than English, judged by their marks alone: 1 of 'old', 0 of 'new'" in (
        found["grammar_slips"].about.note
    )


def test_rules_are_listed_with_counts_and_an_example() -> None:
    table = scored(Grammar(), text_subject({"old": OLD, "new": NEW}))["grammar_rules"]
    rows = {row[0]: row[2:] for row in table.rows}
    assert rows["article"] == ("1", "[A orange] cat sits on the the mat.", "0", "")
    assert rows["repeated_word"] == ("1", "A orange cat sits on [the the] mat.", "0", "")
    assert set(rows) == {"article", "repeated_word", "number", "doubled_mark"}
    assert "confused_word" in table.note
    assert all(len(row) == len(table.header) for row in table.rows)


def test_examples_of_hostile_texts_are_short_printable_lines() -> None:
    text = "\x00\ud800\n" * 50 + "a orange" + "x" * 5_000
    table = scored(Grammar(), text_subject({"old": [text], "new": ["a"]}))["grammar_rules"]
    for row in table.rows:
        assert all(cell.isprintable() and len(cell) <= 160 for cell in row)


def test_rules_can_be_chosen() -> None:
    subject = text_subject({"old": OLD, "new": ["a cat. it runs", "a", "a", "a"]})
    found = scored(Grammar(), subject, grammar_rules=("article", "lower_start"))
    assert {row[0] for row in found["grammar_rules"].rows} == {"article", "lower_start"}
    assert "2 rules" in found["grammar_slips"].about.note
    assert "number" in found["grammar_slips"].about.note
    none = scored(Grammar(), subject, grammar_rules=())
    assert shown(none["grammar_slips"], "old") == 0
    with pytest.raises(UnknownNameError, match="'artcle'"):
        scored(Grammar(), subject, grammar_rules=("artcle",))
