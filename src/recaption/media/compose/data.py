"""The data files of the renderer, and labels made plain."""

import re
import unicodedata
from functools import cache, lru_cache
from importlib.resources import files
from typing import Any, Final

import yaml

__all__ = ["clean_label", "load_data"]

_MAX_LABEL_CHARACTERS: Final = 60
_NOT_LABEL = re.compile(r"[^\w&'’-]+|_")


@cache
def load_data(name: str) -> dict[str, Any]:
    """Return a data file of this package. The result is shared: read it only."""
    text = files("recaption.media.compose").joinpath(name).read_text(encoding="utf-8")
    data: dict[str, Any] = yaml.safe_load(text)
    return data


@lru_cache(maxsize=4096)
def clean_label(label: str) -> str:
    """Return a label as plain words, empty if it is too long to be one."""
    if len(label) > 4 * _MAX_LABEL_CHARACTERS:
        return ""
    words = _NOT_LABEL.sub(" ", unicodedata.normalize("NFC", label)).strip(" -'’&")
    return " ".join(words.split()) if len(words) <= _MAX_LABEL_CHARACTERS else ""
