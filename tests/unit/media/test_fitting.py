"""A fitted text is within its budget, ends well, and says what tells most."""

import re
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recaption.core.errors import UserError
from recaption.media.budgets import Budget, characters, clip77, words
from recaption.media.fitting import Fitted, Mode, fit
from recaption.media.labels import coco_matcher
from recaption.media.salience import judge
from recaption.media.sentences import protected_spans, sentence_spans
from recaption.media.shortening import end_well
from tests.growth import grows_in_proportion

pytest.importorskip("instant_clip_tokenizer", reason="wheels exist for CPython 3.11 and 3.12")

ANY_TEXT = st.text(st.characters(exclude_categories=()), max_size=300)
# fmt: off
PIECES = (
    "A", "man", "and", "the", "dog", "with", "in", "while", "which", "is", "sitting", "一只猫", "\n",
    ",", ".", "!", "?", "…", ";", "—", "'", '"', "(", ")", "“", "”", "。", "，", "、",
    "possibly", "They", "New", "York", "red", "creating",
)
# fmt: on
CAPTIONS = st.lists(st.sampled_from(PIECES), max_size=90).map(" ".join)
ONE_SENTENCE = st.lists(st.sampled_from([p for p in PIECES if p not in ".!?…。\n)”'"]), max_size=90).map(
    " ".join
)
BUDGETS = st.one_of(
    st.integers(3, 40).map(clip77), st.integers(1, 30).map(words), st.integers(1, 120).map(characters)
)


def one(fitted: Fitted) -> str:
    assert len(fitted.texts) == 1
    return fitted.texts[0]


def test_a_text_that_fits_is_left_alone() -> None:
    text = "  A dog , and\n a cat and  "
    assert fit(text, clip77()) == Fitted((text,), 9, 9, 0, "none")


def test_moods_go_first() -> None:
    text = (
        "A man rides a white horse on a beach. The scene is filled with a sense of adventure and joy. "
        "Two brown dogs run beside it."
    )
    fitted = fit(text, words(limit=16))
    assert one(fitted) == "A man rides a white horse on a beach. Two brown dogs run beside it."
    assert fitted.cut_at == "sentence"
    assert fitted.dropped == ("The scene is filled with a sense of adventure and joy.",)


def test_guesses_at_the_end_of_a_sentence_go_before_facts() -> None:
    text = "A man smiles at a dog, suggesting that he is in a good mood. A red kite hangs above them."
    fitted = fit(text, words(limit=12))
    assert one(fitted) == "A man smiles at a dog. A red kite hangs above them."
    assert fitted.cut_at == "clause"


def test_a_guess_comes_back_where_there_is_room() -> None:
    text = "A man smiles at a dog, possibly his own. The mood is one of happiness and joy for all concerned."
    assert one(fit(text, words(limit=10))) == "A man smiles at a dog, possibly his own."


def test_the_least_supported_sentence_goes() -> None:
    text = "A street at night. A green bicycle leans there. A silver teapot shines brightly."
    backed = {"bicycle": 0.0, "teapot": 1.0}

    def support(sentence: str) -> float:
        return next((value for word, value in backed.items() if word in sentence), 0.5)

    assert "teapot" in one(fit(text, words(limit=9), support=support))
    backed |= {"bicycle": 1.0, "teapot": 0.0}
    assert "bicycle" in one(fit(text, words(limit=9), support=support))


def test_the_first_sentence_stays() -> None:
    text = "It is nice. " + "A brown dog chases a red ball across a green lawn near a wooden fence. " * 3
    assert one(fit(text, words(limit=20))).startswith("It is nice.")


def test_a_pronoun_does_not_lose_what_it_stands_for() -> None:
    text = "A street is empty. Two nurses stand near it in an atmosphere of calm and joy. They carry a ladder."
    kept = one(fit(text, words(limit=10)))
    assert "They" not in kept


def test_quoted_text_is_let_go_last() -> None:
    text = (
        "A shop front in a small town with a blue door. A woman in a coat walks past with a brown dog. "
        'A sign reads "Fresh Fish Daily".'
    )
    kept = one(fit(text, words(limit=17)))
    assert '"Fresh Fish Daily"' in kept
    assert kept.startswith("A shop front in a small town")


def test_a_locked_span_is_let_go_last() -> None:
    text = "A quiet street. A woman in a red coat walks a brown dog. He is there."
    start = text.index("He is there")
    assert "He is there." in one(fit(text, words(limit=6), locked=[(start, start + 11)]))


@pytest.mark.parametrize("span", [(-1, 2), (3, 2), (0, 99)])
def test_a_locked_span_outside_is_refused(span: tuple[int, int]) -> None:
    with pytest.raises(UserError, match="outside"):
        fit("A dog.", words(limit=1), locked=[span])


@pytest.mark.parametrize(
    ("text", "limit", "expected", "cut_at"),
    [
        (
            "A man is standing on a wide beach, holding a surfboard under his arm.",
            9,
            "A man is standing on a wide beach.",
            "clause",
        ),
        ("A man is riding a tall horse in a green park at noon", 9, "A man is riding a tall horse", "phrase"),
        ("There are plates, cups, forks, and knives.", 5, "There are plates and cups.", "phrase"),
        ("There are plates, cups, forks, and knives.", 6, "There are plates, cups, and forks.", "phrase"),
        ("big red round shiny old rusty metal bucket", 4, "big red round shiny", "word"),
        ("Is this a dog and is that a cat?", 5, "Is this a dog?", "clause"),
        ("桌上有一只黑色的猫，旁边有一只很大的狗。", 12, "桌上有一只黑色的猫。", "clause"),
    ],
)
def test_one_long_sentence(text: str, limit: int, expected: str, cut_at: str) -> None:
    fitted = fit(text, words(limit=limit))
    assert (one(fitted), fitted.cut_at, fitted.note) == (expected, cut_at, None)


def test_a_quote_longer_than_the_budget_is_cut_between_words_and_said_so() -> None:
    fitted = fit('"one two three four five six seven eight nine ten"', words(limit=4))
    assert one(fitted) == '"one two three four"'
    assert fitted.cut_at == "word"
    assert fitted.note == "a quote or name is longer than the budget"


def test_text_without_blanks_is_cut_between_characters_and_said_so() -> None:
    fitted = fit("桌上有一只黑色的猫" * 9, characters(limit=12))
    assert one(fitted) == "桌上有一只黑色的猫桌上有"
    assert fitted.note is not None
    assert "between characters" in fitted.note


@pytest.mark.parametrize("mode", ["trim", "split"])
def test_a_word_longer_than_the_budget_leaves_nothing(mode: str) -> None:
    fitted = fit("x" * 500, characters(limit=5), mode="split" if mode == "split" else "trim")
    assert fitted.texts == ()
    assert fitted.note
    assert fitted.cut_at == "word"


def test_lost_tokens_are_counted() -> None:
    text = "A red dog sleeps on a mat. A blue cat sits near it, near the door."
    budget = clip77(limit=12)
    fitted = fit(text, budget)
    assert fitted.tokens_before == budget.count(text)
    assert fitted.tokens_after == budget.count(one(fitted))
    assert fitted.tokens_lost == fitted.tokens_before - fitted.tokens_after > 0


def test_split_says_all_in_order() -> None:
    text = (
        "A red dog sleeps on a mat. A blue cat sits near it. A boy reads a book, and a girl is singing a song."
    )
    fitted = fit(text, words(limit=13), mode="split")
    assert fitted.texts == (
        "A red dog sleeps on a mat. A blue cat sits near it.",
        "A boy reads a book, and a girl is singing a song.",
    )
    assert (fitted.tokens_lost, fitted.cut_at) == (0, "sentence")


def test_split_cuts_a_long_sentence_into_sentences() -> None:
    fitted = fit("A boy reads an old book, and a girl is singing a song.", words(limit=7), mode="split")
    assert fitted.texts == ("A boy reads an old book.", "A girl is singing a song.")
    assert fitted.cut_at == "clause"


def test_a_budget_whose_counts_do_not_add_up_still_holds() -> None:
    def uneven(texts: list[str]) -> list[int]:
        return [len(text.split()) + text.count(".") ** 2 for text in texts]

    budget = Budget("uneven", 14, "test", 0, lambda texts: uneven(list(texts)))
    fitted = fit("A red dog. A blue cat. A green cow. A white hen. A black horse.", budget)
    assert budget.fits(one(fitted))
    assert one(fitted).startswith("A red dog.")


@settings(max_examples=150)
@given(st.one_of(ANY_TEXT, CAPTIONS), BUDGETS)
def test_every_result_fits_and_fitting_it_again_changes_nothing(text: str, budget: Budget) -> None:
    for result in (fit(text, budget), fit(text, budget, mode="split")):
        assert all(budget.fits(part) for part in result.texts)
        assert result.texts or result.note
        for part in result.texts:
            assert fit(part, budget).texts == (part,)


@settings(max_examples=150)
@given(CAPTIONS, BUDGETS)
def test_no_word_is_cut_or_made_up(text: str, budget: Budget) -> None:
    fitted = fit(text, budget)
    if fitted.note:
        return
    for part in fitted.texts:
        known = set(_latin_words(text)) | {"and"}
        assert set(_latin_words(part)) <= known


def _latin_words(text: str) -> list[str]:
    return re.findall(r"[A-Za-z]+", text)


@settings(max_examples=100)
@given(ONE_SENTENCE, BUDGETS)
def test_nothing_is_left_dangling(text: str, budget: Budget) -> None:
    for part in fit(text, budget).texts:
        if part != text.strip():
            words_said = re.findall(r"\w+", part)
            assert words_said[-1].lower() not in ("and", "with", "while", "which", "the", "is", "possibly")
            assert part.rstrip(")”\"' ")[-1] not in ",;—，、 "


def test_split_covers_every_word(captions: list[str]) -> None:
    for text in captions:
        fitted = fit(text, clip77(limit=40), mode="split")
        # Joining two clauses is all that is lost.
        missing = _count(text) - _count(" ".join(fitted.texts))
        assert missing <= {"and", "but", "which", "while", "or", "so"}


def _count(text: str) -> set[str]:
    return {word for word in _latin_words(text.lower()) if len(word) > 1}


def test_real_captions_fit_and_end_at_clauses(captions: list[str]) -> None:
    budget = clip77()
    for text in captions:
        fitted = fit(text, budget)
        assert budget.count(one(fitted)) <= 77
        assert fitted.cut_at in ("none", "sentence", "clause")
        assert one(fitted).endswith((".", "!", '"'))


def test_more_objects_stay_than_by_cutting_off(captions: list[str]) -> None:
    budget = clip77()
    matcher = coco_matcher()
    ours = theirs = 0
    for text in captions:
        ours += len(matcher.labels_in(one(fit(text, budget))))
        theirs += len(matcher.labels_in(_cut_off(text, budget)))
    assert ours > theirs


def _cut_off(text: str, budget: Budget) -> str:
    kept = text.split(" ")
    while not budget.fits(" ".join(kept)):
        kept.pop()
    return " ".join(kept)


@pytest.fixture(scope="module")
def captions() -> list[str]:
    """Long captions in the manner of a vision-language model."""
    return [
        (
            "The image features a man sitting on a surfboard in the ocean, wearing a wetsuit. He is "
            "navigating the waves and appears to be waiting for the next one. The surfer is the main "
            "focal point of the scene, occupying a significant portion of the image.\n\nThere are also "
            "several smaller figures in the background, likely observing the surfer. The ocean scene is "
            "filled with a sense of adventure and excitement, as the surfer takes on the challenge. A "
            "dog and a red kite can be seen near a bench."
        ),
        (
            "The image depicts a kitchen with wooden cabinets and a steel oven. A refrigerator stands "
            "on the right side of the room, while a microwave is located on the left side. The sink is "
            "near the window, providing a view of the yard. A bowl of oranges sits on the counter, "
            "adding a touch of color. The overall atmosphere is cozy and inviting, making it a perfect "
            "place for cooking and spending time together with family and friends."
        ),
        (
            'The image shows a street sign with the words "Main Street" on top of a pole. A banner '
            "hangs from the pole, advertising the Wisconsin State Fair. Three cars are parked along the "
            "curb, and a woman is crossing the road with a brown dog. There are two traffic lights, one "
            "above the road and the other next to the sidewalk. The atmosphere suggests an eventful "
            "day, giving the impression of a lively town with plenty of things to do and to see."
        ),
    ]


@pytest.mark.parametrize(
    "unit", ["and ", "A dog. ", "中文，", "x", "man's ", ", doing", '"a ', "He is. ", "a dog with "]
)
@pytest.mark.parametrize("mode", ["trim", "split"])
def test_a_huge_text_takes_time_in_proportion(unit: str, mode: Mode) -> None:
    assert grows_in_proportion(lambda length: fit(unit * (length // len(unit)), clip77(), mode=mode), 20_000)


def test_end_well_mends_what_a_cut_leaves() -> None:
    text = "A dog, a cat, and a cow stand in the park, near (an old, red) barn."
    ended: Callable[[int], str] = lambda place: end_well(text, (0, len(text)), place, protected_spans(text))[0]  # noqa: E731
    assert ended(text.index(" stand in")) == "A dog, a cat, and a cow."
    assert ended(text.index(" park")) == "A dog, a cat, and a cow stand."
    assert ended(text.index(", red")) == "A dog, a cat, and a cow stand in the park, near (an old)."
    assert ended(text.index("an old")) == "A dog, a cat, and a cow stand in the park."


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('"A red dog sleeps. A cat sits there. It is there."', "A red dog sleeps. A cat sits there."),
        ("“A red dog sleeps. A cat sits there. It is there.”", "A red dog sleeps. A cat sits there."),
        ("A red dog (asleep) lies. A cat sits (It is", "A red dog (asleep) lies."),
    ],
)
def test_marks_without_partner_do_not_stay(text: str, expected: str) -> None:
    assert one(fit(text, words(limit=8))) == expected


def test_judging_words() -> None:
    known = judge()
    assert known.is_filler("Overall, the scene is peaceful.")
    assert known.is_filler("整体上，画面营造出温馨的氛围。")
    assert not known.is_filler("The scene shows two dogs.")
    assert known.is_dependent("They are running.")
    assert known.is_dependent("其中一只在睡觉。")
    assert not known.is_dependent("The dogs are running.")
    assert known.richness("A brown dog chases a ball.", set()) > known.richness(
        "It gives a sense of joy.", set()
    )
    seen: set[str] = set()
    assert known.richness("Two dogs run.", seen) > known.richness("The dog runs.", seen) == 0


def test_sentences_of_the_result_are_sentences_of_the_text(captions: list[str]) -> None:
    for text in captions:
        whole = {text[a:b].strip().rstrip(".") for a, b in sentence_spans(text)}
        result = one(fit(text, clip77(limit=60)))
        for a, b in sentence_spans(result):
            said = result[a:b].strip().rstrip(".")
            assert any(sentence.startswith(said) for sentence in whole)
