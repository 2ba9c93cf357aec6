"""Verdicts that were given elsewhere, what is looked up by key, and an auditor's own last words."""

import pytest

from recaption.audit.errors import ConflictError
from recaption.audit.loading import read_history
from recaption.audit.log import record
from recaption.audit.schema import conflicts, leases, verdicts
from recaption.audit.types import Draft
from recaption.core.errors import UserError
from tests.servers.audit_stores import ACCEPT, age, edit, judge, plan_of, rows, take, theirs_of


def standing(store):
    return [(v.key, v.auditor, v.draft) for v in store.verdicts(standing_only=True)]


class TestRecord:
    def test_no_lease_is_needed_and_the_item_is_finished_by_it(self, make):
        store, a, b = make(2, 2)
        receipt = store.record(a, "key 1", Draft(action="reject", reason="wrong", took_ms=900), request="i1")
        assert (receipt.item, receipt.repeated) == (1, False)
        assert take(store, b)[0] == 0
        p = store.progress(a)
        assert (p.finished, p.done, p.mine_done, p.mine_spent_ms) == (1, 1, 1, 900)
        assert store.next_item(a) is None

    def test_the_same_file_twice_is_one_verdict(self, make):
        store, a = make(1)
        receipts = [store.record(a, "key 0", edit("x"), request="i1") for _ in range(2)]
        assert [r.repeated for r in receipts] == [False, True]
        assert store.record(a, "key 0", edit("x"), request="another file").repeated
        assert len({r.verdict for r in receipts}) == len(rows(store, verdicts)) == 1

    def test_an_annotation_that_was_changed_revises_and_the_old_file_changes_nothing(self, make):
        store, a = make(1)
        first = store.record(a, "key 0", edit("x"), request="i1")
        second = store.record(a, "key 0", edit("y"), request="i2")
        assert store.verdict(second.verdict).supersedes == first.verdict
        assert store.record(a, "key 0", edit("x"), request="i1").repeated
        assert standing(store) == [("key 0", "auditor 0", edit("y"))]
        store.undo(a, request="u")
        assert standing(store) == [("key 0", "auditor 0", edit("x"))]

    def test_a_verdict_from_the_page_is_revised_too(self, make):
        store, a = make(1)
        on_screen = judge(store, a)
        store.record(a, "key 0", edit("y"), request="i")
        with pytest.raises(ConflictError, match="has changed") as caught:
            store.submit(a, 0, edit("z"), request="late", base=on_screen.verdict)
        assert theirs_of(caught) == edit("y")

    def test_a_request_id_used_for_something_else_is_refused(self, make):
        store, a = make(2)
        store.record(a, "key 0", ACCEPT, request="i")
        with pytest.raises(ConflictError, match="carried out before"):
            store.record(a, "key 1", ACCEPT, request="i")

    def test_the_auditors_own_place_is_used_up_by_it(self, make):
        store, a = make(1)
        item, fence = take(store, a)
        store.record(a, "key 0", edit("elsewhere"), request="i")
        assert [(row.id, row.ended) for row in rows(store, leases)] == [(fence, "imported")]
        with pytest.raises(ConflictError) as caught:
            store.submit(a, item, edit("on the page"), request="r", fence=fence)
        assert theirs_of(caught) == edit("elsewhere")

    def test_overlap_leaves_places_for_others(self, make):
        store, a, b, c = make(1, 3, overlap=2)
        store.record(a, "key 0", ACCEPT, request="i")
        take(store, b)
        assert store.next_item(c) is None
        assert store.next_item(a) is None

    def test_where_others_have_said_everything_it_is_kept_apart(self, make):
        store, a, b = make(1, 2)
        judge(store, b, edit("first"))
        for _ in range(2):
            with pytest.raises(ConflictError, match="all that was asked for") as caught:
                store.record(a, "key 0", edit("second"), request="i")
            assert (caught.value.mine, theirs_of(caught)) == (edit("second"), edit("first"))
        assert [(row.request, row.body) for row in rows(store, conflicts)] == [("i", edit("second").body())]
        assert standing(store) == [("key 0", "auditor 1", edit("first"))]

    def test_what_others_have_on_screen_is_theirs_until_their_time_is_up(self, make):
        store, a, b = make(1, 2)
        item, fence = take(store, b)
        with pytest.raises(ConflictError, match="try again later") as caught:
            store.record(a, "key 0", edit("mine"), request="i")
        assert caught.value.theirs is None
        age(store, 1000)
        assert not store.record(a, "key 0", edit("mine"), request="i").repeated
        with pytest.raises(ConflictError, match="run out") as caught:
            store.submit(b, item, ACCEPT, request="r", fence=fence)
        assert theirs_of(caught) == edit("mine")

    def test_it_stands_in_for_a_skip_and_can_be_undone(self, make):
        store, a = make(1)
        _, fence = take(store, a)
        store.skip(a, fence, request="s")
        store.record(a, "key 0", ACCEPT, request="i")
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
                store.record(a, key, draft, request="i")
        with pytest.raises(UserError, match="request id"):
            store.record(a, "key 0", ACCEPT, request="")
        store.dismiss_auditor(b)
        for who in (b, 99):
            with pytest.raises(UserError, match=r"taken off|no auditor"):
                store.record(who, "key 0", ACCEPT, request="i")
        assert rows(store, verdicts) == rows(store, conflicts) == []


def test_items_are_found_by_key(make):
    store, _ = make(1200)
    keys = [f"key {n}" for n in range(1500)]
    assert store.positions(keys) == {f"key {n}": n for n in range(1200)}
    assert store.positions(()) == {}
    assert store.item_by_key("key 7") == store.item(7)
    assert store.item_by_key("\ud800\0") is None


class TestHistory:
    def test_the_newest_comes_first_and_only_what_stands(self, make):
        store, a, b = make(6, 2, overlap=2)
        for text in "01":
            judge(store, a, edit(text))
        judge(store, b)
        _, fence = take(store, a)
        store.skip(a, fence, request="s")
        store.record(a, "key 5", edit("elsewhere"), request="i")
        judge(store, a)
        store.undo(a, request="u")
        first = store.history(a, 100)[-1]
        store.submit(a, 0, edit("0 again"), request="v", base=first.id)
        said = [(v.item, v.draft.action, v.draft.text) for v in store.history(a, 100)]
        assert said == [
            (0, "edit", "0 again"),
            (5, "edit", "elsewhere"),
            (2, "skip", None),
            (1, "edit", "1"),
        ]
        assert [v.item for v in store.history(a, 2)] == [0, 5]
        assert store.history(a, 0) == store.history(99, 5) == []
        assert all(
            v.standing and v.auditor == "auditor 0" and v.key == f"key {v.item}" for v in store.history(a, 9)
        )

    def test_it_is_asked_by_index_and_nothing_is_sorted(self, make):
        store, a = make(400)
        with store._database.writing() as turn:
            for n in range(400):
                record(turn, a, f"key {n}", ACCEPT, str(n))
        plan = plan_of(store, lambda turn: read_history(turn.connection, a, 5))
        assert "audit_standing_latest" in plan
        print(plan)
        walked = ("SCAN", "Seq Scan on audit_standing", "Seq Scan on audit_verdicts", "TEMP B-TREE", "Sort")
        assert not any(words in plan for words in walked)


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
