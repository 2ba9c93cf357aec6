"""Digests are the same on every machine, for ever."""

import json
import subprocess
import sys
from collections import OrderedDict
from types import MappingProxyType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recaption.core.digests import canonical_json, digest_bytes, digest_json, digest_text, seed_from
from recaption.core.errors import DataError

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


def test_canonical_json_is_pinned_to_the_byte() -> None:
    value = {"b": [1, 2.5, True, None, "é\n\u2028"], "a": {"z": -0.0, "y": 1e300, "中": ""}}
    expected = '{"a":{"y":1e+300,"z":-0.0,"中":""},"b":[1,2.5,true,null,"é\\n\u2028"]}'
    assert canonical_json(value).encode() == expected.encode()


def test_digests_are_pinned() -> None:
    # Ledgers and run folders of users hold these.
    assert digest_bytes(b"") == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    assert digest_text("dog") == "cd6357efdd966de8c0cb2f876cc89ec74ce35f0968e11743987084bd42fb8944"
    assert digest_json({"a": 1}) == "015abd7f5cc57a2dd94b7590f04ad8084273905ee33ec5cebeae62276a97f862"
    assert seed_from(0, "key", "stage") == 1780026648270430069


def test_order_of_keys_and_kind_of_mapping_do_not_matter() -> None:
    plain = {"a": 1, "b": {"c": 2, "d": 3}}
    other = MappingProxyType(OrderedDict(b=MappingProxyType({"d": 3, "c": 2}), a=1))
    assert canonical_json(plain) == canonical_json(other)
    assert canonical_json((1, 2)) == canonical_json([1, 2])


@pytest.mark.parametrize(
    "value",
    [
        float("nan"),
        [float("inf")],
        {"a": -float("inf")},
        {1, 2},
        b"x",
        object(),
        {"a": {"b": {3}}},
        {1: 1, "a": 2},
    ],
)
def test_what_json_has_no_word_for_is_refused(value: Any) -> None:
    with pytest.raises(DataError, match="as JSON"):
        canonical_json(value)


def test_a_value_that_holds_itself_is_refused() -> None:
    loop: list[Any] = []
    loop.append(loop)
    with pytest.raises(DataError, match="as JSON"):
        canonical_json(loop)


def test_lone_surrogates_have_digests_of_their_own() -> None:
    assert digest_text("\ud800") == "91a681b998555fb475479817b126c94e57e52011fa1842c5d188795a4a05226b"
    assert len({digest_text(text) for text in ("\ud800", "\udfff", "?", "\ufffd")}) == 4
    assert digest_json(["\ud800"]) != digest_json(["\ufffd"])


@given(JSON)
def test_canonical_json_reads_back_and_is_stable(value: Any) -> None:
    text = canonical_json(value)
    assert canonical_json(json.loads(text)) == text


@given(st.lists(st.text() | st.integers(), max_size=4))
def test_seeds_are_63_bits_and_depend_on_every_part(parts: list[Any]) -> None:
    seed = seed_from(*parts)
    assert 0 <= seed < 2**63
    assert seed != seed_from(*parts, "more")


def test_seeds_do_not_depend_on_the_process() -> None:
    code = "from recaption.core.digests import seed_from; print(seed_from(7, 'a/b.jpg', 'select'))"
    seen = {
        subprocess.run(
            [sys.executable, "-c", code],
            env={"PYTHONHASHSEED": salt},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for salt in ("1", "2")
    }
    assert seen == {f"{seed_from(7, 'a/b.jpg', 'select')}\n"}


def test_parts_are_kept_apart() -> None:
    assert seed_from("ab", "c") != seed_from("a", "bc")
    assert seed_from(1) != seed_from("1")
