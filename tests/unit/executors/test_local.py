"""The local executor: order, bounds, errors."""

import threading

import pytest

from recaption.core.types import Record, Rejected
from recaption.executors.local import LocalExecutor


def batches(n: int) -> list[list[Record | Rejected]]:
    return [[Record(key=f"{i}")] for i in range(n)]


def test_results_come_in_the_order_given_even_if_the_first_is_slowest():
    last_started = threading.Event()

    def work(batch):
        if batch[0].key == "0":
            assert last_started.wait(60)
        if batch[0].key == "3":
            last_started.set()
        return batch

    results = [b[0].key for b in LocalExecutor(4).run(batches(12), work)]
    assert results == [str(i) for i in range(12)]


def test_no_more_than_twice_the_workers_are_drawn_ahead():
    drawn = 0

    def counted():
        nonlocal drawn
        for batch in batches(50):
            drawn += 1
            yield batch

    stream = LocalExecutor(3).run(counted(), list)
    next(stream)
    assert drawn == 6
    assert len(list(stream)) == 49


def test_the_first_error_ends_the_run():
    def work(batch):
        if batch[0].key == "2":
            raise RuntimeError("backend gone")
        return batch

    done: list[str] = []
    with pytest.raises(RuntimeError, match="backend gone"):
        done.extend(b[0].key for b in LocalExecutor(2).run(batches(100), work))
    assert done == ["0", "1"]


def test_no_workers_is_refused():
    with pytest.raises(ValueError, match="at least 1"):
        LocalExecutor(0)


def test_whoever_stops_early_ends_what_is_under_way():
    given_up = threading.Event()

    def work(batch):
        if batch[0].key != "0":
            assert given_up.wait(60)
        return batch

    stream = LocalExecutor(2, given_up.set).run(batches(100), work)
    next(stream)
    assert not given_up.is_set()
    stream.close()
    assert given_up.is_set()


def test_a_run_that_ends_by_itself_gives_nothing_up():
    given_up = threading.Event()
    assert len(list(LocalExecutor(2, given_up.set).run(batches(10), list))) == 10
    assert not given_up.is_set()
