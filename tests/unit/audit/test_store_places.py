"""Opening the store: what it is made of, what it refuses, what it needs, and that its questions use an index."""

import signal
import sqlite3
import subprocess
import sys
import threading
import time
from importlib.util import find_spec

import pytest
import sqlalchemy as sa

from recaption.audit.database import _Queue
from recaption.audit.opening import create_store, default_place, open_store
from recaption.audit.queue import _FRESH, _RETURNED, _asking, _walk
from recaption.audit.schema import items, leases, project
from recaption.audit.types import AuditItem, Draft, Settings
from recaption.core.errors import BackendError, MissingExtraError, RunFolderError, UserError
from tests.servers.audit_stores import fill, plan_of, rows, troubles


def test_everything_is_there_after_it_was_closed(place):
    with place.create(overlap=2, lease_s=12.5, about={"seed": 7, "guideline": "看图"}) as store:
        (ann,) = fill(store, 3)
        got = store.next_item(ann)
        store.submit(ann, got.item.position, Draft(action="accept"), request="r", fence=got.lease.fence)
        before = (store.progress(ann), list(store.verdicts()), list(store.items()))
    with place.open() as store:
        assert (store.settings.overlap, store.settings.lease_s) == (2, 12.5)
        assert store.settings.about == {"seed": 7, "guideline": "看图"}
        assert (store.progress(ann), list(store.verdicts()), list(store.items())) == before


def test_a_store_is_made_once(place):
    place.create().close()
    with pytest.raises(RunFolderError, match="already"):
        place.create()


def test_what_could_not_be_made_leaves_nothing_behind(place):
    with pytest.raises(ValueError, match="JSON"):
        place.create(about={"seed": float("nan")})
    place.create().close()


def test_there_must_be_one_to_open(place):
    with pytest.raises(RunFolderError, match="no audit"):
        place.open()


def test_another_version_is_refused(place):
    with place.create() as store, store._database.writing() as turn:
        turn.run(sa.update(project).values(schema_version=99))
    with pytest.raises(RunFolderError, match="found version 99"):
        place.open()


def test_half_a_sample_is_completed_by_the_same_call(place, monkeypatch):
    monkeypatch.setattr("recaption.audit.loading.ITEMS_PER_TURN", 500)
    monkeypatch.setattr("recaption.audit.loading.KEYS_PER_QUESTION", 300)

    def sample(broken):
        for n in range(1_200):
            if broken and n == 1_100:
                raise KeyboardInterrupt
            yield AuditItem(key=f"k{n}")

    with place.create() as store:
        with pytest.raises(KeyboardInterrupt):
            store.add_items(sample(True))
        assert store.progress().items == 1_000
        assert store.add_items(sample(False)) == 200
        assert [item.key for item in store.items()] == [f"k{n}" for n in range(1_200)]
        assert troubles(store) == []


def test_writes_are_synced_before_they_are_acknowledged(place):
    with place.create() as store:
        (ann,) = fill(store, 1)
        with store._database.writing() as turn:
            if store._database.is_sqlite:
                modes = [
                    turn.run(sa.text(f"PRAGMA {name}")).scalar_one() for name in ("journal_mode", "synchronous")
                ]
                assert modes == ["wal", 2]
            else:
                assert turn.run(sa.text("SHOW synchronous_commit")).scalar_one() == "on"
                assert turn.run(sa.text("SHOW fsync")).scalar_one() == "on"
        assert ann == 1


@pytest.mark.parametrize("lane", [_FRESH, _RETURNED], ids=["fresh", "returned"])
def test_the_queue_is_asked_by_index_and_nothing_is_sorted(place, lane):
    with place.create() as store:
        (ann,) = fill(store, 2000)
        plan = plan_of(store, lambda turn: _walk(turn, lane, ann, (), 5))
    index = "audit_items_fresh" if lane is _FRESH else "audit_items_returned"
    assert index in plan
    assert not any(
        word in plan for word in ("SCAN items", "SCAN audit_items", "Seq Scan on audit_items", "TEMP B-TREE")
    )


def test_what_is_held_and_what_has_run_out_is_asked_by_index(place):
    with place.create() as store:
        (ann,) = fill(store, 2000)
        ended = {"auditor": ann, "granted_ms": 0, "expires_ms": 1, "ended": "submitted"}
        with store._database.writing() as turn:
            turn.run(sa.insert(leases), [{"item": n, **ended} for n in range(2000)])
        plan = plan_of(store, lambda turn: _asking(turn, ann))
    assert "audit_leases_expiring" in plan
    assert not any(words in plan for words in ("SCAN held", "SCAN audit_leases", "Seq Scan on audit_leases"))


class TestFiles:
    def test_the_file_is_readable_by_its_owner_alone(self, tmp_path):
        with create_store(default_place(tmp_path)):
            assert {p.stat().st_mode & 0o777 for p in (tmp_path / "audit").iterdir()} == {0o600}
            assert (tmp_path / "audit" / "store.sqlite").is_file()

    def test_something_else_is_not_an_audit(self, tmp_path):
        text, foreign = tmp_path / "text", tmp_path / "foreign"
        text.write_text("not a database " * 100)
        with sqlite3.connect(foreign) as connection:
            connection.execute("CREATE TABLE other (x)")
        connection.close()
        for path in (text, foreign):
            with pytest.raises(RunFolderError, match=r"holds no audit|expected"):
                open_store(path)
        assert text.read_text().startswith("not a database")

    def test_the_folder_is_made_where_it_can_be(self, tmp_path):
        create_store(tmp_path / "new" / "folder" / "a.sqlite").close()
        for inside in ("new/folder/a.sqlite", "new/folder/a.sqlite/b"):
            with pytest.raises(RunFolderError, match=r"folder .* cannot be made"):
                create_store(tmp_path / inside / "c.sqlite")
        with pytest.raises(RunFolderError, match="already there"):
            create_store(tmp_path / "new")

    def test_a_disk_fault_says_what_to_do(self, tmp_path):
        with create_store(tmp_path / "a.sqlite") as store:
            fill(store, 1)
            with store._database.writing() as turn:
                turn.run(sa.text("DROP TABLE audit_payloads"))
            with pytest.raises(BackendError, match="What was acknowledged is safe"):
                store.add_items([AuditItem(key="x")])
            assert store.progress().items == 1


class TestAddresses:
    def test_other_databases_are_refused_and_passwords_are_not_repeated(self):
        for url in ("mysql://u:secret@h/d", "postgresql://u:secret@h:port/d", "://secret"):
            with pytest.raises(UserError) as caught:
                open_store(url)
            assert "secret" not in str(caught.value)

    def test_a_server_that_is_not_there(self, tmp_path):
        with pytest.raises(RunFolderError) as caught:
            open_store(f"postgresql://u:secret@/d?host={tmp_path}")
        assert "secret" not in str(caught.value)

    @pytest.mark.parametrize("name", ["", "A", "a-b", "a;drop", "1a", "x" * 60])
    def test_a_project_is_a_plain_word(self, name):
        with pytest.raises(UserError, match="project"):
            open_store("postgresql://u@h/d", project=name)


class TestExtras:
    @pytest.mark.parametrize(
        ("missing", "where", "extra"),
        [("sqlalchemy", "a.sqlite", "audit"), ("psycopg", "postgresql://u@h/d", "postgres")],
    )
    def test_a_missing_library_names_its_extra(self, monkeypatch, missing, where, extra):
        monkeypatch.setattr(
            "recaption.audit.opening.find_spec", lambda name: None if name == missing else find_spec(name)
        )
        for call in (open_store, create_store):
            with pytest.raises(MissingExtraError, match=rf"recaption\[{extra}\]"):
                call(where)

    def test_the_library_is_imported_only_when_a_store_is_asked_for(self):
        code = "import sys, recaption.audit.opening, recaption.audit.errors; print('sqlalchemy' in sys.modules)"
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
        assert done.stdout == "False\n"


@pytest.mark.parametrize(
    "values", [{"overlap": 0}, {"overlap": 101}, {"lease_s": 0}, {"lease_s": float("nan")}]
)
def test_settings_that_cannot_work(values):
    with pytest.raises(UserError):
        Settings(**values)


@pytest.mark.parametrize("values", [{"probability": 0.0}, {"probability": 1.5}, {"overlap": 0}])
def test_items_that_cannot_be(values):
    with pytest.raises(UserError, match="item 'k'"):
        AuditItem(key="k", **values)


def test_keys_have_a_length(place):
    with place.create() as store:
        for key in ("", "x" * 9000):
            with pytest.raises(UserError, match="a key has"):
                store.add_items([AuditItem(key=key)])
        assert rows(store, items) == []


def test_somebody_who_is_interrupted_while_waiting_holds_up_nobody():
    """As by Ctrl+C in a command, while others write."""
    queue, me = _Queue(), threading.get_ident()

    def interrupt():
        while not queue._waiting:
            time.sleep(0.001)
        signal.pthread_kill(me, signal.SIGUSR1)

    before = signal.signal(signal.SIGUSR1, signal.default_int_handler)
    try:
        with queue.turn():
            threading.Thread(target=interrupt).start()
            with pytest.raises(KeyboardInterrupt), queue.turn():
                raise AssertionError("two were inside at once")
    finally:
        signal.signal(signal.SIGUSR1, before)
    with queue.turn():
        assert not queue._waiting
