"""Composed captions: fluent, supported, seeded, and deaf to hostile evidence."""

import re
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recaption.core.protocols import Context
from recaption.core.types import Box, Evidence, JsonValue, Record
from recaption.stages.compose import Compose
from tests.unit.stages.composing import CONTEXT, alt, compose, record, texts, thing, words

GRASS = Evidence(kind="tag", label="grass", source="given", attributes={"role": "background"})


def pixel(label: str, **attributes: JsonValue) -> Evidence:
    return Evidence(kind="pixel", label=label, source="pixels", attributes=attributes)


def test_counts_colours_and_background() -> None:
    scene = record(thing("dog"), thing("ball", colour="red"), thing("dog"), GRASS)
    assert texts(scene, aspects=["brief"]) == {"brief": "Two dogs and a red ball on grass."}


def test_brief_names_the_most_important_first_and_no_more_than_asked() -> None:
    scene = record(
        thing("cup", (0, 0, 20, 20)), thing("car", (0, 0, 400, 200)), thing("person", (0, 0, 200, 200))
    )
    said = texts(scene, aspects=["brief"], max_groups=2)["brief"]
    assert said.removeprefix("There is ") in ("A person and a car.", "a person and a car.")


@pytest.mark.parametrize("count", [10, 40])
def test_more_than_nine_are_many(count: int) -> None:
    said = texts(record(*(thing("chair") for _ in range(count))), aspects=["brief"])["brief"]
    assert "many chairs" in said.lower()


def test_a_crowd_is_no_number() -> None:
    said = texts(record(thing("person"), thing("person", iscrowd=True)), aspects=["brief"])["brief"]
    assert re.search("many people|(crowd|group) of people", said.lower())
    assert "two" not in said.lower()
    assert "there are a" not in said.lower()


def test_things_below_the_threshold_are_left_out_but_make_counts_vague() -> None:
    def seen(score: float) -> Evidence:
        return Evidence(kind="object", label="dog", source="yolox@1", score=score)

    assert texts(record(seen(0.4))) == {}
    assert "several dogs" in texts(record(seen(0.9), seen(0.9), seen(0.4)))["brief"].lower()
    assert "two dogs" in texts(record(seen(0.9), seen(0.9), seen(0.1)))["brief"].lower()
    assert (
        "three dogs"
        in texts(record(seen(0.9), seen(0.9), seen(0.4)), min_score={"yolox": 0.3})["brief"].lower()
    )


def test_two_sources_of_one_dog_are_one_dog() -> None:
    box, near = Box(10, 10, 100, 100), Box(12, 8, 99, 103)
    seen = Evidence(kind="object", label="dog", source="yolox@1", score=0.9, box=near)
    scene = record(Evidence(kind="object", label="dog", source="coco", box=box), seen)
    made = compose(scene, aspects=["brief"])["brief"]
    assert "a dog" in made.text.lower()
    assert made.provenance.details["evidence"] == [0, 1]
    assert made.scores["support"].value == 2


def test_looks_tell_things_of_one_kind_apart() -> None:
    scene = record(
        thing("ball", (10, 200, 100, 290), colour="red", material="wood", size="small"),
        thing("ball", (300, 200, 390, 290), colour="blue"),
    )
    said = texts(scene)
    assert "a small red wooden ball and a blue ball" in said["appearance"].lower()
    assert "the small red wooden ball" not in said["dense"]
    assert "the red ball is to the left of the blue ball" in said["dense"].lower()


def test_the_look_of_the_whole_picture() -> None:
    facts = (
        pixel("brightness", value="dark", level=0.1),
        pixel("colour", value="blue", share=0.7, rank=1),
        pixel("colour", value="green", share=0.2, rank=2),
        pixel("greyscale", value=False, share=0.1),
        pixel("orientation", value="landscape", ratio=1.3),
    )
    made = compose(record(*facts))
    assert made["appearance"].text == "The picture is dark and mostly blue."
    assert made["appearance"].scores["support"].value == 0
    grey = record(pixel("greyscale", value=True, share=1.0), pixel("colour", value="grey", share=0.9, rank=1))
    assert texts(grey)["appearance"] == "The picture is black and white."
    assert texts(record(pixel("brightness", value="normal"))) == {}


def test_words_are_quoted_in_reading_order() -> None:
    scene = record(
        words("HOURS", (0, 60, 90, 80)), words("OPEN", (0, 0, 80, 20)), words("SALE", (400, 300, 450, 320))
    )
    said = texts(scene, aspects=["text"])["text"]
    assert said.index('"OPEN"') < said.index('"HOURS"') < said.index('"SALE"')


def test_lines_of_one_block_are_one_quote_and_columns_are_not() -> None:
    lines = (words("NO", (0, 0, 80, 20), line=1, column=1), words("PARKING", (0, 24, 80, 44), line=2, column=1))
    assert '"NO PARKING"' in texts(record(*reversed(lines)), aspects=["text"])["text"]
    columns = (words("ONE", (0, 0, 80, 20), line=1, column=1), words("TWO", (84, 0, 160, 20), line=1, column=2))
    assert '"ONE" and "TWO"' in texts(record(*columns), aspects=["text"])["text"]


def test_words_on_a_sign_are_read_from_the_sign() -> None:
    scene = record(thing("sign", (100, 100, 300, 200)), words("OPEN", (120, 120, 280, 180)))
    assert re.fullmatch(r'A sign (reads|says) "OPEN"\.', texts(scene, aspects=["text"])["text"])
    assert re.search(r'The sign (reads|says) "OPEN"\.', texts(scene, aspects=["dense"])["dense"])
    assert "sign" not in texts(record(words("OPEN")), aspects=["text"])["text"].lower()


def test_quotes_are_harmless_and_short() -> None:
    said = texts(record(words('say "hi"\x00\x1b[31m\u202e\ud800 ' + "x" * 5000)), aspects=["text"])["text"]
    assert said.count('"') == 2
    assert "'hi'" in said
    assert not re.search(r"[\x00-\x1f\u202e\ud800]", said)
    assert len(said) < 140


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Laugharne Castle", "Laugharne Castle, with two people and a dog."),
        ("Laugharne Castle.", "Laugharne Castle, with two people and a dog."),
    ],
)
def test_a_named_place_is_kept_and_things_are_added(text: str, expected: str) -> None:
    known = alt(text)
    made = compose(record(thing("person"), thing("person"), thing("dog"), captions=[known]))["brief"]
    assert made.text == expected
    assert made.provenance.parents == (known.id,)
    assert made.provenance.details["templates"] == ["with/0"]


def test_what_the_alt_text_names_is_not_repeated() -> None:
    scene = (thing("person"), thing("dog"), thing("frisbee"))
    said = texts(record(*scene, captions=[alt("A man and his puppy on the beach.")]), aspects=["brief"])[
        "brief"
    ]
    assert said.startswith("A man and his puppy on the beach. ")
    assert said.endswith(" a frisbee.")
    assert "person" not in said
    assert "also" in said
    assert texts(record(thing("dog"), captions=[alt("My puppy")])) == {}


def test_what_the_alt_text_only_names_is_described() -> None:
    scene = record(thing("ball", colour="red", material="wood"), thing("cat"), captions=[alt("My red ball")])
    said = texts(scene)
    assert "The ball is wooden." in said["dense"]
    assert "wooden" not in said["brief"]


def test_where_it_is_is_said_once() -> None:
    there, elsewhere = alt("A dog in the grass"), alt("A dog")
    assert texts(record(thing("dog"), GRASS, captions=[there])).keys() == {"context"}
    assert (
        texts(record(thing("dog"), GRASS, captions=[elsewhere]))["dense"] == "A dog. The scene is set on grass."
    )


def test_a_product_name_gets_no_company_it_may_itself_be() -> None:
    said = texts(record(thing("car"), captions=[alt("1967 Ford Mustang")]), aspects=["brief"])["brief"]
    assert said == "1967 Ford Mustang. The picture shows a car."


def test_numbers_of_the_alt_text_are_not_disputed() -> None:
    said = texts(record(thing("dog"), thing("dog"), thing("cat"), captions=[alt("Three dogs")]))["brief"]
    assert said.startswith("Three dogs. ")
    assert "two" not in said


@pytest.mark.parametrize("unusable", [alt("IMG 2024 castle", 0.2), alt("castle", None), alt(" ", 0.9)])
def test_an_unusable_alt_text_is_ignored(unusable: object) -> None:
    said = texts(record(thing("dog"), captions=[unusable]), aspects=["brief"])["brief"]  # type: ignore[list-item]
    assert said.lower().removeprefix("there is ") == "a dog."


def test_nothing_is_appended_in_a_language_the_alt_text_is_not_in() -> None:
    scene = (thing("person"), thing("dog"))
    for foreign in (alt("Älä unohda", language="fi"), alt("犬の散歩です"), alt("Замок у моря")):
        assert texts(record(*scene, captions=[foreign])) == {}
        forced = texts(record(*scene, captions=[foreign]), language="en", aspects=["brief"])["brief"]
        assert forced == f"{foreign.text}. The picture shows a person and a dog."


def test_chinese() -> None:
    assert texts(record(thing("person"), thing("person"), thing("dog"), captions=[alt("西湖")]))["brief"] == (
        "西湖，有两个人和一只狗。"
    )
    scene = record(
        thing("dog", (0, 200, 90, 300)),
        thing("dog", (100, 200, 190, 300)),
        thing("ball", (300, 210, 380, 290), colour="red"),
        GRASS,
    )
    said = texts(scene, language="zh")
    assert said["brief"] == "草地上有两只狗和一个红色的球。"
    assert "狗在球的左边" in said["dense"]
    assert "“你好”" in texts(record(words("你好")), language="zh")["text"]
    assert "一个widget" in texts(record(thing("widget")), language="zh")["brief"]


def test_choices_depend_on_seed_and_key_and_nothing_else() -> None:
    scene = [record(thing("dog"), thing("cat"), key=str(n)) for n in range(40)]
    stage = Compose(Compose.Params(aspects=("dense",)))
    once = stage.process(scene, CONTEXT)
    assert once == [outcome for r in scene for outcome in stage.process([r], CONTEXT)]
    assert once == list(reversed(stage.process(list(reversed(scene)), CONTEXT)))
    other = stage.process(
        scene, Context(images=CONTEXT.images, ledger=CONTEXT.ledger, meter=CONTEXT.meter, seed=8)
    )
    assert once != other
    assert len({o.record.captions[0].text for o in once}) > 1  # type: ignore[union-attr]


def test_composing_twice_adds_nothing() -> None:
    stage = Compose(Compose.Params())
    once = stage.process([record(thing("dog"), thing("cat"))], CONTEXT)[0].record  # type: ignore[union-attr]
    assert stage.process([once], CONTEXT)[0].record is once  # type: ignore[union-attr]


def test_known_tags_are_the_scene_and_others_are_quoted() -> None:
    def tag(label: str) -> Evidence:
        return Evidence(kind="tag", label=label, source="column:tags")

    said = texts(
        record(tag("wedding"), tag("beach"), tag("Tuscany"), tag("wedding"), tag("dog"), thing("dog"))
    )["dense"]
    assert "on a beach" in said
    assert said.endswith('The picture is tagged "wedding" and "Tuscany".')


def test_nothing_known_nothing_said() -> None:
    bare = Record(key="k")
    assert Compose(Compose.Params()).process([bare], CONTEXT)[0].record is bare  # type: ignore[union-attr]


LABELS = ("dog", "car", "star", "kite", "table", "cup", "person", "bench")
sides = st.integers(0, 300)
one_of_each = st.lists(
    st.builds(
        lambda label, x, y, w, h: (label, (x, y, x + w, y + h)),
        st.sampled_from(LABELS),
        sides,
        sides,
        st.integers(4, 300),
        st.integers(4, 300),
    ),
    min_size=2,
    max_size=6,
    unique_by=lambda pair: pair[0],
)
RELATION = re.compile(r"to the left of|to the right of|above|in front of|\bon\b")


@settings(max_examples=100)
@given(one_of_each, st.booleans(), st.integers(0, 50))
def test_every_relation_stated_is_true_of_the_boxes(
    scene: list[tuple[str, tuple[int, int, int, int]]], flat: bool, seed: int
) -> None:
    boxes = {label: Box(*box) for label, box in scene}
    context = Context(images=CONTEXT.images, ledger=CONTEXT.ledger, meter=CONTEXT.meter, seed=seed)
    made = compose(record(*(thing(*pair) for pair in scene)), context, flat=flat, aspects=["context", "dense"])
    for aspect in ("context", "dense"):
        for sentence in (made[aspect].text if aspect in made else "").split(". "):
            subject, _, predicates = (
                sentence.partition(" is ") if " is " in sentence else sentence.partition(" are ")
            )
            found = list(RELATION.finditer(predicates))
            if not found or "side" in predicates or "picture" in predicates:
                continue
            ends = [*(match.start() for match in found), len(predicates)]
            for match, (start, end) in zip(found, pairwise(ends), strict=True):
                for a in (label for label in LABELS if label in subject):
                    for b in (label for label in LABELS if label in predicates[start:end]):
                        assert holds(match.group(), boxes[a], boxes[b]), sentence


def holds(relation: str, a: Box, b: Box) -> bool:
    """Judge a relation by rules of its own, weaker than the renderer's and written without them."""
    share_columns = a.left < b.right and b.left < a.right
    share_rows = a.top < b.bottom and b.top < a.bottom
    match relation:
        case "to the left of":
            return a.left + a.right < b.left + b.right and a.left < b.left and share_rows
        case "to the right of":
            return a.left + a.right > b.left + b.right and a.right > b.right and share_rows
        case "above":
            return a.top < b.top and a.bottom < b.bottom and share_columns
        case "in front of":
            return a.bottom > b.bottom and a.area > b.area and share_columns and share_rows
        case _:
            return a.top < b.top and a.bottom <= b.top + b.height / 3 + 1e-6 and share_columns


json_values: st.SearchStrategy[JsonValue] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=12),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=5), inner, max_size=2),
    max_leaves=4,
)
KEYS = (
    "colour",
    "size",
    "material",
    "texture",
    "iscrowd",
    "line",
    "column",
    "on",
    "role",
    "value",
    "share",
    "background",
)
hostile = st.builds(
    Evidence,
    kind=st.sampled_from(["object", "text", "tag", "pixel"]),
    label=st.text(max_size=30)
    | st.sampled_from(["dog", "colour", "greyscale", "sign", "{things}", "%s", "a" * 100_000]),
    source=st.sampled_from(["a", "b@1"]),
    box=st.none()
    | st.builds(lambda x, y: Box(x, y, x + 50, y + 1e-3), st.floats(-1e6, 1e6), st.floats(-1e6, 1e6)),
    score=st.none() | st.floats(),
    attributes=st.dictionaries(st.sampled_from(KEYS), json_values, max_size=4),
)


@settings(max_examples=100)
@given(st.lists(hostile, max_size=8), st.none() | st.text(max_size=60), st.sampled_from(["auto", "en", "zh"]))
def test_hostile_evidence_never_breaks_a_caption(
    items: list[Evidence], text: str | None, language: str
) -> None:
    captions = [] if text is None else [alt(text)]
    for made in compose(record(*items, captions=captions), language=language).values():
        assert made.text.strip()
        assert made.provenance.stage == "compose"
        used = made.provenance.details["evidence"]
        assert isinstance(used, list)
        assert all(0 <= i < len(items) for i in used)  # type: ignore[operator]
        assert made.id


def test_a_thousand_boxes_are_bounded() -> None:
    scene = record(*(thing(f"kind {n % 300}", (n % 600, 0, n % 600 + 30, 40)) for n in range(1000)))
    said = texts(scene)["dense"]
    assert said.count(" a kind ") + said.count("two kind") <= 60
