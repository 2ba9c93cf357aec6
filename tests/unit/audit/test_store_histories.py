"""Any history of the store, step by step, against the books; and its end: everything judged, by the right number."""

import itertools
import tempfile
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from recaption.audit.errors import ConflictError, LeaseError
from recaption.audit.opening import create_store
from recaption.audit.schema import conflicts, standing, verdicts
from recaption.audit.types import AuditItem, Draft, Settings
from recaption.core.errors import UserError
from tests.servers.audit_stores import age, bring, rows, troubles

LEASE_S = 100
PEOPLE = 4


class Histories(RuleBasedStateMachine):
    """People who take, judge, skip, come late, change their minds, in any order."""

    @initialize(overlap=st.integers(1, 3), count=st.integers(1, 4))
    def begin(self, overlap, count):
        self.folder = tempfile.TemporaryDirectory()
        self.numbers = itertools.count()
        self.pages: list[
            tuple[int, int, int]
        ] = []  # whatever was on a screen at any time: auditor, item, fence
        self.acknowledged: dict[int, tuple[int, int]] = {}
        self.refused = 0
        self.count = 0
        self.store = create_store(
            Path(self.folder.name) / "a.sqlite", Settings(overlap=overlap, lease_s=LEASE_S)
        )
        self.people = [self.store.add_auditor(f"p{n}")[0].id for n in range(PEOPLE)]
        self.more(count)

    def request(self):
        return f"r{next(self.numbers)}"

    def attempt(self, auditor, item, draft, **how):
        """Return the number of the verdict; None where somebody was first."""
        try:
            return self.store.submit(auditor, item, draft, **how).verdict
        except ConflictError:
            return None

    @rule(count=st.integers(1, 2))
    def more(self, count):
        if self.count < 8:
            added = self.store.add_items(AuditItem(key=f"k{self.count + n}") for n in range(count))
            assert added == count
            self.count += count

    @rule(who=st.integers(0, PEOPLE - 1), ahead=st.booleans(), skipped=st.booleans())
    def take(self, who, ahead, skipped):
        me = self.people[who]
        beside = {item for auditor, item, _ in self.pages if auditor == me} if ahead else set()
        got = self.store.next_item(me, beside=beside, skipped=skipped)
        if got:
            # What is on the page comes again only if its lease had ended, under a new one.
            assert got.lease.item not in beside or (me, got.lease.item, got.lease.fence) not in self.pages
            self.pages.append((self.people[who], got.lease.item, got.lease.fence))

    @precondition(lambda self: self.pages)
    @rule(data=st.data(), text=st.sampled_from("ab"), twice=st.booleans())
    def submit(self, data, text, twice):
        auditor, item, fence = data.draw(st.sampled_from(self.pages))
        draft, request = Draft(action="edit", text=text), self.request()
        answers = [self.attempt(auditor, item, draft, request=request, fence=fence) for _ in range(1 + twice)]
        assert len(set(answers)) == 1
        if answers[0] is None:
            self.refused += 1
        else:
            self.acknowledged[answers[0]] = (auditor, item)

    @precondition(lambda self: self.acknowledged)
    @rule(data=st.data(), text=st.sampled_from("cd"))
    def revise(self, data, text):
        base = data.draw(st.sampled_from(sorted(self.acknowledged)))
        auditor, item = self.acknowledged[base]
        stood = self.store.verdict(base).standing
        draft = Draft(action="edit", text=text)
        number = self.attempt(auditor, item, draft, request=self.request(), base=base)
        assert stood == (number is not None)
        if number is None:
            self.refused += 1
        else:
            self.acknowledged[number] = (auditor, item)

    @rule(who=st.integers(0, PEOPLE - 1), which=st.integers(0, 7), text=st.sampled_from("ef"))
    def bring(self, who, which, text):
        """A verdict from elsewhere."""
        if which >= self.count:
            return
        me, draft = self.people[who], Draft(action="edit", text=text)
        words = rows(self.store, standing)
        judged = any((row.auditor, row.item, row.skipped) == (me, which, False) for row in words)
        try:
            number = bring(self.store, me, f"k{which}", draft, request=self.request()).verdict
        except ConflictError:
            self.refused += 1
            assert not judged  # one's own word can always be revised
        else:
            self.acknowledged[number] = (me, which)

    @precondition(lambda self: self.pages)
    @rule(data=st.data(), what=st.sampled_from(["skip", "release", "renew"]))
    def lay_down(self, data, what):
        auditor, _, fence = data.draw(st.sampled_from(self.pages))
        try:
            if what == "skip":
                self.store.skip(auditor, fence, request=self.request())
            else:
                getattr(self.store, what)(auditor, fence)
        except LeaseError:
            pass

    @rule(who=st.integers(0, PEOPLE - 1))
    def undo(self, who):
        try:
            receipt = self.store.undo(self.people[who], request=self.request())
        except UserError:
            assert not any(row.auditor == self.people[who] for row in rows(self.store, standing))
            return
        if receipt.lease:
            self.pages.append((self.people[who], receipt.item, receipt.lease.fence))
        elif self.store.verdict(receipt.verdict).restores:
            self.acknowledged[receipt.verdict] = (self.people[who], receipt.item)

    @rule(seconds=st.sampled_from([LEASE_S / 2, LEASE_S + 1]))
    def time_passes(self, seconds):
        age(self.store, seconds)

    @invariant()
    def books_balance(self):
        if hasattr(self, "store"):
            assert troubles(self.store) == []
            kept = {row.id for row in rows(self.store, verdicts)}
            assert kept >= self.acknowledged.keys()
            assert len(rows(self.store, conflicts)) == self.refused

    def teardown(self):
        """Whatever happened: once the time is up, enough willing people finish everything."""
        if not hasattr(self, "store"):
            return
        try:
            age(self.store, 10 * LEASE_S)
            # Those who skipped are asked once more; with as many people as items need, all have to help.
            for skipped in (False, True):
                for who in self.people:
                    while got := self.store.next_item(who, skipped=skipped):
                        draft, fence = Draft(action="accept"), got.lease.fence
                        self.store.submit(who, got.lease.item, draft, request=self.request(), fence=fence)
            assert troubles(self.store) == []
            progress = self.store.progress()
            assert (progress.finished, progress.done) == (self.count, progress.slots)
        finally:
            self.store.close()
            self.folder.cleanup()


TestHistories = Histories.TestCase
TestHistories.settings = settings(max_examples=8, stateful_step_count=20, deadline=None)


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_many_histories():
    run_state_machine_as_test(
        Histories, settings=settings(max_examples=40, stateful_step_count=40, deadline=None)
    )
