"""Choose the caption that stands for the record, by rules in order of preference."""

from collections.abc import Sequence
from dataclasses import replace

from pydantic import Field

from recaption.core.digests import seed_from
from recaption.core.protocols import Context
from recaption.core.types import Caption, Dropped, Kept, Origin, Outcome, Record, Score
from recaption.recipes.strict import StrictModel

__all__ = ["Condition", "Select"]

_NO_CAPTION = "no caption: nothing came with the image and nothing is known about it"


class Condition(StrictModel):
    """What a caption must be to be preferred; an empty condition fits every caption."""

    origin: Origin | None = None
    aspect: str | None = None
    from_stage: str | None = None
    """Stage that wrote it; a shortened caption counts as written by the stage that wrote the long one."""
    min_support: float | None = Field(default=None, ge=0)
    """Least number of things, words and tags stated that evidence supports."""
    min_triage: float | None = Field(default=None, ge=0, le=1)

    def __str__(self) -> str:
        stated = [f"{name} {value}" for name, value in self.model_dump(exclude_none=True).items()]
        return ", ".join(stated).replace("_", " ") or "any caption"


_PREFER = (
    Condition(origin="human"),  # what people wrote is not given up for what rules compose
    Condition(origin="composed", aspect="dense", min_support=1),
    Condition(origin="composed", aspect="brief", min_support=1),
    Condition(origin="alt", min_triage=0.5),
    Condition(origin="alt", min_triage=0.4),  # a bare name or date still tells more than pixels do
    Condition(origin="composed"),
    Condition(from_stage="source"),
)


class Select:
    """Sets `chosen` to the first caption that meets the first condition any caption meets; the original may win."""

    name = "select"
    version = "1"
    fingerprint = ""

    class Params(StrictModel):
        """The order of preference."""

        prefer: tuple[Condition, ...] = Field(default=_PREFER, min_length=1)
        seeded: bool = False
        """Draw among all captions that meet the condition instead of taking the latest."""

    def __init__(self, params: Params) -> None:
        self._params = params

    def process(self, records: Sequence[Record], context: Context) -> list[Outcome]:
        """Return every record with its choice; a record that has no text at all is dropped."""
        return [self._select(record, context.seed) for record in records]

    def _select(self, record: Record, seed: int) -> Outcome:
        history = {caption.id: caption for caption in record.captions}
        able = [_line(caption, history) for caption in record.captions if caption.kept and caption.text.strip()]
        for number, condition in enumerate(self._params.prefer, 1):
            fitting = [line for line in able if _meets(line, condition)]
            if fitting:
                chosen = self._one_of(_of_the_first(fitting, history), record, seed)
                return Kept(_chosen(record, chosen, f"rule {number}: {condition}"))
        # No rule fits, yet a record is not lost for want of a good caption: the text it came with stays.
        for caption in (*record.originals, *reversed(record.captions)):
            if caption.text.strip():
                return Kept(_chosen(record, caption, "no rule fits: the text that came with the image stays"))
        return Dropped(_NO_CAPTION)

    def _one_of(self, fitting: Sequence[Sequence[Caption]], record: Record, seed: int) -> Caption:
        """Return the latest, counting a shortened caption as old as the long one, and preferring it."""
        roots = {id(line[-1]) for line in fitting}
        order = [caption for caption in record.captions if id(caption) in roots]
        draw = seed_from(seed, record.key, self.name) % len(order) if self._params.seeded else -1
        versions = [line[0] for line in fitting if line[-1] is order[draw]]
        # A text split into several captions leaves siblings: the first part stands for the whole.
        return next((c for c in versions if c.provenance.stage == "fit"), versions[0])


def _of_the_first(
    fitting: Sequence[Sequence[Caption]], history: dict[str, Caption]
) -> Sequence[Sequence[Caption]]:
    """Return, of several texts that came with the data and what was made of each, those of the first."""
    if any(line[-1].origin == "composed" for line in fitting):
        return fitting
    sources = [_source_of(line[-1], history) for line in fitting]
    first = next((caption for caption in history.values() if any(caption is s for s in sources)), None)
    if first is None or any(s.provenance.stage != "source" for s in sources):
        return fitting
    return [line for line, source in zip(fitting, sources, strict=True) if source is first]


def _source_of(caption: Caption, history: dict[str, Caption]) -> Caption:
    """Return the text a caption goes back to."""
    line = [caption]
    while line[-1].provenance.parents:
        parent = history.get(line[-1].provenance.parents[0])
        if parent is None or any(parent is member for member in line):
            break
        line.append(parent)
    return line[-1]


def _chosen(record: Record, caption: Caption, reason: str) -> Record:
    provenance = replace(caption.provenance, details={**caption.provenance.details, "chosen_by": reason})
    told = replace(caption, provenance=provenance)
    captions = tuple(told if c is caption else c for c in record.captions)
    return replace(record, captions=captions, chosen=caption.id)


def _meets(line: Sequence[Caption], condition: Condition) -> bool:
    caption = line[0]
    if condition.origin and caption.origin != condition.origin:
        return False
    if condition.aspect and caption.aspect != condition.aspect:
        return False
    if condition.from_stage and line[-1].provenance.stage != condition.from_stage:
        return False
    return _reaches(line, "support", condition.min_support) and _reaches(line, "triage", condition.min_triage)


def _line(caption: Caption, history: dict[str, Caption]) -> list[Caption]:
    """Return the caption and, if it was shortened, the longer ones it comes from."""
    line = [caption]
    while line[-1].provenance.stage == "fit" and line[-1].provenance.parents:
        parent = history.get(line[-1].provenance.parents[0])
        if parent is None or any(parent is member for member in line):
            break
        line.append(parent)
    return line


def _reaches(line: Sequence[Caption], name: str, least: float | None) -> bool:
    if least is None:
        return True
    score: Score | None = next((c.scores[name] for c in line if name in c.scores), None)
    return score is not None and score.value is not None and score.value >= least
