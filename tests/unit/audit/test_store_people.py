"""Who may judge: names, tokens that open the door, links that are good once."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
import sqlalchemy as sa

from recaption.core.errors import UserError
from tests.servers.audit_stores import age, take


class TestPeople:
    def test_a_token_opens_the_door_of_one_person_until_it_ends(self, make):
        store, a = make(1)
        bo, token = store.add_auditor(" Bo 宝 ")
        assert (bo.name, store.auditor_by_token(token)) == ("Bo 宝", bo)
        assert len(token) >= 43  # 256 bits
        assert store.auditor_by_token(token[:-1]) is store.auditor_by_token("\ud800") is None
        newer = store.renew_token(bo.id)
        assert (store.auditor_by_token(token), store.auditor_by_token(newer)) == (None, bo)
        take(store, bo.id)
        store.dismiss_auditor(bo.id)
        assert store.auditor_by_token(newer) is None
        with pytest.raises(UserError, match="taken off"):
            store.next_item(bo.id)
        age(store, 1000)
        assert take(store, a)[0] == 0
        assert [(p.name, p.active) for p in store.auditors()] == [("auditor 0", True), ("Bo 宝", False)]

    def test_the_token_itself_is_stored_nowhere(self, make, place):
        store, _ = make(1)
        _, token = store.add_auditor("Bo")
        with store._database.reading() as connection:
            for table in ("audit_auditors", "audit_project"):
                assert token not in str(connection.execute(sa.text(f"SELECT * FROM {table}")).all())

    @pytest.mark.parametrize("name", ["", "  ", "a\nb", "x" * 65, "\x1b[31m", "a\u202eb"])
    def test_names_that_cannot_be_shown_are_refused(self, make, name):
        store, _ = make(1)
        with pytest.raises(UserError, match="auditor name"):
            store.add_auditor(name)

    def test_one_name_is_one_person(self, make):
        store, _ = make(1)
        with pytest.raises(UserError, match="already"):
            store.add_auditor("auditor 0")
        for call in (store.next_item, store.dismiss_auditor, store.renew_token):
            with pytest.raises(UserError, match="no auditor"):
                call(999)

    def test_somebody_is_found_by_name(self, make):
        store, _ = make(0)
        bo, _ = store.add_auditor("Bo 宝")
        assert store.auditor_named(" Bo 宝 ") == bo
        assert store.auditor_named("bo") is store.auditor_named("\ud800\0") is None
        store.dismiss_auditor(bo.id)
        assert not store.auditor_named("Bo 宝").active


class TestExchange:
    def test_a_link_is_good_once(self, make):
        store, _ = make(0)
        bo, link = store.add_auditor("Bo")
        auditor, cookie = store.exchange_token(link)
        assert (auditor, store.auditor_by_token(cookie)) == (bo, bo)
        assert cookie != link
        assert store.auditor_by_token(link) is store.exchange_token(link) is None
        assert store.auditor_by_token(cookie) == bo  # a link used twice throws nobody out

    def test_what_opens_nothing_is_exchanged_for_nothing(self, make):
        store, a = make(0)
        _, link = store.add_auditor("Bo")
        store.dismiss_auditor(store.auditor_named("Bo").id)
        for token in (link, "", "\ud800", "x" * 10_000, store.renew_token(a)[:-1]):
            assert store.exchange_token(token) is None

    def test_of_two_that_come_at_once_exactly_one_gets_in(self, make, place):
        store, a = make(0)
        with place.open() as other, ThreadPoolExecutor(2) as pool:  # as two processes would
            for _ in range(10):
                link, start = store.renew_token(a), threading.Barrier(2)

                def race(mine, link=link, start=start):
                    start.wait()
                    return mine.exchange_token(link)

                first, second = pool.map(race, (store, other))
                assert (first is None) != (second is None)
                _, token = first or second
                assert store.auditor_by_token(token).id == a
