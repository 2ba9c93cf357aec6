"""What speaks against one text that a model wrote, found by rules alone: no model, no batch, no clock.

Any string may be judged, and judging never raises. The time it takes grows with the length of the text up to
`About.max_chars`, and not beyond.
"""

from typing import Final

from recaption.media.checks.about import About, Finding
from recaption.media.checks.damage import damage
from recaption.media.checks.echo import echo
from recaption.media.checks.endings import endings
from recaption.media.checks.languages import languages
from recaption.media.checks.loops import loops
from recaption.media.checks.obedience import obedience
from recaption.media.checks.reading import Reading
from recaption.media.checks.support import support
from recaption.media.checks.wording import wording
from recaption.media.checks.wrapping import wrapping

__all__ = ["FINDINGS", "About", "Finding", "findings"]

FINDINGS: Final[dict[str, str]] = {
    "empty": "no text",
    "short": "too few words for a caption",
    "long": "longer than any caption",
    "damaged": "characters that no text holds: NUL, half a surrogate pair, a replacement character",
    "hidden": "characters that nobody sees: byte order marks, marks of direction",
    "symbols": "more marks than letters",
    "refusal": "the model or its service refuses",
    "meta": "the model speaks about itself, the task or a failure",
    "leak": "a sentence of a prompt",
    "echo": "a run of words of the prompt it was given",
    "loop": "says the same again and again",
    "cut": "stops in the middle",
    "language": "in another language than asked",
    "obeyed": "does what a text beside the picture says",
    "injected": "a text beside the picture tries to instruct the model",
    "role": "marks of a chat",
    "wrapper": "JSON, markup or quotation marks around it",
    "label": "a label or pleasantry in front",
    "opener": "begins by saying that a picture shows something",
    "link": "an address that the picture does not show",
    "hedge": "guesses",
    "number": "a number that nothing else says",
    "name": "a name that nothing else says",
    "quote": "quoted words that nothing else says",
}
"""Every finding about one text, and what it means."""

_CHECKS: Final = (damage, wrapping, wording, loops, endings, languages, echo, obedience, support)


def findings(text: str, about: About | None = None) -> list[Finding]:
    """Return what speaks against a text, in no order of weight; each name at most once.

    Args:
        text: As the model wrote it; of more than `about.max_chars` characters only the head is looked at.
        about: What is known beside it.
    """
    known = about or About()
    found: list[Finding] = []
    if len(text) > known.max_chars:
        found.append(Finding("long", f"{len(text)} characters where {known.max_chars} are the most"))
        text = text[: known.max_chars]
    reading = Reading(text)
    for check in _CHECKS:
        found.extend(check(reading, known))
    seen: dict[str, Finding] = {}
    for finding in found:
        seen.setdefault(finding.name, finding)
    return list(seen.values())
