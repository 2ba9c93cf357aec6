"""Twenty people at the page of an audit, whose server is killed again and again: what is lost, and who is starved?

    python -m benchmarks.audit_campaign [--people 20] [--items 2000] [--kills 20] [--lease 3] [--pairs 1000]
                                        [--postgres]

The people are scripts over HTTP, the server is a process of its own (`python -m recaption.audit.web`), the promises
are those of `tests/servers/audit_crowd.py`. It stops with an error where one does not hold.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

from tests.servers.audit_crowd import campaign, race_edits
from tests.servers.audit_stores import engine_url, place_in


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--people", type=int, default=20)
    parser.add_argument("--items", type=int, default=2000)
    parser.add_argument("--overlap", type=int, default=3)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--lease", type=float, default=3.0)
    parser.add_argument("--pairs", type=int, default=1000)
    parser.add_argument("--postgres", action="store_true")
    told = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, engine_url("postgres" if told.postgres else "sqlite") as url:
        where = Path(folder)
        figures = campaign(
            place_in(url, where),
            where,
            people=told.people,
            items=told.items,
            kills=told.kills,
            lease_s=told.lease,
            overlap=told.overlap,
        )
        for name, figure in figures.items():
            print(f"{name}: {figure}", flush=True)
        if told.pairs:
            print(race_edits(place_in(url, where), where, told.pairs))


if __name__ == "__main__":
    main()
