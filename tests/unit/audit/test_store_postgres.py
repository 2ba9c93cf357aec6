"""What is different in PostgreSQL, and the whole way once; all other laws are tried there by the slow tests."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
import sqlalchemy as sa

from recaption.audit.database import NOW
from recaption.audit.errors import ConflictError
from recaption.audit.opening import create_store, open_store
from recaption.audit.schema import project
from recaption.core.errors import BackendError, RunFolderError
from tests.servers.audit_stores import (
    ACCEPT,
    age,
    bring,
    edit,
    engine_url,
    fill,
    judge,
    place_in,
    take,
    theirs_of,
    troubles,
)


@pytest.fixture(scope="module")
def server():
    with engine_url("postgres") as url:
        yield url


@pytest.fixture
def place(server, tmp_path):
    return place_in(server, tmp_path)


def shown(store, name):
    with store._database.writing() as turn:
        return turn.run(sa.text(f"SHOW {name}")).scalar_one()


def test_from_the_link_to_the_last_verdict(place):
    with place.create(overlap=2, lease_s=100, about={"guideline": "看图"}) as store:
        a, b, c = fill(store, 4, 3)
        _, cookie = store.exchange_token(store.renew_token(a))
        assert store.auditor_by_token(cookie).id == a
        judge(store, a, edit("\ud800\0 one"))
        assert judge(store, a, edit("two"), request="second").item == 1
        fence = take(store, b)[1]
        store.skip(b, fence, request="s")
        with pytest.raises(ConflictError) as caught:
            store.submit(a, 0, edit("late"), request="x", base=99)
        assert theirs_of(caught) == edit("\ud800\0 one")
        bring(store, c, "key 3", ACCEPT, request="i")
        take(store, c)
        age(store, 1000)
        assert store.undo(a, request="u").lease is not None
        for who in (a, b, c):
            while store.next_item(who) is not None:
                judge(store, who)
        assert (store.progress().finished, store.progress(a).mine_done) == (4, 4)
        before = list(store.verdicts(standing_only=True)), list(store.items())
        assert troubles(store) == []
    with place.open() as store:
        assert store.settings.about == {"guideline": "看图"}
        assert (list(store.verdicts(standing_only=True)), list(store.items())) == before
        with pytest.raises(BackendError, match="only ever grows"), store._database.writing() as turn:
            turn.run(sa.text("TRUNCATE audit_verdicts CASCADE"))


def test_two_processes_make_one_store(place):
    start = threading.Barrier(2)

    def make(_):
        start.wait()
        try:
            place.create().close()
        except (RunFolderError, BackendError):
            return False
        return True

    with ThreadPoolExecutor(2) as pool:
        assert sorted(pool.map(make, range(2))) == [False, True]


def test_writers_are_alone_whatever_the_server_is_set_to(place):
    """A server may be told to acknowledge too soon, or to let writers see the past; ours is not."""
    hasty = f"{place.where}&options=-csynchronous_commit%3Doff%20-cdefault_transaction_isolation%3Dserializable"
    with create_store(hasty, project=place.project) as store, open_store(hasty, project=place.project) as other:
        assert shown(store, "synchronous_commit") == shown(store, "fsync") == "on"
        assert shown(store, "transaction_isolation") == "read committed"
        people = fill(store, 0, 6)

        def renew(number):
            (store, other)[number % 2].renew_token(people[number % 6])

        with ThreadPoolExecutor(6) as pool:
            list(pool.map(renew, range(24)))


@pytest.mark.parametrize("added", [0, 3])
def test_a_turn_that_waited_reads_clock_and_counters_when_it_is_its_own(place, added):
    clock, waiting = sa.select(NOW["postgresql"]), sa.text("SELECT count(*) FROM pg_locks WHERE NOT granted")

    def wait(store):
        with store._database.writing() as turn:
            return turn.now_ms, turn.positions

    with place.create() as store, place.open() as other, ThreadPoolExecutor(1) as pool:
        with store._database.writing() as turn:
            later = pool.submit(wait, other)
            while not turn.run(waiting).scalar_one():
                assert not later.done()
            end = since = turn.run(clock).scalar_one()
            while end < since + 20:
                end = turn.run(clock).scalar_one()
            turn.count(positions=added)
        now, positions = later.result()
    assert (now >= end, positions) == (True, added)


def test_whoever_holds_the_lock_and_is_gone_holds_up_nobody_for_ever(place, monkeypatch):
    monkeypatch.setattr("recaption.audit.database.WAIT_S", 1)
    with place.create() as store, place.open() as other:
        (ann,) = fill(store, 1)
        refusals: list[str] = []

        def fall_silent():
            with other._database.writing() as turn:
                turn.run(sa.update(project).values(id=1))
                while len(refusals) < 5:
                    try:
                        assert store.next_item(ann) is not None
                        break
                    except BackendError as error:
                        refusals.append(str(error))
                turn.run(sa.select(project))  # too late: the server has ended this one

        with pytest.raises(BackendError, match="What was acknowledged is safe"):
            fall_silent()
        assert all("lock timeout" in words for words in refusals)
        assert len(refusals) < 5
