"""Text that cannot drive a terminal, and is still the text."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recaption.core.printable import printable


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b[31mred", "\\u001b[31mred"),
        ("\x9b31m", "\\u009b31m"),
        ("a\nb\tc\rd\x00", "a\\u000ab\\u0009c\\u000dd\\u0000"),
        ("\u202egpj.exe", "\\u202egpj.exe"),
        ("a\u2028b\u2029c", "a\\u2028b\\u2029c"),
        ("\ud800", "\\ud800"),
        ("\U0010f800", "\\U0010f800"),
        ("a\u200bb", "a\\u200bb"),
    ],
)
def test_what_drives_a_terminal_becomes_an_escape(text: str, shown: str) -> None:
    assert printable(text) == shown


@pytest.mark.parametrize(
    "text", ["", "plain [bold] :dog: \\", "Größe 12\u00a0cm", "犬", "👩\u200d🚀", "❤\ufe0f", "🇩🇪", "e\u0301"]
)
def test_what_people_write_stays(text: str) -> None:
    assert printable(text) == text


@given(st.text(st.characters(exclude_categories=())))
def test_nothing_unprintable_is_left_and_a_second_pass_changes_nothing(text: str) -> None:
    shown = printable(text)
    assert not {unicodedata.category(c) for c in shown if c != "\u200d"} & {
        "Cc",
        "Cf",
        "Cs",
        "Co",
        "Cn",
        "Zl",
        "Zp",
    }
    assert len(shown.splitlines()) <= 1
    assert printable(shown) == shown
    shown.encode()
