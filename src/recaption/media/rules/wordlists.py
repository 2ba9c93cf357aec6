"""Reads the word lists beside this module: what rules know is data, not code."""

import re
from collections.abc import Mapping
from functools import cache
from importlib import resources
from typing import Any

import yaml

__all__ = ["alternation", "load", "pairs", "words"]


@cache
def load(name: str) -> Mapping[str, Any]:
    """Return one data file, `name` without its `.yaml`."""
    text = (resources.files("recaption.media.rules") / "data" / f"{name}.yaml").read_text("utf-8")
    loaded: Mapping[str, Any] = yaml.safe_load(text)
    return loaded


@cache
def words(name: str, section: str) -> frozenset[str]:
    """Return a section that holds words separated by white space."""
    return frozenset(load(name)[section].split())


@cache
def pairs(name: str, section: str) -> Mapping[str, str]:
    """Return a section that holds one `wrong = right` per line."""
    lines = (line.partition("=") for line in load(name)[section].splitlines() if line.strip())
    return {wrong.strip(): right.strip() for wrong, _, right in lines}


def alternation(texts: frozenset[str]) -> str:
    """Return a regular expression fragment that matches any of the texts, longest first."""
    return "|".join(re.escape(text) for text in sorted(texts, key=lambda t: (-len(t), t)))
