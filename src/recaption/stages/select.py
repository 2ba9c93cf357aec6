"""Choose the caption that stands for the record: by rules in order of preference, and by scores among equals."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Literal

from pydantic import Field, model_validator

from recaption.core.digests import seed_from
from recaption.core.errors import UserError
from recaption.core.protocols import Context
from recaption.core.types import Caption, Dropped, Kept, Origin, Outcome, Record, Score
from recaption.recipes.strict import StrictModel
from recaption.stages.amending import as_history, with_details
from recaption.stages.contest import Contest, Place
from recaption.stages.thresholds import Threshold, ruled_out, told
from recaption.stages.versions import lineage

__all__ = ["Condition", "Select"]

_NO_CAPTION = "no caption: nothing came with the image and nothing is known about it"
_RULED_OUT = "no caption: nothing came with the image, and all that was written is ruled out"
_ONLY_ORIGINAL = "no caption but the one that came with the image, which this recipe does not let stand"


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

Line = Sequence[Caption]
"""A caption and, if it was shortened, the longer ones it comes from."""


class Select:
    """Sets `chosen` to the best caption that meets the first condition any caption meets; the original may win.

    Without `by`, the best is the latest. With it, scores rank the captions, and `selection` in the provenance of
    those that stay says rank, value, margin to the next and how far scorers disagree.
    """

    name = "select"
    version = "2"
    fingerprint = ""

    class Params(StrictModel):
        """The order of preference, and how to rank."""

        prefer: tuple[Condition, ...] = Field(default=_PREFER, min_length=1)
        seeded: bool = False
        """Draw among all captions that meet the condition instead of taking the latest. Not with `by`."""
        by: dict[str, float] = Field(default_factory=dict)
        """Score label to weight; negative where less is better (perplexity, repetition), 0 to watch it only.

        One score counts as it stands. Several are brought to one scale within the record; see `units`. A caption
        that lacks a score ranks behind all that have it."""
        units: dict[str, float] = Field(default_factory=dict)
        """Score label to how much of it counts as one; by default one standard deviation among the record's captions.
        Give it for scores that rarely differ (repetition), since the least difference counts as a deviation."""
        min: dict[str, float | Threshold] = Field(default_factory=dict)
        """Score label to the least value a caption may have; who lacks the score is ruled out too."""
        max: dict[str, float | Threshold] = Field(default_factory=dict)
        """Score label to the highest value a caption may have."""
        keep: int | None = Field(default=None, ge=1)
        """So many stay kept (of each aspect with `per_aspect`), the rest becomes history; none keeps all."""
        diversity: float = Field(default=0.0, ge=0, le=1)
        """With `keep`: how much a caption must differ from those ranked before it; 0 takes the best."""
        per_aspect: bool = False
        """Rank each aspect apart; the winner of the first of `aspects` stands for the record."""
        aspects: tuple[str, ...] = ()
        """Order of the aspects; those not named follow in order of birth."""
        original: Literal["competes", "only_if_nothing", "never"] = "competes"
        """`competes`: with `by`, a text that came with the image is ranked beside the captions of the first
        condition, if it meets any condition. `only_if_nothing`: it stands where no other caption does. `never`:
        a record that has nothing else is dropped."""

        @model_validator(mode="after")
        def _agrees(self) -> "Select.Params":
            if not any(self.by.values()):
                need = [n for n in ("keep", "diversity", "per_aspect", "units") if getattr(self, n)]
                if need or self.by:
                    raise ValueError(
                        f"{need[0] if need else 'by'} needs a score to rank with: by: {{image_text: 1}}"
                    )
            elif self.seeded:
                raise ValueError("seeded draws and `by` ranks; give one of them")
            if self.diversity and not self.keep:
                raise ValueError("diversity tells among those that are kept: give keep")
            for label, unit in self.units.items():
                if unit <= 0:
                    raise ValueError(f"units.{label}: a unit is above 0")
                if label not in self.by:
                    raise ValueError(
                        f"units.{label}: no such score in `by`, which has {', '.join(self.by) or 'none'}. "
                        "A recipe that changes `by` says its own `units`, {} for none"
                    )
            return self

    def __init__(self, params: Params) -> None:
        self._params = params
        self._contest = Contest(params.by, params.units, params.keep, params.diversity)

    def process(self, records: Sequence[Record], context: Context) -> list[Outcome]:
        """Return every record with its choice; a record that has no text that may stand is dropped.

        Raises:
            UserError: A threshold was set for another scorer than the one that gave the scores, or nothing at all
                was scored under a label that counts here.
        """
        self._require_scores(records)
        return [self._select(record, context.seed) for record in records]

    def _require_scores(self, records: Sequence[Record]) -> None:
        """A caption may lack a score, but where all do, the label is misspelt or the stage `score` is missing."""
        counting = {*(label for label, weight in self._params.by.items() if weight)}
        counting |= {*self._params.min, *self._params.max}
        if not counting:
            return
        made = [c for r in records for c in r.captions if c.kept and c.origin not in ("alt", "human")]
        known = {label for caption in made for label in caption.scores}
        if made and not counting <= known:
            missing = ", ".join(sorted(counting - known))
            raise UserError(
                f"select: no caption has a score {missing}; there are: {', '.join(sorted(known)) or 'none'}. "
                "Put the stage `score` before it, with a scorer under that label."
            )

    def _select(self, record: Record, seed: int) -> Outcome:
        record, bad = self._without_bad(record)
        history = {caption.id: caption for caption in record.captions}
        able = [
            _line(caption, history)
            for caption in record.captions
            if caption.kept and caption.text.strip() and caption.id not in bad
        ]
        original = self._params.original
        first = able if original == "competes" else [a for a in able if not _is_original(a[0], history)]
        chosen = self._preferred(record, first, history, seed)
        if chosen is None and original == "only_if_nothing":
            chosen = self._preferred(record, able, history, seed)
        return Kept(chosen) if chosen else self._fallback(record, bad)

    def _without_bad(self, record: Record) -> tuple[Record, frozenset[str]]:
        """Rule out what misses a threshold. Texts that came with the image stay in the record, flagged."""
        params = self._params
        if not (params.min or params.max):
            return record, frozenset()
        reasons = {
            caption.id: reason
            for caption in record.captions
            if caption.kept and (reason := ruled_out(caption, params.min, params.max))
        }
        captions = tuple(
            as_history(c, "below_threshold", reasons[c.id]) if c.id in reasons else c for c in record.captions
        )
        return replace(record, captions=captions), frozenset(reasons)

    def _preferred(
        self, record: Record, able: Sequence[Line], history: Mapping[str, Caption], seed: int
    ) -> Record | None:
        """Return the record with its choice among captions that meet a condition; None where none does."""
        for number, condition in enumerate(self._params.prefer, 1):
            fitting = [line for line in able if _meets(line, condition)]
            if not fitting:
                continue
            rule = f"rule {number}: {condition}"
            if not self._params.by:
                return _chosen(record, self._one_of(_of_the_first(fitting, history), record, seed), rule)
            fitting = _latest_versions(fitting, history)
            rivals = [line for line in self._rivals(able, history) if line not in fitting]
            return self._ranked(record, [f[0] for f in fitting], [r[0] for r in rivals], rule, seed)
        return None

    def _rivals(self, able: Sequence[Line], history: Mapping[str, Caption]) -> list[Line]:
        """Return the texts that came with the image and meet any condition, each in its latest version."""
        if self._params.original != "competes":
            return []
        originals = [line for line in able if _is_original(line[0], history)]
        meeting = [line for line in originals if any(_meets(line, c) for c in self._params.prefer)]
        return _latest_versions(meeting, history)

    def _ranked(
        self, record: Record, fitting: Sequence[Caption], rivals: Sequence[Caption], rule: str, seed: int
    ) -> Record:
        """Return the record with the best by scores chosen, and what is not kept ruled out."""
        places: dict[str, Place] = {}
        best: Place | None = None
        for group in self._groups(fitting, rivals):
            # Where nothing tells a caption from the original, the original stays.
            ties = [-1 if c in rivals else seed_from(seed, record.key, self.name, c.id) for c in group]
            found = self._contest.places(group, ties)
            best = best or found[0]
            # Of one text that came twice, both are told what the better one is.
            places |= {place.caption.id: place for place in reversed(found)}
        if best is None:  # there is always a group, since some caption fits
            raise ValueError("nothing to rank")
        if best.caption in rivals:
            rule = "the original competes"
        captions = tuple(self._told(caption, places.get(caption.id), best, rule) for caption in record.captions)
        return replace(record, captions=captions, chosen=best.caption.id)

    def _groups(self, fitting: Sequence[Caption], rivals: Sequence[Caption]) -> list[list[Caption]]:
        """Return who is ranked against whom, the leading group first; originals compete there."""
        if not self._params.per_aspect:
            return [[*fitting, *rivals]]
        born = dict.fromkeys(caption.aspect for caption in fitting)
        order = [a for a in self._params.aspects if a in born] + [
            a for a in born if a not in self._params.aspects
        ]
        groups = [[caption for caption in fitting if caption.aspect == aspect] for aspect in order]
        groups[0] += rivals
        return groups

    def _told(self, caption: Caption, place: Place | None, best: Place, rule: str) -> Caption:
        """Return a caption that says how it fared."""
        if place is best:
            met = told(self._params.min, self._params.max, caption)
            details = {**place.details, **({"thresholds": met} if met else {})}
            return with_details(caption, chosen_by=f"{rule}; {place.words}", selection=details)
        stays = self._params.keep is None or caption.provenance.stage == "source"
        if place is not None and place.details and (place.kept or stays):
            return with_details(caption, selection=dict(place.details))
        if self._params.keep is not None and caption.kept and caption.provenance.stage != "source":
            return as_history(caption, "not_selected", place.words if place else f"others came first: {rule}")
        return caption

    def _fallback(self, record: Record, bad: frozenset[str]) -> Outcome:
        """Keep the text a record came with, if it may stand: none is lost for want of a good caption."""
        originals = [caption for caption in record.originals if caption.text.strip()]
        # What a check or a threshold has ruled out does not come back this way.
        others = [c for c in reversed(record.captions) if c.kept and c.text.strip() and c.id not in bad]
        others = [c for c in others if c.origin not in ("alt", "human")]
        order = {"competes": originals + others, "only_if_nothing": others + originals, "never": others}
        for caption in order[self._params.original]:
            stays = "the text that came with the image stays" if caption in originals else "the latest stays"
            return Kept(_chosen(record, caption, f"no rule fits: {stays}"))
        if originals:
            return Dropped(_ONLY_ORIGINAL)
        return Dropped(_RULED_OUT if any(c.text.strip() for c in record.captions) else _NO_CAPTION)

    def _one_of(self, fitting: Sequence[Line], record: Record, seed: int) -> Caption:
        """Return the latest, counting a shortened caption as old as the long one, and preferring it."""
        roots = {id(line[-1]) for line in fitting}
        order = [caption for caption in record.captions if id(caption) in roots]
        draw = seed_from(seed, record.key, self.name) % len(order) if self._params.seeded else -1
        versions = [line[0] for line in fitting if line[-1] is order[draw]]
        # A text split into several captions leaves siblings: the first part stands for the whole.
        return next((c for c in versions if c.provenance.stage == "fit"), versions[0])


def _of_the_first(fitting: Sequence[Line], history: Mapping[str, Caption]) -> Sequence[Line]:
    """Return, of several texts that came with the data and what was made of each, those of the first."""
    if any(line[-1].origin == "composed" for line in fitting):
        return fitting
    sources = [_source_of(line[-1], history) for line in fitting]
    first = next((caption for caption in history.values() if any(caption is s for s in sources)), None)
    if first is None or any(s.provenance.stage != "source" for s in sources):
        return fitting
    return [line for line, source in zip(fitting, sources, strict=True) if source is first]


def _source_of(caption: Caption, history: Mapping[str, Caption]) -> Caption:
    """Return the text a caption goes back to."""
    return list(lineage(caption, history))[-1]


def _is_original(caption: Caption, history: Mapping[str, Caption]) -> bool:
    """Say whether a text came with the image, cleaned and shortened forms included."""
    return caption.origin in ("alt", "human") and _source_of(caption, history).provenance.stage == "source"


def _latest_versions(lines: Sequence[Line], history: Mapping[str, Caption]) -> list[Line]:
    """Return the lines without texts of which a later version is there too: the cleaned or the shortened one."""
    replaced = {parent for line in lines for parent in line[0].provenance.parents}
    return [line for line in lines if line[0].id not in replaced or not _is_original(line[0], history)]


def _chosen(record: Record, caption: Caption, reason: str) -> Record:
    captions = tuple(with_details(c, chosen_by=reason) if c is caption else c for c in record.captions)
    return replace(record, captions=captions, chosen=caption.id)


def _meets(line: Line, condition: Condition) -> bool:
    caption = line[0]
    if condition.origin and caption.origin != condition.origin:
        return False
    if condition.aspect and caption.aspect != condition.aspect:
        return False
    if condition.from_stage and line[-1].provenance.stage != condition.from_stage:
        return False
    return _reaches(line, "support", condition.min_support) and _reaches(line, "triage", condition.min_triage)


def _line(caption: Caption, history: Mapping[str, Caption]) -> list[Caption]:
    """Return the caption and, if it was shortened, the longer ones it comes from."""
    return list(lineage(caption, history, {"fit"}))


def _reaches(line: Line, name: str, least: float | None) -> bool:
    if least is None:
        return True
    score: Score | None = next((c.scores[name] for c in line if name in c.scores), None)
    return score is not None and score.value is not None and score.value >= least
