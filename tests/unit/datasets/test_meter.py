"""The meter: counts survive restarts, a budget is never exceeded and, without a kill, used to the last call."""

import os
import signal
import sqlite3
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from recaption.core.errors import BackendError, BudgetError, RunFolderError, UserError
from recaption.core.protocols import Usage
from recaption.datasets.meter import Budget, SqliteMeter

ONE = Usage(requests=1)


def spend(meter: SqliteMeter, most: Usage = ONE, used: Usage | None = None, name: str = "m") -> int:
    """Make calls until the budget stops them; return how many were made."""
    made = 0
    while True:
        try:
            meter.reserve(name, most)
        except BudgetError:
            return made
        made += 1
        meter.settle(name, most, used or most)


def test_what_was_spent_is_there_after_a_restart(tmp_path):
    meter = SqliteMeter(tmp_path / "spent.sqlite")
    used = Usage(requests=1, prompt_tokens=10, completion_tokens=5, cost=0.25)
    for _ in range(3):
        meter.reserve("a", used)
        meter.settle("a", used, used)
    meter.settle("b", ONE, ONE)
    meter.close()
    again = SqliteMeter(tmp_path / "spent.sqlite")
    assert again.spent() == {
        "a": Usage(requests=3, prompt_tokens=30, completion_tokens=15, cost=0.75),
        "b": ONE,
    }
    again.close()


@pytest.mark.parametrize("requests", [0, 1, 7, 64, 1000])
def test_a_budget_of_requests_is_used_to_the_last_and_not_beyond(tmp_path, requests):
    meter = SqliteMeter(tmp_path / "spent.sqlite", Budget(requests=requests))
    assert spend(meter) == requests
    with pytest.raises(BudgetError, match=rf"{requests:,} of {requests:,} requests"):
        meter.reserve("m", ONE)
    meter.close()


def test_the_budget_is_over_all_generators_and_all_runs(tmp_path):
    meter = SqliteMeter(tmp_path / "spent.sqlite", Budget(requests=100))
    for _ in range(30):
        meter.reserve("a", ONE)
        meter.settle("a", ONE, ONE)
    meter.close()
    again = SqliteMeter(tmp_path / "spent.sqlite", Budget(requests=100))
    assert spend(again, name="b") == 70
    again.close()
    raised = SqliteMeter(tmp_path / "spent.sqlite", Budget(requests=101))
    assert spend(raised) == 1
    raised.close()


def test_what_one_generator_has_leased_and_not_used_another_can_have(tmp_path):
    meter = SqliteMeter(tmp_path / "spent.sqlite", Budget(requests=1000))
    meter.reserve("a", ONE)  # takes a lease of many
    assert spend(meter, name="b") == 999
    meter.close()


def test_many_threads_share_the_budget(tmp_path):
    meter = SqliteMeter(tmp_path / "spent.sqlite", Budget(requests=500))
    made: list[int] = []
    threads = [threading.Thread(target=lambda: made.append(spend(meter))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(made) == 500
    assert meter.spent()["m"].requests == 500
    meter.close()


def test_a_call_that_cost_less_than_was_set_aside_leaves_the_rest_to_others(tmp_path):
    most = Usage(requests=1, prompt_tokens=80, completion_tokens=20)
    used = Usage(requests=1, prompt_tokens=8, completion_tokens=2)
    meter = SqliteMeter(tmp_path / "spent.sqlite", Budget(tokens=1000))
    made = spend(meter, most, used)
    assert made == 91  # 91 calls used 910; a 92nd could need 100 of the 90 left
    assert meter.spent()["m"].prompt_tokens + meter.spent()["m"].completion_tokens <= 1000
    with pytest.raises(BudgetError, match="one more call may need 100 tokens"):
        meter.reserve("m", most)
    meter.close()


def test_a_budget_of_money_is_not_lost_to_rounding(tmp_path):
    most = Usage(requests=1, cost=0.1)
    meter = SqliteMeter(tmp_path / "spent.sqlite", Budget(cost=1.0))
    assert spend(meter, most) == 10
    meter.close()


def test_all_limits_hold_together(tmp_path):
    most = Usage(requests=1, prompt_tokens=10, cost=0.5)
    meter = SqliteMeter(tmp_path / "spent.sqlite", Budget(requests=9, tokens=1000, cost=3.0))
    assert spend(meter, most) == 6
    meter.close()


def test_a_call_that_was_set_aside_and_never_settled_counts_as_spent(tmp_path):
    meter = SqliteMeter(tmp_path / "spent.sqlite", Budget(requests=5))
    meter.reserve("m", ONE)
    meter.close()
    again = SqliteMeter(tmp_path / "spent.sqlite", Budget(requests=5))
    assert again.spent()["m"].requests == 1
    assert spend(again) == 4
    again.close()


_KILLED = """
import os, sys
from pathlib import Path
from recaption.core.protocols import Usage
from recaption.datasets.meter import Budget, SqliteMeter
meter = SqliteMeter(Path(sys.argv[1]), Budget(requests=1000))
for _ in range(int(sys.argv[2])):
    meter.reserve("m", Usage(requests=1))
    os.write(1, b".")  # the call reaches the server
    meter.settle("m", Usage(requests=1), Usage(requests=1))
os.write(1, b"!")
sys.stdin.read()
"""


def test_a_kill_never_lets_the_budget_be_exceeded_and_loses_at_most_a_lease(tmp_path):
    path, reached = tmp_path / "spent.sqlite", 0
    for calls in (1, 2, 63, 130):
        process = subprocess.Popen(
            [sys.executable, "-c", _KILLED, str(path), str(calls)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        assert process.stdout is not None
        while (said := process.stdout.read(1)) == b".":
            reached += 1
        assert said == b"!"
        os.kill(process.pid, signal.SIGKILL)
        process.communicate()
    meter = SqliteMeter(path, Budget(requests=1000))
    lost = meter.spent()["m"].requests - reached
    assert reached == 196
    assert 0 <= lost <= 4 * 2 * 50  # two leases of a twentieth may be open at each kill
    reached += spend(meter)
    assert reached == 1000 - lost
    meter.close()


def test_reserving_syncs_once_a_lease_not_once_a_call(tmp_path):
    meter = SqliteMeter(tmp_path / "spent.sqlite", Budget(requests=1_000_000))
    statements: list[str] = []
    meter._connection.set_trace_callback(statements.append)
    for _ in range(1000):
        meter.reserve("m", ONE)
    commits = sum(statement == "COMMIT" for statement in statements)
    assert 1 <= commits <= 1000 / 16
    meter.close()


def test_a_budget_that_is_no_budget_is_refused():
    for wrong in ({"requests": -1}, {"cost": float("nan")}, {"tokens": float("inf")}):
        with pytest.raises(UserError, match="a budget is a number"):
            Budget(**wrong)


def test_a_file_that_is_no_meter_is_said_to_be(tmp_path):
    (tmp_path / "spent.sqlite").write_bytes(b"not a database, but long enough to be one" * 100)
    with pytest.raises(RunFolderError, match="cannot be opened"):
        SqliteMeter(tmp_path / "spent.sqlite")


def test_a_disk_that_fails_ends_the_run(tmp_path: Path):
    meter = SqliteMeter(tmp_path / "spent.sqlite", Budget(requests=10))
    meter._connection.execute("DROP TABLE leased")
    with pytest.raises(BackendError, match=r"the meter .* failed"):
        meter.reserve("m", ONE)
    with pytest.raises(BackendError):
        meter.close()
    with pytest.raises(sqlite3.ProgrammingError):
        meter._connection.execute("SELECT 1")  # closed all the same
