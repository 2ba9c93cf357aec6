"""A PostgreSQL of our own: a fresh cluster in a temporary folder, on a unix socket, removed at the end."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

__all__ = ["find_postgres", "running_postgres"]

START_S = 30
ACCOUNTS = ("postgres", "nobody")
"""PostgreSQL refuses to run as root; one of these runs it then."""


def find_postgres() -> Path | None:
    """Return the folder of `initdb` and `postgres`; Debian keeps it off the path."""
    found = shutil.which("initdb")
    places = [Path(found).resolve().parent] if found else []
    places += sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    return next((p for p in places if (p / "initdb").is_file() and (p / "postgres").is_file()), None)


@contextmanager
def running_postgres() -> Iterator[str]:
    """Yield the URL of an empty database.

    Raises:
        FileNotFoundError: PostgreSQL is not installed.
        RuntimeError: It did not start; its own words are in the message.
    """
    programs = find_postgres()
    if programs is None:
        raise FileNotFoundError("no initdb and postgres here; Debian has them in the package postgresql")
    account = _account()
    folder = Path(tempfile.mkdtemp(prefix="pg-"))  # short: a socket's path has at most 107 bytes
    try:
        if account:
            shutil.chown(folder, account)
        data = folder / "data"
        _run(
            [
                programs / "initdb",
                "-D",
                data,
                "-U",
                "recaption",
                "-A",
                "trust",
                "-E",
                "UTF8",
                "--no-locale",
                "-N",
            ],
            account,
        )
        with (folder / "log").open("wb") as log:
            server = subprocess.Popen(
                [
                    programs / "postgres",
                    "-D",
                    data,
                    "-k",
                    folder,
                    "-c",
                    "listen_addresses=",
                    "-c",
                    "max_connections=200",
                ],
                stdout=log,
                stderr=log,
                cwd="/",
                user=account,
            )
        try:
            _await_ready(server, folder)
            yield f"postgresql://recaption@/postgres?host={folder}"
        finally:
            server.send_signal(signal.SIGQUIT)  # at once: nobody needs these files again
            server.wait(START_S)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _await_ready(server: subprocess.Popen[bytes], folder: Path) -> None:
    import psycopg

    end = time.monotonic() + START_S
    while time.monotonic() < end and server.poll() is None:
        try:
            psycopg.connect(f"postgresql://recaption@/postgres?host={folder}").close()
        except psycopg.OperationalError:
            time.sleep(0.05)
        else:
            return
    raise RuntimeError(f"PostgreSQL did not start: {(folder / 'log').read_text(errors='replace')[-500:]}")


def _account() -> str | None:
    if os.geteuid() != 0:
        return None
    known = {entry.pw_name for entry in pwd.getpwall()}
    return next((name for name in ACCOUNTS if name in known), None)


def _run(command: list[object], account: str | None) -> None:
    done = subprocess.run([str(c) for c in command], capture_output=True, text=True, cwd="/", user=account)
    if done.returncode:
        raise RuntimeError(f"{command[0]} failed: {done.stderr.strip()[-500:]}")
