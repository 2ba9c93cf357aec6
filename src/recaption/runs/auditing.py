"""An audit from names to files: the sample drawn from a run and laid down for people, and what they found.

```
out/audit/
  store.sqlite     the sample, who judges, everything that was ever said (or in PostgreSQL, for a team)
  quality.json     what people found, with intervals
```
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, cast

from recaption.audit.opening import create_store, default_place, open_store
from recaption.audit.preferences import Preferences, read_preferences
from recaption.audit.project import About
from recaption.audit.quality import Quality, read_quality
from recaption.audit.sampling import Design, Drawn, SamplePlan, draw_sample
from recaption.audit.sheets import Role, sheet_of, sheet_of_item
from recaption.audit.strata import DOUBTS, dividers, rows
from recaption.audit.types import AuditItem, Settings
from recaption.audit.words import judgements_of
from recaption.core.errors import RunFolderError, UserError
from recaption.core.types import JsonValue, Record
from recaption.datasets.atomic import make_folder, write_atomic
from recaption.datasets.typed_json import to_plain

if TYPE_CHECKING:
    from recaption.audit.store import AuditStore

__all__ = ["AuditPlace", "Sampling", "begin", "found_in", "plan_of", "resume", "write_found"]

QUALITY_FILE: Final = "quality.json"
Records = Callable[[], Iterator[Record]]
"""Reads the records, each time from the beginning."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditPlace:
    """Where an audit lies: beside its captions, its store there or in a database."""

    folder: Path
    store: str | None = None
    """URL of a PostgreSQL database; None for a file in the folder."""
    project: str = "recaption"
    """Schema within that database."""

    @property
    def where(self) -> Path | str:
        return self.store or default_place(self.folder)

    def exists(self) -> bool:
        """Say whether a sample was drawn here; in a database, whether it can be opened."""
        if self.store is None:
            return default_place(self.folder).is_file()
        try:
            self.open().close()
        except RunFolderError:
            return False
        return True

    def open(self) -> AuditStore:
        """Open the store. Raises RunFolderError where there is none."""
        return open_store(self.where, project=self.project)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sampling:
    """What is asked for when a sample is drawn."""

    design: Design = field(default_factory=Design)
    by: Sequence[str] = ()
    """Columns whose values divide the records: see `recaption.audit.strata`."""
    doubt: str | None = None
    """What the doubtful items are chosen by; needed where the design wants any."""
    overlap: int = 1
    """Distinct auditors per item."""
    lease_s: float = 600.0
    about: About = field(default_factory=About)
    """The task and the guideline; sizes and design are filled in here."""


def begin(place: AuditPlace, records: Records, asked: Sampling) -> AuditStore:
    """Draw a sample and lay it down. What a kill left half laid down is completed by `resume`.

    Raises:
        UserError: Nothing can be judged, a column is unknown, or keys come twice.
        RunFolderError: There is an audit already.
    """
    plan = _drawn(records, asked)
    design: dict[str, JsonValue] = {
        **cast(dict[str, JsonValue], asdict(asked.design)),
        "by": list(asked.by),
        "doubt": asked.doubt,
    }
    about = replace(asked.about, sizes=plan.sizes, drawn=len(plan.items), seed=asked.design.seed, design=design)
    settings = Settings(overlap=asked.overlap, lease_s=asked.lease_s, about=about.to_json())
    store = create_store(place.where, settings, project=place.project)
    return _laid_down(store, plan, records)


def resume(place: AuditPlace, records: Records, given: Sequence[str] = (), *, source: str = "") -> AuditStore:
    """Open the audit that is there.

    Args:
        source: Where the records lie; an audit of others is refused, if it says where those lay.
        records: Read only where the sample was not laid down to its end.
        given: Names of options that decide how a sample is drawn; too late for them.

    Raises:
        UserError: Such options were given, or it is an audit of something else.
    """
    store = place.open()
    try:
        about = About.of(store.settings.about)
        # An audit that lies in the run folder is its own, wherever both were moved to.
        own = place.store is None and source and place.folder.resolve() == Path(source).resolve()
        if source and not own and about.source and Path(source).resolve() != Path(about.source).resolve():
            raise UserError(
                f"the audit here is of {about.source}, not of {source}. Name another folder, --out DIR, or, in a "
                "database, another --project"
            )
        if given:
            options = ", ".join(f"--{name}" for name in given)
            raise UserError(
                f"{options}: the sample of this audit was drawn already, {about.drawn:,} captions. Leave the options "
                "out to go on with it, or begin another one in another folder: --out DIR"
            )
        if store.progress().items < about.drawn:
            told = dict(about.design)
            by, doubt = cast(list[str], told.pop("by")), cast("str | None", told.pop("doubt"))
            asked = Sampling(about=about, design=Design(**cast(dict[str, Any], told)), by=by, doubt=doubt)
            return _laid_down(store, _drawn(records, asked), records)
    except BaseException:
        store.close()
        raise
    return store


def _drawn(all_records: Records, asked: Sampling) -> SamplePlan:
    def records() -> Iterator[Record]:
        """Yield the records that can be asked about: what is compared needs something beside it."""
        least = 2 if asked.about.task == "compare" else 1
        for record in all_records():
            sheet = sheet_of(record)
            if sheet is not None and len(sheet.captions) >= least:
                yield record

    columns = dividers(asked.by, records() if asked.by else (), seed=asked.design.seed)
    doubt = (asked.doubt or DOUBTS[0]) if asked.design.doubtful else None
    plan = draw_sample(rows(records(), columns, asked.by, doubt), asked.design)
    if not plan.items:
        what = "two captions to compare" if asked.about.task == "compare" else "a caption that could be judged"
        raise UserError(f"nothing to audit: no record has {what}")
    return plan


def _laid_down(store: AuditStore, plan: SamplePlan, records: Records) -> AuditStore:
    try:
        store.add_items(_items(plan, records))
    except BaseException:
        store.close()
        raise
    return store


def _items(plan: SamplePlan, records: Records) -> Iterator[AuditItem]:
    """Yield the drawn items in the plan's order. Their sheets wait packed: 5 % of a million are fifty thousand."""
    wanted = {item.key for item in plan.items}
    packed: dict[str, bytes] = {}
    for record in records():
        if record.key in wanted and record.key not in packed:
            sheet = sheet_of(record)
            if sheet is not None:
                packed[record.key] = zlib.compress(json.dumps(sheet.to_payload()).encode(), 1)
    for item in plan.items:
        payload = json.loads(zlib.decompress(packed.pop(item.key)))
        yield AuditItem(
            key=item.key,
            payload=payload,
            stratum=item.stratum,
            probability=item.probability,
            unbiased=item.unbiased,
        )


def plan_of(store: AuditStore) -> SamplePlan:
    """Return the sample as it was drawn."""
    return _plan(store, map(_drawn_as, store.items()))


def _plan(store: AuditStore, drawn: Iterable[Drawn]) -> SamplePlan:
    drawn = list(drawn)
    return SamplePlan(
        sizes=About.of(store.settings.about).sizes,
        fair=tuple(item for item in drawn if item.unbiased),
        doubtful=tuple(item for item in drawn if not item.unbiased),
    )


def _drawn_as(item: AuditItem) -> Drawn:
    return Drawn(key=item.key, stratum=item.stratum, unbiased=item.unbiased, probability=item.probability)


def found_in(
    store: AuditStore, *, limit: float | None = None, recall: float | None = None
) -> Quality | Preferences:
    """Return what people found so far: how good the captions are, or, where they compared, which they took.

    Args:
        limit: The largest share of rejected captions that will do, in (0, 1), for a decision on the whole set.
        recall: Share of the rejected that a suggested threshold should catch.

    Raises:
        UserError: A limit was given where captions are compared, which tells of no rejects.
    """
    about = About.of(store.settings.about)
    if about.task == "compare" and limit is not None:
        raise UserError("--limit: this audit compares captions; how many must go is known from judging them")
    drawn: list[Drawn] = []
    roles: dict[str, dict[str, Role]] = {}
    texts: dict[str, str] = {}
    scores: dict[str, dict[str, float]] = {}
    for item in store.items():
        sheet = sheet_of_item(item)
        drawn.append(_drawn_as(item))
        roles[item.key] = {c.id: c.role for c in sheet.captions[: about.captions]}
        texts[item.key] = sheet.subject.text
        for name, value in sheet.subject.scores.items():
            scores.setdefault(name, {})[item.key] = value
    plan, said = _plan(store, drawn), store.verdicts(standing_only=True)
    if about.task == "compare":
        return read_preferences(said, roles, plan)
    more: dict[str, Any] = {} if recall is None else {"recall": recall}
    return read_quality(judgements_of(said, texts), plan, scores=scores, limit=limit, **more)


def write_found(found: Quality | Preferences, place: AuditPlace) -> Path:
    """Write what was found as JSON."""
    folder = default_place(place.folder).parent
    make_folder(folder)
    path = folder / QUALITY_FILE
    write_atomic(path, (json.dumps(to_plain(found), indent=2) + "\n").encode())
    return path
