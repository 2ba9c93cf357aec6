"""What a model puts around a caption: turns of a chat, JSON, fences, markup, quotation marks."""

import json
import re
from collections.abc import Iterator
from typing import Final

from recaption.media.checks.about import About, Finding
from recaption.media.checks.reading import Reading

__all__ = ["unwrapped", "without_roles", "wrapping"]

_ROLE: Final = re.compile(
    r"<\|[^<>|\n]{0,40}\|>|</?s>|\[/?INST\]|<</?SYS>>|<(?:start|end|bos|eos|pad|unk|image|img|video|mask)(?:_of_\w{1,20}|_\w{1,20})?>"
    r"|</?(?:caption|think|answer|system|context|data|instructions?|user|assistant|prompt|alt|untrusted|description|OCR|(?:MORE_)?DETAILED_CAPTION)>"
    r"|\b(?:im_start|im_end|endoftext|end_of_turn|start_of_turn)\b"
    r"|(?:^|\n)[ \t]*#{2,4} ?(?:Human|Assistant|User|System|Instruction|Response|Input)\b:?"
    r"|(?:\n|(?<=[.!?] ))[ \t]*(?:USER|User|ASSISTANT|Assistant|Human|HUMAN|SYSTEM|System) ?:"
    r"|\A\s*(?:USER|User|ASSISTANT|Assistant|Human|SYSTEM|System) ?:",
)
_LEADING: Final = re.compile(rf"\A\s*(?:{_ROLE.pattern})\s*(?:assistant\s*\n)?", re.MULTILINE)
_ASKING: Final = re.compile(r"\s*(?:#{2,4} ?)?(?:USER|User|Human|HUMAN|SYSTEM|System|Instruction|\[INST\]) ?:?")
_ANSWERING: Final = re.compile(r"(?:\b(?:ASSISTANT|Assistant) ?:|#{2,4} ?Response:?|\[/INST\])\s*")
_FENCE: Final = re.compile(r"```+[ \t]*\w{0,12}[ \t]*\n?(.*?)\n?```+", re.DOTALL)
_TAG: Final = re.compile(r"</?[A-Za-z][A-Za-z0-9-]{0,20}(?:\s[^<>\n]{0,200})?/?>|<!--.{0,400}?-->")
_BOLD: Final = re.compile(r"(\*\*|__)(?=\S)([^*_\n]{1,400}?)(?<=\S)\1")
_ITALIC: Final = re.compile(r"(?<![\w*])\*(?=[^\s*])([^*\n]{1,400}?)(?<=\S)\*(?![\w*])")
_HEADING: Final = re.compile(r"(?:\A|(?<=\n))[ \t]{0,3}(?:#{1,6}[ \t]+|>[ \t]+)")
_BULLET: Final = re.compile(r"\A[ \t]*(?:[-*•][ \t]+|1[.)][ \t]+(?=\S))")
_BULLETS: Final = re.compile(r"\n[ \t]*(?:[-*•]|\d{1,2}[.)])[ \t]+")
_LINKED: Final = re.compile(r"!?\[([^\[\]\n]{0,200})\]\([^()\s]{0,300}\)")
_TABLE: Final = re.compile(r"\|[ \t]*:?-{2,}:?[ \t]*\|")
_JSON: Final = re.compile(r"\A\s*[{\[]\s*[\"'{\[]|[\"'\]}]\s*[}\]]\s*\Z|\"\s*[,:]\s*\"")
_KEYS: Final = ("caption", "description", "text", "answer", "output", "response", "alt", "alt_text")
_PAIRS: Final = {'"': '"', "“": "”", "'": "'", "‘": "’", "「": "」", "『": "』", "«": "»", "`": "`", "《": "》"}
_CHARACTERS: Final = frozenset("<>`*_#[]{}|:")
_LONGEST_JSON: Final = 20_000


def wrapping(reading: Reading, about: About) -> Iterator[Finding]:
    """Yield `role` and `wrapper`."""
    text = reading.text
    if not _CHARACTERS.isdisjoint(text) or "im_" in text or "_of_t" in text or "endoftext" in text:
        if role := _ROLE.search(text):
            yield Finding("role", f"holds a mark of a chat: {role[0].strip()[:40]!r}", role.span())
        elif (what := _wrapper(text)) is not None:
            yield Finding("wrapper", what)
            return
    elif "\n" in text and (_BULLETS.search(text) or _BULLET.match(text)):
        yield Finding("wrapper", "a list")
        return
    if _quoted_whole(text) is not None:
        yield Finding("wrapper", "stands in quotation marks")
    elif _BULLET.match(text):
        yield Finding("wrapper", "begins like a list")


def _wrapper(text: str) -> str | None:
    if "```" in text:
        return "stands in a fence"
    if ('"' in text or "'" in text) and ("{" in text or "}" in text or "]" in text) and _JSON.search(text):
        return "JSON"
    for pattern, what in (
        (_TAG, "markup"),
        (_BOLD, "markdown"),
        (_HEADING, "a heading"),
        (_LINKED, "a link"),
        (_TABLE, "a table"),
        (_BULLETS, "a list"),
        (_ITALIC, "markdown"),
    ):
        if pattern.search(text):
            return what
    return None


def without_roles(text: str) -> str:
    """Return what the model said in its own turn: up to the next one, and after a question in front."""
    if _ASKING.match(text) and (answers := list(_ANSWERING.finditer(text))):
        text = text[answers[-1].end() :]
    while found := _LEADING.match(text):
        text = text[found.end() :]
    turn = _ROLE.search(text)
    if turn is None:
        return text
    if text[: turn.start()].strip():
        return text[: turn.start()].rstrip()
    return text[turn.end() :].lstrip()


def unwrapped(text: str) -> str | None:
    """Return the caption inside its wrapping; None if nothing single and whole is inside."""
    stripped = text.strip()
    if fence := _FENCE.search(stripped):
        return fence[1].strip()
    if _JSON.search(stripped):
        return _from_json(stripped)
    if (inner := _quoted_whole(stripped)) is not None:
        return inner
    text = _TAG.sub(" ", stripped)
    text = _LINKED.sub(r"\1", text)
    text = _HEADING.sub("", text)
    text = _BULLET.sub("", text)
    text = _BOLD.sub(r"\2", text)
    text = _ITALIC.sub(r"\1", text)
    if _BULLETS.search(text) or _TABLE.search(text) or "```" in text:
        return None
    return " ".join(text.split()) if text != stripped else text


def _from_json(text: str) -> str | None:
    if len(text) > _LONGEST_JSON:
        return None
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return None
    if isinstance(value, list) and len(value) == 1:
        value = value[0]
    if isinstance(value, dict):
        named = [value[key] for key in _KEYS if isinstance(value.get(key), str)]
        strings = [item for item in value.values() if isinstance(item, str)]
        value = named[0] if named else strings[0] if len(strings) == len(value) == 1 else None
    return value.strip() if isinstance(value, str) else None


def _quoted_whole(text: str) -> str | None:
    """Return what stands inside quotation marks around the whole text; None if there are none."""
    text = text.strip()
    if len(text) < 3 or _PAIRS.get(text[0]) != text[-1]:
        return None
    inner = text[1:-1]
    if text[0] in inner or text[-1] in inner:
        return None
    return inner.strip()
