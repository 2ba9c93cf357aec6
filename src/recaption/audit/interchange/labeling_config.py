"""The labeling interface of Label Studio that goes with the tasks: an XML text to be pasted into a project.

It holds nothing of the data but the guideline, which is escaped; captions come as variables of the tasks.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final
from xml.sax.saxutils import quoteattr

from recaption.audit.interchange.items import Outing, plain

__all__ = ["IMAGE", "NOTE", "REASON", "TEXT", "VERDICT", "labeling_config"]

IMAGE: Final = "image"
VERDICT: Final = "verdict"
TEXT: Final = "text"
REASON: Final = "reason"
NOTE: Final = "note"
"""Names of the tags; results name them."""


def labeling_config(outing: Outing) -> str:
    """Return the labeling interface of an audit."""
    lines = [
        "<View>",
        *_guideline(outing.about.guideline),
        f'  <Image name="{IMAGE}" value="${IMAGE}" zoom="true"/>',
    ]
    lines += _compared(outing.letters) if outing.compares else _judged()
    lines += [_area(NOTE, "Note (if any)", rows=1), "</View>"]
    return "\n".join(lines) + "\n"


def _guideline(text: str) -> list[str]:
    # What begins with a dollar sign would be taken for a variable of the task.
    lines = [f" {line}" if line.startswith("$") else line for line in plain(text).splitlines() if line.strip()]
    if not lines:
        return []
    headers = [f'      <Header size="5" value={quoteattr(line)}/>' for line in lines]
    return ["  <Collapse>", '    <Panel value="Guideline">', *headers, "    </Panel>", "  </Collapse>"]


def _judged() -> list[str]:
    return [
        '  <Header value="Caption"/>',
        '  <Text name="caption" value="$caption"/>',
        *_choices((("accept", "1"), ("edit", "2"), ("reject", "3"))),
        '  <Header size="5" value="Correct it here"/>',
        _area(TEXT, "The caption as it should be", rows=4),
        _when("reject", _area(REASON, "What is wrong with it?", rows=1)),
        '  <Collapse>\n    <Panel value="Original text">\n      <Text name="original" value="$original"/>\n'
        "    </Panel>\n  </Collapse>",
    ]


def _compared(letters: str) -> list[str]:
    lines = []
    for letter in letters:
        name = letter.lower()
        lines += [f'  <Header value="{letter}"/>', f'  <Text name="{name}" value="${name}"/>']
    keys = [(letter, str(number)) for number, letter in enumerate(letters, start=1)]
    lines += _choices((*keys, ("none", "0")))
    return [*lines, _when("none", _area(REASON, "What is wrong with them?", rows=1))]


def _choices(entries: Iterable[tuple[str, str]]) -> list[str]:
    tags = [f'    <Choice value="{value}" hotkey="{key}"/>' for value, key in entries]
    head = f'  <Choices name="{VERDICT}" toName="{IMAGE}" choice="single" required="true" showInline="true">'
    return [head, *tags, "  </Choices>"]


def _area(name: str, hint: str, *, rows: int) -> str:
    return (
        f'  <TextArea name="{name}" toName="{IMAGE}" placeholder="{hint}" rows="{rows}" '
        'maxSubmissions="1" editable="true" required="false"/>'
    )


def _when(choice: str, inner: str) -> str:
    return (
        f'  <View visibleWhen="choice-selected" whenTagName="{VERDICT}" whenChoiceValue="{choice}">\n'
        f"  {inner}\n  </View>"
    )
