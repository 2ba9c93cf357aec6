"""Interruptions in two steps: the first lets the batch under way come to its end, the second stops at once.

A batch of a slow local model may take minutes, and threads that compute cannot be told to stop. Whoever presses a
second time does not want to wait for them; and need not, since answers are on disk before anybody uses them.
"""

from __future__ import annotations

import os
import signal
import socket
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from recaption.cli.app import EXIT_INTERRUPTED, complain

__all__ = ["two_steps"]

_STOPPING: Final = frozenset({int(signal.SIGINT), int(signal.SIGTERM)})
_SHOW_CURSOR: Final = "\x1b[?25h"


@contextmanager
def two_steps(after_s: float = 1.0) -> Iterator[None]:
    """Say after a first interruption what is being waited for, and end the process at a second one.

    Signals are heard in a thread of their own: the main one may be inside a library that hears none. In a thread that
    is not the main one nothing is changed.

    Args:
        after_s: What ends sooner after an interruption is not talked about.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    ours, theirs = socket.socketpair()
    theirs.setblocking(False)
    before = signal.set_wakeup_fd(theirs.fileno(), warn_on_full_buffer=False)
    listener = threading.Thread(target=_listen, args=(ours, after_s), name="recaption-stopping", daemon=True)
    listener.start()
    try:
        yield
    finally:
        signal.set_wakeup_fd(before)
        theirs.close()
        listener.join()
        ours.close()


def _listen(ours: socket.socket, after_s: float) -> None:
    if not _heard(ours):
        return
    ours.settimeout(after_s)
    try:
        again = _heard(ours)
    except TimeoutError:
        complain("finishing the batch under way; press again to stop at once")
        ours.settimeout(None)
        again = _heard(ours)
    if again:
        complain("stopped at once; run the same command again to go on where it stopped")
        if sys.stderr.isatty():  # a spinner hides it
            sys.stderr.write(_SHOW_CURSOR)
        sys.stderr.flush()
        os._exit(EXIT_INTERRUPTED)


def _heard(ours: socket.socket) -> bool:
    """Wait for a signal that is to stop us; False if there will be none any more. Raises TimeoutError."""
    while said := ours.recv(1):
        if said[0] in _STOPPING:
            return True
    return False
