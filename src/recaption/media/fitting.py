"""A text made to fit a token budget, by letting go of what tells least. No word is ever cut.

The order in which things go: sentences about moods, clauses that guess (`, suggesting that …`), the least
supported sentences; the first sentence is the core and stays. What room is left is filled again with whole
clauses. Only where the core alone is too long is it cut: at a clause, else a phrase, else between words.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal

from recaption.core.errors import UserError
from recaption.media.budgets import Budget
from recaption.media.salience import judge
from recaption.media.sentences import Span, is_clause_end, merged, protected_spans, stripped_sentences
from recaption.media.shortening import CutAt, balanced, end_well, finer, measured, shorten
from recaption.media.splitting import split

__all__ = ["CutAt", "Fitted", "Mode", "Support", "fit"]

Mode = Literal["trim", "split"]
Support = Callable[[str], float]
"""How well a sentence is backed by what is known of the picture, 0 to 1."""

_LOCK_BONUS: Final = 100.0
_WELL_SUPPORTED: Final = 0.5
"""A sentence with this support is no filler, whatever its words."""
_PASSES: Final = 3
"""How often the sentences are gone through: one may wait for the sentence before it."""
_LEAST_ROOM: Final = 2
"""Room not worth filling."""


@dataclass(frozen=True, slots=True)
class Fitted:
    """A text within its budget."""

    texts: tuple[str, ...]
    """One text; several where it was split; none where not even one word fits."""
    tokens_before: int
    tokens_after: int
    """Of all texts together."""
    tokens_lost: int
    """Tokens of the text itself, special ones not counted, that are in none of the texts."""
    cut_at: CutAt
    dropped: tuple[str, ...] = ()
    """What was let go, in reading order."""
    note: str | None = None
    """What could not be kept whole."""


@dataclass(slots=True)
class _Sentence:
    """A sentence on its way into the result."""

    span: Span
    """Without blanks around."""
    lead: str
    """The blanks before it."""
    cost: int
    priority: float
    dependent: bool
    locked: bool
    filler: bool
    head: tuple[str, int, int] | None = None
    """Text, cost and source end without the clause that guesses, if it ends with one."""


@dataclass(slots=True)
class _Plan:
    """What goes into the result so far: index of the sentence to (text, source end)."""

    text: str
    budget: Budget
    guard: list[Span]
    sentences: list[_Sentence]
    left: int
    taken: dict[int, tuple[str, int, int]] = field(default_factory=dict)
    finest: CutAt = "none"
    note: str | None = None

    def take(self, index: int, text: str, cost: int, end: int) -> bool:
        """Put a sentence or its beginning in, in place of what stood there, if there is room."""
        before = self.taken.get(index)
        if cost - (before[1] if before else 0) > self.left:
            return False
        self.left -= cost - (before[1] if before else 0)
        self.taken[index] = (text, cost, end)
        return True

    def cut(self, level: CutAt, note: str | None = None) -> None:
        """Remember the finest cut."""
        self.finest = finer(self.finest, level)
        self.note = note or self.note


def fit(
    text: str,
    budget: Budget,
    *,
    locked: Sequence[Span] = (),
    support: Support | None = None,
    mode: Mode = "trim",
) -> Fitted:
    """Return `text` within `budget`, unchanged if it already is.

    Args:
        locked: Spans of the text never to cut inside and to let go last; quotes always are, and names are not cut.
        support: Judges a sentence; without it, what it says of things counts.
        mode: `trim` lets go of what is too much; `split` returns all of it, as several texts.

    Raises:
        UserError: A locked span lies outside of the text.
    """
    for start, end in locked:
        if not 0 <= start <= end <= len(text):
            raise UserError(f"locked span {start}:{end} lies outside of a text of {len(text)} characters.")
    before = budget.count(text)
    if before <= budget.limit:
        return Fitted((text,), before, before, 0, "none")
    guard = merged([*protected_spans(text), *locked])
    if mode == "split":
        parts = split(text, budget, guard)
        counts = budget.count_many(parts.texts)
        lost = before - budget.specials - sum(counts) + budget.specials * len(counts)
        return Fitted(parts.texts, before, sum(counts), max(0, lost), parts.cut_at, parts.left_out, parts.note)
    return _trim(text, budget, guard, list(locked), support, before)


def _trim(
    text: str, budget: Budget, guard: list[Span], locked: list[Span], support: Support | None, before: int
) -> Fitted:
    plan = _Plan(
        text, budget, guard, _sentences(text, budget, guard, locked, support), budget.limit - budget.specials
    )
    if not plan.sentences:
        return Fitted((), before, 0, before - budget.specials, "sentence", (), "holds no words")
    order = sorted(range(1, len(plan.sentences)), key=lambda i: (-plan.sentences[i].priority, i))
    _take_core(plan, order)
    _take_sentences(plan, [i for i in order if not plan.sentences[i].filler])
    _take_beginnings(plan, [i for i in order if not plan.sentences[i].filler])
    _take_sentences(plan, [i for i in order if plan.sentences[i].filler])
    _restore_tails(plan, order)
    return _finished(plan, before)


def _sentences(
    text: str, budget: Budget, guard: list[Span], locked: list[Span], support: Support | None
) -> list[_Sentence]:
    known = judge()
    spans, leads = stripped_sentences(text)
    bodies = [text[a:b] for a, b in spans]
    # The blanks before a sentence count where characters are counted.
    costs = budget.count_many(
        [lead + body if i else body for i, (lead, body) in enumerate(zip(leads, bodies, strict=True))]
    )
    kept = merged([*locked, *_quotes(text, guard)])
    seen: set[str] = set()
    found: list[_Sentence] = []
    for span, lead, body, cost in zip(spans, leads, bodies, costs, strict=True):
        priority = known.richness(body, seen)
        backing = support(body) if support else 0.0
        filler = backing < _WELL_SUPPORTED and known.is_filler(body)
        is_locked = _overlaps(kept, span)
        if support:
            priority = backing + priority * known.settings["name_bonus"]
        if _overlaps(guard, span):
            priority += known.settings["name_bonus"]
        priority += _LOCK_BONUS * is_locked
        found.append(
            _Sentence(
                span,
                lead,
                cost - budget.specials,
                priority,
                known.is_dependent(body) and not is_locked,
                is_locked,
                filler and not is_locked,
            )
        )
    return found


def _quotes(text: str, guard: Sequence[Span]) -> list[Span]:
    return [span for span in guard if text[span[0]] in "\"“«「『《'‘"]


def _overlaps(spans: Sequence[Span], span: Span) -> bool:
    return bool(spans) and any(a < span[1] and span[0] < b for a, b in spans)


def _head(plan: _Plan, index: int) -> tuple[str, int, int] | None:
    """Return the sentence without the clauses at its end that only guess; None if it has none."""
    sentence = plan.sentences[index]
    if sentence.head is None:
        place = _filler_tail(plan.text, sentence.span, plan.guard)
        if place is not None:
            body, end = end_well(plan.text, sentence.span, place, plan.guard)
            cost = plan.budget.count(_led(sentence, index, body)) - plan.budget.specials
            sentence.head = (body, cost, end)
    return sentence.head


def _filler_tail(text: str, span: Span, guard: Sequence[Span]) -> int | None:
    """Return where the last clauses of a sentence begin that tell little; None where they tell something."""
    place: int | None = None
    known = judge()
    comma = text.rfind(",", *span)
    while comma >= 0:
        if known.filler_clause.match(text, comma, span[1]):
            place = comma
        elif not known.same_clause.match(text, comma, span[1]):
            break
        comma = text.rfind(",", span[0], comma)
    if place is None or _overlaps(guard, (place, span[1])):
        return None
    return place if is_clause_end(text, *span, place) else None


def _led(sentence: _Sentence, index: int, body: str) -> str:
    return sentence.lead + body if index else body


def _take_core(plan: _Plan, order: Sequence[int]) -> None:
    """Put the first sentence in, shorter if it must be, so that locked sentences find room beside it."""
    core = plan.sentences[0]
    reserve = sum(plan.sentences[i].cost for i in order if plan.sentences[i].locked)
    for room in (plan.left - reserve, plan.left):
        whole, head = (plan.text[slice(*core.span)], core.cost, core.span[1]), _head(plan, 0)
        chosen = head if head and head[1] <= room else whole if core.cost <= room else None
        if chosen and plan.take(0, *chosen):
            return
        short = shorten(
            plan.text, core.span, room, measured(plan.budget), plan.guard, clauses_only=room < plan.left
        )
        if short:
            plan.take(0, short.text, short.cost, short.end)
            plan.cut(short.level, short.note)
            return
    plan.cut("word", "not even its first word fits")


def _take_sentences(plan: _Plan, order: Sequence[int]) -> None:
    """Put sentences in, best first; one that leans on the sentence before it only if that is there."""
    waiting = list(order)
    for _ in range(_PASSES):
        leaning: list[int] = []
        for index in waiting:
            if plan.left < _LEAST_ROOM:
                return
            sentence = plan.sentences[index]
            if sentence.dependent and index - 1 not in plan.taken:
                leaning.append(index)
                continue
            whole = (plan.text[slice(*sentence.span)], sentence.cost, sentence.span[1])
            plan.take(index, *(_head(plan, index) or whole))
        waiting = leaning


def _take_beginnings(plan: _Plan, order: Sequence[int]) -> None:
    """Fill the room left with the first clauses of sentences that do not fit whole."""
    settings = judge().settings
    tries = int(settings["most_partial_tries"])
    for index in order:
        if plan.left < settings["partial_clause_words"] or tries == 0:
            return
        sentence = plan.sentences[index]
        if index in plan.taken or sentence.locked or (sentence.dependent and index - 1 not in plan.taken):
            continue
        tries -= 1
        measure = measured(plan.budget, sentence.lead)
        short = shorten(plan.text, sentence.span, plan.left, measure, plan.guard, clauses_only=True)
        if short and len(short.text.split()) >= settings["partial_clause_words"]:
            plan.take(index, short.text, short.cost, short.end)


def _restore_tails(plan: _Plan, order: Sequence[int]) -> None:
    """Give sentences back the clauses that guess, where there is room."""
    for index in (0, *order):
        sentence = plan.sentences[index]
        if index in plan.taken and plan.taken[index][2] < sentence.span[1] and plan.left:
            plan.take(index, plan.text[slice(*sentence.span)], sentence.cost, sentence.span[1])


def _finished(plan: _Plan, before: int) -> Fitted:
    """Join what was taken, and make sure of the count: costs need not add up for every tokenizer."""
    result = _joined(plan)
    after = plan.budget.count(result)
    while after > plan.budget.limit and plan.taken:
        index = min(plan.taken, key=lambda i: plan.sentences[i].priority if i else float("inf"))
        taken = plan.taken.pop(index)
        if index == 0:
            room = min(taken[1], plan.budget.limit - plan.budget.specials) - (after - plan.budget.limit)
            short = shorten(plan.text, plan.sentences[0].span, room, measured(plan.budget), plan.guard)
            if short and short.cost < taken[1]:
                plan.taken[0] = (short.text, short.cost, short.end)
                plan.cut(short.level, short.note)
        result = _joined(plan)
        after = plan.budget.count(result)
    dropped = _dropped(plan)
    if not result:
        return Fitted(
            (), before, 0, before - plan.budget.specials, "word", dropped, plan.note or "nothing fits"
        )
    return Fitted((result,), before, after, max(0, before - after), plan.finest, dropped, plan.note)


def _joined(plan: _Plan) -> str:
    parts: list[str] = []
    for index in sorted(plan.taken):
        parts.append(_led(plan.sentences[index], len(parts), plan.taken[index][0]))
    joined = "".join(parts)
    return balanced(joined, plan.text) if joined else ""


def _dropped(plan: _Plan) -> tuple[str, ...]:
    """Return what was let go, and remember at what level."""
    lost: list[str] = []
    for index, sentence in enumerate(plan.sentences):
        taken = plan.taken.get(index)
        if taken is None:
            plan.cut("sentence")
            lost.append(plan.text[slice(*sentence.span)])
            continue
        rest = plan.text[taken[2] : sentence.span[1]]
        if rest and any(map(str.isalnum, rest)):
            plan.cut("clause")
            lost.append(rest.strip())
    return tuple(lost)
