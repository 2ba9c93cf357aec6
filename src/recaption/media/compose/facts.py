"""From evidence to facts that may be stated: merged over sources, thresholded, counted, in order of importance."""

import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, lru_cache
from importlib.resources import files
from typing import Any, Final

import yaml

from recaption.core.types import Box, Evidence, JsonValue
from recaption.media import layout

__all__ = ["Facts", "Group", "Limits", "Quote", "Thing", "gather_facts", "load_data", "split_by_look"]

_MAX_ITEMS: Final = 500
_MAX_LABEL_CHARACTERS: Final = 60
_MAX_ADJECTIVE_CHARACTERS: Final = 24
_NOT_LABEL = re.compile(r"[^\w&'’-]+|_")
_ADJECTIVE = re.compile(r"[^\W\d_]+(?:[ -][^\W\d_]+)*")


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What may be stated, and how much of it."""

    min_score: Mapping[str, float] = field(default_factory=dict)
    """Source prefix to the lowest score believed; the longest prefix that fits counts."""
    default_min_score: float = 0.5
    max_groups: int = 4
    max_groups_dense: int = 10
    max_relations: int = 3
    max_quotes: int = 4
    max_quote_characters: int = 80
    flat: bool = False
    """True for drawn scenes, where higher in the picture means above; in photographs it mostly means farther away."""


@dataclass(frozen=True, slots=True)
class Thing:
    """One object, whoever saw it; `indices` are positions in the record's evidence."""

    label: str
    box: Box | None
    score: float
    sources: frozenset[str]
    indices: tuple[int, ...]
    look: tuple[tuple[str, str], ...]
    """Adjective kind and value (`colour`, `red`), in no special order."""
    crowd: bool = False


@dataclass(frozen=True, slots=True)
class Group:
    """All things of one label (and look)."""

    label: str
    things: tuple[Thing, ...]
    look: tuple[tuple[str, str], ...]
    weight: float
    unsure: int = 0
    """How many more were seen below the threshold: they are not stated, but make the count vague."""

    @property
    def count(self) -> int:
        return len(self.things)

    @property
    def crowd(self) -> bool:
        return any(thing.crowd for thing in self.things)

    @property
    def exact(self) -> bool:
        """True when the number of things is known."""
        return not self.crowd and not self.unsure

    @property
    def indices(self) -> tuple[int, ...]:
        return tuple(i for thing in self.things for i in thing.indices)

    @property
    def boxes(self) -> tuple[Box, ...]:
        return tuple(thing.box for thing in self.things if thing.box)


@dataclass(frozen=True, slots=True)
class Quote:
    """Words read in the picture; `on` is the label of the thing that bears them, if one does."""

    text: str
    indices: tuple[int, ...]
    on: str | None = None


@dataclass(frozen=True, slots=True)
class Facts:
    """All that may be said of one image."""

    groups: tuple[Group, ...] = ()
    quotes: tuple[Quote, ...] = ()
    background: tuple[str, int] | None = None
    """Label and position in the evidence."""
    tags: tuple[tuple[str, int], ...] = ()
    pixels: tuple[tuple[str, str, int], ...] = ()
    """Name, value and position of each pixel fact: (`brightness`, `dark`, 4)."""
    size: tuple[int, int] | None = None


@cache
def load_data(name: str) -> dict[str, Any]:
    """Return a data file of this package. The result is shared: read it only."""
    text = files("recaption.media.compose").joinpath(name).read_text(encoding="utf-8")
    data: dict[str, Any] = yaml.safe_load(text)
    return data


def gather_facts(evidence: Sequence[Evidence], size: tuple[int, int] | None, limits: Limits) -> Facts:
    """Return what the evidence supports; at most the first 500 items are read."""
    things: dict[str, list[Thing]] = {}
    unsure: dict[str, int] = {}
    words: list[tuple[int, Evidence]] = []
    tags: list[tuple[str, int]] = []
    background: tuple[str, int] | None = None
    pixels: list[tuple[str, str, int]] = []
    for index, item in enumerate(evidence[:_MAX_ITEMS]):
        label = clean_label(item.label) if item.kind != "text" else ""
        sure = _belief(item, limits)
        if item.kind == "object" and label:
            if sure >= 1:
                _add(things.setdefault(label, []), _thing(item, label, index))
            elif sure >= load_data("facts.yaml")["unsure_from"]:
                unsure[label] = unsure.get(label, 0) + 1
        elif item.kind == "text" and sure >= 1:
            words.append((index, item))
        elif item.kind == "tag" and label and sure >= 1:
            named = _background(item, label)
            if named and not background:
                background = (named, index)
            elif not named:
                tags.append((label, index))
        elif item.kind == "pixel" and label:
            pixels.extend((name, value, index) for name, value in _pixel(item, label))
    everything = [thing for group in things.values() for thing in group]
    frame = _frame(everything, size)
    groups = [_group(label, tuple(group), unsure.get(label, 0), frame) for label, group in things.items()]
    groups.sort(key=lambda group: -group.weight)
    return Facts(
        groups=tuple(groups),
        quotes=tuple(_quotes(words, everything, limits)),
        background=background,
        tags=tuple(dict(reversed(tags)).items()) if tags else (),
        pixels=tuple(pixels),
        size=size,
    )


def split_by_look(group: Group) -> list[Group]:
    """Return one group per look where every thing has one (a red ball, two blue balls), else the group itself."""
    looks = dict.fromkeys(thing.look for thing in group.things)
    if len(looks) == 1 or () in looks or group.crowd:
        return [group]
    parts = []
    for look in looks:
        things = tuple(thing for thing in group.things if thing.look == look)
        weight = group.weight * len(things) / group.count
        parts.append(Group(group.label, things, look, weight, group.unsure))
    return parts


@lru_cache(maxsize=4096)
def clean_label(label: str) -> str:
    """Return a label as plain words, empty if it is too long to be one."""
    if len(label) > 4 * _MAX_LABEL_CHARACTERS:
        return ""
    words = _NOT_LABEL.sub(" ", unicodedata.normalize("NFC", label)).strip(" -'’&")
    return " ".join(words.split()) if len(words) <= _MAX_LABEL_CHARACTERS else ""


def _belief(item: Evidence, limits: Limits) -> float:
    """Return the score over the source's threshold; 1 for sources that give none."""
    if item.score is None:
        return 1.0
    fitting = [prefix for prefix in limits.min_score if item.source.startswith(prefix)]
    threshold = limits.min_score[max(fitting, key=len)] if fitting else limits.default_min_score
    if not item.score >= 0:  # NaN and negative numbers
        return 0.0
    return 1.0 if item.score >= threshold else item.score / threshold * 0.999


def _thing(item: Evidence, label: str, index: int) -> Thing:
    crowd = any(item.attributes.get(key) in (True, 1) for key in load_data("facts.yaml")["crowd_keys"])
    score = 1.0 if item.score is None else item.score
    look = tuple(_look(item.attributes, label))
    return Thing(label, item.box, score, frozenset((item.source,)), (index,), look, crowd)


def _look(attributes: Mapping[str, JsonValue], label: str) -> Iterator[tuple[str, str]]:
    if not attributes:
        return
    data = load_data("facts.yaml")
    for kind, names in data["attributes"].items():
        for name in names:
            adjective = _adjective(attributes.get(name))
            if adjective and adjective not in data["silent"] and adjective not in label.lower().split():
                yield kind, adjective
                break


def _adjective(value: JsonValue) -> str | None:
    if isinstance(value, list) and value:
        value = value[0]
    if not isinstance(value, str) or len(value) > _MAX_ADJECTIVE_CHARACTERS:
        return None
    plain = value.strip().lower().replace("_", " ")
    return plain if _ADJECTIVE.fullmatch(plain) else None


def _add(things: list[Thing], new: Thing) -> None:
    """Add a thing, or let it confirm the one another source saw at the same place."""
    for position, old in enumerate(things):
        if new.sources & old.sources:
            continue
        if new.box is None or old.box is None or layout.same_thing(new.box, old.box):
            look = dict(new.look) | dict(old.look)
            things[position] = Thing(
                old.label,
                old.box or new.box,
                old.score,
                old.sources | new.sources,
                old.indices + new.indices,
                tuple(look.items()),
                old.crowd or new.crowd,
            )
            return
    things.append(new)


def _frame(things: Sequence[Thing], size: tuple[int, int] | None) -> float:
    """Return the area shares are taken of, in pixels."""
    if size and size[0] > 0 and size[1] > 0:
        return float(size[0]) * size[1]
    boxes = [thing.box for thing in things if thing.box]
    return layout.hull(boxes).area if boxes else 1.0


def _group(label: str, things: tuple[Thing, ...], unsure: int, frame: float) -> Group:
    data = load_data("facts.yaml")
    share = sum(
        (thing.box.area / frame if thing.box else data["share_without_box"]) * thing.score for thing in things
    )
    looks = {thing.look for thing in things}
    shared = set.intersection(*(set(look) for look in looks)) if looks else set()
    look = tuple(pair for pair in things[0].look if pair in shared)
    weight = share * (data["people_weight"] if label.lower() in data["people"] else 1.0)
    return Group(label, things, look, weight, unsure)


def _background(item: Evidence, label: str) -> str | None:
    """Return what a tag says the background is, if that is what it speaks of."""
    keys = load_data("facts.yaml")["background_keys"]
    for key in keys:
        value = item.attributes.get(key)
        if isinstance(value, str) and clean_label(value):
            return clean_label(value).lower()
    value = item.attributes.get("value", item.attributes.get("name"))
    if label.lower() in keys:
        return clean_label(value).lower() if isinstance(value, str) and clean_label(value) else None
    return (
        label.lower()
        if item.attributes.get("role") in keys or item.attributes.get("background") is True
        else None
    )


def _pixel(item: Evidence, label: str) -> Iterator[tuple[str, str]]:
    value = item.attributes.get("value", item.attributes.get("name"))
    yield label.lower(), str(value).lower()[:_MAX_ADJECTIVE_CHARACTERS] if value is not None else "true"


def _quotes(words: Sequence[tuple[int, Evidence]], things: Sequence[Thing], limits: Limits) -> Iterator[Quote]:
    """Yield the words in reading order, lines of one block together."""
    readable = [(index, item, text) for index, item in words if (text := clean_quote(item.label))]
    blocks: list[list[tuple[int, Evidence, str]]] = []
    for entry in _in_order(readable):
        if blocks and _continues(blocks[-1][-1][1], entry[1]):
            blocks[-1].append(entry)
        else:
            blocks.append([entry])
    for block in blocks[: limits.max_quotes]:
        text = _shortened(" ".join(text for _, _, text in block), limits.max_quote_characters)
        yield Quote(text, tuple(index for index, _, _ in block), _bearer(block[0][1], things))


def clean_quote(text: str) -> str:
    """Return words read in a picture as one harmless line: no control characters, inner double quotes made single."""
    kept = "".join(" " if unicodedata.category(c)[0] in "CZ" else c for c in text[:2000])
    return " ".join(re.sub(r"[\"“”„«»「」『』]", "'", kept).split())


def _shortened(text: str, most: int) -> str:
    if len(text) <= most:
        return text
    cut = text[:most]
    end = cut.rfind(" ")
    return (cut[:end] if end > most // 2 else cut).rstrip(" ,;:.-") + "…"


def _in_order(words: list[tuple[int, Evidence, str]]) -> list[tuple[int, Evidence, str]]:
    """Use the reader's own column and line numbers if all words have them, else the boxes."""
    numbers = [(item.attributes.get("column"), item.attributes.get("line")) for _, item, _ in words]
    if words and all(isinstance(line, int) for _, line in numbers):
        order = [(c if isinstance(c, int) else 0, line, n) for n, (c, line) in enumerate(numbers)]
        return [words[n] for _, _, n in sorted(order)]
    if all(item.box for _, item, _ in words):
        return [words[n] for n in layout.reading_order([item.box for _, item, _ in words if item.box])]
    return words


def _continues(above: Evidence, below: Evidence) -> bool:
    """Say whether a line goes on in the next: under it or beside it, close, in the same column."""
    if above.attributes.get("column") != below.attributes.get("column") or not (above.box and below.box):
        return False
    data, a, b = load_data("facts.yaml"), above.box, below.box
    near = float(data["line_gap"]) * min(a.height, b.height)
    under = layout.shared_width(a, b) >= float(data["same_column"]) * min(a.width, b.width)
    beside = layout.shared_height(a, b) > 0 and 0 <= b.left - a.right <= near
    return beside or (under and -near <= b.top - a.bottom <= near)


def _bearer(item: Evidence, things: Sequence[Thing]) -> str | None:
    data = load_data("facts.yaml")
    named = item.attributes.get("on")
    if isinstance(named, str) and clean_label(named):
        return clean_label(named)
    carriers = (thing for thing in things if thing.box and thing.label.lower() in data["carries_text"])
    for thing in carriers:
        if item.box and thing.box and layout.overlap(item.box, thing.box) >= data["inside"] * item.box.area:
            return thing.label
    return None
