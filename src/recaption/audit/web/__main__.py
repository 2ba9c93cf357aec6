"""`python -m recaption.audit.web PLACE`: the page of a store that exists, without the rest of the command line."""

from __future__ import annotations

import argparse
import signal
import sys

from recaption.audit.opening import open_store
from recaption.audit.project import About
from recaption.audit.web.serving import serve
from recaption.core.errors import RecaptionError


def main(arguments: list[str] | None = None) -> int:
    """Serve until told to stop; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m recaption.audit.web")
    parser.add_argument("place", help="file or URL of the audit's store")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--name", action="append", default=[])
    parser.add_argument("--project", default="recaption")
    told = parser.parse_args(arguments)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    try:
        with open_store(told.place, project=told.project) as store:
            about = About.of(store.settings.about)
            serve(store, about, host=told.host, port=told.port, names=told.name, ready=_announce)
    except RecaptionError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    return 0


def _announce(origin: str) -> None:
    sys.stdout.write(f"listening on {origin}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
