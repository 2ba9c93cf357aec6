"""Runs a command as long as its standard input stays open. A script of its own: it imports nothing of ours.

Whoever holds the other end of that pipe may be killed in any way: the pipe closes, and the command and all it
started are stopped. A model server left behind would hold the graphics memory that the next run needs.
"""

import os
import signal
import subprocess
import sys
import threading
from contextlib import suppress

GRACE_S = 10.0


def main(command: list[str]) -> int:
    """Run `command` in a session of its own; return its exit code, or 128 + the signal that ended it."""
    try:
        child = subprocess.Popen(command, stdin=subprocess.DEVNULL, start_new_session=True)  # noqa: S603
    except OSError as error:
        sys.stderr.write(f"cannot start {command[0]}: {error.strerror or error}\n")
        return 127
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: stop(child))
    threading.Thread(target=_until_closed, args=(child,), daemon=True).start()
    code = child.wait()
    with suppress(ProcessLookupError, PermissionError):  # what it started and left behind
        os.killpg(child.pid, signal.SIGKILL)
    return code if code >= 0 else 128 - code


def stop(child: "subprocess.Popen[bytes]") -> None:
    """Ask the whole group to end, and end it where it does not."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(child.pid, signal.SIGTERM)
    killer = threading.Timer(GRACE_S, _kill, (child,))
    killer.daemon = True
    killer.start()


def _kill(child: "subprocess.Popen[bytes]") -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(child.pid, signal.SIGKILL)


def _until_closed(child: "subprocess.Popen[bytes]") -> None:
    while os.read(0, 1):
        pass
    stop(child)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
