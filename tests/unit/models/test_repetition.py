"""Repetition and form: shares one can count by hand, rules one can see."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recaption.core.types import Caption, Provenance, Record, Score
from recaption.media.images import BatchImages
from recaption.models.repetition import RepetitionScorer, broken_rules, repeated

ALL = RepetitionScorer.Params().rules


def scored(text: str, **params: object) -> Score:
    caption = Caption(text=text, origin="model", provenance=Provenance(stage="caption"))
    judge = RepetitionScorer(RepetitionScorer.Params.model_validate(params))
    (score,) = judge.score([(Record(key="a"), caption)], BatchImages())
    return score


@pytest.mark.parametrize(
    ("text", "ngram", "share"),
    [
        ("A red ball lies on the grass.", 4, 0.0),
        ("a cat on a mat a cat on a sofa", 2, 1 - 6 / 9),
        ("the dog and the dog and the dog and the dog", 4, 1 - 3 / 8),
        ("cat cat cat cat", 4, 1.0),
        ("A dog runs. A dog runs. A dog runs!", 4, 2 / 3),
        ("一只狗一只狗一只狗", 3, 1 - 3 / 7),
        ("ball", 4, 0.0),
        ("!!!!", 4, 0.0),
    ],
)
def test_what_repeats_is_counted(text: str, ngram: int, share: float) -> None:
    found, reason = repeated(text, ngram)
    assert found == pytest.approx(share)
    assert (reason is None) == (share == 0)


@pytest.mark.parametrize(
    ("text", "rules"),
    [
        ("A red ball.", []),
        ("“A red ball.”", []),
        ("一只红球。", []),
        ('The sign says "OPEN (24 h)".', []),
        ("USA flag on a pole.", []),
        ("a red ball", ["begins", "ends"]),
        ("A red (ball.", ["paired"]),
        ("A red ball).", ["paired"]),
        ("A [red (ball].)", ["paired"]),
        ('A "red ball.', ["paired"]),
        ("A red ball.\nIt lies here.", ["one_line"]),
        ("A **red** ball.", ["plain"]),
        ("A <b>red</b> ball at https://a.b/c.", ["plain"]),
        ("# A red ball.", ["plain"]),
        ("A RED BALL LIES ON THE GRASS.", ["case"]),
    ],
)
def test_the_form_of_a_caption(text: str, rules: list[str]) -> None:
    assert broken_rules(text, ALL) == rules


def test_less_is_better_and_reasons_are_given() -> None:
    assert scored("A red ball lies on the grass.") == Score(value=0.0)
    assert scored("a red ball") == Score(value=0.1, reason="begins in lower case; no final stop")
    loop = scored("A dog runs. A dog runs. A dog runs!")
    assert loop.value == pytest.approx(2 / 3)
    assert loop.reason == "67% of sentences repeated"
    assert scored("A red ball", form=0.0) == Score(value=0.0, reason="no final stop")
    assert scored("A red ball", rules=()) == Score(value=0.0)
    assert scored(" \n") == Score(value=None, reason="the text is empty")


@given(st.text(max_size=300))
def test_any_text_has_a_score_in_range(text: str) -> None:
    value = scored(text).value
    assert value is None if not text.strip() else value is not None and 0 <= value <= 1


def test_options_are_part_of_the_fingerprint() -> None:
    options: list[dict[str, object]] = [{}, {"ngram": 3}, {"form": 0.5}, {"rules": ("ends",)}]
    judges = [RepetitionScorer(RepetitionScorer.Params.model_validate(o)) for o in options]
    assert len({judge.fingerprint for judge in judges}) == 4
