from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recaption.core.types import Box
from recaption.demo.captions import Aspect, describe
from recaption.demo.facts import Fact, judge, parse, scene_facts
from recaption.demo.vocabulary import vocabulary
from recaption.demo.world import Scene, Sign, Thing, sample_scenes
from tests.growth import seconds

SCENE = Scene(
    "grass",
    (
        Thing("ball", "red", "striped", "small", Box(10, 100, 40, 130)),
        Thing("cup", "blue", "metallic", "large", Box(100, 20, 180, 90)),
    ),
    Sign("OPEN", Box(20, 20, 90, 50)),
    192,
)


def said(text: str) -> list[str]:
    return [str(fact) for fact in parse(text).facts]


@pytest.mark.parametrize(
    ("text", "claims"),
    [
        ("A red ball.", "object: ball | colour: ball red"),
        (
            "a small, red and striped ball",
            "object: ball | size: ball small | colour: ball red | material: ball striped",
        ),
        ("The ball is red and metallic.", "object: ball | colour: ball red | material: ball metallic"),
        ("A ball with white stripes", "object: ball | material: ball striped"),
        ("a cup made of metal", "object: cup | material: cup metallic"),
        ("A ball. It is large.", "object: ball | size: ball large"),
        ("a lovely little polka dot mug", "object: cup | size: cup small | material: cup dotted"),
        ("two dogs", "object: dog | count: dog 2"),
        ("three objects on the beach", "count: things 3 | background: sand"),
        ("a ball and a ball", "object: ball | object: ball | count: ball 2"),
        ("A ball is here. The ball is round.", "object: ball | object: ball"),
        ("a ball and red ball", "object: ball | object: ball | count: ball 2 | colour: ball red"),
        ("ball clipart, ball png", "object: ball | object: ball"),
        ("ball cheap ball best ball", "object: ball | object: ball | object: ball"),
        ("a hat against a red brick wall", "object: hat | background: brick wall"),
        ("under a blue sky", "background: sky"),
        ("a grey ball", "object: ball | colour: ball grey"),
        ("The word “CAFE” is written there", "word: sign CAFE"),
        ("A sign that says OPEN", "object: sign | word: sign OPEN"),
        ("a sign reading open", "object: sign | word: sign open"),
        ("There is no sign and no text.", ""),
        ("IMG_2041.JPG", ""),
        ("nice pic of my stuff", ""),
        ("#red #ball", "object: ball"),
        ("ball above cup", "object: ball | relation: ball above cup | object: cup"),
        (
            "The ball and the cup are above the hat.",
            "object: ball | object: cup | relation: cup above hat | relation: ball above hat | object: hat",
        ),
        ("To the left of the cup is a ball.", "relation: ball left of cup | object: cup | object: ball"),
        (
            "Left of the cup, a ball and a hat.",
            "relation: ball left of cup | object: cup | object: ball | object: hat",
        ),
        ("A cup with a ball to its left", "object: cup | object: ball | relation: ball left of cup"),
        ("A cup. A ball is above it.", "object: cup | object: ball | relation: ball above cup"),
        (
            "a ball left of a cup and above a hat",
            "object: ball | relation: ball left of cup | object: cup | relation: ball above hat | object: hat",
        ),
        (
            "The ball is left of the cup and the hat.",
            "object: ball | relation: ball left of cup | relation: ball left of hat | object: cup | object: hat",
        ),
        (
            "The ball is left of the cup and the hat is red.",
            "object: ball | relation: ball left of cup | object: cup | object: hat | colour: hat red",
        ),
        (
            "A ball to the left of a cup and a hat",
            "object: ball | relation: ball left of cup | object: cup | object: hat",
        ),
        ("a ball in the top left corner", "object: ball | relation: ball top left picture"),
        ("a ball on the right side of the picture", "object: ball | relation: ball right picture"),
        (
            'Two dogs and a red ball on grass, to the left of a blue cup. A sign reads "OPEN".',
            "object: dog | count: dog 2 | object: ball | colour: ball red | background: grass "
            "| relation: ball left of cup | relation: dog left of cup | object: cup | colour: cup blue "
            "| object: sign | word: sign OPEN",
        ),
    ],
)
def test_sentences_are_understood(text: str, claims: str) -> None:
    assert " | ".join(said(text)) == claims


def test_every_mention_counts() -> None:
    verdict = judge("A red ball and a blue cup. The ball is blue. The cup is blue.", SCENE)
    assert [str(f) for f in verdict.contradicted] == ["colour: ball blue"]
    assert len(verdict.supported) == 7
    assert verdict.precision == pytest.approx(7 / 8)
    assert verdict.recall == pytest.approx(4 / 11), "a fact said twice is stated once"
    assert not verdict.fully_correct


def test_the_looks_of_what_is_not_there_are_wrong_too() -> None:
    verdict = judge("a large red hat", SCENE)
    assert (len(verdict.supported), len(verdict.contradicted)) == (0, 3)


def test_nothing_said_has_no_precision() -> None:
    verdict = judge("IMG_2041.JPG", SCENE)
    assert verdict.precision is None
    assert verdict.recall == 0.0
    assert not verdict.fully_correct


@pytest.mark.parametrize(
    ("text", "truth"),
    [
        ("the ball is left of the cup", True),
        ("the ball is right of the cup", False),
        ("the cup is above the ball", True),
        ("the ball is above the cup", False),
        ("the sign is above the ball", True),
        ("the ball is left of the hat", False),
        ("the ball is behind the cup", None),
        ("the cup is above the sign", False),
        ("the ball is on the left", True),
        ("the ball is at the top", False),
        ("the ball is in the middle", False),
        ("the cup is in the top right corner", True),
        ("the cup is in the top left corner", False),
    ],
)
def test_positions_are_held_against_the_boxes(text: str, truth: bool | None) -> None:
    verdict = judge(text, SCENE)
    group = {True: verdict.supported, False: verdict.contradicted, None: verdict.unknown}[truth]
    assert any(f.kind == "relation" for f in group)


def test_level_things_are_neither_left_nor_right() -> None:
    level = replace(SCENE.things[1], box=Box(10, 20, 42, 60))
    scene = replace(SCENE, things=(SCENE.things[0], level))
    assert [f.kind for f in judge("the ball is left of the cup", scene).unknown] == ["relation"]


@pytest.mark.parametrize("word", ["OPEN", "open", "Open!"])
def test_the_word_is_compared_by_its_letters(word: str) -> None:
    verdict = judge(f'A sign with the word "{word}".', SCENE)
    assert not verdict.contradicted
    assert Fact("word", "sign", "OPEN") in verdict.covered


def test_synonyms_mean_the_same() -> None:
    known = vocabulary()
    for name, shape in known.shapes.items():
        for other in [name, *shape.also]:
            assert said(f"a {other}") == [f"object: {name}"]
        for other in [shape.plural, *shape.also_plural]:
            assert said(f"two {other}") == [f"object: {name}", f"count: {name} 2"]
    for name, place in known.backgrounds.items():
        for phrase in [*place.phrases, *place.also, name]:
            assert said(f"a ball {phrase}")[-1] == f"background: {name}"


Swap = Callable[[Scene], Scene]


def other(name: str, names: object) -> str:
    known = list(names)  # type: ignore[call-overload]
    return str(known[(known.index(name) + 1) % len(known)])


def with_first(scene: Scene, **changes: str) -> Scene:
    return replace(scene, things=(replace(scene.things[0], **changes), *scene.things[1:]))  # type: ignore[arg-type]


def swap_object(scene: Scene) -> Scene:
    here = {t.shape for t in scene.things}
    return with_first(scene, shape=next(s for s in vocabulary().shapes if s not in here))


def swap_word(scene: Scene) -> Scene:
    sign = scene.sign and replace(scene.sign, word=other(scene.sign.word, vocabulary().words))
    return replace(scene, sign=sign)


def swap_binding(scene: Scene) -> Scene:
    a, b, *rest = scene.things
    return replace(scene, things=(replace(a, colour=b.colour), replace(b, colour=a.colour), *rest))


def mirror(scene: Scene) -> Scene:
    """Turn the picture by half, so that every relation is turned round."""
    side = scene.size_px

    def turned(box: Box) -> Box:
        return Box(side - box.right, side - box.bottom, side - box.left, side - box.top)

    return replace(scene, things=tuple(replace(t, box=turned(t.box)) for t in scene.things))


SWAPS: dict[str, tuple[Aspect, Swap]] = {
    "object": ("dense", swap_object),
    "colour": ("appearance", lambda s: with_first(s, colour=other(s.things[0].colour, vocabulary().colours))),
    "material": ("texture", lambda s: with_first(s, material=other(s.things[0].material, vocabulary().materials))),
    "size": ("appearance", lambda s: with_first(s, size=other(s.things[0].size, vocabulary().sizes))),
    "background": ("context", lambda s: replace(s, background=other(s.background, vocabulary().backgrounds))),
    "word": ("text", swap_word),
    "binding": ("dense", swap_binding),
    "relation": ("context", mirror),
}  # fmt: skip


@pytest.mark.parametrize("kind", SWAPS)
def test_a_caption_with_one_fact_swapped_is_caught(kind: str) -> None:
    aspect, swap = SWAPS[kind]
    tried = caught = 0
    for i, scene in enumerate(sample_scenes(400, seed=77)):
        if kind in ("binding", "relation") and len(scene.things) < 2:
            continue
        wrong = swap(scene)
        if set(scene_facts(wrong)) == set(scene_facts(scene)) and kind != "relation":
            continue
        caption = describe(wrong, aspect, i)
        stated = [f.kind for f in judge(caption, wrong).supported]
        if kind == "relation" and kind not in stated:
            continue
        verdict = judge(caption, scene)
        tried += 1
        caught += bool(verdict.contradicted)
        if kind not in ("object", "binding"):
            assert {f.kind for f in verdict.contradicted} <= {kind}, caption
    assert tried >= 80
    assert caught >= 0.99 * tried


def test_a_wrong_count_is_caught() -> None:
    for scene in sample_scenes(50, seed=3):
        shape = scene.things[0].shape
        verdict = judge(f"two {vocabulary().shapes[shape].plural}", scene)
        assert [f.kind for f in verdict.contradicted] == ["count"]


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=300))
def test_any_text_has_a_reading(text: str) -> None:
    judge(text, SCENE)


@settings(max_examples=200, deadline=None)
@given(
    st.lists(
        st.sampled_from(
            ["a", "two", "red", "ball", "cup", "and", ",", ".", "is", "left of", "above", "it", "to its right", "no",
             "with", "stripes", "on grass", '"OPEN"', "sign", "in the middle", "says", "\ud800", "\x00", "are"]
        ),
        max_size=25,
    )
)  # fmt: skip
def test_any_jumble_of_known_words_has_a_reading(words: list[str]) -> None:
    verdict = judge(" ".join(words), SCENE)
    assert set(verdict.covered) <= set(verdict.facts)


@pytest.mark.parametrize(
    "piece", ["a ", "left of ball ", "a ball, ", '"', "red and ", "ball left of it ", "on the left hand side "]
)
def test_a_huge_text_is_read_in_part_and_in_time(piece: str) -> None:
    huge = piece * (1_000_000 // len(piece))
    assert parse(huge).truncated
    assert seconds(lambda: parse(huge), turns=1) < 5 * seconds(lambda: parse(huge[:100_000])) + 0.05
