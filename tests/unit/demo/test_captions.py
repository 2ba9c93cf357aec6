import pytest

from recaption.demo.captions import ASPECTS, Aspect, describe, joined, with_article
from recaption.demo.facts import Fact, judge, scene_facts
from recaption.demo.world import Scene, sample_scenes

SCENES = list(sample_scenes(150, seed=21))


@pytest.mark.parametrize("aspect", ASPECTS)
def test_every_caption_is_true(aspect: Aspect) -> None:
    for i, scene in enumerate(SCENES):
        caption = describe(scene, aspect, i)
        verdict = judge(caption, scene)
        assert not verdict.contradicted, caption
        assert not verdict.unknown, caption
        if aspect != "text" or scene.sign is not None:
            assert verdict.precision == 1.0, caption


def owed(scene: Scene, aspect: Aspect) -> set[Fact]:
    """What a caption of an aspect has to say."""
    kinds = {
        "brief": set(),
        "appearance": {"colour", "size"},
        "texture": {"material"},
        "context": {"background"},
        "text": {"word"},
        "dense": {"object", "colour", "material", "size", "background", "word"},
    }[aspect]
    return {f for f in scene_facts(scene) if f.kind in kinds and f != Fact("object", "sign")}


@pytest.mark.parametrize("aspect", ASPECTS)
def test_every_caption_says_what_its_aspect_is_about(aspect: Aspect) -> None:
    for i, scene in enumerate(SCENES):
        caption = describe(scene, aspect, i)
        assert owed(scene, aspect) <= set(judge(caption, scene).covered), caption


def test_context_captions_say_where_things_are() -> None:
    placed = [
        any(f.kind == "relation" for f in judge(describe(s, "context", i), s).supported)
        for i, s in enumerate(SCENES)
    ]
    assert sum(placed) > 0.95 * len(placed)


def test_the_seed_decides_the_words() -> None:
    scene = next(s for s in SCENES if len(s.things) == 3)
    assert describe(scene, "dense", 1) == describe(scene, "dense", 1)
    assert len({describe(scene, "dense", seed) for seed in range(50)}) > 30


def test_no_template_slot_is_left_open() -> None:
    for i, scene in enumerate(SCENES):
        for aspect in ASPECTS:
            caption = describe(scene, aspect, i)
            assert "{" not in caption
            assert caption == caption.strip()
            assert caption[0].isupper()


def test_an_unknown_aspect_is_named() -> None:
    with pytest.raises(ValueError, match="unknown aspect 'mood'"):
        describe(SCENES[0], "mood")  # type: ignore[arg-type]


def test_lists_and_articles() -> None:
    assert joined(["a"]) == "a"
    assert joined(["a", "b", "c"]) == "a, b and c"
    assert with_article("orange hat") == "an orange hat"
    assert with_article("hat") == "a hat"
