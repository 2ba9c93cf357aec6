"""Grammar by rules: what is wrong is found where it stands, and what is right is left alone."""

import json
import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recaption.core.errors import UnknownNameError
from recaption.evaluation.text.grammar_data import grammar
from recaption.evaluation.text.grammar_rules import DEFAULT_RULES, RULES, checked_rules, slips
from recaption.evaluation.text.grammar_words import _BLANKED, _may_slip, _slips_at, _Tokens
from recaption.media.words import article, plural
from tests.growth import grows_in_proportion

WRONG: dict[str, list[tuple[str, ...]]] = {
    "unbalanced": [
        ("A sign (red on a wall.", "("),
        ('The sign says "stop on a pole.', '"'),
        ("A sign red) on a wall.", ")"),
        ("The word “stop on a sign.", "“"),
        ("A list [of things).", "[", ")"),
    ],
    "doubled_mark": [
        ("A dog,, a cat.", ",,"),
        ("A dog..", ".."),
        ("A dog,. Then a cat.", ",."),
        ("狗，，猫。", "，，"),
    ],
    "cut": [
        ("A man standing next to the", "the"),
        ("A man who is riding a horse and", "and"),
        ("A dog, a cat,", "cat,"),
    ],
    "no_final_stop": [
        ("The dog is on the grass. The cat sits on a wall", "wall"),
        ("A man has gone home. He waves", "waves"),
    ],
    "no_blank_after_mark": [
        ("A dog sits,while a cat lies.", "ts,"),
        ("A man on the grass.The dog runs.", "ass."),
    ],
    "blank_before_mark": [("A dog , a cat.", " ,"), ("A dog on the grass .", " .")],
    "article": [
        ("A orange cat.", "A orange"),
        ("There is a apple on it.", "a apple"),
        ("An dog runs.", "An dog"),
        ("He rides an horse.", "an horse"),
        ("She wears an unique hat.", "an unique"),
        ("In a hour it is over.", "a hour"),
        ("a open-air market", "a open-air"),
    ],
    "number": [
        ("A dogs in the grass.", "A dogs"),
        ("A women is walking.", "A women"),
        ("Two dog are running.", "Two dog"),
        ("There are several red car on the road.", "several red car"),
        ("A group of person standing.", "group of person"),
        ("He sees two bird.", "two bird"),
        ("Another people walks by.", "Another people"),
    ],
    "agreement": [
        ("The dogs is running.", "The dogs is"),
        ("Two old men was there.", "Two old men was"),
        ("A young girl are standing.", "A young girl are"),
        ("It rains. The car have stopped.", "The car have"),
        ("They was there.", "They was"),
        ("There is two dogs on it.", "There is two dogs"),
        ("he don't move", "he don't"),
    ],
    "repeated_word": [
        ("A dog on the the grass.", "the the"),
        ("The the dog.", "The the"),
        ("a red red ball", "red red"),
        ("A dog on the on the grass.", "on the on the"),
        ("a cat near a wall near a wall", "near a wall near a wall"),
    ],
    "confused_word": [
        ("It could of been a dog.", "could of"),
        ("A dog and its a big one.", "its a"),
        ("One is bigger then the other.", "bigger then the"),
    ],
    "lower_start": [("A dog. it runs.", "it"), ("a dog", "a")],
}  # fmt: skip

RIGHT = [
    "A dog on the grass.",
    "a dog on the grass",
    'The sign says "stop" (in red) and [sic] “go”.',
    'A 12" pizza and a 5\' 10" man.',
    "A smile :) and a list: a) one, b) two.",
    "Wait... what? No way!! Really?!",
    "A man riding a wave over and over",
    "They run as fast as they can",
    "He says that that is so, and had had enough of the very very big dog.",
    "Duran Duran at the Bora Bora beach; ha ha ha, no no no.",
    "A trash can can be seen.",
    "It turns over and over and over, side by side by side, to be or not to be.",
    "New York New York, one of the of-the-moment dogs. In the house, in the house.",
    "An hour, an honest heir, an SUV, an X-ray, an MRI, an 8-year-old, an old man.",
    "A unicorn, a one-way road, a European, a US flag, a used car, a university, a onesie, a FIFA cup, a ukulele.",
    "An ndarray, a mp3.",
    "An umbrella, an unusual hat, an historic house, a historic house, an herb, a herb.",
    "Vitamin a is good, as are grade A eggs and plan a or b.",
    "A sports car, a glasses case, a women's shirt, a dogs-only park, a ladies' room.",
    "Two dog houses, a two car garage, a three person tent, four horse drawn carriages.",
    "One of the dogs is sitting, and the color of the cars is red.",
    "A man with two dogs is walking. A dog and two cats are here.",
    "The man holding dogs is tall. The sheep are white, and the fish is, too.",
    "Behind it are trees, and next to the boys is a girl.",
    "If he were here, should they have known?",
    "A herd of zebra and two giraffe, a pair of scissors.",
    "A number of dogs are running. Is there a dog? There are a dog and a cat.",
    "A table for two. Number two dog.",
    "See www.example.com/a,b or mail a.b@c.org, file IMG.Jpg at Amazon.Com.",
    "Version 2.0,3 at 5:30 p.m., e.g. in the U.S., Inc., or no.1.",
    "He could, of course, go.",
    "Its eyes are blue; your car and their dog are there.",
    "ALL CAPS AN DOG THE THE.",
    "L'image d'un chien.",
    "",
    "   ",
    "?!",
]


@pytest.mark.parametrize(("rule", "found"), [(rule, found) for rule, cases in WRONG.items() for found in cases])
def test_a_slip_is_found_by_its_rule_where_it_stands(rule: str, found: tuple[str, ...]) -> None:
    text, *places = found
    rules = frozenset(RULES) if rule == "lower_start" else DEFAULT_RULES
    of_rule = [text[s.start : s.end] for s in slips(text, is_english=True, rules=rules) if s.rule == rule]
    assert of_rule == places


@pytest.mark.parametrize("text", RIGHT)
def test_what_is_right_is_left_alone(text: str) -> None:
    assert [(s.rule, text[s.start : s.end]) for s in slips(text, is_english=True)] == []


def test_every_rule_has_a_slip_that_it_finds() -> None:
    assert set(WRONG) == set(RULES)
    assert set(RULES) - {"lower_start"} == DEFAULT_RULES


@pytest.mark.parametrize("rule", sorted(RULES))
def test_a_rule_that_is_off_finds_nothing(rule: str) -> None:
    texts = [case[0] for case in WRONG[rule]]
    rest = frozenset(RULES) - {rule}
    for text in texts:
        assert all(slip.rule in rest for slip in slips(text, is_english=True, rules=rest))
        assert {slip.rule for slip in slips(text, is_english=True, rules=frozenset({rule}))} <= {rule}


def test_other_languages_are_judged_by_their_marks_alone() -> None:
    text = "Der der Hund an Leine ist ,, (a apple"
    assert {slip.rule for slip in slips(text, is_english=False)} == {"doubled_mark", "unbalanced"}
    assert "repeated_word" in {slip.rule for slip in slips(text, is_english=True)}


def test_what_a_cut_text_has_opened_is_one_slip() -> None:
    assert [slip.rule for slip in slips("A sign (red and", is_english=True)] == ["cut"]
    assert [slip.rule for slip in slips("A sign (red.", is_english=True)] == ["unbalanced"]


def test_an_unknown_rule_is_named() -> None:
    assert checked_rules(["article"]) == {"article"}
    with pytest.raises(UnknownNameError, match="grammar rule 'artikel'"):
        checked_rules(["article", "artikel"])


SAID = (
    "a an the two several dog dogs women is are was have of group there they could its then other red old apple hour "
    "unique in . , The A can don't their and on"
)
WORDS = st.sampled_from(SAID.split())


@settings(max_examples=400, deadline=None)
@given(st.lists(WORDS, max_size=25).map(" ".join))
def test_the_quick_look_misses_nothing(text: str) -> None:
    tokens = _Tokens(text)
    closely = [slip for i in range(len(tokens.low)) for slip in _slips_at(tokens, i)]
    if closely:
        assert _may_slip(text.lower().replace("’", "'").translate(_BLANKED).split())


@given(st.text(max_size=80), st.booleans())
def test_any_text_is_judged_and_slips_lie_inside_in_order(text: str, is_english: bool) -> None:
    found = slips(text, is_english=is_english, rules=frozenset(RULES))
    assert all(0 <= s.start <= s.end <= len(text) for s in found)
    assert [s.start for s in found] == sorted(s.start for s in found)


@pytest.mark.parametrize(
    "unit",
    ["(", '"', "a ", "a an ", ",,", " ,", ". ", "the the ", "“", ":)", "a,b", "two red ", "is ", "\n", "((a))"],
)
def test_time_grows_no_faster_than_the_text(unit: str) -> None:
    assert grows_in_proportion(
        lambda times: slips(unit * times, is_english=True, rules=frozenset(RULES)), 5_000
    )


def test_the_word_lists_agree_with_the_forms_of_words() -> None:
    words = grammar()
    assert words.singular.isdisjoint(words.plural)
    assert all(plural(noun) != noun for noun in words.singular)
    for word in words.sets["sounds_like_vowel"]:
        assert article(word) == "an" or word[0] == "u", word
    for name in ("nouns", "adjectives"):
        assert all(re.fullmatch("[a-z-]+", word) for word in words.sets[name])


def test_people_make_few_slips_and_corrupted_texts_many(shared_data: Path) -> None:
    told = json.loads((shared_data / "photos" / "coco" / "captions.json").read_text(encoding="utf-8"))
    captions = [" ".join(note["caption"].split()) for note in told["annotations"]]
    human = sum(bool(slips(text, is_english=True)) for text in captions) / len(captions)
    flipped = [
        re.sub(r"\b([Aa])(n?) (?=\w)", lambda m: m[1] + ("" if m[2] else "n") + " ", t) for t in captions
    ]
    changed = [(old, new) for old, new in zip(captions, flipped, strict=True) if old != new]
    found = sum(any(s.rule == "article" for s in slips(new, is_english=True)) for _, new in changed) / len(
        changed
    )
    assert human < 0.03
    assert found > 0.9
