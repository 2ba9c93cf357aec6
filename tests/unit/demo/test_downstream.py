from recaption.core.types import Box
from recaption.demo.downstream import downstream_subject, facts_text
from recaption.demo.world import Scene, Sign, Thing


def test_facts_are_a_bare_list():
    things = (
        Thing("hat", "pink", "checked", "small", Box(1, 1, 20, 20)),
        Thing("clock", "red", "plain", "large", Box(30, 30, 90, 90)),
    )
    scene = Scene("sand", things, Sign("OPEN", Box(0, 100, 40, 120)), 192)
    assert facts_text(scene) == "hat: pink, checked, small. clock: red, plain, large. sand. OPEN"
    assert facts_text(Scene("snow", things[1:], None, 192)) == "clock: red, plain, large. snow"


def test_columns_are_the_alt_texts_and_what_the_strategy_chose(tmp_path):
    subject, tests = downstream_subject(tmp_path / "out", 12, 3, ["rules"])
    assert subject.columns == ("original", "rules")
    assert len(subject) == 12
    assert list(tests) == ["facts", "true dense", "true appearance", "true brief"]
    assert all(len(texts) == 12 and all(len(some) == 1 for some in texts) for texts in tests.values())
    assert all(item.record is not None and item.record.image is not None for item in subject.items)
    assert sum(len(texts) for texts in subject.texts("original")) == 12
    assert any(subject.texts("rules"))


def test_nothing_is_rendered_or_captioned_twice(tmp_path):
    first = downstream_subject(tmp_path / "out", 6, 3, ["rules"])
    stamps = {path: path.stat().st_mtime_ns for path in (tmp_path / "out" / "rules" / "shards").iterdir()}
    assert downstream_subject(tmp_path / "out", 6, 3, ["rules"]) == first
    assert {
        path: path.stat().st_mtime_ns for path in (tmp_path / "out" / "rules" / "shards").iterdir()
    } == stamps
