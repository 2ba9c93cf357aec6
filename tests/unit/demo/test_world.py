import math
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recaption.core.errors import DataError
from recaption.demo.vocabulary import vocabulary
from recaption.demo.world import Scene, sample_scene, sample_scenes

SCENES = list(sample_scenes(400, seed=5))


def test_the_same_seed_gives_the_same_scenes_and_another_seed_others() -> None:
    assert list(sample_scenes(30, 5)) == SCENES[:30]
    assert list(sample_scenes(30, 6)) != SCENES[:30]


def test_a_scene_depends_on_its_place_not_on_how_many_are_asked_for() -> None:
    assert list(sample_scenes(3, 5)) == SCENES[:3]


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**63 - 1))
def test_facts_survive_json_and_size(seed: int) -> None:
    scene = sample_scene(seed)
    assert Scene.from_json(scene.to_json()) == scene
    small = sample_scene(seed, 96)
    assert [(t.shape, t.colour, t.material, t.size) for t in small.things] == [
        (t.shape, t.colour, t.material, t.size) for t in scene.things
    ]
    for thing, other in zip(scene.things, small.things, strict=True):
        assert thing.box.left == pytest.approx(2 * other.box.left, abs=1.01)


def test_things_are_distinct_inside_the_picture_and_apart() -> None:
    limit = vocabulary().scene.overlap
    for scene in SCENES:
        assert 1 <= len(scene.things) <= 4
        assert len({t.shape for t in scene.things}) == len(scene.things)
        boxes = [t.box for t in scene.things] + ([scene.sign.box] if scene.sign else [])
        for i, a in enumerate(boxes):
            assert 0 <= a.left < a.right <= scene.size_px
            assert 0 <= a.top < a.bottom <= scene.size_px
            for b in boxes[i + 1 :]:
                width = min(a.right, b.right) - max(a.left, b.left)
                height = min(a.bottom, b.bottom) - max(a.top, b.top)
                shared = max(0, width) * max(0, height) / min(a.area, b.area)
                assert shared <= limit + 0.05, "only rounding to pixels may add to the limit"


def test_sizes_are_told_apart_by_eye() -> None:
    sides: dict[str, list[float]] = {"small": [], "medium": [], "large": []}
    for scene in SCENES:
        for thing in scene.things:
            sides[thing.size].append(math.sqrt(thing.box.area) / scene.size_px)
    assert max(sides["small"]) * 1.25 < min(sides["medium"])
    assert max(sides["medium"]) * 1.25 < min(sides["large"])


def test_the_whole_vocabulary_is_used() -> None:
    known = vocabulary()
    things = [t for s in SCENES for t in s.things]
    assert {t.shape for t in things} == set(known.shapes)
    assert {t.colour for t in things} == set(known.colours)
    assert {t.material for t in things} == set(known.materials)
    assert {s.background for s in SCENES} == set(known.backgrounds)
    assert {s.sign.word for s in sample_scenes(1000, 1) if s.sign} == set(known.words)
    assert 0.2 < sum(s.sign is not None for s in SCENES) / len(SCENES) < 0.4
    assert set(Counter(len(s.things) for s in SCENES)) == {1, 2, 3, 4}
    sizes = Counter(t.size for t in things)
    assert min(sizes.values()) > 0.15 * sum(sizes.values())


def test_the_world_is_as_large_as_promised() -> None:
    known = vocabulary()
    assert (len(known.shapes), len(known.colours), len(known.materials), len(known.sizes)) == (12, 10, 5, 3)
    assert (len(known.backgrounds), len(set(known.words))) == (6, 30)


@pytest.mark.parametrize(
    "change",
    [
        {"background": "moon"},
        {"background": None},
        {"objects": "none"},
        {"objects": [{}]},
        {"objects": [None]},
        {"sign": {"word": "\ud800", "box": [0, 0, 1, 1]}},
        {"sign": {"word": "OPEN", "box": [0, 0, float("nan"), 1]}},
        {"sign": {"word": "OPEN", "box": [0, 0, 10**400, 1]}},
        {"sign": {"word": "OPEN", "box": [5, 5, 4, 9]}},
        {"sign": {"word": "OPEN", "box": [0, 0, 5, 500]}},
        {"size_px": 0},
        {"size_px": "192"},
        {"size_px": 10**9},
        {"look": 0.5},
    ],
)
def test_foreign_facts_are_refused_with_a_reason(change: dict[str, object]) -> None:
    facts = {**SCENES[0].to_json(), **change}
    with pytest.raises(DataError, match="not the facts of a scene"):
        Scene.from_json(facts)


@pytest.mark.parametrize("value", [None, 3, "x", [], {}])
def test_what_is_no_object_is_refused(value: object) -> None:
    with pytest.raises(DataError):
        Scene.from_json(value)


def test_a_shape_may_not_stand_twice() -> None:
    facts = SCENES[0].to_json()
    objects = facts["objects"]
    assert isinstance(objects, list)
    with pytest.raises(DataError, match="twice"):
        Scene.from_json({**facts, "objects": [*objects, objects[0]]})


def test_pictures_too_small_to_read_are_refused() -> None:
    with pytest.raises(ValueError, match="at least 48"):
        sample_scene(0, 20)
