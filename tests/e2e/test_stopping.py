"""Interruptions in two steps, in a process of its own: the first lets the batch end, the second does not wait."""

import signal
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.e2e.test_cli import hear_interrupts

SLOW = """
    import hashlib, signal, sys, threading, time
    from recaption.cli.stopping import two_steps

    signal.signal(signal.SIGTERM, signal.default_int_handler)  # as the command line has it

    def batch():
        print("under way", flush=True)
        time.sleep({batch_s})
        print("ended", flush=True)

    thread = threading.Thread(target=batch)
    try:
        with two_steps(after_s=0.1):
            try:
                thread.start()
                {waiting}
            finally:
                thread.join()
    except KeyboardInterrupt:
        print("interrupted", flush=True)
        sys.exit(7)
    print("done", flush=True)
"""
IN_PYTHON = "time.sleep(600)"
IN_A_LIBRARY = "hashlib.pbkdf2_hmac('sha256', b'', b'', 2**31 - 1)"
"""For minutes, and without an ear for signals."""


@contextmanager
def slow(batch_s: float, waiting: str = IN_PYTHON) -> Iterator[subprocess.Popen[str]]:
    """Give a process with a batch under way."""
    started = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(SLOW).format(batch_s=batch_s, waiting=waiting)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=hear_interrupts,
    )
    with started:
        assert started.stdout is not None
        assert started.stdout.readline() == "under way\n"
        try:
            yield started
        finally:
            started.kill()


def interrupted(started: subprocess.Popen[str], *signals: int) -> tuple[int, str, str]:
    """Send signals, each once what was said about the one before was read; return code, output, and what was said."""
    assert started.stderr is not None
    told = ""
    for i, number in enumerate(signals):
        if i:
            told += started.stderr.readline()
        started.send_signal(number)
    out, err = started.communicate(timeout=60)
    return started.returncode, out, told + err


def test_the_first_interruption_waits_for_what_is_under_way_and_says_so() -> None:
    with slow(2.0) as started:
        code, out, told = interrupted(started, signal.SIGINT)
    assert (code, out) == (7, "ended\ninterrupted\n")
    assert told == "recaption: finishing the batch under way; press again to stop at once\n"


def test_what_ends_soon_is_not_talked_about() -> None:
    with slow(0.0, "thread.join(); time.sleep(600)") as started:
        code, out, told = interrupted(started, signal.SIGINT)
    assert (code, out.splitlines()[-1], told) == (7, "interrupted", "")


@pytest.mark.parametrize("again", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("waiting", [IN_PYTHON, IN_A_LIBRARY])
def test_the_second_does_not_wait(waiting: str, again: int) -> None:
    with slow(600.0, waiting) as started:
        code, out, told = interrupted(started, signal.SIGINT, again)
    assert (code, out) == (130, "")
    assert told.splitlines() == [
        "recaption: finishing the batch under way; press again to stop at once",
        "recaption: stopped at once; run the same command again to go on where it stopped",
    ]
