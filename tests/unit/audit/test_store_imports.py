"""Verdicts that were given elsewhere, and what is looked up by key."""

import pytest

from recaption.audit.errors import ConflictError
from recaption.audit.log_rows import append
from recaption.audit.schema import conflicts, leases, verdicts
from recaption.audit.types import Draft, Foreign, Receipt
from recaption.core.errors import BackendError, UserError
from tests.servers.audit_stores import ACCEPT, age, bring, edit, judge, rows, take, theirs_of


def standing(store):
    return [(v.key, v.auditor, v.draft) for v in store.verdicts(standing_only=True)]


class TestRecord:
    def test_no_lease_is_needed_and_the_item_is_finished_by_it(self, make):
        store, a, b = make(2, 2)
        receipt = bring(store, a, "key 1", Draft(action="reject", reason="wrong", took_ms=900), request="i1")
        assert (receipt.item, receipt.repeated) == (1, False)
        assert take(store, b)[0] == 0
        p = store.progress(a)
        assert (p.finished, p.done, p.mine_done, p.mine_spent_ms) == (1, 1, 1, 900)
        assert store.next_item(a) is None

    def test_the_same_file_twice_is_one_verdict(self, make):
        store, a = make(1)
        receipts = [bring(store, a, "key 0", edit("x"), request="i1") for _ in range(2)]
        assert [r.repeated for r in receipts] == [False, True]
        assert bring(store, a, "key 0", edit("x"), request="another file").repeated
        assert len({r.verdict for r in receipts}) == len(rows(store, verdicts)) == 1

    def test_an_annotation_that_was_changed_revises_and_the_old_file_changes_nothing(self, make):
        store, a = make(1)
        first = bring(store, a, "key 0", edit("x"), request="i1")
        second = bring(store, a, "key 0", edit("y"), request="i2")
        assert store.verdict(second.verdict).supersedes == first.verdict
        assert bring(store, a, "key 0", edit("x"), request="i1").repeated
        assert standing(store) == [("key 0", "auditor 0", edit("y"))]
        store.undo(a, request="u")
        assert standing(store) == [("key 0", "auditor 0", edit("x"))]

    def test_a_verdict_from_the_page_is_revised_too(self, make):
        store, a = make(1)
        on_screen = judge(store, a)
        bring(store, a, "key 0", edit("y"), request="i")
        with pytest.raises(ConflictError, match="has changed") as caught:
            store.submit(a, 0, edit("z"), request="late", base=on_screen.verdict)
        assert theirs_of(caught) == edit("y")

    def test_a_request_id_used_for_something_else_is_refused(self, make):
        store, a = make(2)
        bring(store, a, "key 0", ACCEPT, request="i")
        with pytest.raises(ConflictError, match="carried out before"):
            bring(store, a, "key 1", ACCEPT, request="i")

    def test_the_auditors_own_place_is_used_up_by_it(self, make):
        store, a = make(1)
        item, fence = take(store, a)
        bring(store, a, "key 0", edit("elsewhere"), request="i")
        assert [(row.id, row.ended) for row in rows(store, leases)] == [(fence, "imported")]
        with pytest.raises(ConflictError) as caught:
            store.submit(a, item, edit("on the page"), request="r", fence=fence)
        assert theirs_of(caught) == edit("elsewhere")

    def test_overlap_leaves_places_for_others(self, make):
        store, a, b, c = make(1, 3, overlap=2)
        bring(store, a, "key 0", ACCEPT, request="i")
        take(store, b)
        assert store.next_item(c) is None
        assert store.next_item(a) is None

    def test_where_others_have_said_everything_it_is_kept_apart(self, make):
        store, a, b = make(1, 2)
        judge(store, b, edit("first"))
        for _ in range(2):
            with pytest.raises(ConflictError, match="all that was asked for") as caught:
                bring(store, a, "key 0", edit("second"), request="i")
            assert (caught.value.mine, theirs_of(caught)) == (edit("second"), edit("first"))
        assert [(row.request, row.body) for row in rows(store, conflicts)] == [("i", edit("second").body())]
        assert standing(store) == [("key 0", "auditor 1", edit("first"))]

    def test_what_others_have_on_screen_is_theirs_until_their_time_is_up(self, make):
        store, a, b = make(1, 2)
        item, fence = take(store, b)
        with pytest.raises(ConflictError, match="try again later") as caught:
            bring(store, a, "key 0", edit("mine"), request="i")
        assert caught.value.theirs is None
        age(store, 1000)
        assert not bring(store, a, "key 0", edit("mine"), request="i").repeated
        with pytest.raises(ConflictError, match="run out") as caught:
            store.submit(b, item, ACCEPT, request="r", fence=fence)
        assert theirs_of(caught) == edit("mine")

    def test_it_stands_in_for_a_skip_and_can_be_undone(self, make):
        store, a = make(1)
        _, fence = take(store, a)
        store.skip(a, fence, request="s")
        bring(store, a, "key 0", ACCEPT, request="i")
        assert (store.progress(a).mine_done, store.progress(a).mine_skipped) == (1, 0)
        back = store.undo(a, request="u")
        assert take(store, a) == (0, back.lease.fence)
        assert standing(store) == []

    def test_what_is_refused(self, make):
        store, a, b = make(1, 2)
        for key, draft, words in (
            ("key 9", ACCEPT, "no item 'key 9'"),
            ("\ud800\0'", ACCEPT, "no item"),
            ("key 0", Draft(action="skip"), "a verdict is one of"),
            ("key 0", Draft(action="edit"), "corrected text"),
        ):
            with pytest.raises(UserError, match=words):
                bring(store, a, key, draft, request="i")
        with pytest.raises(UserError, match="request id"):
            bring(store, a, "key 0", ACCEPT, request="")
        store.dismiss_auditor(b)
        for who in (b, 99):
            with pytest.raises(UserError, match=r"taken off|no auditor"):
                bring(store, who, "key 0", ACCEPT, request="i")
        assert rows(store, verdicts) == rows(store, conflicts) == []

    def test_what_is_refused_holds_up_none_of_the_others(self, make):
        store, a, b = make(4, 2)
        judge(store, b, edit("first"))
        told = [
            Foreign(auditor=a, key="key 1", draft=edit("one"), request="1"),
            Foreign(auditor=a, key="key 0", draft=edit("too late"), request="2"),
            Foreign(auditor=a, key="key 9", draft=ACCEPT, request="3"),
            Foreign(auditor=99, key="key 2", draft=ACCEPT, request="4"),
            Foreign(auditor=a, key="key 2", draft=Draft(action="edit"), request="5"),
            Foreign(auditor=a, key="key 1", draft=edit("one, again"), request="6"),
            Foreign(auditor=a, key="key 3", draft=edit("three"), request="1"),
            Foreign(auditor=b, key="key 2", draft=edit("two"), request="1"),
        ]
        answers = store.record(told)
        assert [type(answer) for answer in answers] == [
            *(Receipt, ConflictError, UserError, UserError, UserError, Receipt, ConflictError, Receipt)
        ]
        assert standing(store) == [
            *(("key 0", "auditor 1", edit("first")), ("key 1", "auditor 0", edit("one, again"))),
            ("key 2", "auditor 1", edit("two")),
        ]
        assert [row.request for row in rows(store, conflicts)] == ["2"]
        p = store.progress(a)
        assert (p.done, p.finished, p.mine_done) == (3, 3, 1)
        assert store.record([]) == []

    def test_where_one_cannot_be_written_none_is(self, make, monkeypatch):
        store, a = make(5)
        told = [Foreign(auditor=a, key=f"key {n}", draft=ACCEPT, request=f"{n}") for n in range(5)]

        def full(turn, write, **more):
            if write.item == 3:
                raise BackendError("the disk is full")
            return append(turn, write, **more)

        with monkeypatch.context() as patch:
            patch.setattr("recaption.audit.log.append", full)
            with pytest.raises(BackendError):
                store.record(told)
        assert rows(store, verdicts) == []
        assert store.progress(a).mine_done == store.progress().done == 0
        assert not any(receipt.repeated for receipt in store.record(told))


def test_items_are_found_by_key(make):
    store, _ = make(1200)
    keys = [f"key {n}" for n in range(1500)]
    assert store.positions(keys) == {f"key {n}": n for n in range(1200)}
    assert store.positions(()) == {}


def test_what_stood_when_the_reading_began_is_told_whatever_is_written_meanwhile(make, monkeypatch):
    monkeypatch.setattr("recaption.audit.loading.ROWS_PER_PAGE", 2)
    store, a = make(6)
    numbers = [judge(store, a, edit(str(n))).verdict for n in range(5)]
    reading = store.verdicts(standing_only=True)
    seen = [next(reading)]
    store.submit(a, 4, edit("changed"), request="c", base=numbers[4])
    store.undo(a, request="u", verdict=numbers[3])
    judge(store, a)
    seen += reading
    assert [(v.draft.text, v.standing) for v in seen] == [(str(n), True) for n in range(5)]
    assert [v.standing for v in store.verdicts()] == [True, True, True, False, False, True, False, True]
