"""The laws of the store, in every engine: who gets what, what is written once, what is never lost."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
import sqlalchemy as sa

from recaption.audit.errors import ConflictError, LeaseError
from recaption.audit.queue import MAX_HELD
from recaption.audit.schema import conflicts, leases, verdicts
from recaption.audit.types import AuditItem, Draft
from recaption.core.errors import BackendError, UserError
from tests.servers.audit_stores import ACCEPT, age, edit, judge, rows, take, theirs_of


def attempt(store, auditor, item, text, base):
    try:
        return store.submit(auditor, item, edit(text), request=text, base=base).verdict
    except ConflictError as error:
        return error


class TestQueue:
    def test_items_come_in_the_order_of_the_sample_and_a_reload_shows_the_same(self, make):
        store, ann = make(3)
        assert [take(store, ann), take(store, ann)] == [(0, 1), (0, 1)]
        assert store.next_item(ann).item.payload == {"caption": "text 0"}
        for _ in range(3):
            judge(store, ann)
        assert store.next_item(ann) is None

    def test_the_next_item_can_be_fetched_ahead(self, make):
        store, ann = make(3)
        first, ahead = take(store, ann), take(store, ann, beside=[0])
        assert (first[0], ahead[0]) == (0, 1)
        assert take(store, ann) == first
        store.submit(ann, 0, ACCEPT, request="a", fence=first[1])
        assert take(store, ann) == ahead

    def test_two_people_never_get_one_item_unless_asked(self, make):
        store, *people = make(5, 5)
        assert sorted(take(store, p)[0] for p in people) == [0, 1, 2, 3, 4]

    def test_overlap_gives_each_item_to_so_many_and_no_more(self, make):
        store, *people = make(4, 4, overlap=3)
        assert [take(store, p)[0] for p in people] == [0, 0, 0, 1]

    def test_an_item_can_ask_for_more_auditors_than_the_others(self, make):
        store, a, b = make(0, 2)
        store.add_items([AuditItem(key="once"), AuditItem(key="twice", overlap=2)])
        assert judge(store, a).item == 0
        assert [judge(store, p).item for p in (a, b)] == [1, 1]
        assert store.next_item(b) is None
        assert (store.progress().slots, store.progress().finished) == (3, 2)

    def test_what_ran_out_goes_to_whoever_asks_next_before_anything_new(self, make):
        store, a, b, c = make(5, 3)
        took = [take(store, p)[0] for p in (a, b)]
        age(store, 1000)
        assert took == [0, 1]
        assert [take(store, c)[0], take(store, a)[0], take(store, b)[0]] == [0, 1, 2]

    def test_where_everybody_is_needed_a_lease_that_ran_out_comes_back_to_its_owner(self, make):
        store, a, b = make(2, 2, overlap=2)
        take(store, a)
        age(store, 1000)
        judge(store, b), judge(store, b)
        assert [judge(store, a).item, judge(store, a).item] == [0, 1]
        assert store.progress().finished == 2

    def test_a_skipped_item_goes_to_others_and_comes_back_only_when_asked_for(self, make):
        store, a, b = make(2, 2)
        _, fence = take(store, a)
        store.skip(a, fence, request="s", reason="blurred")
        assert judge(store, a).item == 1
        assert store.next_item(a) is None
        assert take(store, a, skipped=True)[0] == 0
        assert store.next_item(b) is None
        age(store, 1000)
        assert judge(store, b).item == 0
        assert store.next_item(a, skipped=True) is None
        assert (store.progress(a).mine_done, store.progress(a).mine_skipped) == (1, 1)

    def test_a_skip_that_is_taken_up_again_is_no_skip_any_more(self, make):
        store, a = make(1)
        _, fence = take(store, a)
        store.skip(a, fence, request="s")
        item, fence = take(store, a, skipped=True)
        store.submit(a, item, ACCEPT, request="t", fence=fence)
        assert (store.progress(a).mine_done, store.progress(a).mine_skipped) == (1, 0)

    def test_a_released_item_comes_back_at_once(self, make):
        store, a, b = make(2, 2)
        item, fence = take(store, a)
        store.release(a, fence)
        assert take(store, b)[0] == item
        with pytest.raises(LeaseError, match="has ended"):
            store.release(a, fence)

    def test_items_added_later_reach_those_who_were_through(self, make):
        store, a = make(1)
        judge(store, a)
        assert store.next_item(a) is None
        assert store.add_items([AuditItem(key="key 0"), AuditItem(key="more"), AuditItem(key="more")]) == 1
        assert store.next_item(a).item.key == "more"

    def test_nobody_hoards(self, make):
        store, a = make(MAX_HELD + 2)
        got: list[int] = []
        for _ in range(MAX_HELD):
            got.append(take(store, a, beside=got)[0])
        with pytest.raises(LeaseError, match="at once"):
            store.next_item(a, beside=got)

    def test_a_renewed_lease_outlives_its_time(self, make):
        store, a, b = make(2, 2, lease_s=100)
        item, fence = take(store, a)
        age(store, 99)
        assert store.renew(a, fence).left_ms == 100_000
        age(store, 99)
        assert take(store, b)[0] != item
        with pytest.raises(LeaseError, match="never given"):
            store.renew(b, fence)

    def test_the_clock_is_that_of_the_database(self, make, monkeypatch):
        store, a, b = make(2, 2)
        item, _ = take(store, a)
        monkeypatch.setattr(time, "time", lambda: 4e9)
        assert take(store, b)[0] != item
        assert 0 < store.progress().frees_in_ms <= 600_000


class TestWriting:
    def test_the_same_request_is_carried_out_once(self, make):
        store, a = make(2)
        item, fence = take(store, a)
        first = store.submit(a, item, edit("x"), request="r", fence=fence)
        second = store.submit(a, item, edit("x"), request="r", fence=fence)
        assert (second.verdict, second.repeated) == (first.verdict, True)
        assert len(list(store.verdicts())) == 1

    def test_a_second_window_that_says_the_same_changes_nothing(self, make):
        store, a = make(1)
        item, fence = take(store, a)
        first = store.submit(a, item, edit("x"), request="r", fence=fence)
        again = store.submit(a, item, edit("x"), request="other", fence=fence)
        assert (again.verdict, again.repeated) == (first.verdict, True)

    def test_a_second_window_that_says_something_else_gets_both_texts(self, make):
        store, a = make(1)
        item, fence = take(store, a)
        store.submit(a, item, edit("first"), request="r", fence=fence)
        for _ in range(2):  # sent again, it is refused in the same words and kept once
            with pytest.raises(ConflictError, match="another window") as caught:
                store.submit(a, item, edit("second"), request="s", fence=fence)
            assert caught.value.mine == edit("second")
            assert theirs_of(caught) == edit("first")
        assert [row.request for row in rows(store, conflicts)] == ["s"]

    def test_a_request_id_used_for_something_else_is_refused(self, make):
        store, a = make(2)
        judge(store, a, request="r")
        item, fence = take(store, a)
        with pytest.raises(ConflictError, match="carried out before"):
            store.submit(a, item, ACCEPT, request="r", fence=fence)

    def test_late_and_taken_over_the_text_is_kept_and_nobody_is_overwritten(self, make):
        store, a, b = make(1, 2)
        item, fence = take(store, a)
        age(store, 1000)
        _, newer = take(store, b)
        assert newer > fence
        with pytest.raises(ConflictError, match="run out") as caught:
            store.submit(a, item, edit("late, before"), request="r", fence=fence)
        assert caught.value.theirs is None
        store.submit(b, item, edit("in time"), request="r", fence=newer)
        with pytest.raises(ConflictError, match="run out") as caught:
            store.submit(a, item, edit("late, after"), request="s", fence=fence)
        assert theirs_of(caught) == edit("in time")
        assert [row.body for row in rows(store, conflicts)] == [
            edit("late, before").body(),
            edit("late, after").body(),
        ]

    @pytest.mark.parametrize("swept", [False, True])
    def test_late_is_welcome_while_nobody_has_the_place(self, make, swept):
        store, a, b = make(2, 2, overlap=2)
        item, fence = take(store, a)
        age(store, 1000)
        if swept:
            judge(store, b)
        assert not store.submit(a, item, ACCEPT, request="r", fence=fence).repeated

    def test_the_newest_fence_rules_among_ones_own_windows(self, make):
        store, a = make(1)
        item, old = take(store, a)
        age(store, 1000)
        _, new = take(store, a)
        assert new > old
        with pytest.raises(ConflictError, match="opened again"):
            store.submit(a, item, edit("old window"), request="r", fence=old)
        store.submit(a, item, edit("new window"), request="s", fence=new)

    def test_a_fence_that_was_never_given_opens_nothing(self, make):
        store, a, b = make(2, 2)
        item, fence = take(store, a)
        for auditor, place, number in ((b, item, fence), (a, item, 999), (a, item + 1, fence)):
            with pytest.raises(LeaseError):
                store.submit(auditor, place, ACCEPT, request="r", fence=number)
        with pytest.raises(UserError, match="fence"):
            store.submit(a, item, ACCEPT, request="r")
        with pytest.raises(UserError, match="no item 99"):
            store.submit(a, 99, ACCEPT, request="r", base=1)

    def test_a_revision_names_what_it_replaces(self, make):
        store, a = make(1)
        first = judge(store, a)
        second = store.submit(a, first.item, edit("b"), request="2", base=first.verdict)
        with pytest.raises(ConflictError, match="has changed") as caught:
            store.submit(a, first.item, edit("c"), request="3", base=first.verdict)
        assert theirs_of(caught) == edit("b")
        assert [v.id for v in store.verdicts(standing_only=True)] == [second.verdict]
        assert [v.standing for v in store.verdicts()] == [False, True]

    @pytest.mark.parametrize("pairs", [10, pytest.param(200, marks=pytest.mark.slow)])
    def test_of_two_racing_revisions_exactly_one_wins(self, make, pairs):
        store, a = make(1)
        base, item = judge(store, a).verdict, 0
        with ThreadPoolExecutor(2) as pool:
            for n in range(pairs):
                start = threading.Barrier(2)

                def race(text, start=start, base=base):
                    start.wait()
                    return attempt(store, a, item, text, base)

                texts = [f"left {n}", f"right {n}"]
                answers = list(pool.map(race, texts))
                won = [x for x in answers if isinstance(x, int)]
                lost = [(text, x) for text, x in zip(texts, answers, strict=True) if not isinstance(x, int)]
                assert len(won) == len(lost) == 1
                text, error = lost[0]
                assert (error.mine.text, error.theirs.id) == (text, won[0])
                base = won[0]
        assert len(rows(store, conflicts)) == pairs

    def test_what_a_draft_must_have(self, make):
        store, a = make(1)
        item, fence = take(store, a)
        for draft, words in (
            (Draft(action="edit"), "corrected text"),
            (Draft(action="prefer"), "better caption"),
            (Draft(action="undo"), "a verdict is one of"),
            (Draft.of("accept", '{"facts": ["maybe"]}', None), "a fact is one of"),
            (Draft(action="accept", took_ms=-1), "on screen"),
            (edit("x" * 2_000_001), "characters"),
        ):
            with pytest.raises(UserError, match=words):
                store.submit(a, item, draft, request="r", fence=fence)
        for request in ("", "x" * 65, "é", "a\n"):
            with pytest.raises(UserError, match="request id"):
                store.submit(a, item, ACCEPT, request=request, fence=fence)

    @pytest.mark.parametrize("text", ["", "x" * 1_000_000, "\ud800\0\uffff", "'; DROP TABLE x; --", "猫🐈%s:a"])
    def test_any_text_comes_back_as_it_was(self, make, text):
        store, a = make(0)
        store.add_items([AuditItem(key=f"k{text}"[:8000], payload={text[:9]: [text]}, stratum=text[:99])])
        got = store.next_item(a)
        assert (got.item.key, got.item.payload, got.item.stratum) == (
            f"k{text}"[:8000],
            {text[:9]: [text]},
            text[:99],
        )
        said = Draft(action="edit", text=text, reason=text[:9], note=text[:9], facts=("wrong",), took_ms=5)
        store.submit(a, got.item.position, said, request="r", fence=got.lease.fence)
        assert [v.draft for v in store.verdicts()] == [said]

    def test_the_log_refuses_to_be_changed(self, make):
        store, a = make(1)
        item, fence = take(store, a)
        store.submit(a, item, ACCEPT, request="r", fence=fence)
        with pytest.raises(ConflictError):
            store.submit(a, item, edit("x"), request="s", fence=fence)
        for table in (verdicts, conflicts):
            for statement in (sa.update(table).values(body="{}"), sa.delete(table)):
                with pytest.raises(BackendError, match="only ever grows"), store._database.writing() as turn:
                    turn.run(statement)


class TestUndo:
    def test_a_first_verdict_comes_back_to_the_screen_of_its_author_alone(self, make):
        store, a, b = make(1, 2)
        done = judge(store, a)
        back = store.undo(a, request="u")
        assert store.undo(a, request="u").lease.fence == back.lease.fence
        assert store.next_item(b) is None
        assert store.progress(a).mine_done == store.progress().finished == 0
        assert take(store, a) == (0, back.lease.fence)
        store.submit(a, 0, edit("better"), request="v", fence=back.lease.fence)
        log = list(store.verdicts())
        assert [v.draft.action for v in log] == ["accept", "undo", "edit"]
        assert [v.supersedes for v in log] == [None, done.verdict, None]

    def test_a_revision_falls_back_to_what_it_replaced_step_by_step(self, make):
        store, a = make(1)
        number = judge(store, a, edit("0")).verdict
        for text in "12":
            number = store.submit(a, 0, edit(text), request=text, base=number).verdict
        seen = []
        for n in range(3):
            receipt = store.undo(a, request=f"u{n}")
            seen.append([v.draft.text for v in store.verdicts(standing_only=True)])
        assert seen == [["1"], ["0"], []]
        assert receipt.lease is not None
        with pytest.raises(UserError, match="nothing to undo"):
            store.undo(a, request="u9")

    def test_a_revision_after_an_undo_is_undone_to_that(self, make):
        store, a = make(1)
        first = judge(store, a, edit("0")).verdict
        store.submit(a, 0, edit("1"), request="1", base=first)
        again = store.undo(a, request="u").verdict
        store.submit(a, 0, edit("2"), request="2", base=again)
        store.undo(a, request="v")
        assert [v.draft.text for v in store.verdicts(standing_only=True)] == ["0"]
        assert store.undo(a, request="w").lease is not None

    def test_a_skip_is_undone_while_nobody_has_the_item(self, make):
        store, a, b = make(1, 2)
        item, fence = take(store, a)
        store.skip(a, fence, request="s")
        back = store.undo(a, request="u")
        assert (back.item, store.progress(a).mine_skipped) == (item, 0)
        store.skip(a, back.lease.fence, request="t")
        take(store, b)
        assert store.undo(a, request="v").lease is None

    def test_the_verdict_named_must_stand(self, make):
        store, a, b = make(2, 2)
        first, second = judge(store, a), judge(store, a)
        store.undo(a, request="u", verdict=first.verdict)
        for auditor, number in ((a, first.verdict), (b, second.verdict)):
            with pytest.raises(UserError, match="does not stand"):
                store.undo(auditor, request="w", verdict=number)
        with pytest.raises(ConflictError):
            store.undo(a, request="r1")

    def test_a_skip_sent_twice_is_one_skip(self, make):
        store, a = make(2)
        _, fence = take(store, a)
        assert store.skip(a, fence, request="s").verdict == store.skip(a, fence, request="s").verdict
        with pytest.raises(LeaseError, match="nothing was skipped"):
            store.skip(a, fence, request="t")
        assert store.progress(a).mine_skipped == 1


def test_progress_adds_up(make):
    store, a, b = make(4, 2, overlap=2)
    judge(store, a, Draft(action="accept", took_ms=700)), judge(store, a), judge(store, b)
    take(store, b)
    p = store.progress(a)
    assert (p.items, p.slots, p.done, p.finished, p.leased) == (4, 8, 3, 1, 1)
    assert (p.mine_done, p.mine_spent_ms) == (2, 700)


def test_all_at_once_in_threads(make):
    """Exactly two distinct auditors on every item, whatever the threads do to each other."""
    store, *people = make(15, 5, overlap=2)

    def work(auditor):
        count = 0
        while (got := store.next_item(auditor)) is not None:
            for _ in range(2):
                store.submit(
                    auditor, got.item.position, ACCEPT, request=f"r{got.lease.fence}", fence=got.lease.fence
                )
            count += 1
        return count

    with ThreadPoolExecutor(10) as pool:  # two windows each
        counts = list(pool.map(work, people * 2))
    assert sum(counts) >= store.progress().done == 30
    assert store.progress().finished == 15


def test_leases_are_kept_as_history(make):
    store, a, b = make(3, 2)
    judge(store, a)
    _, fence = take(store, a)
    store.skip(a, fence, request="s")
    take(store, b)
    age(store, 1000)
    take(store, a)
    assert [row.ended for row in rows(store, leases)] == ["submitted", "skipped", "expired", None]
