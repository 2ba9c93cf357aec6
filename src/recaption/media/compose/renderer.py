"""Facts to candidate captions: deterministic, seeded, and nothing said that no evidence supports."""

from collections.abc import Callable, Sequence
from typing import Final

from recaption.media import layout
from recaption.media.compose.data import load_data
from recaption.media.compose.facts import Facts, Limits
from recaption.media.compose.grammar import Language, grammar_of
from recaption.media.compose.relations import Statement
from recaption.media.compose.writer import ALL_KINDS, Aspect, Draft, View, Writer

__all__ = ["ASPECTS", "render"]

ASPECTS: Final[tuple[Aspect, ...]] = ("brief", "appearance", "context", "text", "dense")
_COLOUR: Final = ("colour",)
_LEADING_GROUPS: Final = 4


def render(
    facts: Facts,
    aspects: Sequence[Aspect],
    *,
    alt: str | None,
    language: Language,
    limits: Limits,
    seed_of: Callable[[str], int],
) -> list[Draft]:
    """Return one draft per aspect that has something to say.

    Args:
        alt: Cleaned text that came with the image; its words are kept as they are.
        seed_of: Aspect to seed; choices between templates depend on it and on nothing else.
    """
    view = View(facts, alt, grammar_of(language), limits)
    drafts = []
    for aspect in aspects:
        writer = Writer(view, aspect, seed_of)
        _RENDERERS[aspect](writer)
        if writer.sentences and writer.says_more_than_alt:
            drafts.append(writer.draft())
    return drafts


def _brief(writer: Writer) -> None:
    groups = writer.facts.groups[: writer.view.limits.max_groups]
    if writer.view.alt:
        writer.lead(groups, _COLOUR)
    elif groups:
        writer.listed(groups, _COLOUR, "things", place=True)
    elif writer.view.place:
        _scene(writer)


def _appearance(writer: Writer) -> None:
    units = writer.view.units[: writer.view.limits.max_groups]
    if any(unit.look for unit in units):
        writer.listed(units, ALL_KINDS, "things_shown", place=True)
    elif units and writer.facts.pixels:
        writer.listed(units, ALL_KINDS, "things", place=True)
    _look(writer)


def _context(writer: Writer) -> None:
    if writer.view.statements:
        _open_with_place(writer)
        _relations(writer)
    else:
        _positions(writer)
    _scene(writer)
    _tags(writer)


def _text(writer: Writer) -> None:
    grammar = writer.grammar
    free = [quote for quote in writer.facts.quotes if not quote.on]
    if free:
        quotes = [grammar.data["quote"].format(text=quote.text) for quote in free]
        writer.indices |= dict.fromkeys(i for quote in free for i in quote.indices)
        template = "word" if len(free) == 1 and " " not in free[0].text else "text"
        writer.say(template, plural=len(free) > 1, quotes=grammar.join(quotes))
    for quote in writer.facts.quotes:
        if quote.on:
            writer.indices |= dict.fromkeys(quote.indices)
            text = grammar.data["quote"].format(text=quote.text)
            known = any(group.label == quote.on and id(group) in writer.known for group in writer.facts.groups)
            writer.say("text_on", quotes=text, bearer=grammar.bearer(quote.on, definite=known))


def _dense(writer: Writer) -> None:
    view = writer.view
    units = view.units[: view.limits.max_groups_dense]
    if view.alt:
        writer.lead(units, ALL_KINDS)
        _described(writer)
        _relations(writer)
        _scene(writer)
    elif units:
        leading = units[: max(_LEADING_GROUPS, view.limits.max_groups)]
        if len(units) == 1 and not view.place and not view.statements:
            _positions(writer, ALL_KINDS)
        if not writer.sentences:
            writer.listed(leading, ALL_KINDS, "things_shown", place=True)
        rest = units[len(leading) :]
        if rest:
            writer.listed(rest, ALL_KINDS, "more")
        _relations(writer)
        if not view.statements and len(units) > 1:
            _positions(writer)
    else:
        _scene(writer)
    _text(writer)
    _look(writer, only_vivid=bool(writer.sentences))
    _tags(writer)


def _described(writer: Writer) -> None:
    """Say what the things look like that the alt-text only names."""
    view, grammar = writer.view, writer.grammar
    alt = (view.alt or "").lower()
    labels = [unit.label for unit in view.units]
    for unit in view.units[: view.limits.max_groups]:
        if (
            unit.label not in view.named_by_alt
            or labels.count(unit.label) > 1
            or unit.count > 1
            or not unit.exact
        ):
            continue
        look = dict(unit.look)
        said = [grammar.adjective(look[k]) for k in grammar.data["adjective_order"] if k in look]
        new = [adjective for adjective in said if adjective and adjective not in alt]
        if new:
            phrase = writer.name(unit, (), definite=True)
            writer.say("described", plural=phrase.plural, a=phrase.text, look=grammar.join(new))


def _relations(writer: Writer) -> None:
    """Say the relations, those of one subject in one sentence."""
    sentences: dict[tuple[int, ...], list[Statement]] = {}
    for statement in writer.view.statements:
        sentences.setdefault(tuple(map(id, statement.subjects)), []).append(statement)
    for about in sentences.values():
        subjects = [writer.name(group, _COLOUR) for group in about[0].subjects]
        writer.say(
            "where",
            plural=len(subjects) > 1 or subjects[0].plural,
            a=writer.grammar.join([subject.text for subject in subjects]),
            where=_where(writer, about),
        )


def _where(writer: Writer, about: Sequence[Statement]) -> str:
    data, said = writer.grammar.data, []
    for statement in about:
        objects = [writer.name(group, _COLOUR).text for group in statement.objects]
        said.append(data["relations"][statement.relation].format(b=writer.grammar.join(objects)))
    has_list = any(len(statement.objects) > 1 for statement in about)
    return str(data["between_relations"][has_list]).join(said)


def _positions(writer: Writer, kinds: Sequence[str] = _COLOUR) -> None:
    """Say where in the picture the most important single thing is."""
    size = writer.facts.size
    for group in writer.view.units[:1]:
        if size and group.exact and group.count == 1 and group.boxes:
            box = group.boxes[0]
            where = "fills" if layout.fills(box, size) else layout.place(box, size)
            if where:
                phrase = writer.name(group, kinds)
                writer.say(f"place_{where}", plural=phrase.plural, a=phrase.text)


def _open_with_place(writer: Writer) -> None:
    if writer.view.place:
        writer.opening, index = writer.view.place
        writer.indices[index] = None


def _scene(writer: Writer) -> None:
    where = writer.view.place
    if where and where[1] not in writer.indices and not (writer.uses_alt and writer.view.alt_names_place):
        writer.indices[where[1]] = None
        writer.say("scene", place=where[0])


def _tags(writer: Writer) -> None:
    tags = writer.view.other_tags
    if tags:
        writer.indices |= dict.fromkeys(index for _, index in tags)
        quotes = [writer.grammar.data["quote"].format(text=label) for label, _ in tags]
        writer.say("tagged", tags=writer.grammar.join(quotes))


def _look(writer: Writer, *, only_vivid: bool = False) -> None:
    """Say the overall look of the pixels; dull colours only where they are wanted."""
    said: list[str] = []
    dull = frozenset(load_data("facts.yaml")["dull_colours"])
    for fact in writer.facts.pixels:
        if only_vivid and fact.name == "colour" and dull.issuperset(fact.values):
            continue
        if fact.name == "palette" and (only_vivid or said):
            continue
        table = writer.grammar.data["looks"].get(fact.name, {})
        phrase = table.get(fact.values[0], table.get("default"))
        adjectives = [adjective for value in fact.values if (adjective := writer.grammar.adjective(value))]
        if phrase and len(adjectives) == len(fact.values):
            writer.pixels |= dict.fromkeys(fact.indices)
            said.append(phrase.format(value=writer.grammar.join(adjectives)))
    if said:
        writer.say("look", look=writer.grammar.join(said))


_RENDERERS: Final[dict[Aspect, Callable[[Writer], None]]] = {
    "brief": _brief,
    "appearance": _appearance,
    "context": _context,
    "text": _text,
    "dense": _dense,
}
