"""The ledger: nothing is paid twice, not by two threads, not after a kill."""

import os
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from recaption.core.errors import BackendError, RunFolderError
from recaption.core.protocols import Fleeting
from recaption.datasets.ledger import SqliteLedger


@pytest.fixture
def ledger(tmp_path):
    ledger = SqliteLedger(tmp_path / "ledger" / "calls.sqlite")
    yield ledger
    ledger.close()


def each(values):
    """Return a call that answers the positions it is asked with the values given, in order."""
    return lambda positions: zip(positions, values, strict=False)


def test_each_key_is_paid_once_and_then_remembered(ledger, tmp_path):
    asked: list[list[int]] = []

    def call(positions):
        asked.append(list(positions))
        return [(p, {"value": p}) for p in positions]

    assert ledger.recall(["a", "b", "a"], call) == [{"value": 0}, {"value": 1}, {"value": 0}]
    assert ledger.recall(["b", "c"], call) == [{"value": 1}, {"value": 1}]
    assert asked == [[0, 1], [1]]
    assert (ledger.paid, ledger.recalled) == (3, 2)

    ledger.close()
    again = SqliteLedger(tmp_path / "ledger" / "calls.sqlite")
    assert again.recall(["c"], lambda positions: pytest.fail("paid again")) == [{"value": 1}]
    again.close()


def test_none_is_an_answer_like_any_other(ledger):
    assert ledger.recall(["a"], each([None])) == [None]
    assert ledger.recall(["a"], lambda p: pytest.fail("paid again")) == [None]


def test_more_keys_than_a_statement_takes(ledger):
    keys = [str(i) for i in range(1201)]
    assert ledger.recall(keys, lambda p: zip(p, p, strict=True)) == list(range(1201))
    assert ledger.recall(keys, lambda p: pytest.fail("paid again")) == list(range(1201))


def test_a_failed_call_is_not_remembered(ledger):
    def broken(positions):
        raise BackendError("gone")

    with pytest.raises(BackendError, match="gone"):
        ledger.recall(["a"], broken)
    assert ledger.recall(["a"], each(["now"])) == ["now"]


def test_too_few_answers_are_found_out(ledger):
    with pytest.raises(BackendError, match="2 calls were asked for, 1 answers"):
        ledger.recall(["a", "b"], each(["only one"]))


def test_threads_that_want_the_same_at_once_pay_once(ledger):
    both_asked = threading.Barrier(8)
    paid: list[int] = []

    def call(positions):
        paid.extend(positions)
        return [(p, "answer") for p in positions]

    def ask(n: int) -> None:
        both_asked.wait(60)
        keys = ["x", "y", "z"] if n % 2 else ["z", "y", "x"]
        assert ledger.recall(keys, call) == ["answer"] * 3

    threads = [threading.Thread(target=ask, args=(n,)) for n in range(8)]
    for t in threads:
        t.start()
    for t in threads:
        t.join(60)
        assert not t.is_alive()
    assert len(paid) == 3


def test_an_answer_given_survives_a_kill(tmp_path):
    path = tmp_path / "calls.sqlite"
    code = (
        "import os, signal, sys\nfrom pathlib import Path\nfrom recaption.datasets.ledger import SqliteLedger\n"
        f"SqliteLedger(Path({str(path)!r})).recall(['a', 'b'], lambda p: zip(p, [1, 2]))\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    died = subprocess.run([sys.executable, "-c", code], env=os.environ, check=False)
    assert died.returncode == -signal.SIGKILL
    ledger = SqliteLedger(path)
    assert ledger.recall(["a", "b"], lambda p: pytest.fail("paid again")) == [1, 2]
    ledger.close()


def test_a_damaged_ledger_is_said(tmp_path):
    path = Path(tmp_path / "calls.sqlite")
    path.write_bytes(b"not a database at all, but long enough to be read as one" * 100)
    with pytest.raises(RunFolderError, match="cannot be opened"):
        SqliteLedger(path)


def test_the_failure_of_another_batch_is_not_ours(ledger):
    asked, waiting = threading.Event(), threading.Event()

    def poisoned(positions):
        asked.set()
        assert waiting.wait(60)
        raise ValueError("poison image")

    def first() -> None:
        with pytest.raises(ValueError, match="poison"):
            ledger.recall(["poison", "x"], poisoned)

    thread = threading.Thread(target=first)
    thread.start()
    assert asked.wait(60)

    def mine(positions):
        assert list(positions) in ([0], [1])
        waiting.set()
        return [(p, "answer") for p in positions]

    assert ledger.recall(["y", "x"], mine) == ["answer", "answer"]
    thread.join(60)
    assert not thread.is_alive()


def test_a_fault_of_the_disk_ends_the_run_and_leaves_the_ledger_usable(ledger):
    ledger._connection.execute("PRAGMA max_page_count = 4")
    with pytest.raises(BackendError, match=r"ledger .* failed"):
        ledger.recall(["big"], each(["x" * 100_000]))
    ledger._connection.execute("PRAGMA max_page_count = 100000")
    assert ledger.recall(["big"], each(["small"])) == ["small"]


def test_an_answer_with_a_lone_surrogate_is_remembered(ledger):
    assert ledger.recall(["a"], each(["\ud800"])) == ["\ud800"]
    assert ledger.recall(["a"], lambda p: pytest.fail("paid again")) == ["\ud800"]


def test_what_was_answered_before_a_failure_stays_paid_for(ledger):
    def dies_after_one(positions):
        yield positions[1], "second"
        raise BackendError("gone")

    with pytest.raises(BackendError, match="gone"):
        ledger.recall(["a", "b"], dies_after_one)
    assert ledger.recall(["b"], lambda p: pytest.fail("paid again")) == ["second"]
    assert ledger.recall(["a"], each(["first"])) == ["first"]


def test_an_answer_is_on_disk_while_the_others_are_on_their_way(ledger, tmp_path):
    def slow(positions):
        yield positions[1], "early"
        reader = sqlite3.connect(tmp_path / "ledger" / "calls.sqlite")
        for _ in range(1000):
            if reader.execute("SELECT value FROM calls WHERE key = 'b'").fetchall() == [('"early"',)]:
                break
            time.sleep(0.01)
        else:
            pytest.fail("not written before the batch was done")
        reader.close()
        yield positions[0], "late"

    assert ledger.recall(["a", "b"], slow) == ["late", "early"]


def test_a_fleeting_answer_is_handed_on_and_forgotten(ledger):
    assert ledger.recall(["a"], each([Fleeting({"error": "busy"})])) == [{"error": "busy"}]
    assert ledger.recall(["a"], each(["now"])) == ["now"]


def test_two_answers_to_one_call_are_found_out(ledger):
    with pytest.raises(BackendError, match="two answers"):
        ledger.recall(["a", "b"], lambda p: [(0, 1), (0, 2)])
