"""Reads the pattern lists beside this module: what models are caught saying is data, not code."""

import re
from collections.abc import Iterable, Mapping
from functools import cache
from importlib import resources
from typing import Any, Final

import yaml

__all__ = ["any_of", "lines", "load", "pattern", "words"]

_EDGE: Final = r"\b"


@cache
def load(name: str) -> Mapping[str, Any]:
    """Return one data file, `name` without its `.yaml`."""
    text = (resources.files("recaption.media.checks") / "data" / f"{name}.yaml").read_text("utf-8")
    loaded: Mapping[str, Any] = yaml.safe_load(text)
    return loaded


def lines(text: str) -> list[str]:
    """Return the lines of a section that hold something."""
    return [line.strip() for line in text.splitlines() if line.strip()]


def any_of(patterns: Iterable[str]) -> str:
    """Return one regular expression fragment that matches any of the patterns, the first that fits."""
    return "(?:" + "|".join(f"(?:{pattern})" for pattern in patterns) + ")"


@cache
def pattern(name: str, *sections: str) -> re.Pattern[str]:
    """Return sections that hold one regular expression per line as one. Case counts: search in lower case."""
    all_lines = [line for section in sections for line in lines(load(name)[section])]
    # Those that begin at the edge of a word are tried there alone, which is many times faster than letter by letter.
    at_words = [line.removeprefix(_EDGE) for line in all_lines if _is_one_word_start(line)]
    others = [line for line in all_lines if not _is_one_word_start(line)]
    return re.compile("|".join([*([rf"\b(?=\w){any_of(at_words)}"] if at_words else []), *others]))


def _is_one_word_start(line: str) -> bool:
    """Return whether a pattern begins at the edge of a word in all its alternatives."""
    if not line.startswith(_EDGE):
        return False
    depth = 0
    plain = re.sub(r"\\.|\[[^\]]*\]", "", line)
    for character in plain:
        depth += (character == "(") - (character == ")")
        if character == "|" and depth == 0:
            return False
    return True


@cache
def words(name: str, section: str) -> frozenset[str]:
    """Return a section, or `parent/child`, that holds words separated by white space."""
    data: Any = load(name)
    for part in section.split("/"):
        data = data[part]
    return frozenset(str(data).split())
