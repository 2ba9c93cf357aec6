"""Triage: what makes a text unusable, and that nothing breaks it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from recaption.core.errors import UserError
from recaption.media.rules import make_normaliser
from recaption.media.triage import FLAGS, TriageOptions, triage

NORMALISER = make_normaliser()


def judge(text: str, options: TriageOptions | None = None, copies: float | None = None) -> dict[str, str]:
    return triage(text, NORMALISER.run(text).text, options, copies=copies).flags


@pytest.mark.parametrize(
    ("text", "flags"),
    [
        ("A brown dog on a red sofa", set()),
        ("一只猫坐在红色沙发上", set()),
        ("Красная машина на улице города", set()),
        ("صورة قطة جميلة على الأريكة", set()),
        ("Ein schönes altes Haus mit Garten", set()),
        ("", {"empty"}),
        (" \n\t ", {"empty"}),
        ("\u200b", {"empty"}),
        ("image", {"placeholder"}),
        ("Untitled-3", {"placeholder"}),
        ("IMG", {"placeholder"}),
        ("图片", {"placeholder"}),
        ("No image available!", {"placeholder"}),
        ("IMG_2024.jpg", {"file_name"}),
        ("DSC_2481", {"file_name"}),
        ("inside-blue-mosque-istanbul-turkey", {"file_name"}),
        ("12 March 2019", {"date_or_number_only"}),
        ("2019年3月12日", {"date_or_number_only"}),
        ("00201", {"date_or_number_only"}),
        ("$19.99", {"date_or_number_only"}),
        ("Buy now! Free shipping", {"commercial_only"}),
        ("Royalty-free stock photo", {"commercial_only"}),
        ("包邮 正品 特价", {"commercial_only"}),
        ("dog, puppy, pet, animal, cute, pup, canine, doggy", {"keyword_stuffing"}),
        ("sofa red sofa blue sofa buy sofa", {"keyword_stuffing"}),
        ("sofa", {"too_short"}),
        ("红", {"too_short"}),
        ("Do what you love", {"no_visual_word"}),
        ("量子力学的基本概念与意义", {"no_visual_word"}),
        ("Boston", {"too_short", "names_only"}),
        ("Adventures of Huckleberry Finn", {"names_only"}),
    ],
)
def test_flags(text: str, flags: set[str]) -> None:
    assert judge(text).keys() - {"empty"} == flags - {"empty"}
    assert ("empty" in flags) <= ("empty" in judge(text))


def test_the_order_of_usefulness() -> None:
    texts = ["A brown dog on a red sofa", "Adventures of Huckleberry Finn", "Boston", "DSC_2481", ""]
    scores = [triage(text, NORMALISER.run(text).text).score for text in texts]
    assert scores == sorted(scores, reverse=True)
    assert (scores[0], scores[-1]) == (1.0, 0.0)


def test_a_text_on_many_images_is_a_duplicate() -> None:
    text = "A brown dog on a red sofa"
    assert judge(text, TriageOptions(max_copies=3), copies=4) == {"duplicate": "stands on 4 images"}
    assert judge(text, TriageOptions(max_copies=3), copies=3) == {}


def test_an_unwanted_language_is_flagged() -> None:
    options = TriageOptions(languages=("zh",))
    assert "wrong_language" in judge("Красная машина на улице города", options)
    assert judge("一只猫坐在红色沙发上", options) == {}


def test_impossible_options_are_errors() -> None:
    with pytest.raises(ValidationError):
        TriageOptions(min_words=0)
    with pytest.raises((UserError, ValueError), match="xx"):
        judge("A dog on a sofa in a house", TriageOptions(languages=("xx",)))


@given(st.text(max_size=200), st.text(max_size=200), st.one_of(st.none(), st.floats(0, 1e9)))
def test_any_two_texts_get_a_score_and_known_flags(raw: str, cleaned: str, copies: float | None) -> None:
    result = triage(raw, cleaned, copies=copies)
    assert 0 <= result.score <= 1
    assert set(result.flags) <= set(FLAGS)
    assert (result.score == 1) == (not result.flags)
    assert result == triage(raw, cleaned, copies=copies)


@pytest.mark.parametrize("unit", ["a", "a ", "a,", " ", "中", "0", "-", "\ud800", "A-", "（"])
def test_a_megabyte_is_judged_at_once(unit: str) -> None:
    text = unit * (1_000_000 // len(unit))
    assert 0 <= triage(text, text).score <= 1
