"""From evidence to facts that may be stated: merged over sources, thresholded, counted, in order of importance."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Final

from recaption.core.types import Box, Evidence, JsonValue
from recaption.media import layout
from recaption.media.compose.data import clean_label, load_data
from recaption.media.compose.quotes import Quote, quotes_of

__all__ = [
    "Facts",
    "Group",
    "Limits",
    "PixelFact",
    "Thing",
    "gather_facts",
    "split_by_look",
]

_MAX_ITEMS: Final = 500
_MAX_ADJECTIVE_CHARACTERS: Final = 24
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
    count: int = field(init=False)
    crowd: bool = field(init=False)
    indices: tuple[int, ...] = field(init=False)
    boxes: tuple[Box, ...] = field(init=False)

    def __post_init__(self) -> None:
        # Asked for many times by every sentence, hence worked out once.
        fill = partial(object.__setattr__, self)
        fill("count", len(self.things))
        fill("crowd", any(thing.crowd for thing in self.things))
        fill("indices", tuple([i for thing in self.things for i in thing.indices]))
        fill("boxes", tuple([thing.box for thing in self.things if thing.box]))

    @property
    def exact(self) -> bool:
        """True when the number of things is known."""
        return not self.crowd and not self.unsure


@dataclass(frozen=True, slots=True)
class PixelFact:
    """What the pixels show as a whole: `brightness`, `greyscale` or `colour`, with what they are found to be."""

    name: str
    values: tuple[str, ...]
    indices: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Facts:
    """All that may be said of one image."""

    groups: tuple[Group, ...] = ()
    quotes: tuple[Quote, ...] = ()
    background: tuple[str, int] | None = None
    """Label and position in the evidence."""
    tags: tuple[tuple[str, int], ...] = ()
    pixels: tuple["PixelFact", ...] = ()
    size: tuple[int, int] | None = None


def gather_facts(evidence: Sequence[Evidence], size: tuple[int, int] | None, limits: Limits) -> Facts:
    """Return what the evidence supports; at most the first 500 items are read."""
    things: dict[str, list[Thing]] = {}
    unsure: dict[str, int] = {}
    words: list[tuple[int, Evidence]] = []
    tags: dict[str, int] = {}
    background: tuple[str, int] | None = None
    pixels: list[tuple[int, Evidence]] = []
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
                tags.setdefault(label, index)
        elif item.kind == "pixel" and label:
            pixels.append((index, item))
    everything = [thing for group in things.values() for thing in group]
    bearers = [(thing.label, thing.box) for thing in everything if thing.box]
    frame = _frame(everything, size)
    groups = [_group(label, tuple(group), unsure.get(label, 0), frame) for label, group in things.items()]
    groups.sort(key=lambda group: -group.weight)
    return Facts(
        groups=tuple(groups),
        quotes=tuple(quotes_of(words, bearers, limits.max_quotes, limits.max_quote_characters)),
        background=background,
        tags=tuple(tags.items()),
        pixels=tuple(_pixel_facts(pixels)),
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
    score = 1.0 if item.score is None else item.score
    if not item.attributes:
        return Thing(label, item.box, score, frozenset((item.source,)), (index,), ())
    crowd = any(item.attributes.get(key) in (True, 1) for key in load_data("facts.yaml")["crowd_keys"])
    look = tuple(_look(item.attributes, label))
    return Thing(label, item.box, score, frozenset((item.source,)), (index,), look, crowd)


def _look(attributes: Mapping[str, JsonValue], label: str) -> Iterator[tuple[str, str]]:
    data = load_data("facts.yaml")
    for kind, names in data["attributes"].items():
        for name in names:
            adjective = _adjective(attributes.get(name))
            if adjective and adjective not in data["silent"] and adjective not in label.lower().split():
                is_pattern = (
                    kind == "material" and adjective in data["patterns"] and "texture" not in attributes
                )
                yield "texture" if is_pattern else kind, adjective
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


def _pixel_facts(items: Sequence[tuple[int, Evidence]]) -> Iterator[PixelFact]:
    """Yield brightness and greyscale as found, and the one or two colours that make up most of the picture.

    Where no two colours do, the two largest are the `palette`, for a picture of which nothing else is known.
    """
    grey = False
    colours: list[tuple[float, str, int]] = []
    for index, item in items:
        value, share = item.attributes.get("value"), item.attributes.get("share")
        if item.label == "colour" and (name := _adjective(value)) and isinstance(share, int | float):
            colours.append((float(share), name, index))
        elif item.label in ("brightness", "greyscale") and isinstance(value, str | bool):
            grey = grey or (item.label == "greyscale" and value is True)
            yield PixelFact(item.label, (str(value).lower(),), (index,))
    data = load_data("facts.yaml")
    colours.sort(key=lambda colour: -colour[0])
    for count, least in ((1, data["one_colour"]), (2, data["two_colours"])):
        most = colours[:count]
        if not grey and len(most) == count and sum(share for share, _, _ in most) >= least:
            yield PixelFact("colour", tuple(name for _, name, _ in most), tuple(i for _, _, i in most))
            return
    if colours and not grey:
        yield PixelFact("palette", tuple(c[1] for c in colours[:2]), tuple(c[2] for c in colours[:2]))
