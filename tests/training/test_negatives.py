"""Captions with a known mistake are false, and false in the one fact that was to be made so."""

from collections import Counter
from dataclasses import dataclass
from functools import cache

import numpy as np
import pytest
from data import scenes_of
from negatives import HARD, OPPOSITE, SWAPS, mirrored, spoiled, swapped

from recaption.demo.captions import ASPECTS, Aspect, describe
from recaption.demo.claims import PICTURE, Fact, parse
from recaption.demo.facts import holds, judge
from recaption.demo.world import Scene

SCENES = scenes_of("dev", 60)


@dataclass(frozen=True)
class Case:
    """A true caption, and the same with one fact swapped."""

    scene: Scene
    aspect: Aspect
    kind: str
    true: str
    false: str

    @property
    def gone(self) -> frozenset[Fact]:
        """What the true caption alone says."""
        return _facts(self.true) - _facts(self.false)

    @property
    def new(self) -> frozenset[Fact]:
        """What the false caption alone says."""
        return _facts(self.false) - _facts(self.true)


@pytest.fixture(scope="module")
def cases() -> list[Case]:
    rng = np.random.default_rng(0)
    found = []
    for i, scene in enumerate(SCENES):
        for aspect in ASPECTS:
            for kind in SWAPS:
                text = swapped(scene, aspect, i, kind, rng)
                if text is not None:
                    found.append(Case(scene, aspect, kind, describe(scene, aspect, i), text))
    return found


def test_every_kind_and_every_aspect_occurs(cases: list[Case]) -> None:
    kinds = Counter(case.kind for case in cases)
    assert set(kinds) == set(SWAPS)
    assert min(kinds.values()) >= 20
    assert {case.aspect for case in cases} == set(ASPECTS)
    assert {SWAPS[k] for k in HARD} == {"binding", "relation"}


def test_every_swap_is_false_and_what_it_was_made_from_is_true(cases: list[Case]) -> None:
    for case in cases:
        assert False not in {holds(fact, case.scene) for fact in _facts(case.true)}, case
        assert judge(case.false, case.scene).contradicted, case
        assert case.gone, case


def test_a_swap_says_neither_more_nor_less(cases: list[Case]) -> None:
    for case in cases:
        said, says = (Counter(f.kind for f in _mentions(text)) for text in (case.true, case.false))
        assert said == says, case


@pytest.mark.parametrize("kind", ["colour", "size", "material", "background", "word"])
def test_one_value_is_another(cases: list[Case], kind: str) -> None:
    for case in _of(cases, kind):
        (gone,), (new,) = case.gone, case.new
        assert (gone.kind, gone.subject) == (new.kind, new.subject), case
        assert gone.kind == kind, case
        assert gone.value != new.value, case


def test_one_thing_is_another_and_looks_and_stands_the_same(cases: list[Case]) -> None:
    for case in _of(cases, "object"):
        (gone,), (new,) = ({f.subject for f in facts if f.kind == "object"} for facts in (case.gone, case.new))
        assert {_renamed(fact, gone, new) for fact in case.gone} == case.new, case
        assert new not in {thing.shape for thing in case.scene.things}, case


def test_two_things_exchange_one_look(cases: list[Case]) -> None:
    for case in _of(cases, "binding"):
        (look,) = {fact.kind for fact in case.gone | case.new}
        before, after = ({f.subject: f.value for f in facts} for facts in (case.gone, case.new))
        assert set(before) == set(after), case
        assert len(before) == len(case.gone) <= 2, case
        if len(before) == 2:
            assert list(before.values()) == [after[name] for name in reversed(before)], case
        else:  # the other thing's look goes unsaid
            (value,) = after.values()
            named = {fact.subject for fact in _facts(case.true) if fact.kind == look}
            assert value in {getattr(t, look) for t in case.scene.things if t.shape not in named}, case


def test_one_relation_is_turned_round(cases: list[Case]) -> None:
    for case in _of(cases, "relation"):
        (gone,), (new,) = case.gone, case.new
        assert (gone.kind, gone.subject, gone.target) == (new.kind, new.subject, new.target), case
        if gone.target == PICTURE:
            assert holds(new, case.scene) is False, case
        else:
            assert new.value == OPPOSITE[gone.value], case


def test_the_same_lot_gives_the_same_words() -> None:
    for make in (lambda rng: swapped(SCENES[0], "dense", 5, "colour", rng), _spoiled):
        assert make(np.random.default_rng(7)) == make(np.random.default_rng(7))


def test_what_cannot_be_swapped_is_not() -> None:
    silent = next(scene for scene in SCENES if scene.sign is None)
    for kind in SWAPS:
        assert swapped(silent, "text", 0, kind, np.random.default_rng(0)) is None


def test_most_spoiled_captions_are_false_and_none_is_without_claims() -> None:
    rng = np.random.default_rng(1)
    verdicts = [judge(spoiled(scene, "dense", i, rng), scene) for i, scene in enumerate(SCENES)]
    assert all(verdict.precision is not None for verdict in verdicts)
    assert sum(bool(verdict.contradicted) for verdict in verdicts) > 0.8 * len(verdicts)


@pytest.mark.parametrize("across", [True, False])
def test_a_scene_mirrored_twice_is_itself(across: bool) -> None:
    for scene in SCENES:
        assert mirrored(mirrored(scene, across=across), across=across) == scene


def _spoiled(rng: np.random.Generator) -> str:
    return spoiled(SCENES[1], "dense", 5, rng)


@cache
def _mentions(text: str) -> tuple[Fact, ...]:
    return parse(text).facts


def _facts(text: str) -> frozenset[Fact]:
    return frozenset(_mentions(text))


def _of(cases: list[Case], kind: str) -> list[Case]:
    found = [case for case in cases if case.kind == kind]
    assert found
    return found


def _renamed(fact: Fact, old: str, new: str) -> Fact:
    subject, target = (new if name == old else name for name in (fact.subject, fact.target))
    return Fact(fact.kind, subject, fact.value, target)
