"""Streaming JSON: lines, arrays, objects in a row."""

import json
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from recaption.core.errors import DataError
from recaption.datasets.readers.json_stream import BadItem, Item, JsonScanner, json_items, open_text

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**9), 10**9) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=10,
)
OBJECTS = st.lists(st.dictionaries(st.text(max_size=8), VALUES, max_size=4), min_size=1, max_size=6)


def items(path: Path, limit: int = 1 << 20) -> list[Item | BadItem]:
    return list(json_items(path, limit))


def values(path: Path) -> list[object]:
    found = items(path)
    assert all(isinstance(item, Item) for item in found), found
    return [item.value for item in found if isinstance(item, Item)]


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(objects=OBJECTS, indent=st.sampled_from([None, 2]), ascii_only=st.booleans())
def test_every_shape_gives_the_same_objects(
    tmp_path: Path, objects: list[dict[str, object]], indent: int | None, ascii_only: bool
) -> None:
    texts = [json.dumps(o, indent=indent, ensure_ascii=ascii_only) for o in objects]
    path = tmp_path / "x.json"
    for joined in ("\n".join(texts), "\n\n".join(texts) + "\n", json.dumps(objects, indent=indent)):
        path.write_bytes(joined.encode("utf-8", "surrogatepass"))
        if indent is None or joined[0] == "[" or len(objects[0]) > 0:
            assert values(path) == objects


def test_objects_longer_than_a_chunk_are_read_whole(tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    objects = [{"n": i, "text": 'é\\"' * 100_000} for i in range(3)]
    path.write_text("\n".join(json.dumps(o, indent=1, ensure_ascii=False) for o in objects), encoding="utf-8")
    assert values(path) == objects


def test_a_bad_line_costs_that_line(tmp_path: Path) -> None:
    path = tmp_path / "x.jsonl"
    deep = "[" * 100_000
    lines = [
        '{"a": 1}',
        '{"a": ',
        deep,
        '{"a": "' + "x" * 3000 + '"}',
        "",
        '{"a": 1' + "0" * 5000 + "}",
        '{"a": 2}',
    ]
    path.write_text("\n".join(lines))
    found = items(path, 200_000)
    assert [type(i) for i in found] == [Item, BadItem, BadItem, Item, BadItem, Item]
    assert [i.place for i in found] == ["line 1", "line 2", "line 3", "line 4", "line 6", "line 7"]
    found = items(path, 2000)
    assert [i.place for i in found if isinstance(i, Item)] == ["line 1", "line 7"]
    assert "longer than 2,000" in next(
        i.reason for i in found if isinstance(i, BadItem) and i.place == "line 4"
    )


def test_a_broken_first_line_does_not_hide_the_others(tmp_path: Path) -> None:
    path = tmp_path / "x.jsonl"
    path.write_text('{"a": \n{"a": 1}\n{"a": 2}\n')
    assert [type(i) for i in items(path)] == [BadItem, Item, Item]


def test_reading_goes_on_at_the_next_object_after_a_broken_one(tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    good = json.dumps({"a": 1, "b": [1, 2]}, indent=2)
    path.write_text(f'{good}\n{{\n  "a": oops,\n  "b": 2\n}}\n{good}\n')
    found = items(path)
    assert [type(i) for i in found] == [Item, BadItem, Item]
    assert isinstance(found[1], BadItem)
    assert "oops" in found[1].raw


def test_a_torn_array_gives_what_stood_before_the_tear(tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    text = json.dumps([{"a": "word " * 20, "n": i} for i in range(20)])
    for cut in range(2, len(text), 7):
        path.write_text(text[:cut])
        found = items(path)
        whole = [i for i in found if isinstance(i, Item)]
        assert [i.value for i in whole] == json.loads(text)[: len(whole)]
        assert len(whole) == text[:cut].count("}")
        assert isinstance(found[-1], BadItem)


def test_values_can_be_skipped_whatever_their_length(tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    filler = [{"t": 'tricky \\" ] } [ {'} for _ in range(50_000)]
    path.write_text(json.dumps({"big": filler, "n": -12.5e3, "last": [1, 2]}))
    with open_text(path) as file:
        scanner = JsonScanner(file, max_characters=1000)
        seen = {}
        for name in scanner.members():
            if name == "big":
                scanner.skip_value()
            else:
                seen[name] = scanner.value()
    assert seen == {"n": -12500.0, "last": [1, 2]}


@pytest.mark.parametrize("text", ["", "{", '{"a"', '{"a": 1', "[1, 2", '"abc', "nul"])
def test_text_that_ends_early_is_an_error_not_a_hang(tmp_path: Path, text: str) -> None:
    path = tmp_path / "x.json"
    path.write_text(text)
    with open_text(path) as file, pytest.raises(DataError):
        JsonScanner(file).value()


def test_bytes_that_are_not_utf8_become_surrogates_and_a_mark_is_ignored(tmp_path: Path) -> None:
    path = tmp_path / "x.jsonl"
    path.write_bytes(b'\xef\xbb\xbf{"a": "caf\xe9"}\n')
    assert values(path) == [{"a": "caf\udce9"}]
