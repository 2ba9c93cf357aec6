"""Reads the pattern lists beside this module: what models are caught saying is data, not code."""

import re
from collections.abc import Iterable, Mapping
from functools import cache
from importlib import resources
from typing import Any

import yaml

__all__ = ["any_of", "lines", "load", "pattern", "words"]


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
def pattern(name: str, *sections: str, before: str = "", after: str = "") -> re.Pattern[str]:
    """Return sections that hold one regular expression per line as one, between `before` and `after`."""
    found = any_of(line for section in sections for line in lines(load(name)[section]))
    return re.compile(f"{before}{found}{after}", re.IGNORECASE)


@cache
def words(name: str, section: str) -> frozenset[str]:
    """Return a section, or `parent/child`, that holds words separated by white space."""
    data: Any = load(name)
    for part in section.split("/"):
        data = data[part]
    return frozenset(str(data).split())
