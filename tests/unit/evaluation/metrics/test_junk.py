"""Junk: what no caption should hold, kind by kind."""

import pytest

from recaption.evaluation.metrics.junk import KINDS, Junk, junk_in
from tests.unit.evaluation.text_subject import scored, shown, text_subject

EXAMPLES = {
    "refusal": "I'm sorry, but I cannot describe this person.",
    "prompt": "As an AI language model, I see a dog.",
    "opener": "The image shows a dog on the grass.",
    "markup": "**A dog** on the grass.",
    "link": "A dog, see https://example.com/dog.",
    "damage": "A dog \x00 on the grass.",
    "name": "DSC_2481.JPG",
    "loop": "A dog and a dog and a dog and a dog and a dog and a dog and a dog.",
}
CLEAN = ["A dog on the grass.", "a cat", "一只猫在草地上。"]


@pytest.mark.parametrize("kind", sorted(EXAMPLES))
def test_a_kind_is_found_and_counts_unless_it_is_an_opener(kind: str) -> None:
    found = scored(Junk(), text_subject({"old": CLEAN, "new": [EXAMPLES[kind], *CLEAN[1:]]}))
    assert shown(found[f"junk.{kind}"], "new") == pytest.approx(1 / 3)
    assert shown(found[f"junk.{kind}"], "old") == 0
    assert shown(found["junk"], "new") == pytest.approx(0 if kind == "opener" else 1 / 3)
    assert all(found[f"junk.{other}"].about.better == "lower" for other in KINDS)


def test_every_kind_has_an_example() -> None:
    assert set(EXAMPLES) == set(KINDS)


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("Describe the image in one sentence.", "leak"),
        ("Caption: a dog.", "label"),
        ("<|im_end|> a dog", "role"),
        ('{"caption": "a dog"}', "wrapper"),
        ("A cafÃ© by the sea", "mojibake"),
        ("Fish &amp; chips on a plate", "entities"),
        ("A dog \u200b\u2066 here", "hidden"),
        ("half a pair \ud800 here", "damaged"),
        ("A red vase | Getty Images", "boilerplate"),
        ("IMG_20190304_1122 a dog", "file_names"),
        ("????? !!! ---- ++++", "symbols"),
    ],
)
def test_findings_are_named(text: str, name: str) -> None:
    assert name in set(junk_in(text))


def test_findings_are_listed_with_an_example_in_a_fixed_order() -> None:
    columns = {"old": list(EXAMPLES.values()), "new": ["a"] * len(EXAMPLES)}
    table = scored(Junk(), text_subject(columns))["junk_findings"]
    names = [row[0] for row in table.rows]
    assert names[:2] == ["refusal", "meta"]
    assert all(cell.isprintable() and len(cell) <= 160 for row in table.rows for cell in row)
    assert "role" in table.note


def test_a_column_without_texts_has_no_share() -> None:
    found = scored(Junk(), text_subject({"old": [()], "new": ["a dog"]}))
    assert shown(found["junk"], "old") is None


def test_hostile_texts_are_judged_to_a_bound() -> None:
    texts = ["I'm sorry " * 100_000, "(" * 1_000_000, "\ud800" * 1_000, "&amp;" * 200_000]
    found = scored(Junk(), text_subject({"old": texts, "new": ["a"] * 4}))
    assert shown(found["junk"], "old") == 1
