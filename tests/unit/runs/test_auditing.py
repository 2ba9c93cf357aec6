"""A sample drawn from records and laid into a store; found again, completed after a kill, read as quality."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from recaption.audit.preferences import Preferences
from recaption.audit.project import About
from recaption.audit.quality import Quality
from recaption.audit.sampling import Design, draw_sample
from recaption.audit.sheets import Sheet
from recaption.audit.store import AuditStore
from recaption.audit.strata import rows
from recaption.audit.types import Draft
from recaption.core.errors import RunFolderError, UserError
from recaption.core.protocols import Context
from recaption.core.types import Caption, Kept, Provenance, Record
from recaption.runs.auditing import AuditPlace, Sampling, begin, found_in, plan_of, resume, write_found
from recaption.stages.mark_for_audit import MarkForAudit
from tests.unit.audit.test_strata import record
from tests.unit.stages.composing import CONTEXT

RECORDS = [record(i, i / 400) for i in range(400)]


def records() -> Iterator[Record]:
    return iter(RECORDS)


def asked(**design: object) -> Sampling:
    return Sampling(design=Design(**design))  # type: ignore[arg-type]


def judge(store: AuditStore, drafts: list[Draft]) -> None:
    auditor, _ = store.add_auditor("me")
    for number, draft in enumerate(drafts):
        assignment = store.next_item(auditor.id)
        assert assignment is not None
        lease = assignment.lease
        store.submit(auditor.id, lease.item, draft, request=f"r{number}", fence=lease.fence)


def test_what_a_recipe_marks_is_what_an_audit_draws(tmp_path: Path) -> None:
    stage = MarkForAudit(MarkForAudit.Params(share=0.1))
    context = Context(images=CONTEXT.images, ledger=CONTEXT.ledger, meter=CONTEXT.meter, seed=3)
    outcomes = stage.process(RECORDS, context)
    marked = {
        o.record.key
        for o in outcomes
        if isinstance(o, Kept) and o.record.best is not None and "audit" in o.record.best.flags
    }
    with begin(AuditPlace(folder=tmp_path), records, asked(share=0.1, seed=3, least=1)) as store:
        assert {item.key for item in store.items()} == marked


def test_the_plan_comes_back_and_every_sheet_is_of_its_record(tmp_path: Path) -> None:
    sampling = Sampling(design=Design(size=40, doubtful=5), by=["score:image_text"], doubt="score:image_text")
    with begin(AuditPlace(folder=tmp_path), records, sampling) as store:
        plan = plan_of(store)
        texts = {item.key: Sheet.from_payload(item.payload).subject.text for item in store.items()}
    assert (plan.population, len(plan.fair), len(plan.doubtful)) == (400, 40, 5)
    assert sorted(plan.sizes.values()) == [100] * 4
    assert texts == {key: f"A dog {key[1:]}." for key in texts}
    # The least scores are the most doubtful, but for those that the fair sample holds already.
    drawn = {item.key for item in plan.fair}
    least = [r.key for r in RECORDS[:6] if r.key not in drawn]
    assert [item.key for item in plan.doubtful] == least[:5]


def test_a_sample_that_was_half_laid_down_is_completed(tmp_path: Path) -> None:
    place, sampling = AuditPlace(folder=tmp_path / "one"), asked(size=30)
    with begin(place, records, sampling) as whole:
        expected = [item.key for item in whole.items()]

    class Killed(Exception):
        pass

    def killed() -> Iterator[Record]:
        """Fails while the sheets are collected: the sample is drawn by then, and the store is there."""
        reads.append(1)
        yield from RECORDS[:350]
        if len(reads) > 1:
            raise Killed
        yield from RECORDS[350:]

    reads: list[int] = []
    other = AuditPlace(folder=tmp_path / "two")
    with pytest.raises(Killed):
        begin(other, killed, sampling)
    assert other.exists()
    with resume(other, records) as store:
        assert [item.key for item in store.items()] == expected
    with resume(other, lambda: pytest.fail("read again")) as store:
        assert store.progress().items == 30


def test_options_that_come_too_late_are_refused(tmp_path: Path) -> None:
    place = AuditPlace(folder=tmp_path)
    begin(place, records, asked(size=10)).close()
    with pytest.raises(
        UserError, match="--size, --by: the sample of this audit was drawn already, 10 captions"
    ):
        resume(place, records, ["size", "by"])
    with pytest.raises(RunFolderError, match="already there"):
        begin(place, records, asked(size=10))


def test_the_audit_of_other_data_is_not_taken_for_ones_own(tmp_path: Path) -> None:
    place = AuditPlace(folder=tmp_path)
    begin(place, records, Sampling(design=Design(size=5), about=About(source="/data/one"))).close()
    with pytest.raises(UserError, match="is of /data/one, not of /data/two"):
        resume(place, records, source="/data/two")
    resume(place, records, source="/data/x/../one").close()
    resume(place, records, source=str(tmp_path)).close()  # a run that was moved, with its audit in it


def test_nothing_to_judge_leaves_nothing_behind(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="nothing to audit"):
        begin(AuditPlace(folder=tmp_path / "out"), lambda: iter([Record(key="k")]), asked())
    assert not (tmp_path / "out").exists()


def test_quality_is_read_from_the_store_and_written_as_json(tmp_path: Path) -> None:
    place = AuditPlace(folder=tmp_path)
    with begin(place, records, asked(size=40)) as store:
        judge(
            store, [Draft(action="accept", took_ms=2000)] * 30 + [Draft(action="reject", reason="wrong")] * 10
        )
        found = found_in(store, limit=0.05)
    assert isinstance(found, Quality)
    assert found.rejected.value == pytest.approx(0.25)
    assert found.lot is not None
    assert found.lot.decision.action == "reject"
    told = json.loads(write_found(found, place).read_text())
    assert told["rejected"]["wilson"]["n"] == 40
    assert told["reasons"] == {"wrong": 10}


def test_comparisons_are_read_as_preferences(tmp_path: Path) -> None:
    sampling = Sampling(design=Design(size=20), about=About(task="compare"))
    with pytest.raises(UserError, match="no record has two captions to compare"):
        begin(AuditPlace(folder=tmp_path), records, sampling)
    alt = Caption(text="teh dog", origin="alt", provenance=Provenance(stage="source"))
    both = [replace(r, captions=(alt, *r.captions)) for r in RECORDS[:50]]
    with begin(AuditPlace(folder=tmp_path), lambda: iter([*RECORDS[350:], *both]), sampling) as store:
        assert plan_of(store).population == 50
        first = Sheet.from_payload(next(store.items()).payload).subject
        judge(store, [Draft(action="prefer", preferred=first.id)])
        found = found_in(store)
        with pytest.raises(UserError, match="--limit"):
            found_in(store, limit=0.1)
    assert isinstance(found, Preferences)
    assert (found.judged, found.wins) == (1, 1)


def test_a_larger_sample_holds_the_smaller_one() -> None:
    small, large = (draw_sample(rows(records(), [], [], None), Design(size=n)) for n in (20, 60))
    assert {item.key for item in small.fair} <= {item.key for item in large.fair}
